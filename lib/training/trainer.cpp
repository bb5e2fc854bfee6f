#include "lib/training/trainer.h"

#include <cmath>
#include <cstdint>
#include <memory>
#include <utility>

#include "lib/network/error.h"
#include "lib/network/sequences.h"
#include "lib/training/trainer_implementation.h"

namespace rnn {

Trainer::Implementation::Implementation(const Network& network, const rnn_train_options_t& resolved)
    : allocator(network.allocator()),
      options(resolved),
      labels(allocator, network.weights().output_size(), resolved),
      sample(allocator, resolved.sampled_classes != 0 ? network.weights().output_size() : 0,
             static_cast<std::size_t>(resolved.sampled_classes)),
      weights(network.weights_ref()),
      threads(resolved.threads),
      optimizer(*weights, options, threads),
      collective(allocator, resolved.collective, resolved.lanes),
      slice(optimizer.slice(*weights, collective.rank(), collective.ranks())),
      transposed(*weights, threads),
      lanes(*weights, collective.own_lanes(), threads, transposed),
      evaluator(*weights, threads),
      logged_options(log_options(*weights, resolved)) {
  options.groups = nullptr;  // the caller's
  options.group_count = 0;
  options.class_weights = labels.weights();
  options.collective = nullptr;
  state = initial_state(*weights);
  if (options.sampled_classes != 0) transposed.leave_out_head();
  transposed.pack(*weights, false);
  ranks.prepare(*this);
}

void Trainer::Implementation::Passes::clear() noexcept {
  slices.clear();
  items.clear();
  ends.clear();
  batches.clear();
}

TrainerState Trainer::Implementation::initial_state(const Weights& w) const {
  TrainerState s;
  s.optimizer = static_cast<std::uint64_t>(options.optimizer);
  s.batch_size = static_cast<std::uint64_t>(options.batch_size);
  s.window = static_cast<std::uint64_t>(options.window);
  s.lanes = options.lanes > 1 ? static_cast<std::uint64_t>(options.lanes) : 0;
  s.random = Random(options.seed);
  s.best_loss = std::numeric_limits<double>::infinity();
  s.validation_loss = std::numeric_limits<double>::quiet_NaN();
  if (optimizer.keeps_first()) s.first_moment = Buffer<float>(allocator, slice.size());
  if (optimizer.keeps_second()) s.second_moment = Buffer<float>(allocator, slice.size());
  if (options.average != 0.0f) {
    s.average = Buffer<float>(allocator, w.value_count());
    std::copy_n(w.values(), w.value_count(), s.average.data());
  }
  return s;
}

std::int32_t Trainer::Implementation::check_data(const rnn_sequences_t& data, const char* name) const {
  check_inputs(*weights, data, name);
  check_finite_inputs(*weights, data, name);
  const std::int32_t loss = check_targets(*weights, data, options.loss, name);
  check_data_options(data, loss, options, name);
  check_label_loss(loss, options);
  check_sampling_loss(loss, options);
  return loss;
}

void Trainer::Implementation::check_validation(std::int32_t loss) {
  if (options.validation == nullptr) return;
  collective.try_together([&] {
    check_inputs(*weights, *options.validation, "options.validation");
    check_finite_inputs(*weights, *options.validation, "options.validation");
    check_targets(*weights, *options.validation, loss, "options.validation");
  });
  if (!collective.any(has_target(*options.validation, loss)))
    throw Error(RNN_INVALID_ARGUMENT,
                "options.validation has no target of a weight above 0%s; one at least must have one, for "
                "there to be a loss",
                labels.weighted() ? ", of a class of one" : "");
}

bool Trainer::Implementation::has_target(const rnn_sequences_t& data, std::int32_t loss) const noexcept {
  const bool by_class = loss == RNN_LOSS_CROSS_ENTROPY && labels.weighted();
  for (std::size_t i = 0; i < target_count(data); ++i)
    if ((data.weights == nullptr || data.weights[i] > 0.0f) &&
        (!by_class || labels.weight(data.classes[i]) > 0.0))
      return true;
  return false;
}

// ---- One update ----------------------------------------------------------------------------------

Found Trainer::Implementation::run_lane(const Job& job, LaneWorker& worker, std::size_t lane,
                                        float* gradients) {
  Found found;
  for (std::size_t pass = 0; pass < passes.batches.size(); ++pass)
    run_pass(job, worker, lane, pass, gradients, found);
  // A lane adds to others what it has, be it nothing.
  if (found.passes == 0 && collective.lanes() > 1) std::fill_n(gradients, weights->value_count(), 0.0f);
  return found;
}

// The gradient of a single pass is that of the mean over its target steps. Of several, and of lanes, the sums are
// added, and the mean is taken over all of them in the update.
void Trainer::Implementation::run_pass(const Job& job, LaneWorker& worker, std::size_t lane,
                                       std::size_t number, float* gradients, Found& found) {
  const bool one_lane = collective.lanes() == 1;
  const std::size_t i = number * collective.lanes() + lane;
  const std::size_t first = i == 0 ? 0 : passes.ends[i - 1];
  Pass pass;
  pass.count = passes.ends[i] - first;
  if (pass.count == 0) return;
  pass.weights = weights.get();
  pass.data = job.data;
  pass.loss = job.loss;
  pass.labels = &labels;
  pass.slices = &passes.slices[first];
  pass.items = &passes.items[first];
  pass.by_sequence = !one_lane;
  // All lanes number their passes alike, whether they have targets in them or not.
  const std::int32_t draw =
      one_lane ? static_cast<std::int32_t>(found.passes) : static_cast<std::int32_t>(number);
  pass.recurrent_dropout = options.recurrent_dropout;
  pass.recurrent_key = job.recurrent_key;
  pass.zoneout = weights->has_zoneout();
  if (pass.zoneout) pass.zoneout_key = key(Draw::zoneout, draw);
  if (job.carry) {
    pass.initial_states = initial_states(number);
    pass.final_states =
        number + 1 == passes.batches.size() ? next_carried.data() : between_carried[number % 2].data();
  }
  for (std::size_t s = 0; s < pass.count; ++s) found.steps += pass.slices[s].length;
  const double weight = target_weight(pass);
  if (weight > 0.0) {
    pass.total = job.many ? 1.0 : weight;
    if (options.scheduled_sampling > 0.0f)
      pass = worker.scheduled_sampling.change(pass, options.scheduled_sampling,
                                              key(Draw::scheduled_sampling, draw));
    pass.dropout = options.dropout;
    pass.output_dropout = options.output_dropout;
    if (pass.dropout > 0.0f || pass.output_dropout > 0.0f) pass.dropout_key = key(Draw::dropout, draw);
    if (options.sampled_classes != 0) pass.sample = &sample;
    found.loss += worker.bptt.train(pass, gradients, found.passes > 0).loss;
    found.weight += weight;
    ++found.passes;
  } else {
    pass.loss = 0;
    worker.bptt.forward(pass);
  }
  // What is carried on is saved with a run, too.
  if (job.carry && restart_not_finite(pass.final_states, pass.items, pass.count)) found.states_not_finite = 1;
}

const float* Trainer::Implementation::initial_states(std::size_t pass) const noexcept {
  const Passes::Batch& batch = passes.batches[pass];
  if (batch.begins) return nullptr;
  if (pass > 0) return between_carried[(pass - 1) % 2].data();
  return state.carried.size() == batch.sequences * weights->state_size() ? state.carried.data() : nullptr;
}

// Sequences whose states are not finite begin again at the initial state; true if there are some.
bool Trainer::Implementation::restart_not_finite(float* states, const Item* items,
                                                 std::size_t count) const noexcept {
  const Weights& w = *weights;
  bool some = false;
  for (std::size_t i = 0; i < count; ++i) {
    float* const row = states + items[i].state * w.state_size();
    if (all_finite(row, w.state_size())) continue;
    some = true;
    for (std::size_t s = 0; s < w.strands(); ++s) {
      const Strand& strand = w.strand(s);
      for (std::size_t p = strand.layer->cell->first_kept_state(); p < strand.layer->cell->states; ++p)
        std::copy_n(strand.states[p].initial, strand.states[p].size, row + strand.states[p].offset);
      std::fill_n(row + strand.past.offset, strand.past.size, 0.0f);
    }
  }
  return some;
}

void Trainer::Implementation::reserve_carried() {
  const std::size_t size = weights->state_size();
  std::size_t most = 0;
  for (const Passes::Batch& batch : passes.batches)
    most = std::max(most, checked_product(batch.sequences, size));
  if (passes.batches.size() > 1)
    for (Buffer<float>& states : between_carried) states.reserve(allocator, most);
  const std::size_t last = passes.batches.back().sequences * size;
  if (next_carried.size() != last) next_carried = Buffer<float>(allocator, last);
  std::fill(next_carried.begin(), next_carried.end(), 0.0f);
}

// Of the products, about.
double Trainer::Implementation::operations() const noexcept {
  std::size_t steps = 0;
  for (const rnn::Slice& s : passes.slices) steps += s.length;
  return 6.0 * static_cast<double>(weights->value_count()) * static_cast<double>(steps);
}

// Nothing has changed if this throws.
void Trainer::Implementation::update(const Job& job, bool timed, rnn_progress_t& progress) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point start = timed ? Clock::now() : Clock::time_point();
  const auto compute = [&] {
    if (job.carry) reserve_carried();
    if (options.sampled_classes != 0) sample.draw(key(Draw::classes, 0));
    lanes.run(*weights, operations(), [&](LaneWorker& worker, std::size_t lane, float* gradients) {
      return run_lane(job, worker, lane, gradients);
    });
  };
  Found found;
  if (collective.alone()) {
    compute();
    found = lanes.found(0);
  } else {
    found = add_ranks(attempt(compute));
  }
  progress.loss = std::numeric_limits<double>::quiet_NaN();
  if (found.passes > 0) progress.loss = found.loss / found.weight;

