// What the tests of gradients share: cases, what the library computes for them, and central differences of the
// loss in double precision.
#pragma once

#include <cmath>
#include <cstdint>

#include "lib/kernels/float_mode.h"
#include "lib/training/bptt.h"
#include "tests/reference/lists.h"
#include "tests/training/masks.h"
#include "tests/training/training_test.h"

namespace rnn::training_test {

// Bounds of what single precision adds to a gradient.
struct Bounds {
  double relative;
  double absolute;
};

inline void expect_close(double value, double truth, const Bounds& bounds, const std::string& what) {
  EXPECT_NEAR(value, truth, bounds.absolute + bounds.relative * std::fabs(truth)) << what;
}

// The gradient of one parameter, taken out of the padded layout.
inline std::vector<float> extract(const Parameter& p, const std::vector<float>& gradients) {
  std::vector<float> out;
  for (std::size_t i = 0; i < p.rows; ++i)
    for (std::size_t j = 0; j < p.columns; ++j) out.push_back(gradients.at(p.offset + i * p.stride + j));
  return out;
}

// A cell whose gates do not read h.
inline bool is_minimal(const rnn_config_t& c) {
  return c.cell == RNN_CELL_MIN_GRU || c.cell == RNN_CELL_MIN_LSTM;
}

struct Case {
  rnn_config_t config;
  Data data;
  std::int32_t loss;
  std::vector<float> initial_states;  // [N, S]  or empty
  float dropout, output_dropout, recurrent_dropout;
  bool zoneout;  // with masks
  std::uint64_t dropout_key;
  float label_smoothing;
  std::vector<float> class_weights;  // [O]  or empty

  reference::Loss truth() const {
    reference::Loss result(loss);
    result.label_smoothing = label_smoothing;
    result.class_weights.assign(class_weights.begin(), class_weights.end());
    return result;
  }
  rnn_dropout_rates_t rates() const {
    auto result = sized<rnn_dropout_rates_t>();
    result.layers = dropout;
    result.output = output_dropout;
    result.recurrent = recurrent_dropout;
    result.zoneout = zoneout ? 1 : 0;
    return result;
  }
  rnn_train_options_t label_options() const {
    auto options = sized<rnn_train_options_t>();
    options.label_smoothing = label_smoothing;
    options.class_weights = class_weights.empty() ? nullptr : class_weights.data();
    return options;
  }
  bool has(std::uint32_t flag) const { return reference::architecture(config).has(flag); }
  // Where the loss has kinks, a difference has to be a small one.
  double step() const {
    return reference::architecture(config).has_kinks() || data.pooling == RNN_POOLING_MAX ? 1e-7 : 1e-5;
  }
  // Layer normalisation divides by the deviation of a few numbers.
  Bounds bounds() const { return has(RNN_FLAG_LAYER_NORM) ? Bounds{2e-4, 2e-5} : Bounds{3e-5, 2e-6}; }
};

inline std::string describe(const rnn_config_t& n) {
  if (n.layers != nullptr) return reference::text_of(n);
  std::string text = "cell " + std::to_string(n.cell) + ", I " + std::to_string(n.input_size) + ", E " +
                     std::to_string(n.embedding_size) + ", H " + std::to_string(n.hidden_size) + ", P " +
                     std::to_string(n.projection_size) + ", O " + std::to_string(n.output_size) + ", skip " +
                     std::to_string(n.skip) + ", L " + std::to_string(n.num_layers) + ", initial state " +
                     std::to_string(n.initial_state);
  const struct {
    std::uint32_t flag;
    const char* name;
  } flags[] = {{RNN_FLAG_NO_BIAS, "no bias"},      {RNN_FLAG_RELU, "ReLU"},
               {RNN_FLAG_RESET_BEFORE, "before"},  {RNN_FLAG_BIDIRECTIONAL, "bidirectional"},
               {RNN_FLAG_RESIDUAL, "residual"},    {RNN_FLAG_LAYER_NORM, "layer norm"},
               {RNN_FLAG_TIED_HEAD, "tied"},       {RNN_FLAG_PEEPHOLES, "peepholes"},
               {RNN_FLAG_COUPLED_GATES, "coupled"}};
  for (const auto& flag : flags)
    if ((n.flags & flag.flag) != 0) text += std::string(", ") + flag.name;
  return text;
}

inline std::string describe(const Case& c) {
  std::string text = describe(c.config);
  text += c.data.indices.empty() ? ", vectors" : ", indices";
  text += ", pooling " + std::to_string(c.data.pooling) + ", loss " + std::to_string(c.loss) + ", dropout " +
          std::to_string(c.dropout) + ", output dropout " + std::to_string(c.output_dropout) +
          ", recurrent dropout " + std::to_string(c.recurrent_dropout);
  if (c.zoneout) text += ", zoneout by masks";
  if (c.label_smoothing != 0.0f) text += ", smoothing " + std::to_string(c.label_smoothing);
  if (!c.class_weights.empty()) text += ", class weights";
  if (!c.data.weights.empty()) text += ", masks";
  if (!c.data.resets.empty()) text += ", resets";
  if (!c.initial_states.empty()) text += ", given states";
  text += ", lengths";
  for (const std::size_t length : c.data.lengths) text += " " + std::to_string(length);
  return text;
}

inline Case make_case(const rnn_config_t& config, const DataKind& kind, std::vector<std::size_t> lengths,
                      std::uint64_t seed = 1) {
  Case c{};
  c.config = config;
  c.data = make_data(config, std::move(lengths), kind, seed);
  c.loss = kind.loss;
  return c;
}

inline void give_states(Case& c, std::uint64_t seed = 1) {
  Random random(seed);
  c.initial_states = numbers(random, c.data.lengths.size() * state_size(create(c.config)));
}

// The reference with the parameters of the network, and the masks of dropout.
inline reference::Network load(const NetworkHandle& network, const Case& c) {
  reference::Network truth = reference::load(network.get());
  give_masks(truth, c.data, c.rates(), c.dropout_key);
  if (c.zoneout) give_zoneout(truth, network->network.weights(), c.data, c.dropout_key + 1);
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
      items.push_back({i, i, i});
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
    pass.output_dropout = c.output_dropout;
    pass.recurrent_dropout = c.recurrent_dropout;
    pass.recurrent_key = ~c.dropout_key;  // as a tape's
    pass.dropout_key = c.dropout_key;
    pass.zoneout = c.zoneout;
    pass.zoneout_key = c.dropout_key + 1;
  }
};

