#include "lib/formats/probe.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "lib/network/error.h"
#include "lib/network/little_endian.h"
#include "lib/network/network.h"
#include "lib/network/random.h"

namespace rnn {
namespace {

constexpr std::size_t kSteps = 3;
constexpr char kPrefix[] = "3:";
constexpr std::size_t kMostSteps = 4096;  // of a probe that others made: it shall not cost much memory

// ---- Base64 ----

constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

std::size_t base64_size(std::size_t bytes) { return (bytes + 2) / 3 * 4; }

std::string encode(std::vector<float> values) {
  swap_little_endian(values.data(), values.size());
  const auto* bytes = reinterpret_cast<const unsigned char*>(values.data());
  const std::size_t size = values.size() * sizeof(float);
  std::string text;
  text.reserve(base64_size(size));
  for (std::size_t i = 0; i < size; i += 3) {
    const std::size_t n = std::min<std::size_t>(3, size - i);
    std::uint32_t word = 0;
    for (std::size_t j = 0; j < 3; ++j) word = word << 8 | (j < n ? bytes[i + j] : 0u);
    for (std::size_t j = 0; j < 4; ++j) text += j <= n ? kDigits[word >> (18 - 6 * j) & 63] : '=';
  }
  return text;
}

std::uint32_t digit(char c) {
  const char* found = c != '\0' ? std::strchr(kDigits, c) : nullptr;
  if (found == nullptr) throw Error(RNN_BAD_FORMAT, "metadata %s is not base64", kProbeKey);
  return static_cast<std::uint32_t>(found - kDigits);
}

// text has the size of so many values.
std::vector<float> decode(const char* text, std::size_t count) {
  std::vector<float> values(count);
  auto* bytes = reinterpret_cast<unsigned char*>(values.data());
  const std::size_t size = count * sizeof(float);
  for (std::size_t i = 0; i < size; i += 3, text += 4) {
    const std::size_t n = std::min<std::size_t>(3, size - i);
    std::uint32_t word = 0;
    for (std::size_t j = 0; j < 4; ++j) word = word << 6 | (j <= n ? digit(text[j]) : 0u);
    for (std::size_t j = 0; j < n; ++j) bytes[i + j] = static_cast<unsigned char>(word >> (16 - 8 * j));
  }
  swap_little_endian(values.data(), count);
  return values;
}

// ---- Running ----

struct Run {
  std::vector<float> outputs;  // [T, O]
  std::vector<float> states;   // [T, S], or empty
};

Run run(const WeightsRef& weights, std::size_t steps, const float* inputs, const std::int32_t* indices,
        bool states) {
  Run run{std::vector<float>(steps * weights->output_size()),
          std::vector<float>(states ? steps * weights->state_size() : 0)};
  rnn_sequences_t sequences{};
  sequences.struct_size = sizeof sequences;
  sequences.count = 1;
  sequences.frames = steps;
  sequences.lengths = &steps;
  sequences.inputs = inputs;
  sequences.indices = indices;
  rnn_forward_options_t options{};
  options.struct_size = sizeof options;
  if (states) options.states = run.states.data();
  Network(weights).forward(sequences, options, run.outputs.data());
  return run;
}

Run run_drawn(const WeightsRef& weights) {
  Random random(kProbeSeed);
  std::vector<float> inputs;
  std::vector<std::int32_t> indices;
  if (weights->has_embedding()) {
    for (std::size_t t = 0; t < kSteps; ++t)
      indices.push_back(static_cast<std::int32_t>(random.below(weights->input_size())));
    return run(weights, kSteps, nullptr, indices.data(), true);
  }
  inputs.resize(kSteps * weights->input_size());
  for (float& x : inputs) x = static_cast<float>(2 * random.uniform() - 1);
  return run(weights, kSteps, inputs.data(), nullptr, true);
}

// ---- Comparing ----

bool is_finite(const std::vector<float>& values) {
  return std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); });
}

// Both [size]; `place` says what they are.
void compare(const float* found, const float* expected, std::size_t size, float tolerance, std::size_t step,
             const std::string& place) {
  float scale = 1;
  for (std::size_t i = 0; i < size; ++i) scale = std::max(scale, std::abs(expected[i]));
  const float most = tolerance * scale;
  for (std::size_t i = 0; i < size; ++i)
    if (!(std::abs(found[i] - expected[i]) <= most))
      throw Error(RNN_BAD_FORMAT, "probe: step %zu, %s: found %.6g, expected %.6g, within %.3g", step,
                  place.c_str(), static_cast<double>(found[i]), static_cast<double>(expected[i]),
                  static_cast<double>(most));
}