  const double scale = job.many ? 1.0 / found.weight : 1.0;
  std::optional<Error> failed = failure(found);
  if (!failed && found.passes > 0) {
    if (collective.alone()) optimizer.add_squares(weights->table(), slice, lanes.gradients(0));
    failed = check_norm(scale * optimizer.norm(), progress);
  }
  const bool applies = !failed && found.passes > 0;
  if (!collective.alone())
    finish_on_ranks(applies, scale, progress);
  else if (applies)
    apply(lanes.gradients(0), scale, progress);
  if (failed) skip(*failed, progress);
  if (!timed) return;
  const std::chrono::duration<double> seconds = Clock::now() - start;
  progress.steps_per_second = static_cast<double>(found.steps) / seconds.count();
}

// Weights that an update has made infinite are found out by the next one.
const char* Trainer::Implementation::advice() const noexcept {
  return all_finite(weights->values(), weights->value_count())
             ? ""
             : ", and they are not finite: the updates were too large";
}

std::optional<Error> Trainer::Implementation::failure(const Found& found) const {
  if (found.passes > 0 && !std::isfinite(found.loss))
    return Error(RNN_NOT_FINITE,
                 "the loss of update %" PRIu64 " is %g; the weights stay as they were before it%s",
                 state.update, found.loss / found.weight, advice());
  if (found.states_not_finite != 0)
    return Error(RNN_NOT_FINITE,
                 "the states after the steps of update %" PRIu64
                 " are not finite; the weights stay as they were before it%s",
                 state.update, advice());
  return std::nullopt;
}

