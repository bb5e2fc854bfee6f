// The same bits for every number of threads and in every run.
#include <tbb/global_control.h>
#include <tbb/task_arena.h>

#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <map>

#include "lib/kernels/dispatch.h"
#include "lib/training/threads.h"
#include "tests/reference/lists.h"
#include "tests/training/training_test.h"

namespace rnn::training_test {
namespace {

// So that threads work at once on a machine with fewer cores, too.
class Determinism : public testing::Test {
 protected:
  tbb::global_control allow_{tbb::global_control::max_allowed_parallelism, 8};
};

struct Case {
  std::int32_t optimizer;
  std::int32_t layers;
  bool one_hot;
  bool windows;
  std::int32_t cell = RNN_CELL_VANILLA;
  std::uint32_t flags = 0;
  std::int32_t projection = 0;
  std::int32_t embedding = 0;
  std::int32_t pooling = RNN_POOLING_NONE;
  float dropout = 0.0f;
  std::int32_t compute = RNN_COMPUTE_F32;
  bool labels = false;  // smoothed and weighted
  std::int32_t skip = 0;
  std::vector<rnn_layer_t> list = {};  // instead of cell, layers and what they have
  float output_dropout = 0.0f, recurrent_dropout = 0.0f;
};

// The same with the layers of a list.
Case with_list(Case c, std::vector<rnn_layer_t> list) {
  c.list = std::move(list);
  return c;
}

std::string describe(const Case& c) {
  if (!c.list.empty()) return reference::text_of(reference::with_layers({}, c.list));
  return "cell " + std::to_string(c.cell) + ", flags " + std::to_string(c.flags);
}

rnn_config_t config_of(const Case& c) {
  if (!c.list.empty()) {
    rnn_config_t n = config(40, 0, 0, 0);
    n.embedding_size = c.embedding;
    n.compute = c.compute;
    n.skip = c.skip;
    n.initial_state = RNN_INITIAL_TRAINED;
    return reference::with_layers(n, c.list);
  }
  rnn_config_t n = config(40, c.cell == RNN_CELL_VANILLA ? 72 : 40, 40, c.layers);
  n.cell = c.cell;
  n.flags = c.flags;
  n.projection_size = c.projection;
  n.embedding_size = c.embedding;
  n.compute = c.compute;
  n.skip = c.skip;
  n.initial_state = RNN_INITIAL_TRAINED;
  return n;
}

// Every cell, and every option with one of them.
std::vector<Case> stacks() {
  return {
      {RNN_OPTIMIZER_ADAM, 2, true, false, RNN_CELL_VANILLA, RNN_FLAG_RELU | RNN_FLAG_RESIDUAL},
      {RNN_OPTIMIZER_ADAM, 2, true, true, RNN_CELL_LSTM},
      {RNN_OPTIMIZER_ADAM, 2, false, true, RNN_CELL_GRU},
      {RNN_OPTIMIZER_ADAM, 2, false, false, RNN_CELL_GRU, RNN_FLAG_RESET_BEFORE | RNN_FLAG_BIDIRECTIONAL},
      {RNN_OPTIMIZER_ADAM, 2, false, false, RNN_CELL_LSTM, RNN_FLAG_BIDIRECTIONAL | RNN_FLAG_RESIDUAL, 24},
      {RNN_OPTIMIZER_ADAM, 2, true, false, RNN_CELL_LSTM, RNN_FLAG_TIED_HEAD, 0, 40, 0, 0.3f},
      {RNN_OPTIMIZER_ADAM, 3, true, true, RNN_CELL_GRU, RNN_FLAG_LAYER_NORM, 0, 24, 0, 0.5f},
      {RNN_OPTIMIZER_ADAM, 2, false, false, RNN_CELL_LSTM, RNN_FLAG_LAYER_NORM, 0, 0, RNN_POOLING_LAST},
      {RNN_OPTIMIZER_ADAM, 1, true, false, RNN_CELL_GRU, RNN_FLAG_BIDIRECTIONAL, 0, 0, RNN_POOLING_MEAN},
      {RNN_OPTIMIZER_ADAM, 2, false, false, RNN_CELL_VANILLA, RNN_FLAG_RELU, 0, 0, RNN_POOLING_MAX, 0.2f},
      {RNN_OPTIMIZER_ADAM, 2, true, true, RNN_CELL_VANILLA, 0, 0, 0, 0, 0, RNN_COMPUTE_BF16},
      {RNN_OPTIMIZER_ADAM, 2, false, false, RNN_CELL_GRU, RNN_FLAG_BIDIRECTIONAL, 0, 0, 0, 0,
       RNN_COMPUTE_BF16},
      {RNN_OPTIMIZER_ADAM, 2, true, false, RNN_CELL_LSTM, 0, 24, 40, 0, 0, RNN_COMPUTE_BF16},
      {RNN_OPTIMIZER_ADAM, 1, true, true, RNN_CELL_LSTM, 0, 0, 0, 0, 0, RNN_COMPUTE_F32, true},
      {RNN_OPTIMIZER_ADAM, 1, false, true, RNN_CELL_LSTM, 0, 0, 0, 0, 0, RNN_COMPUTE_F32, false, 40},
      {RNN_OPTIMIZER_ADAM, 2, true, false, RNN_CELL_GRU, 0, 0, 0, 0, 0, RNN_COMPUTE_BF16, false, 17},
      {RNN_OPTIMIZER_ADAM, 2, true, true, RNN_CELL_LSTM, RNN_FLAG_PEEPHOLES},
      {RNN_OPTIMIZER_ADAM, 2, false, false, RNN_CELL_LSTM, RNN_FLAG_COUPLED_GATES | RNN_FLAG_BIDIRECTIONAL},
      {RNN_OPTIMIZER_ADAM, 2, true, true, RNN_CELL_LSTM, RNN_FLAG_COUPLED_GATES | RNN_FLAG_PEEPHOLES, 24},
      {RNN_OPTIMIZER_ADAM, 2, true, true, RNN_CELL_MIN_GRU},
      {RNN_OPTIMIZER_ADAM, 2, false, false, RNN_CELL_MIN_GRU, RNN_FLAG_BIDIRECTIONAL | RNN_FLAG_RESIDUAL},
      {RNN_OPTIMIZER_ADAM, 2, true, false, RNN_CELL_MIN_GRU, 0, 0, 24, 0, 0.3f, RNN_COMPUTE_BF16},
      {RNN_OPTIMIZER_ADAM, 2, true, true, RNN_CELL_MIN_LSTM}};
}

// Of 40 inputs and outputs: layers of every kind and direction, beside and behind one another.
std::vector<Case> lists() {
  using reference::cell_layer;
  using reference::dense_layer;
  const std::int32_t adam = RNN_OPTIMIZER_ADAM;
  const std::vector<rnn_layer_t> ahead = {
      dense_layer(40, RNN_ACTIVATION_TANH), cell_layer(RNN_CELL_GRU, 72),
      cell_layer(RNN_CELL_LSTM, 56, RNN_FLAG_LAYER_NORM, RNN_DIRECTION_FORWARD, 24),
      dense_layer(24, RNN_ACTIVATION_GELU, RNN_FLAG_RESIDUAL), dense_layer(40)};
  const std::vector<rnn_layer_t> around = {
      cell_layer(RNN_CELL_GRU, 24, 0, RNN_DIRECTION_BOTH),
      cell_layer(RNN_CELL_VANILLA, 48, RNN_FLAG_RESIDUAL, RNN_DIRECTION_SUM),
      cell_layer(RNN_CELL_MIN_GRU, 33, 0, RNN_DIRECTION_REVERSE), dense_layer(40, RNN_ACTIVATION_PRELU)};
  const std::vector<rnn_layer_t> dense = {dense_layer(70, RNN_ACTIVATION_SOFTMAX),
                                          dense_layer(70, RNN_ACTIVATION_ELU, RNN_FLAG_RESIDUAL, 0.5f),
                                          dense_layer(40, RNN_ACTIVATION_SOFTPLUS)};
  return {with_list({adam, 1, true, true}, ahead),
          with_list({adam, 1, false, false, 0, 0, 0, 0, RNN_POOLING_LAST, 0.3f}, ahead),
          with_list({adam, 1, true, false, 0, 0, 0, 24, RNN_POOLING_NONE, 0.2f, RNN_COMPUTE_BF16}, ahead),
          with_list({adam, 1, false, false}, around),
          with_list({adam, 1, true, false, 0, 0, 0, 0, RNN_POOLING_MEAN}, ahead),
          with_list({adam, 1, true, false, 0, 0, 0, 0, RNN_POOLING_MAX}, around),
          with_list({adam, 1, false, false, 0, 0, 0, 0, RNN_POOLING_NONE, 0, RNN_COMPUTE_BF16}, around),
          with_list({adam, 1, true, true, 0, 0, 0, 0, 0, 0, RNN_COMPUTE_F32, true}, dense),
          with_list({adam, 1, false, true, 0, 0, 0, 0, 0, 0, RNN_COMPUTE_F32, false, 40}, dense)};
}

// With dropout of every kind.
std::vector<Case> dropouts() {
  const auto with_others = [](Case c) {
    c.output_dropout = 0.4f;
    c.recurrent_dropout = 0.3f;
    return c;
  };
  std::vector<Case> cases = stacks(), listed = lists(), chosen;
  for (const std::size_t i : {1, 3, 5, 7, 9, 12}) chosen.push_back(with_others(cases[i]));
  for (const std::size_t i : {0, 1}) chosen.push_back(with_others(listed[i]));
  return chosen;
}

// Of each cell, with what goes around it and recurrent dropout, or without.
std::vector<Case> zoneouts() {
  using reference::cell_layer;
  using reference::dense_layer;
  const auto zoned = [](rnn_layer_t layer) {
    layer.zoneout_h = 0.3f;
    if (layer.kind == RNN_CELL_LSTM) layer.zoneout_c = 0.2f;
    return layer;
  };
  const std::int32_t adam = RNN_OPTIMIZER_ADAM;
  const std::vector<rnn_layer_t> ahead = {
      zoned(cell_layer(RNN_CELL_GRU, 40)), zoned(cell_layer(RNN_CELL_VANILLA, 33)),
      zoned(cell_layer(RNN_CELL_LSTM, 56, RNN_FLAG_LAYER_NORM, RNN_DIRECTION_FORWARD, 24)), dense_layer(40)};
  const std::vector<rnn_layer_t> around = {
      zoned(cell_layer(RNN_CELL_LSTM, 24, 0, RNN_DIRECTION_BOTH)),
      zoned(cell_layer(RNN_CELL_GRU, 48, RNN_FLAG_RESIDUAL | RNN_FLAG_RESET_BEFORE, RNN_DIRECTION_SUM)),
      dense_layer(40)};
  std::vector<Case> cases = {with_list({adam, 1, true, true}, ahead),
                             with_list({adam, 1, false, false}, ahead),
                             with_list({adam, 1, false, false}, around)};
  cases[1].recurrent_dropout = 0.3f;
  return cases;
}

const std::vector<Case>& cells_and_options() {
  static const std::vector<Case> cases = [] {
    std::vector<Case> all = stacks();
    for (const Case& c : lists()) all.push_back(c);
    for (const Case& c : dropouts()) all.push_back(c);
    for (const Case& c : zoneouts()) all.push_back(c);
    return all;
  }();
  return cases;
}

// Large enough that no phase runs on one thread alone.
const std::vector<std::size_t>& lengths() {
  static const std::vector<std::size_t> lengths = [] {
    std::vector<std::size_t> l;
    for (std::size_t n = 0; n < 90; ++n) l.push_back(1 + n * 7 % 23);
    return l;
  }();
  return lengths;
}

struct Outcome {
  std::vector<std::uint32_t> values;
  std::vector<double> losses;
};

std::int32_t record(const rnn_progress_t* progress, void* user) {
  auto& losses = *static_cast<std::vector<double>*>(user);
  losses.push_back(progress->loss);
  losses.push_back(progress->event == RNN_EVENT_VALIDATION ? progress->validation_loss
                                                           : progress->gradient_norm);
  return 0;
}

Outcome run(const Case& c, std::int32_t threads, std::int32_t lanes = 1) {
  const rnn_config_t networks = config_of(c);
  DataKind kind;
  kind.one_hot = c.one_hot;
  kind.masks = true;
  kind.resets = c.windows;
  kind.pooling = c.pooling;
  const Data data = make_data(networks, lengths(), kind),
             validation = make_data(networks, {9, 3, 30, 2}, kind, 2);
  const rnn_sequences_t in = data.get(), valid = validation.get();
  Outcome outcome;
  auto o = sized<rnn_train_options_t>();
  o.optimizer = c.optimizer;
  o.momentum = c.optimizer == RNN_OPTIMIZER_SGD || c.optimizer == RNN_OPTIMIZER_RMSPROP ? 0.9f : 0.0f;
  o.learning_rate = 0.01f;
  o.clip_norm = 0.1f;
  o.batch_size = 50;
  o.window = c.windows ? 8 : 0;
  o.epochs = 2;
  o.threads = threads;
  o.lanes = lanes;
  o.dropout = c.dropout;
  o.output_dropout = c.output_dropout;
  o.recurrent_dropout = c.recurrent_dropout;
  std::vector<float> class_weights;
  for (std::size_t k = 0; k < 40; ++k) class_weights.push_back(0.1f * static_cast<float>(k % 7));
  if (c.labels) o.class_weights = class_weights.data();
  if (c.labels) o.label_smoothing = 0.1f;
  o.validation = &valid;
  o.progress = &record;
  o.user = &outcome.losses;
  const NetworkHandle network = create(networks);
  EXPECT_EQ(rnn_train(network.get(), &in, &o), RNN_OK) << rnn_last_error();
  outcome.values = bits(values(network));
  return outcome;
}

TEST_F(Determinism, OfWeightsForEveryNumberOfThreads) {
  const Case cases[] = {{RNN_OPTIMIZER_ADAM, 1, true, false},
                        {RNN_OPTIMIZER_ADAMW, 2, false, true},
                        {RNN_OPTIMIZER_SGD, 1, false, false},
                        {RNN_OPTIMIZER_ADAGRAD, 3, true, true},
                        {RNN_OPTIMIZER_RMSPROP, 2, true, false}};
  for (const Case& c : cases) {
    const Outcome one = run(c, 1);
    EXPECT_NE(one.values, run({c.optimizer == RNN_OPTIMIZER_SGD ? RNN_OPTIMIZER_ADAM : RNN_OPTIMIZER_SGD,
                               c.layers, c.one_hot, c.windows},
                              1)
                              .values);
    for (const std::int32_t threads : {1, 2, 3, 8, 0}) {
      const Outcome other = run(c, threads);
      EXPECT_EQ(other.values, one.values) << "optimizer " << c.optimizer << ", " << threads << " threads";
      EXPECT_EQ(other.losses, one.losses) << "optimizer " << c.optimizer << ", " << threads << " threads";
    }
  }
}

TEST_F(Determinism, OfWeightsWithEveryCellAndOption) {
  for (const Case& c : cells_and_options())
    for (const std::int32_t lanes : {1, 8}) {
      const Outcome one = run(c, 1, lanes);
      for (const std::int32_t threads : {2, 4, 7}) {
        const Outcome other = run(c, threads, lanes);
        EXPECT_EQ(other.values, one.values) << describe(c) << ", " << threads << ", " << lanes;
        EXPECT_EQ(other.losses, one.losses) << describe(c) << ", " << threads << ", " << lanes;
      }
    }
}

// Run by the test below, in processes of their own: the instruction set is chosen once.
TEST_F(Determinism, DISABLED_PrintsWeights) {
  std::vector<Case> cases = cells_and_options();
  cases.push_back({RNN_OPTIMIZER_ADAM, 2, true, false});
  cases.push_back({RNN_OPTIMIZER_RMSPROP, 1, false, true});
  for (const Case& c : cases) {
    std::uint64_t hash = 0;
    for (const std::int32_t lanes : {1, 8})
      for (const std::uint32_t value : run(c, 2, lanes).values) hash = (hash ^ value) * 0x100000001b3;
    std::printf("weights %" PRIx64 "\n", hash);
  }
}

TEST_F(Determinism, OfWeightsOnEveryInstructionSet) {
  std::map<std::string, std::string> weights;
  const kernels::TableList tables = kernels::all();
  for (const kernels::Table* const* table = tables.begin; table != tables.end; ++table) {
    const std::string name = (*table)->name;
    const std::string program = std::filesystem::read_symlink("/proc/self/exe").string();
    const std::string command =
        "RNN_ISA=" + name + " '" + program +
        "' --gtest_also_run_disabled_tests --gtest_filter='*PrintsWeights' | grep weights";
    std::FILE* const pipe = popen(command.c_str(), "r");
    ASSERT_NE(pipe, nullptr);
    char line[80];
    while (std::fgets(line, sizeof line, pipe) != nullptr) weights[name] += line;
    EXPECT_EQ(pclose(pipe), 0);
  }
  if (weights.size() < 2) GTEST_SKIP() << "fewer than two instruction sets";
  for (const auto& [name, lines] : weights) {
    EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'),
              static_cast<std::ptrdiff_t>(cells_and_options().size() + 2))
        << lines;
    EXPECT_EQ(lines, weights.begin()->second) << name << " and " << weights.begin()->first;
  }
}

TEST_F(Determinism, OfWeightsInTheCallersArena) {
  const Case c{RNN_OPTIMIZER_ADAM, 2, true, false};
  const Outcome one = run(c, 1);
  tbb::task_arena arena(3);
  Outcome inside;
  arena.execute([&] { inside = run(c, 0); });
  EXPECT_EQ(inside.values, one.values);
}

// Everything that leaves a tape.
struct Record {
  std::vector<float> outputs, final_states, gradients, d_inputs, d_initial_states;

