// A few steps of a network and what it gave for them, so that who loads it knows that it computes what it
// did.
//
// Files that we write hold one: metadata "rnn.probe" = "3:", for three steps, and behind it in base64 the
// floats that are expected, first the outputs [3, O], then the states after each step [3, S]. The inputs are
// not stored: they are the first draws of Random(kProbeSeed), for each step a vector of 2 uniform() - 1, or
// with an embedding an index below(I).
//
// A value may differ by the tolerance times the largest absolute value expected in its vector, if that is
// above 1: a file may have been written where products and sums were rounded otherwise. Of random networks of up
// to 4 layers of 512, as initialised and with parameters twice and 4 times as large, products that are rounded
// themselves differed from fused ones by 4e-5 (f32), 0.010 (bf16) and 0.019 (int8) at most.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "lib/network/weights.h"

namespace rnn {

constexpr char kProbeKey[] = "rnn.probe";
constexpr std::uint64_t kProbeSeed = 1;

// By RNN_COMPUTE_...: f32, bf16, int8, bf16_fast.
constexpr float kProbeTolerances[] = {1e-4f, 0.03f, 0.05f, 0.03f};

// A sequence that another framework ran from the initial state: T steps and the outputs.
struct Probe {
  std::vector<float> inputs;          // [T, I]  either these
  std::vector<std::int32_t> indices;  // [T]     or one-hot inputs
  std::vector<float> outputs;         // [T, O]
};

// Metadata for the network's file; empty if it gives something that is not finite.
std::string make_probe(const WeightsRef& weights);

// Throw Error(RNN_BAD_FORMAT) where the network gives other values, with the layer if it is known, or where
// the probe is none for this network. No stream's state changes.
void check_probe(const WeightsRef& weights, const std::string& text);
void check_probe(const WeightsRef& weights, const Probe& probe);

}  // namespace rnn