// What a layer gives depends on that and those before it: the first that differs is the one.
void compare_states(const Weights& weights, const Run& found, const float* expected, float tolerance) {
  for (std::size_t s = 0; s < weights.strands(); ++s) {
    const Strand& strand = weights.strand(s);
    const std::string place =
        "layer " + std::to_string(strand.layer->index) + (strand.reverse ? ", backward" : "");
    for (std::size_t t = 0; t < kSteps; ++t)
      for (std::size_t state = strand.layer->cell->first_kept_state(); state < strand.layer->cell->states;
           ++state) {
        const std::size_t at = t * weights.state_size() + strand.states[state].offset;
        compare(found.states.data() + at, expected + at, strand.states[state].size, tolerance, t, place);
      }
    for (std::size_t t = 0; t < kSteps; ++t) {
      const std::size_t at = t * weights.state_size() + strand.past.offset;
      compare(found.states.data() + at, expected + at, strand.past.size, tolerance, t, place);
    }
  }
}

void compare_outputs(const Weights& weights, const Run& found, const float* expected, std::size_t steps,
                     float tolerance) {
  const std::size_t O = weights.output_size();
  for (std::size_t t = 0; t < steps; ++t)
    compare(found.outputs.data() + t * O, expected + t * O, O, tolerance, t, "the output");
}

float tolerance_of(const Weights& weights) { return kProbeTolerances[weights.config().compute]; }

// The number of steps, after a check of all sizes and of the inputs.
std::size_t check_sizes(const Weights& weights, const Probe& probe) {
  const std::size_t O = weights.output_size(), I = weights.input_size();
  const std::size_t steps = probe.outputs.size() / O;
  if (steps == 0 || steps > kMostSteps || probe.outputs.size() % O != 0)
    throw Error(RNN_BAD_FORMAT, "probe: %zu outputs; they must be 1..%zu steps of %zu", probe.outputs.size(),
                kMostSteps, O);
  const bool vectors = !probe.inputs.empty();
  if (vectors && weights.has_embedding())
    throw Error(RNN_BAD_FORMAT, "probe: the inputs are vectors; a network with an embedding reads indices");
  const std::size_t count = vectors ? probe.inputs.size() : probe.indices.size();
  if (vectors ? count / I != steps || count % I != 0 : count != steps)
    throw Error(RNN_BAD_FORMAT, "probe: %zu inputs; they must be %zu steps of %zu", count, steps,
                vectors ? I : std::size_t{1});
  if (!is_finite(probe.inputs) || !is_finite(probe.outputs))
    throw Error(RNN_BAD_FORMAT, "probe: a value is not finite");
  for (const std::int32_t index : probe.indices)
    if (index < 0 || static_cast<std::size_t>(index) >= I)
      throw Error(RNN_BAD_FORMAT, "probe: an index is %d; it must be 0..%zu", index, I - 1);
  return steps;
}

}  // namespace

std::string make_probe(const WeightsRef& weights) {
  Run run = run_drawn(weights);
  run.outputs.insert(run.outputs.end(), run.states.begin(), run.states.end());
  return is_finite(run.outputs) ? kPrefix + encode(run.outputs) : std::string();
}

void check_probe(const WeightsRef& weights, const std::string& text) {
  const std::size_t outputs = kSteps * weights->output_size();
  const std::size_t count = outputs + kSteps * weights->state_size();
  const std::size_t needed = std::strlen(kPrefix) + base64_size(count * sizeof(float));
  if (text.rfind(kPrefix, 0) != 0)
    throw Error(RNN_BAD_FORMAT, "metadata %s does not begin with %s, the number of steps", kProbeKey,
                kPrefix);
  if (text.size() != needed)
    throw Error(RNN_BAD_FORMAT, "metadata %s has %zu characters; this network's has %zu", kProbeKey,
                text.size(), needed);
  const std::vector<float> expected = decode(text.data() + std::strlen(kPrefix), count);
  if (!is_finite(expected)) throw Error(RNN_BAD_FORMAT, "metadata %s: a value is not finite", kProbeKey);
  const Run found = run_drawn(weights);
  compare_states(*weights, found, expected.data() + outputs, tolerance_of(*weights));
  compare_outputs(*weights, found, expected.data(), kSteps, tolerance_of(*weights));
}

void check_probe(const WeightsRef& weights, const Probe& probe) {
  const std::size_t steps = check_sizes(*weights, probe);
  const Run found = run(weights, steps, probe.inputs.empty() ? nullptr : probe.inputs.data(),
                        probe.inputs.empty() ? probe.indices.data() : nullptr, false);
  compare_outputs(*weights, found, probe.outputs.data(), steps, tolerance_of(*weights));
}

}  // namespace rnn