std::optional<Error> Trainer::Implementation::check_norm(double norm, rnn_progress_t& progress) const {
  progress.gradient_norm = norm;
  if (std::isfinite(norm)) return std::nullopt;
  return Error(RNN_NOT_FINITE,
               "the gradient's norm at update %" PRIu64 " is %g; the weights stay as they were before it",
               state.update, norm);
}

void Trainer::Implementation::apply(const Tape& tape, rnn_progress_t& progress) {
  if (!collective.alone())
    throw Error(RNN_INVALID_ARGUMENT,
                "options.collective has %zu ranks; the gradients of a tape are those of one process, not of "
                "%zu lanes",
                collective.ranks(), collective.lanes());
  optimizer.add_squares(weights->table(), slice, tape.gradients());
  const std::optional<Error> failed = check_norm(optimizer.norm(), progress);
  if (failed) return skip(*failed, progress);
  apply(tape.gradients(), 1.0, progress);
}

// By scale times the gradients.
void Trainer::Implementation::apply(const float* gradients, double scale, rnn_progress_t& progress) {
  if (!weights.unique()) weights = weights.copy();
  Weights& own = weights.mutate();
  progress.learning_rate = present_rate();
  optimizer.apply(own.table(), slice, own.values(), gradients, scale, progress.gradient_norm, state.update,
                  progress.learning_rate, state.first_moment.data(), state.second_moment.data());
  finish_update(own, progress);
}

double Trainer::Implementation::present_rate() const noexcept {
  const double initial = state.learning_rate != 0.0 ? state.learning_rate : double{options.learning_rate};
  return learning_rate(options, initial, state.update, state.epoch);
}

