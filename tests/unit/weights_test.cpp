// The layout of parameters, their packed copies, and who shares them.
#include "lib/network/weights.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "lib/kernels/pack.h"

namespace rnn {
namespace {

using Kind = Parameter::Kind;

rnn_config_t make_config(std::int32_t inputs, std::int32_t hidden, std::int32_t outputs,
                         std::int32_t layers) {
  rnn_config_t config = {};
  config.struct_size = sizeof config;
  config.input_size = inputs;
  config.hidden_size = hidden;
  config.output_size = outputs;
  config.num_layers = layers;
  return config;
}

WeightsRef make(const rnn_config_t& config) { return WeightsRef::make(resolve(config), Allocator()); }

// Random values in every parameter.
void fill(WeightsRef& ref, unsigned seed) {
  std::mt19937 random(seed);
  Weights& weights = ref.mutate();
  for (std::size_t i = 0; i < weights.parameter_count(); ++i) {
    std::vector<float> values(weights.parameter(i).count());
    for (float& value : values) value = static_cast<float>(random() % 1000) + 1;
    weights.set(weights.parameter(i), values.data());
  }
  weights.pack();
}

std::vector<std::string> names(const Weights& weights) {
  std::vector<std::string> list;
  for (std::size_t i = 0; i < weights.parameter_count(); ++i) {
    const Parameter& p = weights.parameter(i);
    list.push_back(p.name + std::string(" ") + std::to_string(p.rows) + " " + std::to_string(p.columns));
  }
  return list;
}

TEST(Weights, NamesAndShapesArePyTorchs) {
  rnn_config_t config = make_config(3, 5, 2, 2);
  EXPECT_EQ(
      names(*make(config)),
      (std::vector<std::string>{"weight_ih_l0 5 3", "weight_hh_l0 5 5", "bias_ih_l0 5 1", "weight_ih_l1 5 5",
                                "weight_hh_l1 5 5", "bias_ih_l1 5 1", "head.weight 2 5", "head.bias 2 1"}));
  config.num_layers = 1;
  config.output_size = 0;
  config.flags = RNN_FLAG_NO_BIAS;
  config.initial_state = RNN_INITIAL_TRAINED;
  EXPECT_EQ(names(*make(config)),
            (std::vector<std::string>{"weight_ih_l0 5 3", "weight_hh_l0 5 5", "initial_h_l0 5 1"}));
  config.output_size = 4;
  EXPECT_EQ(names(*make(config)).back(), "head.weight 4 5");
}

using Names = std::vector<std::string>;

TEST(Weights, NamesAndShapesOfGru) {
  rnn_config_t config = make_config(3, 5, 0, 1);
  config.cell = RNN_CELL_GRU;
  config.initial_state = RNN_INITIAL_FIXED;
  EXPECT_EQ(names(*make(config)), (Names{"weight_ih_l0 15 3", "weight_hh_l0 15 5", "bias_ih_l0 15 1",
                                         "bias_hn_l0 5 1", "initial_h_l0 5 1"}));
  config.flags = RNN_FLAG_RESET_BEFORE;
  EXPECT_EQ(names(*make(config)),
            (Names{"weight_ih_l0 15 3", "weight_hh_l0 15 5", "bias_ih_l0 15 1", "initial_h_l0 5 1"}));
  config.flags = RNN_FLAG_NO_BIAS;
  EXPECT_EQ(names(*make(config)), (Names{"weight_ih_l0 15 3", "weight_hh_l0 15 5", "initial_h_l0 5 1"}));
}

TEST(Weights, NamesAndShapesOfLstmWithPeepholesAndCoupledGates) {
  rnn_config_t config = make_config(3, 5, 0, 1);
  config.cell = RNN_CELL_LSTM;
  config.flags = RNN_FLAG_PEEPHOLES;
  EXPECT_EQ(names(*make(config)), (Names{"weight_ih_l0 20 3", "weight_hh_l0 20 5", "bias_ih_l0 20 1",
                                         "peephole_i_l0 5 1", "peephole_f_l0 5 1", "peephole_o_l0 5 1"}));
  config.flags |= RNN_FLAG_NO_BIAS;
  EXPECT_EQ(names(*make(config)), (Names{"weight_ih_l0 20 3", "weight_hh_l0 20 5", "peephole_i_l0 5 1",
                                         "peephole_f_l0 5 1", "peephole_o_l0 5 1"}));
  config.flags = RNN_FLAG_COUPLED_GATES;
  EXPECT_EQ(names(*make(config)), (Names{"weight_ih_l0 15 3", "weight_hh_l0 15 5", "bias_ih_l0 15 1"}));
  config.flags |= RNN_FLAG_PEEPHOLES;
  EXPECT_EQ(names(*make(config)), (Names{"weight_ih_l0 15 3", "weight_hh_l0 15 5", "bias_ih_l0 15 1",
                                         "peephole_i_l0 5 1", "peephole_o_l0 5 1"}));
}

TEST(Weights, NamesAndShapesOfLstmWithEveryOption) {
  rnn_config_t config = make_config(7, 5, 4, 2);
  config.cell = RNN_CELL_LSTM;
  config.flags = RNN_FLAG_BIDIRECTIONAL | RNN_FLAG_LAYER_NORM | RNN_FLAG_RESIDUAL;
  config.projection_size = 3;
  config.embedding_size = 2;
  config.initial_state = RNN_INITIAL_TRAINED;
  Names expected = {"embedding.weight 7 2"};
  for (const std::string suffix : {"_l0", "_l0_reverse", "_l1", "_l1_reverse"}) {
    const std::string columns = suffix[2] == '0' ? "2" : "6";
    for (const std::string& name :
         {"weight_ih" + suffix + " 20 " + columns, "weight_hh" + suffix + " 20 3",
          "weight_hr" + suffix + " 3 5", "bias_ih" + suffix + " 20 1", "norm_ih" + suffix + " 20 1",
          "norm_hh" + suffix + " 20 1", "initial_h" + suffix + " 3 1", "initial_c" + suffix + " 5 1"})
      expected.push_back(name);
  }
  expected.push_back("head.weight 4 6");
  expected.push_back("head.bias 4 1");
  EXPECT_EQ(names(*make(config)), expected);

  config.flags |= RNN_FLAG_TIED_HEAD;
  config.embedding_size = 6;
  config.output_size = 7;
  const Names tied = names(*make(config));
  EXPECT_EQ(tied.front(), "embedding.weight 7 6");
  EXPECT_EQ(tied.size(), expected.size() - 1);
  EXPECT_EQ(tied[tied.size() - 2], "initial_c_l1_reverse 5 1");
  EXPECT_EQ(tied.back(), "head.bias 7 1");
}

TEST(Weights, Sizes) {
  const WeightsRef weights = make(make_config(3, 17, 0, 4));
  EXPECT_EQ(weights->output_size(), 17u);
  EXPECT_FALSE(weights->has_head());
  EXPECT_EQ(weights->state_size(), 68u);
  EXPECT_EQ(weights->padded_state_size(), 4u * 32);
  EXPECT_EQ(make(make_config(3, 17, 9, 1))->output_size(), 9u);

  rnn_config_t config = make_config(3, 17, 0, 2);
  config.cell = RNN_CELL_LSTM;
  config.flags = RNN_FLAG_BIDIRECTIONAL;
  config.projection_size = 5;
  const WeightsRef lstm = make(config);
  EXPECT_EQ(lstm->output_size(), 10u);
  EXPECT_EQ(lstm->layer(1).inputs, 10u);
  EXPECT_EQ(lstm->padded_state_size(), 4u * (16 + 32));
  EXPECT_EQ(lstm->state_size(), 4u * (5 + 17));
  EXPECT_EQ(lstm->strand(3).states[0].offset, 15u);
  EXPECT_EQ(lstm->strand(3).states[1].offset, 20u + 51);
}

// Parameters are aligned, do not overlap, and what no parameter uses is zero, whatever was set.
TEST(Weights, LayoutIsPaddedWithZeros) {
  for (const std::int32_t hidden : {1, 15, 16, 17, 40}) {
    rnn_config_t config = make_config(7, hidden, 3, 2);
    config.cell = RNN_CELL_LSTM;
    config.flags = RNN_FLAG_BIDIRECTIONAL | RNN_FLAG_LAYER_NORM;
    config.embedding_size = 3;
    config.projection_size = hidden / 2;
    config.initial_state = RNN_INITIAL_FIXED;
    WeightsRef ref = make(config);
    fill(ref, 1);
    std::vector<int> used(ref->value_count());
    for (std::size_t i = 0; i < ref->parameter_count(); ++i) {
      const Parameter& p = ref->parameter(i);
      EXPECT_EQ(p.offset % kernels::kPad, 0u) << p.name;
      const bool matrix = std::string(p.name).find("weight") != std::string::npos;
      EXPECT_EQ(p.is_matrix(), matrix) << p.name;
      EXPECT_EQ(p.stride, matrix ? kernels::padded(p.columns) : 1) << p.name;
      for (std::size_t r = 0; r < p.rows; ++r)
        for (std::size_t c = 0; c < p.columns; ++c) ++used.at(p.offset + r * p.stride + c);
    }
    for (std::size_t k = 0; k < used.size(); ++k) {
      ASSERT_LE(used[k], 1);
      ASSERT_EQ(used[k] == 0, ref->values()[k] == 0.0f) << k;
    }
  }
}

TEST(Weights, GetReturnsWhatWasSet) {
  WeightsRef ref = make(make_config(3, 5, 2, 2));
  for (std::size_t i = 0; i < ref->parameter_count(); ++i) {
    const Parameter& p = ref->parameter(i);
    std::vector<float> in(p.count()), out(p.count());
    for (std::size_t k = 0; k < in.size(); ++k) in[k] = static_cast<float>(k) + 0.5f;
    ref.mutate().set(p, in.data());
    ref->get(p, out.data());
    EXPECT_EQ(in, out) << p.name;
    EXPECT_EQ(ref->find(p.name), &p);
    EXPECT_EQ(ref->find(p.kind, p.strand, p.index), &p);
  }
  EXPECT_EQ(ref->find("weight_ih_l2"), nullptr);
  EXPECT_EQ(ref->find(""), nullptr);
  EXPECT_EQ(ref->find(Kind::initial, 0), nullptr);
}

// Column k of a packed matrix, which holds rows of the parameter, is what a one-hot input selects.
void expect_packed(const Weights& weights, const Parameter& p, std::size_t first_row, std::size_t rows,
                   const kernels::Panels& panels) {
  ASSERT_EQ(panels.rows, rows);
  ASSERT_EQ(panels.depth, p.columns);
  ASSERT_EQ(reinterpret_cast<std::uintptr_t>(panels.data) % 64, 0u);
  std::vector<float> values(p.count()), column(rows);
  weights.get(p, values.data());
  for (std::size_t k = 0; k < p.columns; ++k) {
    const auto index = static_cast<std::int32_t>(k);
    weights.table().gather(panels, 1, &index, {nullptr, 0, nullptr}, rows, {column.data(), rows, nullptr});
    for (std::size_t r = 0; r < rows; ++r)
      ASSERT_EQ(column[r], values[(first_row + r) * p.columns + k]) << p.name;
  }
}

void expect_all_packed(const Weights& weights) {
  const auto vector = [&](Kind kind, std::size_t strand, std::size_t index = 0) {
    return weights.values() + weights.find(kind, strand, index)->offset;
  };
  const auto group = [](std::size_t gates) { return gates == 1 ? 0 : gates; };
  for (std::size_t s = 0; s < weights.strands(); ++s) {
    const Layer& layer = *weights.strand(s).layer;
    const cells::Cell& cell = *layer.cell;
    const cells::LayerWeights& w = weights.strand(s).weights;
    expect_packed(weights, *weights.find(Kind::input, s), 0, layer.gates(), w.input);
    EXPECT_EQ(w.input.gates, group(cell.gates));
    std::size_t row = 0;
    for (std::size_t stage = 0; stage < cells::kMaxStages; ++stage) {
      const std::size_t gates = cell.stages[stage].gates;
      EXPECT_EQ(w.products[stage].data != nullptr, gates > 0);
      if (gates == 0) continue;
      expect_packed(weights, *weights.find(Kind::recurrent, s), row, gates * layer.hidden, w.products[stage]);
      EXPECT_EQ(w.products[stage].gates, group(gates));
      row += gates * layer.hidden;
    }
    EXPECT_EQ(row, cell.recurrent_gates() * layer.hidden);
    EXPECT_EQ(w.projection.data != nullptr, layer.has_projection());
    if (layer.has_projection())
      expect_packed(weights, *weights.find(Kind::projection, s), 0, layer.projected, w.projection);
    for (std::size_t i = 0; i < cell.vector_count; ++i) EXPECT_EQ(w.vectors[i], vector(Kind::vector, s, i));
    if (layer.layer_norm) {
      EXPECT_EQ(w.norm_input, vector(Kind::vector, s, Parameter::kNormInput));
      EXPECT_EQ(w.norm_recurrent, vector(Kind::vector, s, Parameter::kNormRecurrent));
    } else {
      EXPECT_EQ(w.norm_input, nullptr);
      EXPECT_EQ(w.norm_recurrent, nullptr);
    }
  }
  const Parameter* head = weights.find(weights.has(RNN_FLAG_TIED_HEAD) ? Kind::embedding : Kind::head, 0);
  expect_packed(weights, *head, 0, weights.output_size(), weights.head());
  EXPECT_EQ(weights.head_bias(), vector(Kind::head_bias, 0));
}

std::vector<rnn_config_t> kinds() {
  std::vector<rnn_config_t> list(10, make_config(9, 70, 130, 3));
  list[1].cell = RNN_CELL_GRU;
  list[2].cell = RNN_CELL_GRU;
  list[2].flags = RNN_FLAG_RESET_BEFORE;
  list[3].cell = RNN_CELL_LSTM;
  list[3].flags = RNN_FLAG_BIDIRECTIONAL | RNN_FLAG_LAYER_NORM;
  list[4].cell = RNN_CELL_LSTM;
  list[4].projection_size = 21;
  list[4].embedding_size = 11;
  list[5].flags = RNN_FLAG_RELU | RNN_FLAG_TIED_HEAD | RNN_FLAG_BIDIRECTIONAL;
  list[5].embedding_size = 140;
  list[5].output_size = 9;
  list[6].cell = RNN_CELL_MIN_GRU;
  list[7].cell = RNN_CELL_MIN_LSTM;
  list[8].cell = list[9].cell = RNN_CELL_LSTM;
  list[8].flags = RNN_FLAG_PEEPHOLES;
  list[9].flags = RNN_FLAG_COUPLED_GATES | RNN_FLAG_PEEPHOLES;
  return list;
}

TEST(Weights, PackedMatricesAreTheParameters) {
  for (const rnn_config_t& config : kinds()) {
    WeightsRef ref = make(config);
    fill(ref, 2);
    expect_all_packed(*ref);
    fill(ref, 3);
    expect_all_packed(*ref);

    WeightsRef by_jobs = make(config);
    std::copy_n(ref->values(), ref->value_count(), by_jobs.mutate().values());
    for (std::size_t job = by_jobs->pack_jobs(); job-- > 0;) by_jobs.mutate().pack_job(job);
    expect_all_packed(*by_jobs);
  }
}

// The transpose of some of a parameter's rows, as backward passes pack it.
TEST(Weights, TransposedRows) {
  rnn_config_t config = make_config(9, 21, 0, 1);
  config.cell = RNN_CELL_GRU;
  WeightsRef ref = make(config);
  fill(ref, 7);
  const Parameter& p = *ref->find(Kind::recurrent, 0);
  const auto index = static_cast<std::size_t>(&p - &ref->parameter(0));
  std::vector<float> values(p.count()), column(21);
  ref->get(p, values.data());
  struct Part {
    std::size_t first_row, rows, first_column;
  };
  for (const Part& part : {Part{0, 21, 0}, Part{42, 21, 0}, Part{0, 63, 42}, Part{21, 42, 1}}) {
    PackedMatrices matrices(Allocator(), 2);  // the first has no rows
    matrices[1] = {index, part.first_row, part.first_column, true, {nullptr, 21, part.rows, 0}, nullptr};
    matrices.place(Allocator(), *ref);
    for (std::size_t job = 0; job < matrices.jobs(); ++job) matrices.pack(*ref, job);
    for (std::size_t k = 0; k < part.rows; ++k) {
      const auto one_hot = static_cast<std::int32_t>(k);
      ref->table().gather(matrices[1].panels, 1, &one_hot, {nullptr, 0, nullptr}, 21,
                          {column.data(), 21, nullptr});
      const std::size_t row = part.first_row + (part.first_column + k) % part.rows;
      for (std::size_t r = 0; r < 21; ++r) ASSERT_EQ(column[r], values[row * 21 + r]);
    }
  }
}

TEST(Weights, Embedding) {
  rnn_config_t config = make_config(9, 5, 0, 1);
  config.embedding_size = 21;
  WeightsRef ref = make(config);
  fill(ref, 8);
  std::vector<float> values(9 * 21);
  ref->get(*ref->find("embedding.weight"), values.data());
  for (std::size_t i = 0; i < 9; ++i) {
    for (std::size_t j = 0; j < 21; ++j) EXPECT_EQ(ref->embedding(i)[j], values[i * 21 + j]);
    for (std::size_t j = 21; j < 32; ++j) EXPECT_EQ(ref->embedding(i)[j], 0.0f);
  }
}

TEST(Weights, WhatIsAbsentIsZero) {
  rnn_config_t config = make_config(3, 17, 40, 2);
  config.cell = RNN_CELL_GRU;
  config.flags = RNN_FLAG_NO_BIAS;
  const WeightsRef ref = make(config);
  for (std::size_t l = 0; l < 2; ++l) {
    const Strand& strand = ref->strand(l);
    for (std::size_t i = 0; i < kernels::padded(strand.layer->hidden); ++i) {
      EXPECT_EQ(strand.weights.vectors[1][i], 0.0f);
      EXPECT_EQ(strand.states[0].initial[i], 0.0f);
    }
    for (std::size_t i = 0; i < kernels::padded(strand.layer->gates()); ++i)
      EXPECT_EQ(strand.weights.bias()[i], 0.0f);
  }
  for (std::size_t i = 0; i < kernels::padded(40); ++i) EXPECT_EQ(ref->head_bias()[i], 0.0f);
}

TEST(Weights, InitialStates) {
  rnn_config_t config = make_config(3, 5, 0, 2);
  config.cell = RNN_CELL_LSTM;
  config.flags = RNN_FLAG_BIDIRECTIONAL;
  config.initial_state = RNN_INITIAL_TRAINED;
  WeightsRef ref = make(config);
  fill(ref, 4);
  const char* const names[] = {"initial_h_l0",         "initial_h_l0_reverse", "initial_h_l1",
                               "initial_h_l1_reverse", "initial_c_l0",         "initial_c_l0_reverse",
                               "initial_c_l1",         "initial_c_l1_reverse"};
  for (std::size_t v = 0; v < 8; ++v)
    EXPECT_EQ(ref->strand(v % 4).states[v / 4].initial, ref->values() + ref->find(names[v])->offset);
}

TEST(Weights, ReferencesAreCounted) {
  WeightsRef a = make(make_config(3, 5, 2, 1));
  EXPECT_TRUE(a.unique());
  {
    const WeightsRef b = a;
    EXPECT_FALSE(a.unique());
    EXPECT_EQ(a.get(), b.get());
  }
  EXPECT_TRUE(a.unique());
  WeightsRef moved = std::move(a);
  EXPECT_TRUE(moved.unique());
  a = moved;
  EXPECT_FALSE(moved.unique());
  a = WeightsRef();
  EXPECT_TRUE(moved.unique());
}

TEST(Weights, ACopyIsEqualAndIndependent) {
  rnn_config_t config = make_config(3, 5, 2, 2);
  config.cell = RNN_CELL_LSTM;
  WeightsRef ref = make(config);
  fill(ref, 5);
  WeightsRef copy = ref.copy();
  EXPECT_TRUE(ref.unique());
  EXPECT_TRUE(copy.unique());
  expect_all_packed(*copy);
  EXPECT_TRUE(std::equal(ref->values(), ref->values() + ref->value_count(), copy->values()));
  const float before = ref->values()[0];
  fill(copy, 6);
  EXPECT_EQ(ref->values()[0], before);
  expect_all_packed(*ref);
}

}  // namespace
}  // namespace rnn
