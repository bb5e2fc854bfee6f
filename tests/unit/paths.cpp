// The time of a step does not depend on the numbers: a step runs through the same instructions for ordinary inputs,
// subnormals, infinities, NaN and numbers that saturate, and for every index.
//
//   paths           every kind of layer, a few inputs, all indices
//   paths INPUTS    every kind of layer, so many inputs, followed by breakpoints where the way may part
//
// Exits with 77 where instructions cannot be counted.
#include <algorithm>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "examples/cli/step_trace.h"
#include "tests/reference/lists.h"
#include "tests/unit/step_path.h"

namespace {

using rnn::reference::cell_layer;
using rnn::reference::dense_layer;

constexpr std::int32_t kComputes[] = {RNN_COMPUTE_F32, RNN_COMPUTE_BF16, RNN_COMPUTE_INT8};
constexpr std::size_t kActivations = RNN_ACTIVATION_THRESHOLDED_RELU + 1;
// From one reset of the stream to the next, since a NaN stays. Steps of a convolution differ by the place of its past,
// so the first cycle, of ordinary numbers, says what each step of the others takes.
constexpr std::size_t kCycle = 4;

rnn_config_t make_config(std::int32_t cell, std::int32_t inputs, std::int32_t hidden, std::int32_t outputs) {
  rnn_config_t config = {};
  config.struct_size = sizeof config;
  config.cell = cell;
  config.input_size = inputs;
  config.hidden_size = hidden;
  config.output_size = outputs;
  config.seed = 1;
  return config;
}

// Every cell, its options, every activation and a convolution; small, since each instruction takes microseconds.
std::vector<rnn_config_t> kinds() {
  std::vector<rnn_config_t> result;
  for (std::int32_t cell = RNN_CELL_VANILLA; cell <= RNN_CELL_MIN_LSTM; ++cell)
    result.push_back(make_config(cell, 3, 5, 2));
  const auto add = [&](std::int32_t cell, std::uint32_t flags, std::int32_t hidden = 5) {
    result.push_back(make_config(cell, 3, hidden, 2));
    result.back().flags = flags;
  };
  add(RNN_CELL_VANILLA, RNN_FLAG_RELU | RNN_FLAG_LAYER_NORM);
  add(RNN_CELL_GRU, RNN_FLAG_RESET_BEFORE);
  add(RNN_CELL_LSTM, RNN_FLAG_PEEPHOLES | RNN_FLAG_COUPLED_GATES);
  add(RNN_CELL_GRU, 0, 24);
  result.back().num_layers = 2;
  rnn_config_t c = make_config(0, 3, 0, 0);
  std::vector<rnn_layer_t> layers;
  for (std::size_t f = 0; f < kActivations; ++f)
    layers.push_back(dense_layer(4, static_cast<std::int32_t>(f)));
  result.push_back(rnn::reference::with_layers(c, layers));
  rnn_layer_t convolution = dense_layer(4, RNN_ACTIVATION_TANH);
  convolution.kind = RNN_LAYER_CONV1D;
  convolution.kernel_size = 2;
  convolution.dilation = 2;
  rnn_layer_t custom = cell_layer(RNN_CELL_LSTM, 4, 0, RNN_DIRECTION_FORWARD, 3);
  custom.activation = RNN_ACTIVATION_SOFTSIGN;
  custom.gate_activation = RNN_ACTIVATION_HARD_SIGMOID;
  custom.clip = 3.0f;
  custom.zoneout_h = 0.1f;
  result.push_back(rnn::reference::with_layers(c, {convolution, custom, dense_layer(2)}));
  return result;
}

// In one place: which of x and y is first in memory decides a jump, too.
void set_input(std::size_t i, std::vector<float>* x) {
  const auto number = static_cast<std::uint32_t>(i);
  const std::vector<float> numbers =
      i < kCycle ? ordinary_numbers(x->size(), number) : unusual_numbers(x->size(), number - kCycle);
  std::copy(numbers.begin(), numbers.end(), x->begin());
}

rnn_t* make_stream(rnn_config_t config, std::int32_t compute, std::vector<float>* y) {
  config.compute = compute;
  rnn_t* stream = nullptr;
  std::size_t outputs = 0;
  if (rnn_create(&config, &stream) != RNN_OK || rnn_output_size(stream, &outputs) != RNN_OK)
    std::printf("%s\n", rnn_last_error()), std::exit(1);
  y->resize(outputs);
  std::printf("cell %d, hidden %d, flags %u, %s, compute %d: ", config.cell, config.hidden_size, config.flags,
              rnn::reference::text_of(config).c_str(), compute);
  return stream;
}

// False where a step takes another way. Exits with 77 where that cannot be said.
bool check(const rnn_config_t& config, std::int32_t compute, std::size_t inputs, bool indices = false) {
  std::vector<float> y;
  rnn_t* const stream = make_stream(config, compute, &y);
  std::vector<float> x(static_cast<std::size_t>(config.input_size));
  StepTrace ordinary[kCycle];
  bool same = true;
  for (std::size_t i = 0; i < inputs && same; ++i) {
    set_input(i, &x);
    if (i % kCycle == 0) rnn_reset(stream);
    const auto index = static_cast<std::int32_t>(i % x.size());
    const std::optional<StepTrace> found = trace_step(stream, indices ? nullptr : x.data(), index, y.data());
    if (!found) std::printf("instructions cannot be counted here\n"), std::exit(77);
    StepTrace& expected = ordinary[i % kCycle];
    if (i < kCycle) expected = *found;
    same = found->path == expected.path;
    if (!same)
      std::printf("input %zu, of %g, %g, ..., takes %" PRIu64 " instructions, an ordinary one %" PRIu64 "\n",
                  i, static_cast<double>(x[0]), static_cast<double>(x[1]), found->instructions,
                  expected.instructions);
  }
  // Without a past of inputs, all steps are the same.
  if (config.layer_count == 0)
    for (const StepTrace& trace : ordinary) same = same && trace.path == ordinary[0].path;
  std::printf("%" PRIu64 " instructions%s%s\n", ordinary[0].instructions, indices ? ", of indices" : "",
              same ? "" : ", but not always");
  rnn_destroy(stream);
  return same;
}

// The same of many inputs. The steps of a convolution's cycle take different ways: that has to be seen, too.
bool check_many(const rnn_config_t& config, std::int32_t compute, std::size_t inputs) {
  std::vector<float> y;
  rnn_t* const stream = make_stream(config, compute, &y);
  std::vector<float> x(static_cast<std::size_t>(config.input_size));
  std::vector<StepPath> paths;
  bool same = true;
  for (std::size_t i = 0; i < inputs && same; ++i) {
    set_input(i, &x);
    if (i % kCycle == 0) rnn_reset(stream);
    if (i < kCycle) {
      const std::optional<StepPath> path = StepPath::record(stream, x.data(), y.data());
      if (!path) std::printf("instructions cannot be followed here\n"), std::exit(77);
      paths.push_back(*path);
    } else {
      same = paths[i % kCycle].is_taken(stream, x.data(), y.data());
      if (!same)
        std::printf("input %zu, of %g, %g, ..., takes other instructions than an ordinary one, ", i,
                    static_cast<double>(x[0]), static_cast<double>(x[1]));
    }
  }
  set_input(0, &x);
  rnn_reset(stream);
  if (rnn_step(stream, x.data(), y.data()) != RNN_OK) std::exit(1);
  const bool is_first = paths[0].is_taken(stream, x.data(), y.data());
  const bool has_past = config.layer_count > 0 && config.layers[0].kind == RNN_LAYER_CONV1D;
  if (is_first == has_past)
    std::printf("the second step %s the first's way, ", is_first ? "takes" : "does not take");
  std::printf("%zu instructions, stops at %zu\n", paths[0].instructions(), paths[0].stops());
  rnn_destroy(stream);
  return same && is_first != has_past;
}

}  // namespace

int main(int argc, char** argv) {
  std::printf("%s\n", rnn_isa());
  bool same = true;
  const std::size_t many = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 0;
  for (const rnn_config_t& config : kinds())
    for (const std::int32_t compute : kComputes) {
      const bool is_plain = config.flags == 0 && config.layer_count != kActivations;
      if (!is_plain && compute != RNN_COMPUTE_F32) continue;
      same = (many > 0 ? check_many(config, compute, many) : check(config, compute, 3 * kCycle + 1)) && same;
    }
  if (many > 0) return same ? 0 : 1;
  for (const std::int32_t embedding : {0, 3})
    for (const std::int32_t compute : kComputes) {
      rnn_config_t config = make_config(RNN_CELL_GRU, 9, 5, 2);
      config.embedding_size = embedding;
      same = check(config, compute, 9, true) && same;
    }
  return same ? 0 : 1;
}