// Adds to what is there, if there is something, after another pass.
inline Result train(const NetworkHandle& network, const Case& c, std::int32_t n, std::vector<float> sum = {},
                    std::size_t chunk = 0) {
  const Weights& weights = network->network.weights();
  const kernels::FloatMode mode;
  Threads threads(n);
  TransposedWeights transposed(weights, threads);
  transposed.pack(weights, false);
  Bptt bptt(weights, threads, &transposed, chunk);
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
inline void check_padding(const Weights& weights, std::vector<float> gradients) {
  for (std::size_t i = 0; i < weights.parameter_count(); ++i) {
    const Parameter& p = weights.parameter(i);
    for (std::size_t row = 0; row < p.rows; ++row)
      std::fill_n(gradients.begin() + static_cast<std::ptrdiff_t>(p.offset + row * p.stride), p.columns,
                  0.0f);
  }
  EXPECT_EQ(gradients, std::vector<float>(gradients.size()));
}

// sample: at most so many elements of each parameter.
inline void check(const Case& c, std::size_t sample, std::int32_t threads = 1) {
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
                                      {RNN_CELL_GRU, RNN_FLAG_RESET_BEFORE},
                                      {RNN_CELL_MIN_GRU, 0},
                                      {RNN_CELL_MIN_LSTM, 0},
                                      {RNN_CELL_LSTM, RNN_FLAG_PEEPHOLES},
                                      {RNN_CELL_LSTM, RNN_FLAG_COUPLED_GATES},
                                      {RNN_CELL_LSTM, RNN_FLAG_COUPLED_GATES | RNN_FLAG_PEEPHOLES}};

// Layer normalisation is of all gates of one product with W_hh.
inline bool can_normalize(const rnn_config_t& c) {
  return (c.flags & RNN_FLAG_RESET_BEFORE) == 0 && !is_minimal(c);
}

inline rnn_config_t config_of(const std::int32_t (&cell)[2], const rnn_config_t& sizes) {
  rnn_config_t c = sizes;
  c.cell = cell[0];
  c.flags |= static_cast<std::uint32_t>(cell[1]);
  return c;
}

// The head's matrix as embedding.
inline void tie(rnn_config_t& c) {
  c.flags |= RNN_FLAG_TIED_HEAD;
  c.output_size = 0;
  c.embedding_size = static_cast<std::int32_t>(output_size(c));
  c.output_size = c.input_size;
}

inline rnn_config_t random_config(Random& random) {
  const auto pick = [&](std::size_t n) { return static_cast<std::int32_t>(random.below(n)); };
  rnn_config_t c = config_of(kCells[pick(5)],
                             config(1 + pick(6), 1 + pick(7), pick(4) == 0 ? 0 : 1 + pick(5), 1 + pick(3)));
  c.initial_state = pick(3);
  const auto flag = [&](std::uint32_t value, std::size_t n) { c.flags |= pick(n) == 0 ? value : 0u; };
  flag(RNN_FLAG_NO_BIAS, 4);
  flag(RNN_FLAG_BIDIRECTIONAL, 3);
  flag(RNN_FLAG_RESIDUAL, 3);
  if (can_normalize(c)) flag(RNN_FLAG_LAYER_NORM, 4);
  if ((c.flags & RNN_FLAG_LAYER_NORM) != 0) c.hidden_size += 3;
  if (c.cell == RNN_CELL_LSTM && c.hidden_size > 1 && pick(2) == 0)
    c.projection_size = 1 + pick(static_cast<std::size_t>(c.hidden_size) - 1);
  if (pick(3) == 0) c.embedding_size = 1 + pick(5);
  if (c.embedding_size != 0 && pick(2) == 0) tie(c);
  return c;
}

// Of a network that has no skip yet, unless it is a list of layers.
inline Case random_case(rnn_config_t network, std::uint64_t seed, Random& random) {
  const auto pick = [&](std::size_t n) { return static_cast<std::int32_t>(random.below(n)); };
  const bool list = network.layers != nullptr;
  DataKind kind;
  kind.one_hot = network.embedding_size != 0 || pick(2) == 0;
  kind.pooling = pick(2) == 0 ? pick(4) : RNN_POOLING_NONE;
  if (!reference::can_pool(network, kind.pooling)) kind.pooling = RNN_POOLING_NONE;
  Random cells(seed + 2000000), skips(seed + 1000000);  // apart from the other draws
  const bool minimal = cells.below(5) == 0;
  if (!list && minimal && (network.flags & RNN_FLAG_LAYER_NORM) == 0 && network.projection_size == 0) {
    network.cell = cells.below(2) == 0 ? RNN_CELL_MIN_GRU : RNN_CELL_MIN_LSTM;
    network.flags &= ~std::uint32_t{RNN_FLAG_RELU | RNN_FLAG_RESET_BEFORE};
  }
  Random variants(seed + 3000000);
  if (!list && network.cell == RNN_CELL_LSTM)
    network.flags |= static_cast<std::uint32_t>(variants.below(4)) * RNN_FLAG_PEEPHOLES;
  if (!list && kind.pooling == RNN_POOLING_NONE && skips.below(2) == 0)
    network.skip = static_cast<std::int32_t>(skips.below(static_cast<std::size_t>(most_skip(network)) + 1));
  kind.masks = pick(2) == 0;
  kind.resets = pick(3) == 0;
  kind.loss = 1 + pick(3);
  std::vector<std::size_t> lengths(1 + random.below(6));
  for (std::size_t& length : lengths) length = 1 + random.below(7);
  Case c = make_case(network, kind, std::move(lengths), seed);
  if (pick(3) == 0) give_states(c, seed);
  if (pick(4) == 0 && reference::architecture(network).body() > 1)
    c.dropout = 0.1f + 0.2f * static_cast<float>(pick(4));
  Random drops(seed + 4000000);
  if (drops.below(4) == 0 && reference::architecture(network).has_head()) c.output_dropout = 0.4f;
  if (drops.below(3) == 0 && reference::architecture(network).has_weight_hh()) c.recurrent_dropout = 0.3f;
  c.zoneout = drops.below(3) != 0 && reference::architecture(network).has_zoneout();
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

inline Case random_case(std::uint64_t seed) {
  Random random(seed);
  const rnn_config_t network = random_config(random);
  return random_case(network, seed, random);
}

// Whose network is a list of layers.
inline Case random_list_case(std::uint64_t seed) {
  Random random(seed);
  reference::ListKind kind;
  kind.whole = seed % 2 == 0;
  return random_case(reference::random_list(static_cast<std::uint32_t>(seed), kind), seed, random);
}

}  // namespace rnn::training_test