  std::vector<std::uint32_t> all() const {
    std::vector<std::uint32_t> result;
    for (const auto* part : {&outputs, &final_states, &gradients, &d_inputs, &d_initial_states}) {
      const std::vector<std::uint32_t> more = bits(*part);
      result.insert(result.end(), more.begin(), more.end());
    }
    return result;
  }
};

std::vector<float> gradients(const TapeHandle& tape, const NetworkHandle& network) {
  std::vector<float> result;
  const Weights& weights = network->network.weights();
  for (std::size_t i = 0; i < weights.parameter_count(); ++i) {
    const Parameter& p = weights.parameter(i);
    std::vector<float> gradient(p.rows * p.columns);
    EXPECT_EQ(rnn_tape_gradient(tape.get(), p.name, gradient.data(), gradient.size()), RNN_OK);
    result.insert(result.end(), gradient.begin(), gradient.end());
  }
  return result;
}

// d_outputs: a function of the outputs.
template <class Gradient>
Record record(const NetworkHandle& network, const Case& c, const rnn_sequences_t& in, std::int32_t threads,
              const Gradient& d_outputs, bool all) {
  rnn_tape_t* out = nullptr;
  EXPECT_EQ(rnn_tape_create(network.get(), threads, &out), RNN_OK) << rnn_last_error();
  const TapeHandle tape(out);
  auto rates = sized<rnn_dropout_rates_t>();
  rates.layers = c.dropout;
  rates.output = c.output_dropout;
  rates.recurrent = c.recurrent_dropout;
  rates.zoneout = all && network->network.weights().has_zoneout() ? 1 : 0;
  EXPECT_EQ(rnn_tape_set_dropout_rates(out, &rates, 9), RNN_OK) << rnn_last_error();
  const std::size_t states = in.count * state_size(network);
  Random random(5);
  const std::vector<float> d_final = numbers(random, states);
  Record r;
  r.outputs.resize(in.frames * 40);
  r.final_states.resize(states);
  r.d_initial_states.resize(states);
  if (in.indices == nullptr) r.d_inputs.resize(in.frames * 40);
  EXPECT_EQ(rnn_tape_forward(out, network.get(), &in, nullptr, r.outputs.data(), r.final_states.data()),
            RNN_OK)
      << rnn_last_error();
  const std::vector<float> d_y = d_outputs(r.outputs);
  EXPECT_EQ(rnn_tape_backward(out, d_y.data(), all ? d_final.data() : nullptr,
                              r.d_inputs.empty() ? nullptr : r.d_inputs.data(), r.d_initial_states.data()),
            RNN_OK)
      << rnn_last_error();
  r.gradients = gradients(tape, network);
  return r;
}

TEST_F(Determinism, OfTapes) {
  for (const Case& c : cells_and_options()) {
    DataKind kind;
    kind.one_hot = c.one_hot;
    kind.resets = c.windows;
    const Data data = make_data(config_of(c), lengths(), kind);
    const rnn_sequences_t in = data.get();
    const NetworkHandle network = create(config_of(c));
    const auto d_outputs = [](const std::vector<float>& y) {
      Random random(6);
      return numbers(random, y.size());
    };
    const std::vector<std::uint32_t> one = record(network, c, in, 1, d_outputs, true).all();
    for (const std::int32_t threads : {2, 4, 7})
      EXPECT_EQ(record(network, c, in, threads, d_outputs, true).all(), one)
          << describe(c) << ", " << threads << " threads";
  }
}

// A tape's forward pass is rnn_forward's, and with the gradient of a loss its backward pass is training's.
TEST_F(Determinism, OfTapesAndOtherPasses) {
  for (Case c : cells_and_options()) {
    c.dropout = c.output_dropout = c.recurrent_dropout = 0.0f;  // of a tape is with another key
    SCOPED_TRACE(describe(c));
    DataKind kind;
    kind.one_hot = c.one_hot;
    kind.resets = c.windows;
    kind.loss = RNN_LOSS_SQUARED_ERROR;
    const Data data = make_data(config_of(c), lengths(), kind);
    const rnn_sequences_t in = data.get();
    const NetworkHandle network = create(config_of(c));
    const float scale = static_cast<float>(1.0 / (static_cast<double>(in.frames) * 40.0));
    const auto d_outputs = [&](const std::vector<float>& y) {
      std::vector<float> d_y(y.size());
      for (std::size_t i = 0; i < y.size(); ++i) d_y[i] = 2.0f * scale * (y[i] - data.targets[i]);
      return d_y;
    };
    const Record tape = record(network, c, in, 2, d_outputs, false);

    auto forward = sized<rnn_forward_options_t>();
    std::vector<float> y(tape.outputs.size()), states(tape.final_states.size());
    forward.final_states = states.data();
    ASSERT_EQ(rnn_forward(network.get(), &in, &forward, y.data()), RNN_OK) << rnn_last_error();
    EXPECT_EQ(bits(tape.outputs), bits(y));
    EXPECT_EQ(bits(tape.final_states), bits(states));

    if (network->network.weights().has_zoneout()) continue;  // training draws masks
    // By an update of plain gradient descent at a rate of 1.
    auto o = sized<rnn_train_options_t>();
    o.optimizer = RNN_OPTIMIZER_SGD;
    o.learning_rate = 1.0f;
    const TrainerHandle trainer = create_trainer(network, o);
    ASSERT_EQ(rnn_trainer_update(trainer.get(), &in, nullptr), RNN_OK) << rnn_last_error();
    const NetworkHandle trained = network_of(trainer);
    std::size_t k = 0;
    for (std::size_t i = 0; i < network->network.weights().parameter_count(); ++i) {
      const Parameter& p = network->network.weights().parameter(i);
      std::vector<float> expected(p.rows * p.columns), values(expected.size());
      network->network.weights().get(p, expected.data());
      trained->network.weights().get(p, values.data());
      for (float& value : expected) value -= tape.gradients[k++];
      EXPECT_EQ(bits(values), bits(expected)) << p.name;
    }
  }
}

// More frames than are worked on at a time: each sequence counts as if it were alone.
TEST_F(Determinism, OfEvaluationInParts) {
  std::vector<std::size_t> many;
  for (std::size_t n = 0; n < 300; ++n) many.push_back(1 + n * 7 % 23);
  for (const std::uint32_t flags : {0u, static_cast<std::uint32_t>(RNN_FLAG_BIDIRECTIONAL)}) {
    for (const std::int32_t pooling :
         {RNN_POOLING_NONE, RNN_POOLING_LAST, RNN_POOLING_MEAN, RNN_POOLING_MAX}) {
      rnn_config_t n = config(5, 192, 7);
      n.cell = RNN_CELL_LSTM;
      n.flags = flags;
      DataKind kind;
      kind.one_hot = true;
      kind.masks = true;
      kind.pooling = pooling;
      const Data data = make_data(n, many, kind);
      const rnn_sequences_t in = data.get();
      const NetworkHandle network = create(n);
      auto all = sized<rnn_evaluation_t>(), one = sized<rnn_evaluation_t>();
      ASSERT_EQ(rnn_evaluate(network.get(), &in, nullptr, &all), RNN_OK) << rnn_last_error();
      double loss = 0.0, weight = 0.0;
      rnn_sequences_t single = in;
      single.count = 1;
      for (std::size_t i = 0; i < many.size(); ++i) {
        single.frames = many[i];
        single.lengths = &many[i];
        ASSERT_EQ(rnn_evaluate(network.get(), &single, nullptr, &one), RNN_OK) << rnn_last_error();
        if (one.weight > 0.0) loss += one.loss * one.weight;
        weight += one.weight;
        const std::size_t targets = pooling != RNN_POOLING_NONE ? 1 : many[i];
        single.indices += many[i];
        single.classes += targets;
        single.weights += targets;
      }
      EXPECT_NEAR(all.loss, loss / weight, 1e-12 * all.loss) << "flags " << flags << ", pooling " << pooling;
      EXPECT_NEAR(all.weight, weight, 1e-9);
    }
  }
}

TEST_F(Determinism, OfTasks) {
  for (const std::int32_t n : {1, 2, 3, 8, 0}) {
    Threads threads(n);
    EXPECT_EQ(threads.count(), n == 0 ? threads.count() : static_cast<std::size_t>(n));
    EXPECT_EQ(threads.count(0.0), 1u);
    EXPECT_EQ(threads.count(1e18), threads.count());
    std::vector<int> calls(1000);
    threads.run(1e18, calls.size(), [&](std::size_t i) { ++calls[i]; });
    EXPECT_EQ(calls, std::vector<int>(1000, 1));
  }
}

}  // namespace
}  // namespace rnn::training_test