void Trainer::Implementation::finish_update(Weights& own, rnn_progress_t& progress) {
  state.skipped_in_row = 0;
  pack(own);
  if (state.average.size() != 0) optimizer.follow(own, state.update, state.average.data());
  averaged_is_new = false;
  progress.update = ++state.update;
}

void Trainer::Implementation::skip(const Error& failure, rnn_progress_t& progress) {
  if (state.skipped_in_row >= static_cast<std::uint64_t>(options.skip_not_finite)) throw failure;
  ++state.skipped_in_row;
  progress.skipped_updates = ++state.skipped;
}

// Both orientations together: fewer threads wait than for one and then the other.
void Trainer::Implementation::pack(Weights& own) noexcept {
  const std::size_t jobs = own.pack_jobs();
  threads.run(2 * Threads::kPacking * static_cast<double>(own.value_count()), jobs + transposed.jobs(),
              [&](std::size_t i) { i < jobs ? own.pack_job(i) : transposed.pack_job(own, i - jobs); });
}

std::uint64_t Trainer::Implementation::key(Draw draw, std::uint64_t update,
                                           std::int32_t pass) const noexcept {
  std::uint64_t result = options.seed;
  for (const std::uint64_t value :
       {static_cast<std::uint64_t>(draw), update, static_cast<std::uint64_t>(pass)})
    result = Random(result ^ value).bits();
  return result;
}

// ---- Weights to hand out -------------------------------------------------------------------------

// `target` becomes weights with these values; if it refers to such as are shared, others.
void Trainer::Implementation::set_weights(const float* values, WeightsRef& target) {
  if (target.get() == nullptr || !target.unique()) target = weights.copy();
  Weights& own = target.mutate();
  std::copy_n(values, own.value_count(), own.values());
  const kernels::FloatMode mode;
  threads.run(Threads::kPacking * static_cast<double>(own.value_count()), own.pack_jobs(),
              [&](std::size_t i) { own.pack_job(i); });
}

const WeightsRef& Trainer::Implementation::result() {
  if (state.average.size() == 0) return weights;
  if (!averaged_is_new) set_weights(state.average.data(), averaged);
  averaged_is_new = true;
  return averaged;
}

rnn_progress_t Trainer::Implementation::new_progress(std::int32_t event) const noexcept {
  rnn_progress_t progress{};
  progress.struct_size = sizeof progress;
  progress.event = event;
  progress.epoch = static_cast<std::int32_t>(state.epoch);
  progress.update = state.update;
  progress.skipped_updates = state.skipped;
  progress.loss = std::numeric_limits<double>::quiet_NaN();
  progress.validation_loss = state.validation_loss;
  return progress;
}

namespace {

// struct_size is the caller's.
void give(const rnn_progress_t& progress, rnn_progress_t* out) noexcept {
  if (out == nullptr) return;
  const std::size_t size = out->struct_size;
  *out = progress;
  out->struct_size = size;
}

}  // namespace

// ---- Trainer -------------------------------------------------------------------------------------

Trainer::Trainer(const Network& network, const rnn_train_options_t& options) {
  check_lanes(options);
  Collective collective(network.allocator(), options.collective, std::max(options.lanes, 1));
  rnn_train_options_t resolved;
  struct Destroy {
    void operator()(Implementation* made) const { Allocator(made->allocator).destroy(made); }
  };
  std::unique_ptr<Implementation, Destroy> made;
  collective.try_together([&] {
    resolved = resolve_options(options);
    check_trainable(network.weights());
    check_network_options(network.weights(), resolved);
    if (resolved.validation != nullptr) {
      check_inputs(network.weights(), *resolved.validation, "options.validation");
      check_finite_inputs(network.weights(), *resolved.validation, "options.validation");
      check_targets(network.weights(), *resolved.validation, resolved.loss, "options.validation");
    }
    made.reset(network.allocator().make<Implementation>(network, resolved));
  });
  collective.check_job(network.weights(), resolved);
  implementation_ = made.release();
}

Trainer::~Trainer() { allocator().destroy(implementation_); }

