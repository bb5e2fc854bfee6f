// What dropout multiplies by, as the tests of gradients give it to the reference.
#pragma once

#include <cstdint>
#include <utility>

#include "lib/network/plan.h"
#include "lib/training/dropout.h"
#include "tests/training/training_test.h"

namespace rnn::training_test {

// Those of a layer's outputs on their way to the next layer, [F, width]. A mask depends on the seed, the lengths,
// the resets and the layer alone: so it can be seen on a network whose layer l puts out ones, and whose layer
// l + 1 what it reads.
inline std::vector<float> mask(const Data& data, float rate, std::uint64_t seed, std::size_t layer,
                               std::size_t width) {
  rnn_config_t probe = config(1, static_cast<std::int32_t>(width), 0, static_cast<std::int32_t>(layer) + 2);
  probe.flags = RNN_FLAG_RELU;
  const NetworkHandle network = create(probe);
  const auto set = [&](const std::string& name, const std::vector<float>& values) {
    EXPECT_EQ(rnn_set_parameter(network.get(), name.c_str(), values.data(), values.size()), RNN_OK) << name;
  };
  std::vector<float> identity(width * width);
  for (std::size_t i = 0; i < width; ++i) identity[i * width + i] = 1.0f;
  for (std::size_t l = 0; l <= layer + 1; ++l) {
    const std::string suffix = "_l" + std::to_string(l);
    set("weight_hh" + suffix, std::vector<float>(width * width));
    set("bias_ih" + suffix, std::vector<float>(width, l <= layer ? 1.0f : 0.0f));
    if (l == layer + 1)
      set("weight_ih" + suffix, identity);
    else
      set("weight_ih" + suffix, std::vector<float>(l == 0 ? width : width * width));
  }
  rnn_tape_t* out = nullptr;
  EXPECT_EQ(rnn_tape_create(network.get(), 1, &out), RNN_OK);
  const TapeHandle tape(out);
  EXPECT_EQ(rnn_tape_set_dropout(out, rate, seed), RNN_OK);
  rnn_sequences_t in = data.get();
  const std::vector<float> inputs(in.frames);
  in.inputs = inputs.data();
  in.indices = nullptr;
  in.pooling = RNN_POOLING_NONE;
  std::vector<float> result(in.frames * width);
  EXPECT_EQ(rnn_tape_forward(out, network.get(), &in, nullptr, result.data(), nullptr), RNN_OK)
      << rnn_last_error();
  return result;
}

// Of what W_hh multiplies, [N, width]: seen on a network of as many strands, of which the last one starts from ones
// and gives what the product reads.
inline std::vector<float> recurrent_mask(const Data& data, float rate, std::uint64_t seed, std::size_t strand,
                                         std::size_t width) {
  rnn_config_t probe = config(1, static_cast<std::int32_t>(width), 0, static_cast<std::int32_t>(strand) + 1);
  probe.flags = RNN_FLAG_RELU;
  const NetworkHandle network = create(probe);
  for (std::size_t l = 0; l <= strand; ++l) {
    const std::string suffix = "_l" + std::to_string(l);
    std::vector<float> identity(width * width), none(l == 0 ? width : width * width), bias(width);
    for (std::size_t i = 0; i < width; ++i) identity[i * width + i] = 1.0f;
    for (const auto& [name, values] :
         {std::pair("weight_hh", &identity), {"weight_ih", &none}, {"bias_ih", &bias}})
      EXPECT_EQ(rnn_set_parameter(network.get(), (name + suffix).c_str(), values->data(), values->size()),
                RNN_OK);
  }
  rnn_tape_t* out = nullptr;
  EXPECT_EQ(rnn_tape_create(network.get(), 1, &out), RNN_OK);
  const TapeHandle tape(out);
  auto rates = sized<rnn_dropout_rates_t>();
  rates.recurrent = rate;
  EXPECT_EQ(rnn_tape_set_dropout_rates(out, &rates, seed), RNN_OK);
  const std::size_t count = data.lengths.size();
  const std::vector<float> inputs(count), ones(count * (strand + 1) * width, 1.0f);
  const std::vector<std::size_t> lengths(count, 1);
  auto in = sized<rnn_sequences_t>();
  in.count = in.frames = count;
  in.lengths = lengths.data();
  in.inputs = inputs.data();
  std::vector<float> result(count * width);
  EXPECT_EQ(rnn_tape_forward(out, network.get(), &in, ones.data(), result.data(), nullptr), RNN_OK)
      << rnn_last_error();
  return result;
}

// The frames whose masks the rows of outputs have: their own or, pooled, the first ones of the segments that end
// the sequences.
inline std::vector<std::size_t> output_rows(const Data& data) {
  std::vector<std::size_t> rows;
  std::size_t first = 0;
  for (const std::size_t length : data.lengths) {
    std::size_t segment = first;
    for (std::size_t frame = first; frame < first + length; ++frame) {
      if (!data.resets.empty() && data.resets[frame] != 0) segment = frame;
      if (data.pooling == RNN_POOLING_NONE) rows.push_back(frame);
    }
    if (data.pooling != RNN_POOLING_NONE) rows.push_back(segment);
    first += length;
  }
  return rows;
}

// What the head reads is the last layer's output, and dropped as if another layer read it.
inline void give_masks(reference::Network& truth, const Data& data, const rnn_dropout_rates_t& rates,
                       std::uint64_t seed) {
  const std::size_t last = truth.body() - 1;
  if (rates.layers != 0.0f) {
    std::vector<std::vector<float>> masks;
    for (std::size_t l = 0; l < last; ++l)
      masks.push_back(mask(data, rates.layers, seed, l, truth.layers[l].outputs()));
    const std::size_t steps = data.pooling == RNN_POOLING_NONE ? last : truth.before_pooling() - 1;
    truth.dropout = [masks, steps, layers = truth.layers, rows = output_rows(data)](
                        std::size_t layer, std::size_t place, std::size_t column) {
      const std::size_t frame = layer < steps ? place : rows.at(place);
      return static_cast<double>(masks.at(layer).at(frame * layers[layer].outputs() + column));
    };
  }
  if (rates.recurrent != 0.0f) {
    std::vector<std::vector<float>> masks;
    std::vector<std::size_t> widths;
    for (const reference::Layer& layer : truth.layers)
      for (std::size_t d = 0; d < layer.directions(); ++d) {
        masks.push_back(recurrent_mask(data, rates.recurrent, seed, masks.size(), layer.width()));
        widths.push_back(layer.width());
      }
    truth.recurrent_dropout = [masks, widths](std::size_t strand, std::size_t sequence, std::size_t unit) {
      return static_cast<double>(masks.at(strand).at(sequence * widths[strand] + unit));
    };
  }
  if (rates.output == 0.0f) return;
  const std::size_t width = truth.layers[last].outputs();
  truth.output_dropout = [width, values = mask(data, rates.output, seed, last, width),
                          rows = output_rows(data)](std::size_t row, std::size_t column) {
    return static_cast<double>(values.at(rows.at(row) * width + column));
  };
}

// Zoneout's, by the frames of the plan that a pass makes.
inline void give_zoneout(reference::Network& truth, const Weights& weights, const Data& data,
                         std::uint64_t key) {
  std::vector<Slice> slices;
  std::size_t frames = 0;
  for (const std::size_t length : data.lengths) {
    slices.push_back({frames, length});
    frames += length;
  }
  Plan plan;
  plan.build(weights.allocator(), slices.data(), slices.size(),
             data.resets.empty() ? nullptr : data.resets.data());
  Pass pass;
  pass.weights = &weights;
  pass.zoneout_key = key;
  std::vector<std::vector<float>> masks(weights.strands() * cells::kMaxStates);
  for (std::size_t i = 0; i < masks.size(); ++i) {
    const Layer& layer = *weights.strand(i / cells::kMaxStates).layer;
    const std::size_t state = i % cells::kMaxStates, n = layer.hidden;
    masks[i].resize(frames * n);
    if (layer.zoneout[state] == 0.0f) continue;
    for (std::size_t t = 0; t < plan.steps(); ++t)
      for (std::size_t b = 0; b < plan.active(t); ++b) {
        const std::uint64_t row = plan.offset(t) + b;
        draw_zoneout(pass, i / cells::kMaxStates, state, layer.zoneout[state], &row, 1,
                     layer.state_size(state), {&masks[i][plan.frame(t, b) * n], 0, nullptr});
      }
  }
  std::vector<std::size_t> widths;
  for (std::size_t s = 0; s < weights.strands(); ++s) widths.push_back(weights.strand(s).layer->hidden);
  truth.replaces = [masks, widths](std::size_t strand, std::size_t state, std::size_t frame,
                                   std::size_t unit) {
    return masks.at(cells::kMaxStates * strand + state).at(frame * widths.at(strand) + unit) != 0.0f;
  };
}

}  // namespace rnn::training_test
