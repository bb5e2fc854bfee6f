// The calls that advance a stream, or run it over sequences.
#include <algorithm>
#include <cmath>
#include <limits>

#include "tests/fuzz/abi_world.h"

namespace fuzz {
namespace {

// What a state is after it was set; with a delay between steps, a convolution's is between inputs.
Floats state_set(const Stream& s, const Floats& state, float delay) {
  if (delay == std::floor(delay)) return state;
  const Owned other(clone(s.handle));
  REQUIRE(rnn_set_delay(other.handle, delay) == RNN_OK);
  REQUIRE(rnn_set_state(other.handle, state.data(), state.size()) == RNN_OK);
  return read_state(other.handle);
}

}  // namespace

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

}  // namespace fuzz
