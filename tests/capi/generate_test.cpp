// What rnn_generate draws.
#include <algorithm>
#include <cmath>
#include <set>

#include "common.h"

namespace {

using Indices = std::vector<int32_t>;

Indices generate(const Network& network, rnn_generate_options_t options, const Indices& prompt,
                 size_t capacity) {
  options.prompt = prompt.data();
  options.prompt_count = prompt.size();
  Indices out(capacity, -1);
  size_t written = 0;
  EXPECT_EQ(rnn_generate(network.get(), &options, out.data(), capacity, &written), RNN_OK)
      << rnn_last_error();
  for (size_t i = written; i < capacity; ++i) EXPECT_EQ(out[i], -1);
  out.resize(written);
  return out;
}

// A network whose outputs are these logits, whatever it reads.
Network constant(const Floats& logits) {
  const auto n = static_cast<int32_t>(logits.size());
  Network network = create(config(n, 4, n));
  set_parameter(network, "head.weight", Floats(logits.size() * 4));
  set_parameter(network, "head.bias", logits);
  return network;
}

rnn_generate_options_t options() { return sized<rnn_generate_options_t>(); }

std::set<int32_t> drawn_from(const Network& network, const rnn_generate_options_t& options) {
  const Indices out = generate(fork(network), options, {0}, 2000);
  return std::set<int32_t>(out.begin(), out.end());
}

TEST(Generate, GreedyIsTheLargestOutputFedBack) {
  const Network network = create(config(30, 20, 30, 2));
  const Network stream = fork(network);
  const Indices prompt = indices(5, 30);
  auto o = options();
  o.greedy = 1;
  const Indices out = generate(network, o, prompt, 20);
  Floats y(30);
  for (const int32_t index : prompt) ASSERT_EQ(rnn_step_index(stream.get(), index, y.data()), RNN_OK);
  for (size_t t = 0; t < 20; ++t) {
    const auto best = static_cast<int32_t>(std::max_element(y.begin(), y.end()) - y.begin());
    ASSERT_EQ(out[t], best) << t;
    if (t < 19) {
      ASSERT_EQ(rnn_step_index(stream.get(), best, y.data()), RNN_OK);
    }
  }
  // The last index drawn is not fed.
  EXPECT_TRUE(same_bits(state(network), state(stream)));
}

TEST(Generate, ContinuesWithTheLastIndexAsPrompt) {
  const Network network = create(config(30, 20, 30));
  const Network stream = fork(network);
  auto o = options();
  o.greedy = 1;
  const Indices whole = generate(network, o, {3}, 12);
  Indices parts = generate(stream, o, {3}, 5);
  const Indices rest = generate(stream, o, {parts.back()}, 7);
  parts.insert(parts.end(), rest.begin(), rest.end());
  EXPECT_EQ(parts, whole);
}

TEST(Generate, SeedDecidesTheDraws) {
  const Network network = create(config(30, 20, 30));
  auto o = options();
  o.seed = 5;
  const Indices first = generate(fork(network), o, {1, 2}, 50);
  EXPECT_EQ(generate(fork(network), o, {1, 2}, 50), first);
  o.seed = 6;
  EXPECT_NE(generate(fork(network), o, {1, 2}, 50), first);
}

TEST(Generate, TiesGoToTheLowestIndex) {
  const Network network = constant({0, 2, 1, 2, 2});
  auto o = options();
  o.greedy = 1;
  EXPECT_EQ(generate(network, o, {0}, 2), (Indices{1, 1}));
  o = options();
  o.top_k = 2;
  EXPECT_EQ(drawn_from(network, o), (std::set<int32_t>{1, 3}));
}

TEST(Generate, FollowsTheProbabilities) {
  const double p[] = {0.5, 0.25, 0.125, 0.125};
  const Network network = constant({std::log(0.5f), std::log(0.25f), std::log(0.125f), std::log(0.125f)});
  const size_t n = 40000;
  for (const float temperature : {0.0f, 1.0f, 2.0f}) {
    auto o = options();
    o.seed = 11;
    o.temperature = temperature;
    const Indices out = generate(fork(network), o, {0}, n);
    double total = 0, expected[4];
    for (int i = 0; i < 4; ++i) total += expected[i] = temperature == 2 ? std::sqrt(p[i]) : p[i];
    for (int i = 0; i < 4; ++i) {
      const double probability = expected[i] / total;
      const double deviation = std::sqrt(probability * (1 - probability) * n);
      EXPECT_NEAR(static_cast<double>(std::count(out.begin(), out.end(), i)), probability * n, 5 * deviation)
          << "index " << i << ", temperature " << temperature;
    }
  }
}

TEST(Generate, TopKKeepsTheMostProbable) {
  const Network network = constant({0, 0.4f, 0.1f, 0.3f, 0.2f});
  auto o = options();
  o.top_k = 1;
  EXPECT_EQ(drawn_from(network, o), (std::set<int32_t>{1}));
  o.top_k = 3;
  EXPECT_EQ(drawn_from(network, o), (std::set<int32_t>{1, 3, 4}));
  o.top_k = 1000;
  EXPECT_EQ(drawn_from(network, o), (std::set<int32_t>{0, 1, 2, 3, 4}));
}

TEST(Generate, TopPKeepsTheFewestThatReachIt) {
  const Network network = constant({std::log(0.1f), std::log(0.4f), std::log(0.2f), std::log(0.3f)});
  auto o = options();
  o.top_p = 0.3f;
  EXPECT_EQ(drawn_from(network, o), (std::set<int32_t>{1}));
  o.top_p = 0.5f;
  EXPECT_EQ(drawn_from(network, o), (std::set<int32_t>{1, 3}));
  o.top_p = 0.8f;
  EXPECT_EQ(drawn_from(network, o), (std::set<int32_t>{1, 2, 3}));
  o.top_p = 0.95f;
  EXPECT_EQ(drawn_from(network, o), (std::set<int32_t>{0, 1, 2, 3}));
  // Of the three that top_k keeps, 0.4 + 0.3 are 7/9.
  o.top_k = 3;
  o.top_p = 0.75f;
  EXPECT_EQ(drawn_from(network, o), (std::set<int32_t>{1, 3}));
}

TEST(Generate, LimitsThatKeepAllChangeNoDraw) {
  const Network network = create(config(30, 20, 30));
  auto o = options();
  o.seed = 5;
  const Indices expected = generate(fork(network), o, {1}, 100);
  o.top_k = 30;
  EXPECT_EQ(generate(fork(network), o, {1}, 100), expected);
  o.top_k = 31;
  o.top_p = 1;
  o.temperature = 1;
  EXPECT_EQ(generate(fork(network), o, {1}, 100), expected);
}

TEST(Generate, AnyTemperatureIsUsable) {
  const Network network = constant({1e30f, -1e30f, 9.9e29f, 0});
  for (const float temperature : {1e-45f, 1e-30f, 1e-3f, 1.0f}) {
    auto o = options();
    o.temperature = temperature;
    EXPECT_EQ(drawn_from(network, o), (std::set<int32_t>{0})) << temperature;
  }
  auto o = options();
  o.temperature = 3e38f;
  EXPECT_EQ(drawn_from(network, o), (std::set<int32_t>{0, 1, 2, 3}));
}

TEST(Generate, StopsAtItsIndex) {
  const Network network = create(config(30, 20, 30));
  auto o = options();
  o.seed = 5;
  const Indices all = generate(fork(network), o, {1}, 50);
  o.stop = 1;
  o.stop_index = all[10];
  const auto first = std::find(all.begin(), all.end(), all[10]);
  EXPECT_EQ(generate(fork(network), o, {1}, 50), Indices(all.begin(), first + 1));
  // Without stop the index means nothing.
  o.stop = 0;
  o.stop_index = -7;
  EXPECT_EQ(generate(fork(network), o, {1}, 50), all);
}

TEST(Generate, FeedsHiddenVectorsWithoutAHead) {
  const Network network = create(config(20, 20, 0));
  auto o = options();
  o.greedy = 1;
  const Network stream = fork(network);
  Floats h(20);
  ASSERT_EQ(rnn_step_index(stream.get(), 4, h.data()), RNN_OK);
  const auto best = static_cast<int32_t>(std::max_element(h.begin(), h.end()) - h.begin());
  EXPECT_EQ(generate(network, o, {4}, 1), Indices{best});
}

TEST(Generate, RefusesOutputsThatAreNotFinite) {
  // Finite weights whose output is not: two large values add up once h is near 1.
  const Network network = create(config(3, 2, 3));
  set_parameter(network, "weight_ih_l0", Floats(6, 10));
  set_parameter(network, "weight_hh_l0", Floats(4));
  set_parameter(network, "head.weight", {0, 0, 3e38f, 3e38f, 0, 0});
  const Floats before = state(network);
  for (const int32_t greedy : {0, 1}) {
    auto o = options();
    const int32_t prompt[] = {0, 1};
    o.prompt = prompt;
    o.prompt_count = 2;
    o.greedy = greedy;
    Indices out(3, 42);
    size_t written = 42;
    EXPECT_FAILS(RNN_NOT_FINITE, "output 1 of the network is inf",
                 rnn_generate(network.get(), &o, out.data(), 3, &written));
    EXPECT_EQ(out, Indices(3, 42));
    EXPECT_EQ(written, 42u);
    EXPECT_TRUE(same_bits(state(network), before));
  }
}

}  // namespace
