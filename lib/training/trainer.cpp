#include "lib/training/trainer.h"

#include <cmath>
#include <cstdint>

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
      bptt(*weights, threads),
      scheduled_sampling(*weights, bptt),
      evaluator(*weights, threads),
      gradients(allocator, weights->value_count()) {
  options.groups = nullptr;  // the caller's
  options.group_count = 0;
  options.class_weights = labels.weights();
  state = initial_state(*weights);
  if (options.sampled_classes != 0) bptt.transposed().leave_out_head();
  bptt.transposed().pack(*weights, false);
}

TrainerState Trainer::Implementation::initial_state(const Weights& w) const {
  TrainerState s;
  s.optimizer = static_cast<std::uint64_t>(options.optimizer);
  s.batch_size = static_cast<std::uint64_t>(options.batch_size);
  s.window = static_cast<std::uint64_t>(options.window);
  s.random = Random(options.seed);
  s.best_loss = std::numeric_limits<double>::infinity();
  s.validation_loss = std::numeric_limits<double>::quiet_NaN();
  if (optimizer.keeps_first()) s.first_moment = Buffer<float>(allocator, w.value_count());
  if (optimizer.keeps_second()) s.second_moment = Buffer<float>(allocator, w.value_count());
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

void Trainer::Implementation::check_validation(std::int32_t loss) const {
  if (options.validation == nullptr) return;
  check_inputs(*weights, *options.validation, "options.validation");
  check_finite_inputs(*weights, *options.validation, "options.validation");
  check_targets(*weights, *options.validation, loss, "options.validation");
  if (!has_target(*options.validation, loss))
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

// The gradient of a single pass is that of the mean over its target steps. Of several, the sums are added,
// and the mean is taken over all of them in the update.
void Trainer::Implementation::do_pass(Pass pass, bool carry, std::size_t sequences, Gathered& gathered) {
  const std::size_t states = checked_product(sequences, weights->state_size());
  pass.labels = &labels;
  const double weight = target_weight(pass);
  pass.weights = weights.get();
  pass.recurrent_dropout = options.recurrent_dropout;
  pass.zoneout = weights->has_zoneout();
  if (pass.zoneout) pass.zoneout_key = key(Draw::zoneout, gathered.passes);
  pass.total = gathered.many ? 1.0 : weight;
  if (carry) {
    if (next_carried.size() != states) next_carried = Buffer<float>(allocator, states);
    std::fill(next_carried.begin(), next_carried.end(), 0.0f);
    pass.initial_states = state.carried.size() == states ? state.carried.data() : nullptr;
    pass.final_states = next_carried.data();
  }
  for (std::size_t i = 0; i < pass.count; ++i) gathered.steps += pass.slices[i].length;
  if (!(weight > 0.0)) {
    pass.loss = 0;
    bptt.forward(pass);
    return check_carried(carry, sequences, gathered);
  }
  if (options.scheduled_sampling > 0.0f)
    pass = scheduled_sampling.change(pass, options.scheduled_sampling,
                                     key(Draw::scheduled_sampling, gathered.passes));
  pass.dropout = options.dropout;
  pass.output_dropout = options.output_dropout;
  if (pass.dropout > 0.0f || pass.output_dropout > 0.0f)
    pass.dropout_key = key(Draw::dropout, gathered.passes);
  if (options.sampled_classes != 0) {
    if (gathered.passes == 0) sample.draw(key(Draw::classes, 0));
    pass.sample = &sample;
  }
  const double loss = bptt.train(pass, gradients.data(), gathered.passes > 0).loss;
  if (!std::isfinite(loss))
    fail(gathered, Error(RNN_NOT_FINITE,
                         "the loss of update %" PRIu64 " is %g; the weights stay as they were before it%s",
                         state.update, loss / weight, advice()));
  gathered.loss += loss;
  gathered.weight += weight;
  ++gathered.passes;
  check_carried(carry, sequences, gathered);
}

// What is carried on is saved with a run, too.
void Trainer::Implementation::check_carried(bool carry, std::size_t sequences, Gathered& gathered) {
  if (!carry || !restart_not_finite(next_carried.data(), sequences)) return;
  fail(gathered, Error(RNN_NOT_FINITE,
                       "the states after the steps of update %" PRIu64
                       " are not finite; the weights stay as they were before it%s",
                       state.update, advice()));
}

// Weights that an update has made infinite are found out by the next one.
const char* Trainer::Implementation::advice() const noexcept {
  return all_finite(weights->values(), weights->value_count())
             ? ""
             : ", and they are not finite: the updates were too large";
}

void Trainer::Implementation::fail(Gathered& gathered, const Error& failure) const {
  if (options.skip_not_finite == 0) throw failure;
  if (!gathered.failure) gathered.failure = failure;
}

// Sequences whose states are not finite begin again at the initial state; true if there are some.
bool Trainer::Implementation::restart_not_finite(float* states, std::size_t sequences) const noexcept {
  const Weights& w = *weights;
  bool some = false;
  for (std::size_t n = 0; n < sequences; ++n, states += w.state_size()) {
    if (all_finite(states, w.state_size())) continue;
    some = true;
    for (std::size_t s = 0; s < w.strands(); ++s) {
      const Strand& strand = w.strand(s);
      for (std::size_t state = strand.layer->cell->first_kept_state(); state < strand.layer->cell->states;
           ++state)
        std::copy_n(strand.states[state].initial, strand.states[state].size,
                    states + strand.states[state].offset);
      std::fill_n(states + strand.past.offset, strand.past.size, 0.0f);
    }
  }
  return some;
}

void Trainer::Implementation::update(const Gathered& gathered, rnn_progress_t& progress) {
  progress.loss = std::numeric_limits<double>::quiet_NaN();
  if (gathered.passes > 0) progress.loss = gathered.loss / gathered.weight;
  if (gathered.failure)
    skip(*gathered.failure, progress);
  else if (gathered.passes > 0)
    apply(gradients.data(), gathered.many ? 1.0 / gathered.weight : 1.0, progress);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - gathered.start;
  progress.steps_per_second = static_cast<double>(gathered.steps) / seconds.count();
}

// Nothing has changed if this throws.
void Trainer::Implementation::apply(const float* from, double scale, rnn_progress_t& progress) {
  const double norm = scale * optimizer.norm(*weights, from);
  progress.gradient_norm = norm;
  if (!std::isfinite(norm))
    return skip(
        Error(RNN_NOT_FINITE,
              "the gradient's norm at update %" PRIu64 " is %g; the weights stay as they were before it",
              state.update, norm),
        progress);
  if (!weights.unique()) weights = weights.copy();

  const double initial = state.learning_rate != 0.0 ? state.learning_rate : double{options.learning_rate};
  progress.learning_rate = learning_rate(options, initial, state.update, state.epoch);
  Weights& own = weights.mutate();
  optimizer.apply(own, from, scale, norm, state.update, progress.learning_rate, state.first_moment.data(),
                  state.second_moment.data());
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
  TransposedWeights& transposed = bptt.transposed();
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
  const rnn_train_options_t resolved = resolve_options(options);
  check_trainable(network.weights());
  check_network_options(network.weights(), resolved);
  if (resolved.validation != nullptr) {
    check_inputs(network.weights(), *resolved.validation, "options.validation");
    check_finite_inputs(network.weights(), *resolved.validation, "options.validation");
    check_targets(network.weights(), *resolved.validation, resolved.loss, "options.validation");
  }
  implementation_ = network.allocator().make<Implementation>(network, resolved);
}

Trainer::~Trainer() { allocator().destroy(implementation_); }

void Trainer::update(const rnn_sequences_t& batch, rnn_progress_t* progress) {
  Implementation& self = *implementation_;
  if (self.state.next_step != 0)
    throw Error(RNN_INVALID_ARGUMENT,
                "a run stands at step %" PRIu64
                " of a batch, whose states an update would lose; let it finish first",
                self.state.next_step);
  Pass pass;
  pass.loss = self.check_data(batch, "batch");
  pass.data = &batch;
  self.slices.reserve(self.allocator, batch.count);
  self.items.reserve(self.allocator, batch.count);
  std::size_t first = 0;
  for (std::size_t n = 0; n < batch.count; first += batch.lengths[n], ++n) {
    self.slices[n] = {first, batch.lengths[n]};
    self.items[n] = {n, n, n};
  }
  pass.slices = self.slices.data();
  pass.items = self.items.data();
  pass.count = batch.count;
  rnn_progress_t result = self.new_progress(RNN_EVENT_UPDATE);
  const bool carry = self.options.stateless_windows == 0 && !self.weights->has_reverse();
  // A batch that goes on from carried states has the masks of the one in which they began.
  const bool goes_on = carry && batch.count * self.weights->state_size() == self.state.carried.size();
  const std::uint64_t begun = goes_on ? self.state.carried_since : self.state.update;
  if (self.options.recurrent_dropout > 0.0f)
    pass.recurrent_key = self.key(Implementation::Draw::masks_of_batch, begun, 0);
  {
    const kernels::FloatMode mode;
    Implementation::Gathered gathered;
    self.do_pass(pass, carry, batch.count, gathered);
    self.update(gathered, result);
  }
  if (carry) self.state.carried.swap(self.next_carried);
  self.state.carried_since = begun;
  give(result, progress);
}

void Trainer::apply(const Tape& tape, rnn_progress_t* progress) {
  Implementation& self = *implementation_;
  rnn_progress_t result = self.new_progress(RNN_EVENT_UPDATE);
  {
    const kernels::FloatMode mode;
    self.apply(tape.gradients(), 1.0, result);
  }
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

const TrainerState& Trainer::state() const noexcept { return implementation_->state; }

}  // namespace rnn