void Trainer::update(const rnn_sequences_t& batch, rnn_progress_t* progress,
                     kernels::FloatEnvironment& environment) {
  Implementation& self = *implementation_;
  const std::uint64_t before = self.state.update;
  Implementation::Job job{&batch, 0, 0, false, self.collective.lanes() > 1};
  self.collective.try_together([&] {
    if (self.state.next_step != 0)
      throw Error(RNN_INVALID_ARGUMENT,
                  "a run stands at step %" PRIu64
                  " of a batch, whose states an update would lose; let it finish first",
                  self.state.next_step);
    job.loss = self.check_data(batch, "batch");
  });
  const std::size_t count = self.gather_batch(batch);
  rnn_progress_t result = self.new_progress(RNN_EVENT_UPDATE);
  job.carry = self.options.stateless_windows == 0 && !self.weights->has_reverse();
  // A batch that goes on from carried states has the masks of the one in which they began.
  const bool goes_on = job.carry && count * self.weights->state_size() == self.state.carried.size();
  const std::uint64_t begun = goes_on ? self.state.carried_since : before;
  if (self.options.recurrent_dropout > 0.0f)
    job.recurrent_key = self.key(Implementation::Draw::masks_of_batch, begun, 0);
  {
    const kernels::FloatMode mode;
    self.update(job, progress != nullptr, result);
  }
  if (job.carry) self.state.carried.swap(self.next_carried);
  self.state.carried_since = begun;
  self.log_data(batch, job.loss, environment);
  self.log_update(before, environment);
  give(result, progress);
}

// One pass over all sequences; returns their number.
std::size_t Trainer::Implementation::gather_batch(const rnn_sequences_t& batch) {
  passes.clear();
  passes.resize(batch.count);
  if (collective.lanes() == 1) {
    for (std::size_t n = 0, first = 0; n < batch.count; first += batch.lengths[n], ++n) {
      passes.slices[n] = {first, batch.lengths[n]};
      passes.items[n] = {n, n, n};
    }
    passes.ends.push_back(batch.count);
    passes.batches.push_back({batch.count, false});
    return batch.count;
  }
  collective.check_same({{"the number of updates done", state.update}});
  const JobData data(allocator, batch, collective);
  std::size_t end = 0;
  for (std::size_t lane = 0; lane < collective.lanes(); ++lane) {
    for (std::size_t n = lane; n < data.count() && collective.own_lanes().has(lane);
         n += collective.lanes()) {
      passes.slices[end] = {data.first_frame(n), data.length(n)};
      passes.items[end++] = {n, data.index(n), n};
    }
    passes.ends.push_back(end);
  }
  passes.resize(end);
  passes.batches.push_back({data.count(), false});
  return data.count();
}

void Trainer::apply(const Tape& tape, rnn_progress_t* progress, kernels::FloatEnvironment& environment) {
  Implementation& self = *implementation_;
  const std::uint64_t before = self.state.update;
  rnn_progress_t result = self.new_progress(RNN_EVENT_UPDATE);
  {
    const kernels::FloatMode mode;
    self.apply(tape, result);
  }
  self.log_gradients(tape.gradients(), environment);
  self.log_update(before, environment);
  give(result, progress);
}

void Trainer::reset() {
  // Within a batch, the states are those of the run.
  if (implementation_->state.next_step == 0) implementation_->state.carried = Buffer<float>();
}

void Trainer::set_learning_rate(float rate) {
  check_learning_rate("rate", rate);
  implementation_->state.learning_rate = static_cast<double>(rate);
}

const WeightsRef* Trainer::last_good() {
  Implementation& self = *implementation_;
  if (self.state.update == 0) return nullptr;
  self.finish();
  const WeightsRef& found = self.result();
  return all_finite(found->values(), found->value_count()) ? &found : nullptr;
}

const Allocator& Trainer::allocator() const noexcept { return implementation_->allocator; }

const WeightsRef& Trainer::weights_ref() const noexcept { return implementation_->weights; }

const WeightsRef& Trainer::result() const { return implementation_->result(); }

bool Trainer::alone() const noexcept { return implementation_->collective.alone(); }

std::size_t Trainer::optimizer_bytes() const noexcept {
  return (state().first_moment.size() + state().second_moment.size()) * sizeof(float);
}

void Trainer::save(const std::function<void()>& write) const { implementation_->save(write); }

Buffer<unsigned char> Trainer::load(const std::function<Buffer<unsigned char>()>& read) const {
  Collective& collective = implementation_->collective;
  Buffer<unsigned char> bytes;
  collective.try_together([&] {
    if (collective.rank() == 0) bytes = read();
  });
  return collective.alone() ? std::move(bytes) : collective.broadcast(bytes);
}

const TrainerState& Trainer::state() const noexcept { return implementation_->state; }

}  // namespace rnn
