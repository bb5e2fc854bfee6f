#include "tests/fuzz/abi_world.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace fuzz {
namespace {

constexpr std::size_t kMostStreams = 6, kMostTrainers = 2, kMostTapes = 2;

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
  c.compute = r.once_in(3) ? r.within(0, 3) : 0;
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
  c.compute = r.once_in(3) ? r.within(0, 3) : 0;
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
      const std::int32_t compute = random_.within(0, 4);
      if (!invoke("rnn_convert", compute == 4 ? RNN_INVALID_ARGUMENT : RNN_OK,
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
