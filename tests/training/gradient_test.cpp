// Gradients against central differences of the loss in double precision: every cell, option, kind of
// parameter, loss, input, target, mask, reset and initial state, over one to three layers and ragged
// sequences.
#include <cmath>
#include <cstdint>

#include "lib/kernels/float_mode.h"
#include "lib/training/bptt.h"
#include "tests/training/training_test.h"

namespace rnn::training_test {
namespace {

// Bounds of what single precision adds to a gradient.
struct Bounds {
  double relative;
  double absolute;
};

void expect_close(double value, double truth, const Bounds& bounds, const std::string& what) {
  EXPECT_NEAR(value, truth, bounds.absolute + bounds.relative * std::fabs(truth)) << what;
}

// The gradient of one parameter, taken out of the padded layout.
std::vector<float> extract(const Parameter& p, const std::vector<float>& gradients) {
  std::vector<float> out;
  for (std::size_t i = 0; i < p.rows; ++i)
    for (std::size_t j = 0; j < p.columns; ++j) out.push_back(gradients.at(p.offset + i * p.stride + j));
  return out;
}

struct Case {
  rnn_config_t config;
  Data data;
  std::int32_t loss;
  std::vector<float> initial_states;  // [N, S]  or empty
  float dropout;
  std::uint64_t dropout_key;
  float label_smoothing;
  std::vector<float> class_weights;  // [O]  or empty

  reference::Loss truth() const {
    reference::Loss result(loss);
    result.label_smoothing = label_smoothing;
    result.class_weights.assign(class_weights.begin(), class_weights.end());
    return result;
  }
  rnn_train_options_t label_options() const {
    auto options = sized<rnn_train_options_t>();
    options.label_smoothing = label_smoothing;
    options.class_weights = class_weights.empty() ? nullptr : class_weights.data();
    return options;
  }
  bool has(std::uint32_t flag) const { return (config.flags & flag) != 0; }
  // Where the loss has kinks, a difference has to be a small one.
  double step() const { return has(RNN_FLAG_RELU) || data.pooling == RNN_POOLING_MAX ? 1e-7 : 1e-5; }
  // Layer normalisation divides by the deviation of a few numbers.
  Bounds bounds() const { return has(RNN_FLAG_LAYER_NORM) ? Bounds{2e-4, 2e-5} : Bounds{3e-5, 2e-6}; }
};

std::string describe(const Case& c) {
  const rnn_config_t& n = c.config;
  std::string text = "cell " + std::to_string(n.cell) + ", I " + std::to_string(n.input_size) + ", E " +
                     std::to_string(n.embedding_size) + ", H " + std::to_string(n.hidden_size) + ", P " +
                     std::to_string(n.projection_size) + ", O " + std::to_string(n.output_size) + ", skip " +
                     std::to_string(n.skip) + ", L " + std::to_string(n.num_layers) + ", initial state " +
                     std::to_string(n.initial_state);
  const struct {
    std::uint32_t flag;
    const char* name;
  } flags[] = {{RNN_FLAG_NO_BIAS, "no bias"},     {RNN_FLAG_RELU, "ReLU"},
               {RNN_FLAG_RESET_BEFORE, "before"}, {RNN_FLAG_BIDIRECTIONAL, "bidirectional"},
               {RNN_FLAG_RESIDUAL, "residual"},   {RNN_FLAG_LAYER_NORM, "layer norm"},
               {RNN_FLAG_TIED_HEAD, "tied"}};
  for (const auto& flag : flags)
    if (c.has(flag.flag)) text += std::string(", ") + flag.name;
  text += c.data.indices.empty() ? ", vectors" : ", indices";
  text += ", pooling " + std::to_string(c.data.pooling) + ", loss " + std::to_string(c.loss) + ", dropout " +
          std::to_string(c.dropout);
  if (c.label_smoothing != 0.0f) text += ", smoothing " + std::to_string(c.label_smoothing);
  if (!c.class_weights.empty()) text += ", class weights";
  if (!c.data.weights.empty()) text += ", masks";
  if (!c.data.resets.empty()) text += ", resets";
  if (!c.initial_states.empty()) text += ", given states";
  text += ", lengths";
  for (const std::size_t length : c.data.lengths) text += " " + std::to_string(length);
  return text;
}

Case make_case(const rnn_config_t& config, const DataKind& kind, std::vector<std::size_t> lengths,
               std::uint64_t seed = 1) {
  Case c{};
  c.config = config;
  c.data = make_data(config, std::move(lengths), kind, seed);
  c.loss = kind.loss;
  return c;
}

void give_states(Case& c, std::uint64_t seed = 1) {
  Random random(seed);
  c.initial_states = numbers(random, c.data.lengths.size() * state_size(create(c.config)));
}

// ---- Dropout ---------------------------------------------------------------------------------------

// What the elements of a layer's outputs are multiplied by on their way to the next layer, [F, width]. The
// mask depends on the seed, the lengths, the resets and the layer alone: so it can be seen on a network whose
// layer l puts out ones, and whose layer l + 1 what it reads.
std::vector<float> mask(const Case& c, std::size_t layer, std::size_t width) {
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
  EXPECT_EQ(rnn_tape_set_dropout(out, c.dropout, c.dropout_key), RNN_OK);
  rnn_sequences_t in = c.data.get();
  const std::vector<float> inputs(in.frames);
  in.inputs = inputs.data();
  in.indices = nullptr;
  std::vector<float> result(in.frames * width);
  EXPECT_EQ(rnn_tape_forward(out, network.get(), &in, nullptr, result.data(), nullptr), RNN_OK)
      << rnn_last_error();
  return result;
}

// The reference with the parameters of the network, and its masks.
reference::Network load(const NetworkHandle& network, const Case& c) {
  reference::Network truth = reference::load(network.get());
  if (c.dropout == 0.0f || truth.layers == 1) return truth;
  const std::size_t width = truth.layer_size();
  std::vector<std::vector<float>> masks;
  for (std::size_t l = 0; l + 1 < truth.layers; ++l) masks.push_back(mask(c, l, width));
  truth.dropout = [masks, width](std::size_t layer, std::size_t frame, std::size_t column) {
    return static_cast<double>(masks.at(layer).at(frame * width + column));
  };
  return truth;
}

// ---- Losses ----------------------------------------------------------------------------------------

// What the engine computes for whole sequences.
struct Result {
  double loss;
  std::vector<float> gradients;
};

// A pass over all sequences of a case.
struct WholePass {
  rnn_sequences_t sequences;
  std::vector<Slice> slices;
  std::vector<Item> items;
  Pass pass;
  Labels labels;

