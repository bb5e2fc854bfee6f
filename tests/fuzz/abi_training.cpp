// The calls that train. What they must give is what the same calls give undisturbed on another number of
// threads.
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "tests/fuzz/abi_world.h"

namespace fuzz {
namespace {

Weights weights_of(const rnn_trainer_t* trainer) {
  rnn_t* out = nullptr;
  REQUIRE(rnn_trainer_network(trainer, &out) == RNN_OK);
  Weights weights = read_weights(out);
  rnn_destroy(out);
  return weights;
}

Floats gradients_of(const rnn_tape_t* tape, const rnn_t* network) {
  Floats all;
  const Weights weights = read_weights(network);
  for (std::size_t p = 0; p < weights.names.size(); ++p) {
    Floats values(weights.parameters[p].size());
    REQUIRE(rnn_tape_gradient(tape, weights.names[p].c_str(), values.data(), values.size()) == RNN_OK);
    all.insert(all.end(), values.begin(), values.end());
  }
  return all;
}

bool same_progress(const rnn_progress_t& a, const rnn_progress_t& b) {
  return a.update == b.update && a.epoch == b.epoch && std::memcmp(&a.loss, &b.loss, sizeof a.loss) == 0 &&
         std::memcmp(&a.gradient_norm, &b.gradient_norm, sizeof a.gradient_norm) == 0;
}

rnn_progress_t empty_progress() {
  rnn_progress_t progress{};
  progress.struct_size = sizeof progress;
  progress.update = 99;
  return progress;
}

const std::string& path() {
  static const std::string path =
      std::filesystem::temp_directory_path() / ("rnn_abi_calls." + std::to_string(getpid()));
  return path;
}

rnn_log_t log_to(std::vector<unsigned char>& bytes, std::uint64_t every) {
  rnn_log_t log{};
  log.struct_size = sizeof log;
  log.every = every;
  log.write = [](std::int32_t part, const void* from, std::size_t size, void* user) {
    auto& to = *static_cast<std::vector<unsigned char>*>(user);
    const auto* first = static_cast<const unsigned char*>(from);
    to.push_back(static_cast<unsigned char>(part));
    to.insert(to.end(), first, first + size);
  };
  log.record = [](std::uint64_t update, void* user) {
    static_cast<std::vector<unsigned char>*>(user)->push_back(static_cast<unsigned char>(update));
  };
  log.user = &bytes;
  return log;
}

}  // namespace

void World::check_trainers() const {
  for (const Training& t : trainers_) {
    if (&t == busy_trainer_) continue;
    REQUIRE(same_weights(weights_of(t.handle), weights_of(t.shadow)));
    REQUIRE(*t.log == *t.shadow_log);
  }
}

void World::check_tapes() const {
  for (const Record& t : tapes_)
    if (&t != busy_tape_)
      REQUIRE(same_bits(gradients_of(t.handle, t.network), gradients_of(t.shadow, t.network)));
}

rnn_train_options_t World::random_options(const rnn_config_t& config) {
  Random& r = random_;
  rnn_train_options_t o{};
  o.struct_size = sizeof o;
  o.threads = 1;
  o.optimizer = r.within(0, RNN_OPTIMIZER_RMSPROP);
  o.learning_rate = 0.01f;
  o.momentum = o.optimizer == RNN_OPTIMIZER_SGD || o.optimizer == RNN_OPTIMIZER_RMSPROP ? 0.5f : 0.0f;
  o.clip_norm = r.once_in(2) ? 0.5f : 0.0f;
  o.batch_size = r.within(1, 3);
  o.epochs = r.within(1, 2);
  o.window = r.once_in(2) && rnn::reference::can_step(config) ? r.within(1, 3) : 0;
  o.stateless_windows = r.once_in(3);
  o.keep_order = r.once_in(2);
  o.average = r.once_in(3) ? 0.5f : 0.0f;
  o.dropout = rnn::reference::architecture(config).body() > 1 && r.once_in(3) ? 0.3f : 0.0f;
  o.output_dropout = rnn::reference::architecture(config).has_head() && r.once_in(3) ? 0.3f : 0.0f;
  o.recurrent_dropout = rnn::reference::architecture(config).has_weight_hh() && r.once_in(3) ? 0.3f : 0.0f;
  o.accumulate = r.within(1, 2);
  o.lanes = o.batch_size > 1 && r.once_in(2) ? 2 : 1;
  o.seed = r.bits();
  if (invalid()) o.batch_size = -1;
  return o;
}

void World::train() {
  Stream& s = any();
  const Data d = random_data(s.config(), s.outputs(), true);
  const rnn_sequences_t data = d.get();
  const rnn_train_options_t options = random_options(s.config());
  rnn_train_options_t other = options;
  other.threads = 2;
  rnn_t* copy = nullptr;
  REQUIRE(rnn_clone(s.handle, &copy) == RNN_OK);
  const rnn_status_t expected = rnn_train(copy, &data, &other);
  auto weights = std::make_shared<Weights>(read_weights(copy));
  rnn_destroy(copy);
  const bool succeeds = invoke("rnn_train", expected, [&] { return rnn_train(s.handle, &data, &options); });
  if (!succeeds && expected != RNN_NOT_FINITE) return;
  weights->of_trainer = true;
  s.weights = weights;
}

void World::evaluate() {
  const Stream& s = any();
  const Data d = random_data(s.config(), s.outputs(), true);
  const rnn_sequences_t data = d.get();
  rnn_train_options_t options{};
  options.struct_size = sizeof options;
  options.threads = 2;
  rnn_evaluation_t right{}, out{};
  right.struct_size = out.struct_size = sizeof out;
  out.loss = right.loss = 99;
  const rnn_status_t expected = rnn_evaluate(s.handle, &data, &options, &right);
  options.threads = 1;
  invoke("rnn_evaluate", expected, [&] { return rnn_evaluate(s.handle, &data, &options, &out); });
  REQUIRE(std::memcmp(&out.loss, &right.loss, sizeof out.loss) == 0);
}

// ---- Trainers ----

void World::make_trainer() {
  const Stream& s = any();
  Training t;
  t.config = s.config();
  t.outputs = s.outputs();
  rnn_train_options_t options = random_options(s.config());
  rnn_train_options_t other = options;
  other.threads = 2;
  const rnn_status_t expected = rnn_trainer_create(s.handle, &other, &t.shadow);
  if (!invoke("rnn_trainer_create", expected,
              [&] { return rnn_trainer_create(s.handle, &options, &t.handle); }))
    return REQUIRE(t.handle == nullptr);
  trainers_.push_back(t);
}

void World::use_trainer() {
  if (trainers_.empty()) return make_trainer();
  Training& t = trainers_[random_.below(trainers_.size())];
  Stream& s = any();
  const Data d = random_data(t.config, t.outputs, true);
  const rnn_sequences_t data = d.get();
  const Weights before = weights_of(t.handle);
  switch (random_.below(6)) {
    case 0: {
      rnn_progress_t right = empty_progress(), progress = empty_progress();
      busy_trainer_ = &t;
      unchanged_ = [&] { REQUIRE(same_weights(weights_of(t.handle), before) && progress.update == 99); };
      const rnn_status_t expected = rnn_trainer_update(t.shadow, &data, &right);
      invoke("rnn_trainer_update", expected, [&] { return rnn_trainer_update(t.handle, &data, &progress); });
      REQUIRE(same_progress(progress, right));
      break;
    }
    case 1: {
      busy_trainer_ = &t;
      const rnn_status_t expected = rnn_trainer_run(t.shadow, &data);
      invoke("rnn_trainer_run", expected, [&] { return rnn_trainer_run(t.handle, &data); });
      break;
    }
    case 2: {
      REQUIRE(rnn_trainer_reset(t.shadow) == RNN_OK);
      invoke("rnn_trainer_reset", RNN_OK, [&] { return rnn_trainer_reset(t.handle); });
      REQUIRE(rnn_trainer_set_learning_rate(t.shadow, 0.02f) == RNN_OK);
      invoke("rnn_trainer_set_learning_rate", RNN_OK,
             [&] { return rnn_trainer_set_learning_rate(t.handle, 0.02f); });
      std::size_t bytes, same;
      REQUIRE(rnn_trainer_optimizer_bytes(t.shadow, &same) == RNN_OK);
      invoke("rnn_trainer_optimizer_bytes", RNN_OK,
             [&] { return rnn_trainer_optimizer_bytes(t.handle, &bytes); });
      REQUIRE(bytes == same);
      rnn_log_t log = log_to(*t.shadow_log, random_.below(3));
      t.log->clear();
      t.shadow_log->clear();
      REQUIRE(rnn_trainer_log(t.shadow, &log) == RNN_OK);
      log.user = t.log.get();
      invoke("rnn_trainer_log", RNN_OK, [&] { return rnn_trainer_log(t.handle, &log); });
      break;
    }
    case 3: {
      rnn_t* out = nullptr;
      invoke("rnn_trainer_network", RNN_OK, [&] { return rnn_trainer_network(t.handle, &out); });
      add(out);
      streams_.back().weights->of_trainer = true;
      REQUIRE(same_weights(*streams_.back().weights, before));
      break;
    }
    case 4: {
      const bool fits = same_architecture(s.config(), t.config);
      if (!invoke("rnn_trainer_sync", fits ? RNN_OK : RNN_MISMATCH,
                  [&] { return rnn_trainer_sync(t.handle, s.handle); }))
        break;
      s.weights = std::make_shared<Weights>(before);
      s.weights->of_trainer = true;
      break;
    }
    default: {
      invoke("rnn_trainer_save", RNN_OK, [&] { return rnn_trainer_save(t.handle, path().c_str()); });
      Training& to = trainers_[random_.below(trainers_.size())];
      const Weights old = weights_of(to.handle);
      busy_trainer_ = &to;
      unchanged_ = [&] { REQUIRE(same_weights(weights_of(to.handle), old)); };
      const rnn_status_t expected = rnn_trainer_load(to.shadow, path().c_str());
      invoke("rnn_trainer_load", expected, [&] { return rnn_trainer_load(to.handle, path().c_str()); });
      std::filesystem::remove(path());
      break;
    }
  }
  busy_trainer_ = nullptr;
  unchanged_ = nullptr;
}

// ---- Tapes ----

void World::make_tape() {
  const Stream& s = any();
  Record t;
  t.config = s.config();
  const rnn_status_t expected = rnn_tape_create(s.handle, 2, &t.shadow);
  if (!invoke("rnn_tape_create", expected, [&] { return rnn_tape_create(s.handle, 1, &t.handle); }))
    return REQUIRE(t.handle == nullptr);
  REQUIRE(rnn_fork(s.handle, &t.network) == RNN_OK);
  tapes_.push_back(t);
}

void World::use_tape() {
  if (tapes_.empty()) return make_tape();
  Record& t = tapes_[random_.below(tapes_.size())];
  const Stream& s = any();
  busy_tape_ = &t;
  switch (random_.below(6)) {
    case 0:
    case 1:
      record(t, s);
      break;
    case 2:
    case 3:
      propagate(t);
      break;
    case 4:
      REQUIRE(rnn_tape_zero_gradients(t.shadow) == RNN_OK);
      invoke("rnn_tape_zero_gradients", RNN_OK, [&] { return rnn_tape_zero_gradients(t.handle); });
      break;
    default:
      apply(t);
      break;
  }
  busy_tape_ = nullptr;
  unchanged_ = nullptr;
}

void World::record(Record& t, const Stream& s) {
  Data d = random_data(s.config(), s.outputs(), false);
  const rnn_sequences_t in = d.get();
  const std::size_t S = s.state.size() * d.lengths.size();
  Floats y(d.rows() * s.outputs(), -1.0f), right = y, final_states(S, -1.0f), right_states = final_states;
  const Floats initial = random_.reals(S);
  const float* const given = random_.once_in(2) ? initial.data() : nullptr;
  const Floats untouched = y;
  unchanged_ = [&] { REQUIRE(same_bits(y, untouched)); };
  const bool drops = random_.once_in(4);
  if (drops) {
    const float rate = random_.once_in(2) ? 0.5f : 0.0f;
    const bool acts = rnn::reference::architecture(t.config).body() > 1;
    const rnn_status_t right_status = rate == 0.0f || acts ? RNN_OK : RNN_INVALID_ARGUMENT;
    REQUIRE(rnn_tape_set_dropout(t.shadow, rate, 1) == right_status);
    invoke("rnn_tape_set_dropout", right_status, [&] { return rnn_tape_set_dropout(t.handle, rate, 1); });
  } else if (random_.once_in(4)) {
    const rnn::reference::Network network = rnn::reference::architecture(t.config);
    rnn_dropout_rates_t rates{};
    rates.struct_size = sizeof rates;
    rates.output = random_.once_in(2) ? 0.5f : 0.0f;
    rates.recurrent = random_.once_in(2) ? 0.5f : 0.0f;
    rates.zoneout = random_.once_in(3) ? 1 : 0;
    const bool acts = (rates.output == 0.0f || network.has_head()) &&
                      (rates.recurrent == 0.0f || network.has_weight_hh()) &&
                      (rates.zoneout == 0 || network.has_zoneout());
    const rnn_status_t right_status = acts ? RNN_OK : RNN_INVALID_ARGUMENT;
    REQUIRE(rnn_tape_set_dropout_rates(t.shadow, &rates, 1) == right_status);
    invoke("rnn_tape_set_dropout_rates", right_status,
           [&] { return rnn_tape_set_dropout_rates(t.handle, &rates, 1); });
  }
  const rnn_status_t expected =
      rnn_tape_forward(t.shadow, s.handle, &in, given, right.data(), right_states.data());
  const bool fits = same_architecture(s.config(), t.config);
  REQUIRE(expected == (fits ? RNN_OK : RNN_MISMATCH));
  if (invoke("rnn_tape_forward", expected, [&] {
        return rnn_tape_forward(t.handle, s.handle, &in, given, y.data(), final_states.data());
      })) {
    t.recorded = true;
    t.data = d;
    t.outputs = y.size();
    t.states = S;
  }
  REQUIRE(same_bits(y, right) && same_bits(final_states, right_states));
}

void World::propagate(Record& t) {
  const Floats d_outputs = random_.reals(t.outputs), d_final = random_.reals(t.states);
  const bool vectors = !t.data.inputs.empty(), asks = random_.once_in(2);
  Floats d_inputs(std::max<std::size_t>(t.data.inputs.size(), 1), -1.0f), right_inputs = d_inputs;
  Floats d_initial(std::max<std::size_t>(t.states, 1), -1.0f), right_initial = d_initial;
  const Floats before = gradients_of(t.handle, t.network), untouched = d_initial;
  unchanged_ = [&] {
    REQUIRE(same_bits(gradients_of(t.handle, t.network), before) && same_bits(d_initial, untouched));
  };
  const rnn_status_t expected = rnn_tape_backward(t.shadow, d_outputs.data(), d_final.data(),
                                                  asks ? right_inputs.data() : nullptr, right_initial.data());
  REQUIRE(expected == (t.recorded && (vectors || !asks) ? RNN_OK : RNN_INVALID_ARGUMENT));
  if (invoke("rnn_tape_backward", expected, [&] {
        return rnn_tape_backward(t.handle, d_outputs.data(), d_final.data(), asks ? d_inputs.data() : nullptr,
                                 d_initial.data());
      }))
    t.recorded = false;
  REQUIRE(same_bits(d_inputs, right_inputs) && same_bits(d_initial, right_initial));
}

void World::apply(Record& t) {
  if (trainers_.empty()) return;
  Training& to = trainers_[random_.below(trainers_.size())];
  const Weights before = weights_of(to.handle);
  busy_trainer_ = &to;
  unchanged_ = [&] { REQUIRE(same_weights(weights_of(to.handle), before)); };
  rnn_progress_t right = empty_progress(), progress = empty_progress();
  const rnn_status_t expected = rnn_trainer_apply(to.shadow, t.shadow, &right);
  invoke("rnn_trainer_apply", expected, [&] { return rnn_trainer_apply(to.handle, t.handle, &progress); });
  REQUIRE(same_progress(progress, right));
  busy_trainer_ = nullptr;
}

}  // namespace fuzz
