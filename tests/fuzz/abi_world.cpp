#include "tests/fuzz/abi_world.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <utility>

namespace fuzz {
namespace {

constexpr std::size_t kMostStreams = 6, kMostTrainers = 2, kMostTapes = 2;
constexpr float kUntouched = 42.0f;

bool all_untouched(const Floats& values) {
  return std::all_of(values.begin(), values.end(), [](float v) { return v == kUntouched; });
}

rnn_t* clone(const rnn_t* rnn) {
  rnn_t* out = nullptr;
  REQUIRE(rnn_clone(rnn, &out) == RNN_OK);
  return out;
}

struct Owned {
  explicit Owned(rnn_t* given) : handle(given) {}
  ~Owned() { rnn_destroy(handle); }
  Owned(const Owned&) = delete;
  Owned& operator=(const Owned&) = delete;
  rnn_t* handle;
};

// What a state is after it was set; with a delay between steps, a convolution's is between inputs.
Floats state_set(const Stream& s, const Floats& state, float delay) {
  if (delay == std::floor(delay)) return state;
  const Owned other(clone(s.handle));
  REQUIRE(rnn_set_delay(other.handle, delay) == RNN_OK);
  REQUIRE(rnn_set_state(other.handle, state.data(), state.size()) == RNN_OK);
  return read_state(other.handle);
}

}  // namespace

World::~World() {
  while (!streams_.empty()) remove(0);
  for (const Training& t : trainers_) destroy(t);
  for (const Record& t : tapes_) destroy(t);
}

void World::destroy(const Training& t) {
  rnn_trainer_destroy(t.handle);
  rnn_trainer_destroy(t.shadow);
}

void World::destroy(const Record& t) {
  rnn_tape_destroy(t.handle);
  rnn_tape_destroy(t.shadow);
  rnn_destroy(t.network);
}

// ---- How a call is made ----

bool World::invoke(const char* function, rnn_status_t expected, const Call& call) {
  const std::size_t mode = random_.once_in(2) ? random_.below(8) : 0;
  long left = random_.once_in(3) ? random_.within(0, 3) : -1;
  const long step = random_.within(1, 3);
  say(std::string(" ") + function + Mode::name(mode) +
      (left >= 0 ? " failing from " + std::to_string(left) : ""));
  rnn_status_t status = RNN_OK;
  for (;; left += step) {
    {
      const Mode during(mode);
      Heap::fail_after(left);
      status = call();
      Heap::fail_after(-1);
    }
    if (status != RNN_OUT_OF_MEMORY) break;
    say(" " + std::to_string(left));
    REQUIRE(left >= 0 && Heap::failed());
    check();
    if (unchanged_) unchanged_();
  }
  say(std::string(": ") + rnn_status_string(status));
  if (status != expected) say(std::string(", not ") + rnn_status_string(expected));
  REQUIRE(status == expected);
  if (status == RNN_OK) return true;
  const std::string message = rnn_last_error();
  REQUIRE(message.rfind(std::string(function) + ": ", 0) == 0 && is_utf8(message));
  return false;
}

void World::refuse(const char* function, rnn_status_t expected, const Call& call) {
  REQUIRE(!invoke(function, expected, call));
}

void World::call(std::uint64_t seed) {
  random_ = Random(seed);
  limit();
  if (streams_.empty()) return create();
  using Function = void (World::*)();
  constexpr Function kCalls[] = {
    &World::create,
    &World::copy,
    &World::copy,
    &World::copy,
    &World::sync,
    &World::step,
    &World::step,
    &World::step_block,
    &World::step_block,
    &World::step_many,
    &World::step_many,
    &World::set_state,
    &World::set_delay,
    &World::history,
    &World::rewind,
    &World::rewind,
    &World::set_parameter,
    &World::set_metadata,
    &World::forward,
    &World::forward,
    &World::generate,
    &World::rollout,
    &World::file,
    &World::null,
#if RNN_TRAINING
    &World::train,
    &World::evaluate,
    &World::make_trainer,
    &World::use_trainer,
    &World::use_trainer,
    &World::make_tape,
    &World::use_tape,
    &World::use_tape,
    &World::use_tape,
#endif
  };
  (this->*kCalls[random_.below(std::size(kCalls))])();
}

// ---- The model ----

void World::check() const {
  for (const Stream& s : streams_) {
    REQUIRE(same_bits(read_state(s.handle), s.state));
    float delay = 0;
    REQUIRE(rnn_get_delay(s.handle, &delay) == RNN_OK && delay == s.delay);
    REQUIRE(same_weights(read_weights(s.handle), *s.weights));
  }
  for (std::size_t i = 0; i < streams_.size(); ++i)
    for (std::size_t j = 0; j < i; ++j) {
      const Stream &a = streams_[i], &b = streams_[j];
      const bool shared = a.weights == b.weights;
      if (!shared && a.weights->of_trainer && b.weights->of_trainer) continue;
      if (!shared && (a.weights->of_trainer || b.weights->of_trainer)) continue;
      REQUIRE(share_weights(a.handle, b.handle) == shared);
    }
#if RNN_TRAINING
  check_trainers();
  check_tapes();
#endif
}

void World::add(rnn_t* handle) {
  Stream stream;
  stream.handle = handle;
  stream.weights = std::make_shared<Weights>(read_weights(handle));
  stream.state = read_state(handle);
  streams_.push_back(std::move(stream));
}

void World::add(rnn_t* handle, const Stream& from, std::shared_ptr<Weights> weights) {
  Stream stream = from;
  stream.handle = handle;
  stream.weights = std::move(weights);
  streams_.push_back(std::move(stream));
}

void World::change(Stream& stream) { stream.weights = std::make_shared<Weights>(*stream.weights); }

void World::remove(std::size_t index) {
  rnn_destroy(streams_[index].handle);
  streams_.erase(streams_.begin() + static_cast<std::ptrdiff_t>(index));
}

void World::limit() {
  if (streams_.size() > kMostStreams || (streams_.size() > 1 && random_.once_in(12)))
    remove(random_.below(streams_.size()));
#if RNN_TRAINING
  if (trainers_.size() > kMostTrainers) {
    destroy(trainers_[0]);
    trainers_.erase(trainers_.begin());
  }
  if (tapes_.size() > kMostTapes) {
    destroy(tapes_[0]);
    tapes_.erase(tapes_.begin());
  }
#endif
}

rnn_config_t World::random_list() {
  Random& r = random_;
  rnn::reference::ListKind kind;
  kind.whole = r.once_in(3);
  kind.widest = r.once_in(4) ? 40 : 6;
  rnn_config_t c = rnn::reference::random_list(static_cast<std::uint32_t>(r.bits()), kind);
  if (c.embedding_size == 0 && c.input_size > 5) c.input_size = 5, c.skip = 0;
  c.allocator = Heap::functions();
  c.init = r.within(0, RNN_INIT_UNIFORM);
  c.compute = r.once_in(3) ? r.within(0, 2) : 0;
  return c;
}

rnn_config_t World::random_config() {
  if (random_.once_in(3)) return random_list();
  Random& r = random_;
  rnn_config_t c{};
  c.struct_size = sizeof c;
  c.allocator = Heap::functions();
  c.cell = r.within(1, 5);
  c.input_size = r.within(1, 5);
  c.hidden_size = r.once_in(4) ? r.within(1, 40) : r.within(1, 6);
  c.output_size = r.once_in(3) ? c.input_size : r.within(0, 4);
  c.num_layers = r.within(0, 3);
  c.init = r.within(0, RNN_INIT_UNIFORM);
  c.recurrent_init = r.within(0, RNN_INIT_IDENTITY);
  c.seed = r.bits();
  c.initial_state = r.once_in(2) ? r.within(0, 2) : 0;
  c.compute = r.once_in(3) ? r.within(0, 2) : 0;
  if (r.once_in(3)) c.flags |= RNN_FLAG_NO_BIAS;
  if (r.once_in(4)) c.flags |= RNN_FLAG_RESIDUAL;
  if (r.once_in(5)) c.flags |= RNN_FLAG_BIDIRECTIONAL;
  if (c.cell == RNN_CELL_VANILLA && r.once_in(2)) c.flags |= RNN_FLAG_RELU;
  if (c.cell == RNN_CELL_GRU && r.once_in(2)) c.flags |= RNN_FLAG_RESET_BEFORE;
  if (c.cell == RNN_CELL_LSTM && r.once_in(3)) c.flags |= RNN_FLAG_PEEPHOLES;
  if (c.cell == RNN_CELL_LSTM && r.once_in(3)) c.flags |= RNN_FLAG_COUPLED_GATES;
  if (c.cell == RNN_CELL_MIN_GRU || c.cell == RNN_CELL_MIN_LSTM)
    c.recurrent_init = 0;
  else if ((c.flags & RNN_FLAG_RESET_BEFORE) == 0 && r.once_in(4))
    c.flags |= RNN_FLAG_LAYER_NORM;
  if (c.cell == RNN_CELL_LSTM && r.once_in(3)) c.projection_size = r.within(0, c.hidden_size - 1);
  if (r.once_in(4)) c.embedding_size = r.within(1, 6);
  const std::int32_t width = (c.projection_size != 0 ? c.projection_size : c.hidden_size) *
                             ((c.flags & RNN_FLAG_BIDIRECTIONAL) != 0 ? 2 : 1);
  const std::int32_t most = std::min(c.input_size, c.output_size != 0 ? c.output_size : width);
  if (c.embedding_size == 0 && r.once_in(4)) c.skip = r.within(0, most);
  return c;
}

Data World::random_data(const rnn_config_t& config, std::size_t outputs, bool targets) {
  Random& r = random_;
  Data d;
  for (std::size_t n = 1 + r.below(3); n > 0; --n) d.lengths.push_back(1 + r.below(5));
  if (config.embedding_size != 0 || r.once_in(2))
    d.indices = r.indices(d.frames(), config.input_size);
  else
    d.inputs = r.reals(d.frames() * static_cast<std::size_t>(config.input_size));
  if (r.once_in(3))
    for (std::size_t i = 0; i < d.frames(); ++i) d.resets.push_back(r.once_in(3));
  if (config.skip == 0 && r.once_in(3)) d.pooling = r.within(0, RNN_POOLING_MAX);
  if (!rnn::reference::can_pool(config, d.pooling)) d.pooling = RNN_POOLING_MEAN;
  if (!targets) return d;
  if (r.once_in(2))
    d.classes = r.indices(d.rows(), static_cast<std::int32_t>(outputs));
  else
    d.targets = r.reals(d.rows() * outputs);
  if (r.once_in(3))
    for (std::size_t i = 0; i < d.rows(); ++i) d.weights.push_back(static_cast<float>(r.below(3)));
  return d;
}

Floats World::step_by_step(const Stream& stream, const Data& data, std::size_t first, std::size_t length,
                           bool fresh, Floats* state, std::vector<Floats>* past) const {
  rnn_t* out = nullptr;
  REQUIRE(rnn_fork(stream.handle, &out) == RNN_OK);
  const Owned fork(out);
  if (fresh) REQUIRE(rnn_reset(out) == RNN_OK);
  const std::size_t O = stream.outputs(), I = stream.inputs();
  Floats outputs(length * O);
  for (std::size_t t = 0; t < length; ++t) {
    if (!data.resets.empty() && data.resets[first + t] != 0) {
      REQUIRE(rnn_reset(out) == RNN_OK);
      if (past != nullptr) past->clear();
    }
    if (past != nullptr) past->push_back(read_state(out));
    float* const y = outputs.data() + t * O;
    REQUIRE((data.indices.empty() ? rnn_step(out, data.inputs.data() + (first + t) * I, y)
                                  : rnn_step_index(out, data.indices[first + t], y)) == RNN_OK);
  }
  if (state != nullptr) *state = read_state(out);
  return outputs;
}

// ---- Handles ----

void World::create() {
  rnn_config_t c = random_config();
  rnn_t* out = nullptr;
  if (invalid()) {
    std::vector<rnn_layer_t> layers(c.layers, c.layers + c.layer_count);
    if (!layers.empty()) c.layers = layers.data();
    switch (random_.below(12)) {
      case 0:
        c.input_size = random_.once_in(2) ? 0 : 1 << 30;
        break;
      case 1:
        c.hidden_size = -1;
        break;
      case 2:
        c.output_size = -1;
        break;
      case 3:
        c.num_layers = 65;
        break;
      case 4:
        c.cell = 99;
        break;
      case 5:
        c.compute = 9;
        break;
      case 6:
        c.flags |= 1u << 30;
        break;
      case 7:
        c.struct_size = 3;
        break;
      case 8:
        c.layer_count = layers.empty() ? 2 : random_.once_in(2) ? 0 : 257;
        break;
      case 9:
        if (layers.empty()) layers.resize(c.layer_count = 3), c.layers = layers.data();
        layers.back().kind = RNN_LAYER_CONV1D + 1 + random_.within(0, 9);
        break;
      case 10:
        if (layers.empty()) layers.resize(c.layer_count = 1), c.layers = layers.data();
        layers[random_.below(layers.size())].struct_size = random_.below(40);
        break;
      default:
        c.recurrent_init = 9;
        break;
    }
    refuse("rnn_create", RNN_INVALID_ARGUMENT, [&] { return rnn_create(&c, &out); });
    return REQUIRE(out == nullptr);
  }
  invoke("rnn_create", RNN_OK, [&] { return rnn_create(&c, &out); });
  add(out);
  rnn_t* again = nullptr;
  REQUIRE(rnn_create(&c, &again) == RNN_OK);
  const Owned owned(again);
  REQUIRE(same_weights(read_weights(again), *streams_.back().weights));
  REQUIRE(same_bits(read_state(again), streams_.back().state));
}

void World::copy() {
  const Stream from = any();
  rnn_t* out = nullptr;
  switch (random_.below(3)) {
    case 0:
      invoke("rnn_fork", RNN_OK, [&] { return rnn_fork(from.handle, &out); });
      return add(out, from, from.weights);
    case 1:
      invoke("rnn_clone", RNN_OK, [&] { return rnn_clone(from.handle, &out); });
      return add(out, from, std::make_shared<Weights>(*from.weights));
    default: {
      const std::int32_t compute = random_.within(0, 3);
      if (!invoke("rnn_convert", compute == 3 ? RNN_INVALID_ARGUMENT : RNN_OK,
                  [&] { return rnn_convert(from.handle, compute, &out); }))
        return REQUIRE(out == nullptr);
      auto weights = std::make_shared<Weights>(*from.weights);
      weights->config.compute = compute;
      add(out, from, std::move(weights));
    }
  }
}

void World::sync() {
  Stream& to = any();
  const Stream& from = any();
  const bool fits = same_architecture(to.config(), from.config());
  if (invoke("rnn_sync", fits ? RNN_OK : RNN_MISMATCH, [&] { return rnn_sync(to.handle, from.handle); }))
    to.weights = from.weights;
}

// ---- Steps ----

void World::step() {
  Stream& s = any();
  Data d;
  d.lengths = {1};
  const bool by_index = !s.reads_vectors() || random_.once_in(2);
  if (by_index)
    d.indices = random_.indices(1, s.config().input_size);
  else
    d.inputs = random_.reals(s.inputs());
  const std::int32_t index = by_index ? d.indices[0] : 0;
  Floats y(s.outputs(), kUntouched);
  if (invalid() || !s.can_step()) {
    const std::int32_t bad = !s.can_step() ? 0 : random_.once_in(2) ? -1 : s.config().input_size;
    const bool vectors = !s.can_step() || !s.reads_vectors();
    const Floats x(s.inputs());
    if (vectors && random_.once_in(2))
      refuse("rnn_step", RNN_INVALID_ARGUMENT, [&] { return rnn_step(s.handle, x.data(), y.data()); });
    else
      refuse("rnn_step_index", RNN_INVALID_ARGUMENT, [&] { return rnn_step_index(s.handle, bad, y.data()); });
    return REQUIRE(all_untouched(y));
  }
  Floats state;
  std::vector<Floats> past = s.past;
  const Floats expected = step_by_step(s, d, 0, 1, false, &state, &past);
  const bool skips = random_.once_in(4);
  float* const out = skips ? nullptr : y.data();
  if (by_index)
    invoke("rnn_step_index", RNN_OK, [&] { return rnn_step_index(s.handle, index, out); });
  else
    invoke("rnn_step", RNN_OK, [&] { return rnn_step(s.handle, d.inputs.data(), out); });
  REQUIRE(skips ? all_untouched(y) : same_bits(y, expected));
  s.advance(past, state);
}

void World::step_block() {
  Stream& s = any();
  const std::size_t steps = random_.below(100), I = s.inputs(), O = s.outputs();
  Data d;
  d.lengths = {steps};
  const bool by_index = !s.reads_vectors() || random_.once_in(2);
  if (by_index)
    d.indices = random_.indices(steps, s.config().input_size);
  else
    d.inputs = random_.reals(steps * I);
  Floats y(steps * O, kUntouched);
  const char* const name = by_index ? "rnn_step_block_index" : "rnn_step_block";
  if (random_.once_in(3)) {
    const std::size_t room = random_.below(100);
    invoke("rnn_reserve_block", RNN_OK, [&] { return rnn_reserve_block(s.handle, room); });
  }
  if ((steps > 0 && invalid()) || !s.can_step()) {
    if (by_index && steps > 0) d.indices[random_.below(steps)] = -1;
    refuse(name, RNN_INVALID_ARGUMENT, [&] {
      return by_index ? rnn_step_block_index(s.handle, d.indices.data(), steps, y.data())
                      : rnn_step_block(s.handle, nullptr, steps, y.data());
    });
    return REQUIRE(all_untouched(y));
  }
  Floats state = s.state;
  std::vector<Floats> past = s.past;
  const Floats expected = step_by_step(s, d, 0, steps, false, &state, &past);
  invoke(name, RNN_OK, [&] {
    return by_index ? rnn_step_block_index(s.handle, d.indices.data(), steps, y.data())
                    : rnn_step_block(s.handle, d.inputs.data(), steps, y.data());
  });
  REQUIRE(same_bits(y, expected));
  s.advance(past, state);
  // So many steps may end beyond all floats, of which other calls would complain.
  const auto finite = [](float value) { return std::isfinite(value); };
  if (std::all_of(state.begin(), state.end(), finite)) return;
  REQUIRE(rnn_reset(s.handle) == RNN_OK);
  s.restart(read_state(s.handle));
}

void World::step_many() {
  const std::shared_ptr<Weights> weights = any().weights;
  std::vector<Stream*> chosen;
  std::vector<rnn_t*> handles;
  for (Stream& s : streams_)
    if (s.weights == weights && !random_.once_in(4)) chosen.push_back(&s);
  for (const Stream* s : chosen) handles.push_back(s->handle);
  const std::size_t count = chosen.size();
  if (count == 0) return;
  const Stream& first = *chosen[0];
  const std::size_t O = first.outputs(), I = first.inputs();
  const bool by_index = !first.reads_vectors() || random_.once_in(2);
  const Floats x = random_.reals(count * I);
  const std::vector<std::int32_t> indices = random_.indices(count, first.config().input_size);
  Floats y(count * O, kUntouched);
  const auto call = [&] {
    return by_index ? rnn_step_many_index(handles.data(), handles.size(), indices.data(), y.data())
                    : rnn_step_many(handles.data(), handles.size(), x.data(), y.data());
  };
  const char* const name = by_index ? "rnn_step_many_index" : "rnn_step_many";
  if (!first.can_step()) {
    refuse(name, RNN_INVALID_ARGUMENT, call);
    return REQUIRE(all_untouched(y));
  }
  if (invalid()) {
    const auto other = std::find_if(streams_.begin(), streams_.end(), [&](const Stream& s) {
      return s.weights != weights && !s.weights->of_trainer && !weights->of_trainer;
    });
    const bool strange = other != streams_.end() && random_.once_in(2);
    handles.back() = strange && count > 1 ? other->handle : count > 1 ? handles[0] : nullptr;
    refuse(name, strange && count > 1 ? RNN_MISMATCH : RNN_INVALID_ARGUMENT, call);
    return REQUIRE(all_untouched(y));
  }
  Floats expected;
  std::vector<Floats> states(count);
  std::vector<std::vector<Floats>> pasts;
  for (std::size_t i = 0; i < count; ++i) {
    Data d;
    d.lengths = {1};
    if (by_index)
      d.indices = {indices[i]};
    else
      d.inputs.assign(x.begin() + static_cast<std::ptrdiff_t>(i * I),
                      x.begin() + static_cast<std::ptrdiff_t>((i + 1) * I));
    pasts.push_back(chosen[i]->past);
    const Floats one = step_by_step(*chosen[i], d, 0, 1, false, &states[i], &pasts[i]);
    expected.insert(expected.end(), one.begin(), one.end());
  }
  invoke(name, RNN_OK, call);
  REQUIRE(same_bits(y, expected));
  for (std::size_t i = 0; i < count; ++i) chosen[i]->advance(pasts[i], states[i]);
}

void World::set_state() {
  Stream& s = any();
  if (random_.once_in(3)) {
    invoke("rnn_reset", RNN_OK, [&] { return rnn_reset(s.handle); });
    rnn_t* out = nullptr;
    REQUIRE(rnn_clone(s.handle, &out) == RNN_OK);
    const Owned owned(out);
    s.restart(read_state(out));
    if (s.config().initial_state == 0)
      REQUIRE(std::all_of(s.state.begin(), s.state.end(), [](float v) { return v == 0.0f; }));
    return;
  }
  Floats state = random_.reals(s.state.size());
  if (invalid()) {
    const bool wrong_count = state.empty() || random_.once_in(2);
    if (!wrong_count) state[random_.below(state.size())] = std::numeric_limits<float>::quiet_NaN();
    const std::size_t count = state.size() + (wrong_count ? 1 : 0);
    state.resize(count);
    return refuse("rnn_set_state", wrong_count ? RNN_MISMATCH : RNN_INVALID_ARGUMENT,
                  [&] { return rnn_set_state(s.handle, state.data(), count); });
  }
  invoke("rnn_set_state", RNN_OK, [&] { return rnn_set_state(s.handle, state.data(), state.size()); });
  s.restart(state_set(s, state, s.delay));
}

void World::set_delay() {
  Stream& s = any();
  constexpr float kDelays[] = {1, 2, 3, 1.0884354f, 1.5f, 2.75f, 40};
  constexpr float kBad[] = {
      0, -1, 0.5f, 5000, std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()};
  if (!s.can_step() || invalid()) {
    const float bad = s.can_step() ? kBad[random_.below(std::size(kBad))] : 2;
    return refuse("rnn_set_delay", RNN_INVALID_ARGUMENT, [&] { return rnn_set_delay(s.handle, bad); });
  }
  const float delay = kDelays[random_.below(std::size(kDelays))];
  const Floats expected = state_set(s, s.state, delay);
  invoke("rnn_set_delay", RNN_OK, [&] { return rnn_set_delay(s.handle, delay); });
  s.restart(expected);
  s.delay = delay;
}

void World::history() {
  Stream& s = any();
  constexpr std::size_t kSteps[] = {0, 1, 3, 20, 120};
  const std::size_t steps = kSteps[random_.below(std::size(kSteps))];
  if (!s.can_step())
    return refuse("rnn_history", RNN_INVALID_ARGUMENT, [&] { return rnn_history(s.handle, steps); });
  invoke("rnn_history", RNN_OK, [&] { return rnn_history(s.handle, steps); });
  s.history = steps;
  s.advance(s.past, s.state);
}

void World::rewind() {
  Stream& s = any();
  const std::size_t steps = random_.once_in(3) ? random_.below(s.past.size() + 1) : random_.below(4);
  if (steps > s.past.size())
    return refuse("rnn_rewind", RNN_INVALID_ARGUMENT, [&] { return rnn_rewind(s.handle, steps); });
  invoke("rnn_rewind", RNN_OK, [&] { return rnn_rewind(s.handle, steps); });
  if (steps == 0) return;
  s.state = s.past[s.past.size() - steps];
  s.past.resize(s.past.size() - steps);
}

// ---- Weights ----

void World::set_parameter() {
  Stream& s = any();
  const std::size_t p = random_.below(s.weights->names.size());
  std::string name = s.weights->names[p];
  Floats values = random_.reals(s.weights->parameters[p].size());
  if (invalid()) {
    const std::size_t what = random_.below(3);
    if (what == 0) name += random_.once_in(2) ? "\xff\x1b" : "x";
    if (what == 1) values.push_back(0);
    if (what == 2) values[random_.below(values.size())] = std::numeric_limits<float>::infinity();
    const rnn_status_t expected = what == 0 ? RNN_NOT_FOUND : RNN_INVALID_ARGUMENT;
    if (what == 2 || random_.once_in(2))
      return refuse("rnn_set_parameter", expected,
                    [&] { return rnn_set_parameter(s.handle, name.c_str(), values.data(), values.size()); });
    Floats read(values.size(), kUntouched);
    refuse("rnn_get_parameter", expected,
           [&] { return rnn_get_parameter(s.handle, name.c_str(), read.data(), read.size()); });
    return REQUIRE(all_untouched(read));
  }
  invoke("rnn_set_parameter", RNN_OK,
         [&] { return rnn_set_parameter(s.handle, name.c_str(), values.data(), values.size()); });
  change(s);
  s.weights->parameters[p] = values;
}

void World::set_metadata() {
  Stream& s = any();
  const std::string key(1, static_cast<char>('a' + random_.below(4)));
  const std::string value(random_.below(40), 'v');
  if (invalid()) {
    constexpr const char* kBad[] = {"", "rnn.x", "\xff", "a\xe2\x80"};
    const char* const bad = kBad[random_.below(std::size(kBad))];
    return refuse("rnn_set_metadata", RNN_INVALID_ARGUMENT,
                  [&] { return rnn_set_metadata(s.handle, bad, "value"); });
  }
  const bool removes = random_.once_in(3), is_there = s.weights->texts.count(key) != 0;
  invoke("rnn_set_metadata", RNN_OK,
         [&] { return rnn_set_metadata(s.handle, key.c_str(), removes ? nullptr : value.c_str()); });
  if (removes && !is_there) return;  // the weights stay shared
  change(s);
  if (removes)
    s.weights->texts.erase(key);
  else
    s.weights->texts[key] = value;
}

// ---- Sequences ----

void World::forward() {
  Stream& s = any();
  const bool reverse = !s.can_step();
  Data d = random_data(s.config(), s.outputs(), false);
  rnn_forward_options_t options{};
  options.struct_size = sizeof options;
  options.pooling = d.pooling;
  d.pooling = 0;
  const std::size_t N = d.lengths.size(), O = s.outputs(), S = s.state.size();
  options.stateful = N == 1 && !reverse && random_.once_in(2);
  Floats y((options.pooling != 0 ? N : d.frames()) * O, kUntouched), final_states(N * S, kUntouched);
  options.final_states = final_states.data();
  rnn_sequences_t in = d.get();
  const auto call = [&] { return rnn_forward(s.handle, &in, &options, y.data()); };
  if (invalid()) {
    switch (random_.below(4)) {
      case 0:
        in.frames += 1;
        break;
      case 1:
        options.pooling = 4;
        break;
      case 2:
        options.stateful = 2;
        break;
      default:
        in.inputs = nullptr, in.indices = nullptr;
        break;
    }
    refuse("rnn_forward", RNN_INVALID_ARGUMENT, call);
    return REQUIRE(all_untouched(y) && all_untouched(final_states));
  }
  if (s.delay != 1 && options.pooling != 0) {
    refuse("rnn_forward", RNN_INVALID_ARGUMENT, call);
    return REQUIRE(all_untouched(y) && all_untouched(final_states));
  }
  Floats expected, expected_states;
  std::vector<Floats> past = s.past;
  for (std::size_t n = 0, first = 0; n < N && !reverse; first += d.lengths[n++]) {
    Floats state, outputs = step_by_step(s, d, first, d.lengths[n], options.stateful == 0, &state, &past);
    if (options.pooling == RNN_POOLING_LAST)
      outputs.erase(outputs.begin(), outputs.end() - static_cast<std::ptrdiff_t>(O));
    expected.insert(expected.end(), outputs.begin(), outputs.end());
    expected_states.insert(expected_states.end(), state.begin(), state.end());
  }
  if (reverse || options.pooling > RNN_POOLING_LAST) {  // not so simple: a copy gives the same
    expected.resize(y.size());
    Floats states(N * S);
    rnn_forward_options_t same = options;
    same.final_states = states.data();
    const Owned other(clone(s.handle));
    REQUIRE(rnn_forward(other.handle, &in, &same, expected.data()) == RNN_OK);
    if (reverse) expected_states = states;
  }
  invoke("rnn_forward", RNN_OK, call);
  REQUIRE(same_bits(y, expected) && same_bits(final_states, expected_states));
  if (options.stateful != 0) s.advance(past, expected_states);
}

void World::generate() {
  Stream& s = any();
  std::vector<std::int32_t> prompt = random_.indices(1 + random_.below(3), s.config().input_size);
  rnn_generate_options_t options{};
  options.struct_size = sizeof options;
  options.prompt = prompt.data();
  options.prompt_count = prompt.size();
  options.temperature = random_.once_in(2) ? 0.5f + std::fabs(random_.real()) : 0.0f;
  options.top_p = random_.once_in(2) ? 0.9f : 0.0f;
  options.top_k = random_.within(0, 3);
  options.greedy = random_.once_in(4);
  options.seed = random_.bits();
  std::vector<std::int32_t> drawn(6, -7), expected(6, -7);
  std::size_t written = 99, expected_written = 0;
  const auto call = [&] { return rnn_generate(s.handle, &options, drawn.data(), drawn.size(), &written); };
  const bool fits = s.outputs() == s.inputs() && s.can_step();
  if (!fits || invalid()) {
    if (fits) options.top_k = -1;
    refuse("rnn_generate", RNN_INVALID_ARGUMENT, call);
    return REQUIRE(drawn == expected && written == 99);
  }
  const Owned other(clone(s.handle)), unmoved(clone(s.handle));
  Stream before = s;
  before.handle = unmoved.handle;
  REQUIRE(rnn_generate(other.handle, &options, expected.data(), expected.size(), &expected_written) ==
          RNN_OK);
  invoke("rnn_generate", RNN_OK, call);
  REQUIRE(drawn == expected && written == expected_written);
  Data d;
  d.indices = prompt;
  d.indices.insert(d.indices.end(), drawn.begin(), drawn.begin() + static_cast<std::ptrdiff_t>(written) - 1);
  Floats state;
  std::vector<Floats> past = before.past;
  step_by_step(before, d, 0, d.indices.size(), false, &state, &past);
  s.advance(past, state);
}

void World::rollout() {
  Stream& s = any();
  const std::size_t steps = random_.below(4), I = s.inputs();
  const Floats x = random_.reals(I);
  Floats y(steps * s.outputs(), kUntouched);
  const auto call = [&] { return rnn_rollout(s.handle, x.data(), steps, y.data()); };
  if (steps == 0) return;
  if (s.outputs() != I || !s.can_step() || !s.reads_vectors()) {
    refuse("rnn_rollout", RNN_INVALID_ARGUMENT, call);
    return REQUIRE(all_untouched(y));
  }
  const Owned other(clone(s.handle));
  Floats expected, input = x;
  std::vector<Floats> past = s.past;
  for (std::size_t t = 0; t < steps; ++t) {
    Floats output(I);
    past.push_back(read_state(other.handle));
    REQUIRE(rnn_step(other.handle, input.data(), output.data()) == RNN_OK);
    expected.insert(expected.end(), output.begin(), output.end());
    input = output;
  }
  invoke("rnn_rollout", RNN_OK, call);
  REQUIRE(same_bits(y, expected));
  s.advance(past, read_state(other.handle));
}

// ---- Files ----

void World::file() {
  const Stream s = any();
  rnn_save_options_t options{};
  options.struct_size = sizeof options;
  options.format = random_.once_in(2) ? RNN_FORMAT_SAFETENSORS : RNN_FORMAT_BINARY;
  std::size_t size = 0;
  invoke("rnn_save_memory_as", RNN_OK,
         [&] { return rnn_save_memory_as(s.handle, &options, nullptr, 0, &size); });
  std::string bytes(size, '?'), again(size, '?');
  std::size_t written = 99;
  if (invalid()) {
    refuse("rnn_save_memory_as", RNN_INVALID_ARGUMENT,
           [&] { return rnn_save_memory_as(s.handle, &options, bytes.data(), size - 1, &written); });
    return REQUIRE(written == 99 && bytes == again);
  }
  invoke("rnn_save_memory_as", RNN_OK,
         [&] { return rnn_save_memory_as(s.handle, &options, bytes.data(), size, &written); });
  REQUIRE(rnn_save_memory_as(s.handle, &options, again.data(), size, &written) == RNN_OK && written == size);
  REQUIRE(bytes == again);
  rnn_t* out = nullptr;
  invoke("rnn_load_memory", RNN_OK,
         [&] { return rnn_load_memory(bytes.data(), size, Heap::functions(), &out); });
  add(out);
  REQUIRE(same_weights(*streams_.back().weights, *s.weights));
}

// ---- Nothing is given ----

void World::null() {
  Stream& s = any();
  std::size_t n = 99;
  rnn_t* out = nullptr;
  float value = kUntouched;
  const Call calls[] = {[&] { return rnn_fork(nullptr, &out); },
                        [&] { return rnn_fork(s.handle, nullptr); },
                        [&] { return rnn_clone(nullptr, &out); },
                        [&] { return rnn_convert(s.handle, 0, nullptr); },
                        [&] { return rnn_sync(s.handle, nullptr); },
                        [&] { return rnn_step(s.handle, nullptr, &value); },
                        [&] { return rnn_step_index(nullptr, 0, &value); },
                        [&] { return rnn_step_block(s.handle, nullptr, 1, &value); },
                        [&] { return rnn_step_block_index(nullptr, nullptr, 0, &value); },
                        [&] { return rnn_reserve_block(nullptr, 1); },
                        [&] { return rnn_step_many(nullptr, 1, &value, &value); },
                        [&] { return rnn_state_size(nullptr, &n); },
                        [&] { return rnn_output_size(s.handle, nullptr); },
                        [&] { return rnn_reset(nullptr); },
                        [&] { return rnn_get_state(nullptr, &value, s.state.size()); },
                        [&] { return rnn_set_state(nullptr, &value, 1); },
                        [&] {
                          const bool none = s.state.empty();  // which NULL may be
                          return none ? RNN_INVALID_ARGUMENT
                                      : rnn_get_state(s.handle, nullptr, s.state.size());
                        },
                        [&] { return rnn_set_delay(nullptr, 2); },
                        [&] { return rnn_get_delay(s.handle, nullptr); },
                        [&] { return rnn_history(nullptr, 1); },
                        [&] { return rnn_rewind(nullptr, 0); },
                        [&] { return rnn_get_parameter(s.handle, nullptr, &value, 1); },
                        [&] { return rnn_set_parameter(s.handle, "head.bias", nullptr, 1); },
                        [&] { return rnn_forward(s.handle, nullptr, nullptr, &value); },
                        [&] { return rnn_generate(s.handle, nullptr, nullptr, 1, &n); },
                        [&] { return rnn_rollout(s.handle, nullptr, 1, &value); },
                        [&] { return rnn_save(s.handle, nullptr); },
                        [&] { return rnn_load(nullptr, nullptr, &out); },
                        [&] { return rnn_load_memory(nullptr, 1, nullptr, &out); },
                        [&] { return rnn_set_metadata(s.handle, nullptr, "v"); },
                        [&] { return rnn_get_metadata(s.handle, "a", nullptr, 1, &n); },
                        [&] { return rnn_get_config(s.handle, nullptr); }};
  const std::size_t which = random_.below(std::size(calls));
  say(" null " + std::to_string(which));
  REQUIRE(calls[which]() == RNN_INVALID_ARGUMENT);
  REQUIRE(out == nullptr && n == 99 && value == kUntouched);
}

}  // namespace fuzz