  WholePass(const Weights& weights, const Case& c)
      : sequences(c.data.get()), labels(weights.allocator(), weights.output_size(), c.label_options()) {
    std::size_t first = 0;
    for (std::size_t i = 0; i < c.data.lengths.size(); first += c.data.lengths[i], ++i) {
      slices.push_back({first, c.data.lengths[i]});
      items.push_back({i, i});
    }
    pass.weights = &weights;
    pass.data = &sequences;
    pass.slices = slices.data();
    pass.items = items.data();
    pass.count = slices.size();
    pass.initial_states = c.initial_states.empty() ? nullptr : c.initial_states.data();
    pass.loss = c.loss;
    pass.labels = &labels;
    pass.total = target_weight(pass);
    pass.dropout = c.dropout;
    pass.dropout_key = c.dropout_key;
  }
};

// Adds to what is there, if there is something, after another pass.
Result train(const NetworkHandle& network, const Case& c, std::int32_t n, std::vector<float> sum = {},
             std::size_t chunk = 0) {
  const Weights& weights = network->network.weights();
  const kernels::FloatMode mode;
  Threads threads(n);
  Bptt bptt(weights, threads, chunk);
  bptt.transposed().pack(weights, false);
  const WholePass whole(weights, c);
  const Pass& pass = whole.pass;
  const bool add = !sum.empty();
  if (!add) sum.assign(weights.value_count(), 77.0f);
  Result result{0.0, std::move(sum)};
  if (add) bptt.train(pass, std::vector<float>(weights.value_count()).data());
  result.loss = bptt.train(pass, result.gradients.data(), add).loss / pass.total;
  return result;
}

// Padding stays zero: the optimiser relies on it.
void check_padding(const Weights& weights, std::vector<float> gradients) {
  for (std::size_t i = 0; i < weights.parameter_count(); ++i) {
    const Parameter& p = weights.parameter(i);
    for (std::size_t row = 0; row < p.rows; ++row)
      std::fill_n(gradients.begin() + static_cast<std::ptrdiff_t>(p.offset + row * p.stride), p.columns,
                  0.0f);
  }
  EXPECT_EQ(gradients, std::vector<float>(gradients.size()));
}

// sample: at most so many elements of each parameter.
void check(const Case& c, std::size_t sample, std::int32_t threads = 1) {
  SCOPED_TRACE(describe(c));
  const NetworkHandle network = create(c.config);
  const Result result = train(network, c, threads);
  const Weights& weights = network->network.weights();
  reference::Network truth = load(network, c);
  const rnn_sequences_t in = c.data.get();
  const reference::Sequences sequences =
      reference::convert(truth, in, c.initial_states.empty() ? nullptr : c.initial_states.data());
  const auto loss = [&] { return reference::loss(truth, sequences, c.truth()); };
  EXPECT_NEAR(result.loss, loss(), c.bounds().absolute * std::max(1.0, loss()));

  Random random(9);
  for (std::size_t i = 0; i < weights.parameter_count(); ++i) {
    const Parameter& p = weights.parameter(i);
    const std::vector<float> gradient = extract(p, result.gradients);
    if (p.kind == Parameter::Kind::initial && c.config.initial_state != RNN_INITIAL_TRAINED) {
      EXPECT_EQ(gradient, std::vector<float>(gradient.size())) << p.name;
      continue;
    }
    reference::Vector& x = truth.parameters.at(p.name);
    for (std::size_t k = 0; k < std::min(sample, x.size()); ++k) {
      const std::size_t j = x.size() <= sample ? k : static_cast<std::size_t>(random.below(x.size()));
      expect_close(gradient[j], reference::central_difference(x[j], loss, c.step()), c.bounds(),
                   p.name + ("[" + std::to_string(j) + "]"));
    }
  }
  check_padding(weights, result.gradients);
}

constexpr std::int32_t kCells[][2] = {{RNN_CELL_VANILLA, 0},
                                      {RNN_CELL_VANILLA, RNN_FLAG_RELU},
                                      {RNN_CELL_LSTM, 0},
                                      {RNN_CELL_GRU, 0},
                                      {RNN_CELL_GRU, RNN_FLAG_RESET_BEFORE}};

rnn_config_t config_of(const std::int32_t (&cell)[2], const rnn_config_t& sizes) {
  rnn_config_t c = sizes;
  c.cell = cell[0];
  c.flags |= static_cast<std::uint32_t>(cell[1]);
  return c;
}

// The head's matrix as embedding.
void tie(rnn_config_t& c) {
  c.flags |= RNN_FLAG_TIED_HEAD;
  c.output_size = 0;
  c.embedding_size = static_cast<std::int32_t>(output_size(c));
  c.output_size = c.input_size;
}

rnn_config_t random_config(Random& random) {
  const auto pick = [&](std::size_t n) { return static_cast<std::int32_t>(random.below(n)); };
  rnn_config_t c = config_of(kCells[pick(5)],
                             config(1 + pick(6), 1 + pick(7), pick(4) == 0 ? 0 : 1 + pick(5), 1 + pick(3)));
  c.initial_state = pick(3);
  const auto flag = [&](std::uint32_t value, std::size_t n) { c.flags |= pick(n) == 0 ? value : 0u; };
  flag(RNN_FLAG_NO_BIAS, 4);
  flag(RNN_FLAG_BIDIRECTIONAL, 3);
  flag(RNN_FLAG_RESIDUAL, 3);
  if ((c.flags & RNN_FLAG_RESET_BEFORE) == 0) flag(RNN_FLAG_LAYER_NORM, 4);
  if ((c.flags & RNN_FLAG_LAYER_NORM) != 0) c.hidden_size += 3;
  if (c.cell == RNN_CELL_LSTM && c.hidden_size > 1 && pick(2) == 0)
    c.projection_size = 1 + pick(static_cast<std::size_t>(c.hidden_size) - 1);
  if (pick(3) == 0) c.embedding_size = 1 + pick(5);
  if (c.embedding_size != 0 && pick(2) == 0) tie(c);
  return c;
}

Case random_case(std::uint64_t seed) {
  Random random(seed);
  const auto pick = [&](std::size_t n) { return static_cast<std::int32_t>(random.below(n)); };
  rnn_config_t network = random_config(random);
  DataKind kind;
  kind.one_hot = network.embedding_size != 0 || pick(2) == 0;
  kind.pooling = pick(2) == 0 ? pick(4) : RNN_POOLING_NONE;
  Random skips(seed + 1000000);  // apart from the other draws
  if (kind.pooling == RNN_POOLING_NONE && skips.below(2) == 0)
    network.skip = static_cast<std::int32_t>(skips.below(static_cast<std::size_t>(most_skip(network)) + 1));
  kind.masks = pick(2) == 0;
  kind.resets = pick(3) == 0;
  kind.loss = 1 + pick(3);
  std::vector<std::size_t> lengths(1 + random.below(6));
  for (std::size_t& length : lengths) length = 1 + random.below(7);
  Case c = make_case(network, kind, std::move(lengths), seed);
  if (pick(3) == 0) give_states(c, seed);
  if (pick(4) == 0 && network.num_layers > 1) c.dropout = 0.1f + 0.2f * static_cast<float>(pick(4));
  c.dropout_key = seed;
  if (c.loss != RNN_LOSS_CROSS_ENTROPY) return c;
  if (pick(3) == 0) c.label_smoothing = 0.1f + 0.4f * static_cast<float>(pick(3));
  if (pick(3) != 0) return c;
  for (std::size_t k = 0; k < output_size(network); ++k)
    c.class_weights.push_back(k % 3 == 1 ? 0.0f : 0.5f + static_cast<float>(random.uniform()));
  for (float& weight : c.data.weights) weight = std::max(weight, 0.1f);
  c.data.classes[0] = 0;
  return c;
}

TEST(Gradient, OfEveryKind) {
  for (std::uint64_t seed = 1; seed <= 300 && !HasFailure(); ++seed) check(random_case(seed), 8);
}

// One option at a time, and every element of the gradient.
TEST(Gradient, OfEveryOption) {
  const std::vector<std::size_t> lengths = {3, 6, 1, 4};
  for (const auto& cell : kCells) {
    for (std::int32_t option = 0; option < 14; ++option) {
      rnn_config_t c = config_of(cell, config(4, 3, 2, 2));
      DataKind kind;
      kind.resets = option % 2 == 0;
      kind.one_hot = option % 3 == 0;
      float dropout = 0.0f;
      if (option == 1) c.flags |= RNN_FLAG_BIDIRECTIONAL;
      if (option == 2) c.flags |= RNN_FLAG_RESIDUAL;
      if (option == 3) c.flags |= RNN_FLAG_NO_BIAS;
      if (option == 4 && (c.flags & RNN_FLAG_RESET_BEFORE) == 0) c.flags |= RNN_FLAG_LAYER_NORM;
      if (option == 5 && c.cell == RNN_CELL_LSTM) c.projection_size = 2;
      if (option == 6) c.embedding_size = 5;
      if (option == 7) tie(c);
      if (option == 8) c.initial_state = RNN_INITIAL_TRAINED;
      if (option >= 9 && option < 12) kind.pooling = option - 8;
      if (option >= 12) c.skip = option - 11;
      if (option == 0) dropout = 0.4f;
      kind.one_hot = kind.one_hot || c.embedding_size != 0;
      Case one = make_case(c, kind, lengths);
      one.dropout = dropout;
      check(one, 1000);
      if (HasFailure()) return;
    }
  }
}

// Sizes beyond a panel, a tile, a block of steps and a group of segments, none of them a multiple.
TEST(Gradient, OfLargerNetworks) {
  std::vector<std::size_t> lengths;
  for (std::size_t n = 0; n < 19; ++n) lengths.push_back(n == 3 ? 70 : 3 + n / 2);
  for (const bool one_hot : {false, true}) {
    for (const auto& cell : {kCells[0], kCells[2], kCells[3], kCells[4]}) {
      rnn_config_t n = config(70, 67, 65, 2);
      n.cell = cell[0];
      n.flags = static_cast<std::uint32_t>(cell[1]);
      n.initial_state = RNN_INITIAL_TRAINED;
      if (!one_hot) n.skip = 65;
      if (n.cell == RNN_CELL_LSTM && one_hot) {
        n.flags |= RNN_FLAG_BIDIRECTIONAL;
        n.projection_size = 21;
        tie(n);
      }
      DataKind kind;
      kind.one_hot = one_hot;
      kind.masks = true;
      kind.resets = one_hot;
      check(make_case(n, kind, lengths), 2, 3);
    }
  }
}

// So many rows that they are summed in parts, of everything that is a sum over rows.
TEST(Gradient, OfManyRows) {
  std::vector<std::size_t> lengths(30, 150);
  lengths[7] = 20;
  for (std::size_t option = 0; option < 6; ++option) {
    rnn_config_t c = config_of(kCells[option < 5 ? option : 3], config(5, 16, 3));
    DataKind kind;
    kind.one_hot = option != 2;
    kind.resets = option == 2;
    if (option == 1) c.embedding_size = 4;
    if (option == 2) c.projection_size = 7;
    if (option == 2 || option == 4) c.flags |= RNN_FLAG_BIDIRECTIONAL;
    if (option == 4) kind.pooling = RNN_POOLING_MEAN;
    if (option == 5) c.flags |= RNN_FLAG_LAYER_NORM;
    if (option == 5) tie(c);
    const Case many = make_case(c, kind, lengths);
    check(many, 2);
    const NetworkHandle network = create(c);
    const std::vector<float> once = train(network, many, 1).gradients;
    EXPECT_EQ(train(network, many, 3).gradients, once) << describe(many);
    const std::vector<float> twice = train(network, many, 2, once).gradients;
    for (std::size_t i = 0; i < once.size(); ++i)
      ASSERT_NEAR(twice[i], 2 * once[i], 1e-6 + 1e-5 * std::fabs(once[i])) << describe(many);
  }
}

// Of equal values the first is the largest: here the one whose state before was 0.
TEST(Gradient, OfEqualMaxima) {
  rnn_config_t n = config(1, 3, 2);
  n.flags = RNN_FLAG_RELU;
  DataKind kind;
  kind.one_hot = true;
  kind.pooling = RNN_POOLING_MAX;
  const Case c = make_case(n, kind, {4, 1, 9});
  const NetworkHandle network = create(n);
  const std::vector<float> ones(3, 1.0f), zeros(9);
  ASSERT_EQ(rnn_set_parameter(network.get(), "bias_ih_l0", ones.data(), 3), RNN_OK);
  ASSERT_EQ(rnn_set_parameter(network.get(), "weight_hh_l0", zeros.data(), 9), RNN_OK);
  const std::vector<float> gradients = train(network, c, 1).gradients;
  const Weights& weights = network->network.weights();
  EXPECT_EQ(extract(*weights.find("weight_hh_l0"), gradients), zeros);
  EXPECT_NE(extract(*weights.find("bias_ih_l0"), gradients), std::vector<float>(3));
}

// As if two batches were one.
TEST(Gradient, AddsUp) {
  for (const auto& cell : kCells) {
    const rnn_config_t n = config_of(cell, config(4, 5, 3, 2));
    const Case c = make_case(n, DataKind{}, {4, 7, 1});
    const NetworkHandle network = create(n);
    const std::vector<float> once = train(network, c, 1).gradients;
    const std::vector<float> twice = train(network, c, 1, once).gradients;
    for (std::size_t i = 0; i < once.size(); ++i) EXPECT_NEAR(twice[i], 2 * once[i], 1e-6);
    check_padding(network->network.weights(), twice);
  }
}

// ---- Outputs in chunks -----------------------------------------------------------------------------

void expect_same_in_chunks(const Case& c, std::int32_t threads, std::size_t chunk) {
  const NetworkHandle network = create(c.config);
  const Result whole = train(network, c, 1), parts = train(network, c, threads, {}, chunk);
  EXPECT_EQ(parts.loss, whole.loss) << describe(c);
  EXPECT_EQ(bits(parts.gradients), bits(whole.gradients)) << describe(c) << ", chunks of " << chunk;
  EXPECT_EQ(bits(train(network, c, threads, whole.gradients, chunk).gradients),
            bits(train(network, c, 1, whole.gradients).gradients))
      << describe(c) << ", chunks of " << chunk;
}

TEST(Chunks, ChangeNoBitOfGradients) {
  for (std::uint64_t seed = 1; seed <= 300 && !HasFailure(); ++seed)
    expect_same_in_chunks(random_case(seed), 1, 1 + seed % 4);
}

// Slices of the head's rows, tiles of its gradient and parts of the rows, none of them a multiple.
TEST(Chunks, ChangeNoBitOfLargerNetworks) {
  const std::vector<std::size_t> lengths(23, 9);
  for (const bool tied : {false, true}) {
    rnn_config_t n = config(1650, 33, 1650);
    n.cell = RNN_CELL_GRU;
    n.embedding_size = 33;
    if (tied) n.flags |= RNN_FLAG_TIED_HEAD;
    DataKind kind;
    kind.one_hot = true;
    for (const std::int32_t threads : {1, 3})
      expect_same_in_chunks(make_case(n, kind, lengths), threads, threads == 1 ? 64 : 96);
  }
  for (const bool tied : {false, true}) {
    rnn_config_t n = config(40, 16, 40);
    n.embedding_size = 16;
    if (tied) n.flags |= RNN_FLAG_TIED_HEAD;
    DataKind kind;
    kind.one_hot = true;
    expect_same_in_chunks(make_case(n, kind, std::vector<std::size_t>(30, 110)), 3, 512);
  }
}

// Of bf16 the kernels add the products of two rows at a time, or of 32.
TEST(Chunks, ChangeNoBitOfBf16) {
  rnn_config_t n = config(8, 40, 700);
  n.compute = RNN_COMPUTE_BF16;
  DataKind kind;
  kind.masks = true;
  expect_same_in_chunks(make_case(n, kind, std::vector<std::size_t>(9, 25)), 3, 64);
}

// As a tape does: the gradients of outputs and states come from the outside, and go there.
struct Outside {
  std::vector<float> outputs, gradients, initial_states;
  std::vector<std::int32_t> best;
};

Outside pass_outside(const NetworkHandle& network, const Case& c, std::size_t chunk) {
  const Weights& weights = network->network.weights();
  const kernels::FloatMode mode;
  Threads threads(1);
  Bptt bptt(weights, threads, chunk);
  bptt.transposed().pack(weights, false);
  WholePass whole(weights, c);
  const std::size_t frames = c.data.frames(), states = c.data.lengths.size() * weights.state_size();
  Outside result{std::vector<float>(frames * weights.output_size()),
                 std::vector<float>(weights.value_count()), std::vector<float>(states),
                 std::vector<std::int32_t>(frames)};
  whole.pass.loss = 0;
  whole.pass.outputs = result.outputs.data();
  whole.pass.best = result.best.data();
  bptt.forward(whole.pass);
  bptt.prepare_backward(false);
  Random random(5);
  const std::vector<float> d_outputs = numbers(random, result.outputs.size()),
                           d_states = numbers(random, states);
  Cotangents cotangents;
  cotangents.outputs = d_outputs.data();
  cotangents.final_states = d_states.data();
  cotangents.initial_states = result.initial_states.data();
  bptt.backward(cotangents, result.gradients.data());
  return result;
}

TEST(Chunks, ChangeNoBitOfWhatATapeComputes) {
  for (std::uint64_t seed = 1; seed <= 100 && !HasFailure(); ++seed) {
    Case c = random_case(seed);
    c.data.pooling = RNN_POOLING_NONE;
    c.data.classes.assign(c.data.frames(), 0);
    c.data.weights.clear();
    const NetworkHandle network = create(c.config);
    const Outside whole = pass_outside(network, c, 0), parts = pass_outside(network, c, 1 + seed % 4);
    EXPECT_EQ(bits(parts.outputs), bits(whole.outputs)) << describe(c);
    EXPECT_EQ(bits(parts.gradients), bits(whole.gradients)) << describe(c);
    EXPECT_EQ(bits(parts.initial_states), bits(whole.initial_states)) << describe(c);
    EXPECT_EQ(parts.best, whole.best) << describe(c);
    const std::size_t O = network->network.weights().output_size();
    for (std::size_t i = 0; i < whole.best.size(); ++i) {
      const float* const y = &whole.outputs[i * O];
      ASSERT_EQ(whole.best[i], std::max_element(y, y + O) - y) << describe(c);
    }
  }
}

// ---- Tape ------------------------------------------------------------------------------------------

struct Cotangent {
  std::vector<float> outputs, final_states;
};

// The sum that has these gradients.
double weighted_sum(const reference::Pass& pass, const Cotangent& d) {
  double sum = 0.0;
  for (std::size_t i = 0; i < d.outputs.size(); ++i)
    sum += pass.outputs[i] * static_cast<double>(d.outputs[i]);
  for (std::size_t i = 0; i < d.final_states.size(); ++i)
    sum += pass.final_states[i] * static_cast<double>(d.final_states[i]);
  return sum;
}

// sample: at most so many elements of each vector.
void check_tape(Case c, std::uint64_t seed, std::size_t sample) {
  Random random(seed + 1000);
  if (c.initial_states.empty() && random.below(2) == 0) give_states(c, seed);
  SCOPED_TRACE(describe(c));
  const NetworkHandle network = create(c.config);
  rnn_tape_t* out = nullptr;
  ASSERT_EQ(rnn_tape_create(network.get(), 1, &out), RNN_OK) << rnn_last_error();
  const TapeHandle tape(out);
  ASSERT_EQ(rnn_tape_set_dropout(out, c.dropout, c.dropout_key), RNN_OK) << rnn_last_error();

  reference::Network truth = load(network, c);
  rnn_sequences_t in = c.data.get();
  const std::size_t states = in.count * truth.state_size(), outputs = in.frames * truth.output_size();
  const float* initial = c.initial_states.empty() ? nullptr : c.initial_states.data();
  reference::Sequences sequences = reference::convert(truth, in, initial);
  Cotangent d;
  if (random.below(4) != 0) d.outputs = numbers(random, outputs);
  if (random.below(4) != 0) d.final_states = numbers(random, states);
  const auto pointer = [](const std::vector<float>& v) { return v.empty() ? nullptr : v.data(); };

  // Sums of about so many terms of about 1.
  const Bounds bounds = {c.bounds().relative, c.bounds().absolute * 10};
  std::vector<float> y(outputs), final_states(states), d_x(c.data.inputs.size()), d_initial(states, 5.0f);
  ASSERT_EQ(rnn_tape_forward(tape.get(), network.get(), &in, initial, y.data(), final_states.data()), RNN_OK);
  const reference::Pass pass = reference::forward(truth, sequences);
  for (std::size_t i = 0; i < outputs; ++i) expect_close(y[i], pass.outputs[i], c.bounds(), "output");
  for (std::size_t i = 0; i < states; ++i)
    expect_close(final_states[i], pass.final_states[i], c.bounds(), "final state");
  ASSERT_EQ(rnn_tape_backward(tape.get(), pointer(d.outputs), pointer(d.final_states),
                              d_x.empty() ? nullptr : d_x.data(), d_initial.data()),
            RNN_OK)
      << rnn_last_error();

  const auto sum = [&] { return weighted_sum(reference::forward(truth, sequences), d); };
  const auto compare = [&](const std::vector<float>& gradient, reference::Vector& x,
                           const std::string& name) {
    for (std::size_t k = 0; k < std::min(sample, x.size()); ++k) {
      const std::size_t i = x.size() <= sample ? k : static_cast<std::size_t>(random.below(x.size()));
      expect_close(gradient[i], reference::central_difference(x[i], sum, c.step()), bounds,
                   name + "[" + std::to_string(i) + "]");
    }
  };
  for (auto& [name, x] : truth.parameters) {
    std::vector<float> gradient(x.size());
    ASSERT_EQ(rnn_tape_gradient(tape.get(), name.c_str(), gradient.data(), gradient.size()), RNN_OK);
    compare(gradient, x, name);
  }
  if (!d_x.empty()) compare(d_x, sequences.inputs, "input");
  if (initial != nullptr) compare(d_initial, sequences.initial_states, "initial state");
}

TEST(Gradient, OfTapes) {
  for (std::uint64_t seed = 1; seed <= 200 && !HasFailure(); ++seed) check_tape(random_case(seed), seed, 8);
}

// Of inputs and of initial and final states, for every cell with and without what goes around it.
TEST(Gradient, OfTapesOfEveryCell) {
  std::uint64_t seed = 1;
  for (const auto& cell : kCells) {
    for (const bool around : {false, true}) {
      rnn_config_t n = config_of(cell, config(4, 5, around ? 0 : 3, 2));
      n.skip = around ? 4 : 2;
      if (around) n.flags |= RNN_FLAG_BIDIRECTIONAL | RNN_FLAG_RESIDUAL;
      if (around && (n.flags & RNN_FLAG_RESET_BEFORE) == 0) n.flags |= RNN_FLAG_LAYER_NORM;
      if (around && n.cell == RNN_CELL_LSTM) n.projection_size = 3;
      n.initial_state = around ? RNN_INITIAL_FIXED : RNN_INITIAL_ZERO;
      DataKind kind;
      kind.resets = around;
      Case c = make_case(n, kind, {5, 2, 7});
      give_states(c);
      c.dropout = around ? 0.3f : 0.0f;
      check_tape(c, seed++, 1000);
    }
  }
}

// About as much is dropped as the rate says, the same for the same seed, and nothing without.
TEST(Gradient, OfDroppedOutputs) {
  Case c = make_case(config(1, 1, 1), DataKind{}, {90, 3, 50});
  for (const float rate : {0.1f, 0.5f, 0.9f}) {
    c.dropout = rate;
    c.dropout_key = 5;
    const std::vector<float> first = mask(c, 0, 37), second = mask(c, 1, 37);
    EXPECT_EQ(mask(c, 0, 37), first);
    EXPECT_NE(second, first);
    c.dropout_key = 6;
    EXPECT_NE(mask(c, 0, 37), first);
    for (const std::vector<float>* values : {&first, &second}) {
      std::size_t dropped = 0;
      for (const float value : *values) {
        dropped += value == 0.0f ? 1 : 0;
        EXPECT_FLOAT_EQ(value, value == 0.0f ? 0.0f : 1.0f / (1.0f - rate));
      }
      // Four standard deviations of 5291 draws.
      EXPECT_NEAR(static_cast<double>(dropped) / 5291.0, rate, 4 * std::sqrt(rate * (1 - rate) / 5291.0));
    }
  }
  c.dropout = 0.0f;
  EXPECT_EQ(mask(c, 0, 37), std::vector<float>(143 * 37, 1.0f));
}

TEST(Gradient, OfTapesAddsUp) {
  const NetworkHandle network = create(config(3, 5, 2));
  const Data data = make_data(config(3, 5, 2), {4, 2}, {});
  const rnn_sequences_t in = data.get();
  rnn_tape_t* out = nullptr;
  ASSERT_EQ(rnn_tape_create(network.get(), 1, &out), RNN_OK);
  const TapeHandle tape(out);
  Random random(1);
  const std::vector<float> d_y = numbers(random, 6 * 2);
  std::vector<float> once(15), twice(15);
  for (std::vector<float>* gradient : {&once, &twice}) {
    ASSERT_EQ(rnn_tape_forward(tape.get(), network.get(), &in, nullptr, nullptr, nullptr), RNN_OK);
    ASSERT_EQ(rnn_tape_backward(tape.get(), d_y.data(), nullptr, nullptr, nullptr), RNN_OK);
    ASSERT_EQ(rnn_tape_gradient(tape.get(), "weight_ih_l0", gradient->data(), 15), RNN_OK);
  }
  for (std::size_t i = 0; i < 15; ++i) {
    EXPECT_NE(once[i], 0.0f);
    EXPECT_NEAR(twice[i], 2 * once[i], 1e-6);
  }
  ASSERT_EQ(rnn_tape_zero_gradients(tape.get()), RNN_OK);
  ASSERT_EQ(rnn_tape_gradient(tape.get(), "weight_ih_l0", once.data(), 15), RNN_OK);
  EXPECT_EQ(once, std::vector<float>(15));
}

// A tape that has served other passes gives what a fresh one gives.
TEST(Gradient, OfTapesDoesNotDependOnPassesBefore) {
  const rnn_config_t c = config(3, 5, 2, 2);
  const NetworkHandle network = create(c);
  DataKind one_hot;
  one_hot.one_hot = true;
  const Data other = make_data(c, {9, 1, 3}, one_hot), data = make_data(c, {4, 2}, {});
  const rnn_sequences_t other_in = other.get(), in = data.get();
  Random random(1);
  const std::vector<float> d_y = numbers(random, 13 * 2);
  std::vector<float> d_x[2], gradient[2];
  for (const int used : {0, 1}) {
    rnn_tape_t* out = nullptr;
    ASSERT_EQ(rnn_tape_create(network.get(), 1, &out), RNN_OK);
    const TapeHandle tape(out);
    if (used == 1) {
      ASSERT_EQ(rnn_tape_forward(out, network.get(), &other_in, nullptr, nullptr, nullptr), RNN_OK);
      ASSERT_EQ(rnn_tape_backward(out, d_y.data(), nullptr, nullptr, nullptr), RNN_OK);
      ASSERT_EQ(rnn_tape_zero_gradients(out), RNN_OK);
    }
    d_x[used].resize(6 * 3);
    gradient[used].resize(25);
    ASSERT_EQ(rnn_tape_forward(out, network.get(), &in, nullptr, nullptr, nullptr), RNN_OK);
    ASSERT_EQ(rnn_tape_backward(out, d_y.data(), nullptr, d_x[used].data(), nullptr), RNN_OK);
    ASSERT_EQ(rnn_tape_gradient(out, "weight_hh_l1", gradient[used].data(), 25), RNN_OK);
  }
  EXPECT_EQ(bits(d_x[1]), bits(d_x[0]));
  EXPECT_EQ(bits(gradient[1]), bits(gradient[0]));
}

// ---- Windows ---------------------------------------------------------------------------------------

// A run over windows is plain gradient descent on each window's loss, from states that are constants.
TEST(Gradient, OfWindows) {
  for (const bool fresh : {false, true}) {
    for (const bool per_sequence : {false, true}) {
      rnn_config_t c = config(3, 5, 4, 2);
      c.initial_state = RNN_INITIAL_TRAINED;
      DataKind kind;
      kind.pooling = per_sequence ? RNN_POOLING_LAST : RNN_POOLING_NONE;
      const Data data = make_data(c, {7, 3, 9, 6}, kind);
      const rnn_sequences_t in = data.get();
      const NetworkHandle network = create(c);
      auto o = sized<rnn_train_options_t>();
      o.optimizer = RNN_OPTIMIZER_SGD;
      o.learning_rate = 0.5f;
      o.window = 3;
      o.stateless_windows = fresh ? 1 : 0;
      o.keep_order = 1;
      o.batch_size = 4;
      const TrainerHandle trainer = create_trainer(network, o);
      ASSERT_EQ(rnn_trainer_run(trainer.get(), &in), RNN_OK) << rnn_last_error();

      reference::Network truth = reference::load(network.get());
      const reference::Sequences all = reference::convert(truth, in);
      std::vector<reference::Vector> carried(4);
      for (std::size_t start = 0; start < 9; start += 3) {
        reference::Sequences window;
        window.pooling = kind.pooling;
        std::size_t first = 0;
        for (std::size_t n = 0; n < 4; first += data.lengths[n], ++n) {
          if (data.lengths[n] <= start) continue;
          const std::size_t length = std::min<std::size_t>(3, data.lengths[n] - start);
          const bool last = start + length == data.lengths[n];
          window.lengths.push_back(length);
          for (std::size_t t = start; t < start + length; ++t) {
            for (std::size_t i = 0; i < 3; ++i) window.inputs.push_back(all.inputs[(first + t) * 3 + i]);
            if (!per_sequence) window.classes.push_back(all.classes[first + t]);
          }
          if (per_sequence) {
            window.classes.push_back(all.classes[n]);
            window.weights.push_back(last ? 1.0 : 0.0);
          }
          if (start > 0 && !fresh)
            window.initial_states.insert(window.initial_states.end(), carried[n].begin(), carried[n].end());
        }
        const reference::Pass pass = reference::forward(truth, window);
        std::size_t row = 0;
        for (std::size_t n = 0; n < 4; ++n) {
          if (data.lengths[n] <= start) continue;
          const auto begin = pass.final_states.begin() + static_cast<std::ptrdiff_t>(10 * row++);
          carried[n].assign(begin, begin + 10);
        }
        if (per_sequence && std::count(window.weights.begin(), window.weights.end(), 1.0) == 0) continue;
        const reference::Parameters g = reference::gradients(truth, window, RNN_LOSS_CROSS_ENTROPY);
        for (auto& [name, x] : truth.parameters)
          for (std::size_t i = 0; i < x.size(); ++i) x[i] -= 0.5 * g.at(name)[i];
      }
      const reference::Network trained = reference::load(network_of(trainer).get());
      for (const auto& [name, x] : truth.parameters)
        for (std::size_t i = 0; i < x.size(); ++i)
          EXPECT_NEAR(trained.parameters.at(name)[i], x[i], 3e-6) << name << " fresh " << fresh;
    }
  }
}

}  // namespace
}  // namespace rnn::training_test
