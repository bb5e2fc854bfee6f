#include "lib/training/tape.h"

#include <algorithm>
#include <cstdint>

#include "lib/kernels/float_mode.h"
#include "lib/network/error.h"
#include "lib/network/sequences.h"
#include "lib/network/text.h"
#include "lib/training/bptt.h"
#include "lib/training/options.h"

namespace rnn {

struct Tape::Implementation {
  Implementation(const Network& network, std::int32_t n)
      : allocator(network.allocator()),
        weights(network.weights_ref()),
        threads(n),
        transposed(*weights, threads),
        bptt(*weights, threads, &transposed),
        gradients(allocator, weights->value_count()) {}

  Allocator allocator;
  WeightsRef weights;
  Threads threads;
  TransposedWeights transposed;
  bool packed = false;         // transposed has the weights
  bool packed_inputs = false;  // those of the inputs too
  Bptt bptt;
  Buffer<float> gradients;
  // The record; the rest of it is in bptt.
  bool recorded = false;
  bool indices = false;  // the inputs were
  Buffer<Slice> slices;
  Buffer<Item> items;
  Buffer<float> initial_states;  // [N, S]
  std::size_t count = 0;         // N
  // Of passes to come.
  rnn_dropout_rates_t dropout{};
  std::uint64_t dropout_key = 0;
};

namespace {

void check_rate(const char* name, float rate) {
  if (!(rate >= 0.0f && rate < 1.0f))
    throw Error(RNN_INVALID_ARGUMENT, "%s is %s; it must be at least 0 and less than 1", name,
                number(rate).c_str());
}

}  // namespace

Tape::Tape(const Network& network, std::int32_t threads) {
  if (threads < 0 || threads > 1024)
    throw Error(RNN_INVALID_ARGUMENT, "threads is %d; it must be 0..1024", threads);
  check_trainable(network.weights());
  implementation_ = network.allocator().make<Implementation>(network, threads);
}

Tape::~Tape() { allocator().destroy(implementation_); }

void Tape::forward(const Network& network, const rnn_sequences_t& in, const float* initial_states,
                   float* outputs, float* final_states) {
  Implementation& self = *implementation_;
  check_inputs(network.weights(), in, "in");
  check_initial_states(network.weights(), in, initial_states, "initial_states");

  self.recorded = false;  // first of all: what follows may free what the record points to
  const std::size_t states = checked_product(in.count, network.weights().state_size());
  self.slices.reserve(self.allocator, in.count);
  self.items.reserve(self.allocator, in.count);
  if (initial_states != nullptr) self.initial_states.reserve(self.allocator, states);

  if (self.weights.get() != network.weights_ref().get()) {
    self.weights = network.weights_ref();
    self.packed = self.packed_inputs = false;
  }
  self.count = in.count;
  self.indices = in.indices != nullptr;
  std::size_t first = 0;
  for (std::size_t n = 0; n < in.count; first += in.lengths[n], ++n) {
    self.slices[n] = {first, in.lengths[n]};
    self.items[n] = {n, Item::kNone, n};
  }
  // A copy: final_states may be the same memory.
  if (initial_states != nullptr) std::copy_n(initial_states, states, self.initial_states.data());

  Pass pass;
  pass.weights = self.weights.get();
  pass.data = &in;
  pass.slices = self.slices.data();
  pass.items = self.items.data();
  pass.count = in.count;
  pass.initial_states = initial_states != nullptr ? self.initial_states.data() : nullptr;
  pass.final_states = final_states;
  pass.outputs = outputs;
  pass.dropout = self.dropout.layers;
  pass.output_dropout = self.dropout.output;
  pass.dropout_key = self.dropout_key;
  pass.recurrent_dropout = self.dropout.recurrent;
  pass.zoneout = self.dropout.zoneout != 0;
  pass.zoneout_key = self.dropout_key + 1;
  pass.recurrent_key = ~self.dropout_key;  // as the layers' outputs, whose rows are no sequences
  const kernels::FloatMode mode;
  self.bptt.forward(pass);
  self.recorded = true;
}

void Tape::backward(const float* d_outputs, const float* d_final_states, float* d_inputs,
                    float* d_initial_states) {
  Implementation& self = *implementation_;
  if (!self.recorded)
    throw Error(RNN_INVALID_ARGUMENT,
                "the tape holds no record; each backward pass needs a forward pass before it");
  if (d_inputs != nullptr && self.indices)
    throw Error(RNN_INVALID_ARGUMENT, "d_inputs must be NULL: the recorded inputs are indices");

  const kernels::FloatMode mode;
  // The past of a convolution is made of inputs.
  const bool past = d_initial_states != nullptr && self.weights->layer(0).has_window();
  const bool with_inputs = d_inputs != nullptr || past;
  if (!self.packed || (with_inputs && !self.packed_inputs)) self.transposed.pack(*self.weights, with_inputs);
  self.packed = true;
  self.packed_inputs = self.packed_inputs || with_inputs;

  self.bptt.prepare_backward(with_inputs);
  // A sequence whose first step is a reset does not depend on its initial state.
  if (d_initial_states != nullptr)
    std::fill_n(d_initial_states, self.count * self.weights->state_size(), 0.0f);
  Cotangents cotangents;
  cotangents.outputs = d_outputs;
  cotangents.final_states = d_final_states;
  cotangents.inputs = d_inputs;
  cotangents.initial_states = d_initial_states;
  self.bptt.backward(cotangents, self.gradients.data());
  self.recorded = false;
}

void Tape::set_dropout(float rate, std::uint64_t seed) {
  check_rate("rate", rate);
  check_dropout_effect(weights(), "rate", rate);
  implementation_->dropout = {};
  implementation_->dropout.layers = rate;
  implementation_->dropout_key = seed;
}

void Tape::set_dropout(const rnn_dropout_rates_t& rates, std::uint64_t seed) {
  check_rate("rates.layers", rates.layers);
  check_rate("rates.output", rates.output);
  check_rate("rates.recurrent", rates.recurrent);
  if (rates.zoneout != 0 && rates.zoneout != 1)
    throw Error(RNN_INVALID_ARGUMENT, "rates.zoneout is %d; it must be 0 or 1", rates.zoneout);
  check_dropout_effect(weights(), "rates.layers", rates.layers);
  check_output_dropout_effect(weights(), "rates.output", rates.output);
  check_recurrent_dropout_effect(weights(), "rates.recurrent", rates.recurrent);
  if (rates.zoneout != 0 && !weights().has_zoneout())
    throw Error(RNN_INVALID_ARGUMENT, "rates.zoneout is 1 and no layer of the network has zoneout");
  implementation_->dropout = rates;
  implementation_->dropout_key = seed;
}

void Tape::zero_gradients() noexcept {
  std::fill(implementation_->gradients.begin(), implementation_->gradients.end(), 0.0f);
}

const Allocator& Tape::allocator() const noexcept { return implementation_->allocator; }

const Weights& Tape::weights() const noexcept { return *implementation_->weights; }

const float* Tape::gradients() const noexcept { return implementation_->gradients.data(); }

void Tape::get_gradient(const Parameter& p, float* out) const noexcept {
  const float* row = gradients() + p.offset;
  for (std::size_t i = 0; i < p.rows; ++i, row += p.stride, out += p.columns)
    std::copy_n(row, p.columns, out);
}

}  // namespace rnn
