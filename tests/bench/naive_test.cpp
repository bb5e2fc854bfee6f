// The benchmarks compare like with like: the naive side computes what the library computes.
#include "bench/naive.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "bench/networks.h"

namespace bench {
namespace {

struct Size {
  std::size_t I, H, O, L;
};
constexpr Size kSizes[] = {{1, 1, 1, 1}, {1, 16, 1, 1}, {3, 40, 2, 2}, {65, 128, 65, 1}, {20, 33, 7, 3}};

class Naive : public testing::TestWithParam<Cell> {};

INSTANTIATE_TEST_SUITE_P(Cells, Naive, testing::ValuesIn(kCells),
                         [](const testing::TestParamInfo<Cell>& cell) { return cell.param.name; });

double distance(const std::vector<float>& a, const std::vector<float>& b) {
  double largest = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i)
    largest = std::max(largest, std::fabs(double{a[i]} - double{b[i]}));
  return largest;
}

constexpr std::size_t kStepsTested = 50;
constexpr double kStepTolerance = 1e-5;

TEST_P(Naive, StepsAreTheSame) {
  for (const Size& s : kSizes) {
    rnn::Network network = make_network(GetParam(), s.I, s.H, s.O, s.L);
    const naive::Network copy = naive_copy(GetParam(), network);
    naive::Stream stream(copy);
    const std::vector<float> x = uniform(kStepsTested * s.I, -1.0f, 1.0f);
    std::vector<float> y(s.O), expected(s.O);
    for (std::size_t t = 0; t < kStepsTested; ++t) {
      network.step(&x[t * s.I], expected.data());
      stream.step(&x[t * s.I], y.data());
      EXPECT_LE(distance(y, expected), kStepTolerance) << s.I << "x" << s.H << "x" << s.O << " step " << t;
    }
  }
}

TEST_P(Naive, StepsByIndexAreTheSame) {
  for (const Size& s : kSizes) {
    rnn::Network network = make_network(GetParam(), s.I, s.H, s.O, s.L);
    const naive::Network copy = naive_copy(GetParam(), network);
    naive::Stream stream(copy);
    const Text text(s.I, 1, kStepsTested);
    std::vector<float> y(s.O), expected(s.O);
    for (const std::int32_t index : text.indices) {
      network.step(index, expected.data());
      stream.step(index, y.data());
      EXPECT_LE(distance(y, expected), kStepTolerance) << s.I << "x" << s.H << "x" << s.O;
    }
  }
}

// Adam moves every weight by about the learning rate in each update, whatever the size of its gradient. A
// weight whose gradient is near zero is the only one that a rounding error can push another way.
constexpr int kUpdates = 5;
constexpr float kLearningRate = 0.01f;
constexpr double kWeightTolerance = 0.01 * kLearningRate;
constexpr double kLossTolerance = 1e-5;

TEST_P(Naive, TrainingIsTheSame) {
  for (const Size& s : {Size{5, 8, 5, 1}, Size{65, 40, 65, 1}, Size{12, 24, 12, 2}}) {
    const rnn::Network network = make_network(GetParam(), s.I, s.H, s.O, s.L);
    naive::Network copy = naive_copy(GetParam(), network);
    const Text text(s.I, 8, 20);
    const rnn_sequences_t batch = text.sequences();

    auto options = rnn::sized<rnn_train_options_t>();
    options.learning_rate = kLearningRate;
    options.stateless_windows = 1;
    options.threads = 1;
    rnn::Trainer trainer(network, &options);
    naive::Trainer naive_trainer(copy, kLearningRate);
    for (int update = 0; update < kUpdates; ++update) {
      const double loss = naive_trainer.update(text.indices.data(), text.classes.data(), 8, 20);
      EXPECT_NEAR(trainer.update(batch).loss, loss, kLossTolerance) << s.H << " update " << update;
    }

    const naive::Network before = naive_copy(GetParam(), network);
    naive::Network trained = naive_copy(GetParam(), trainer.network());
    const auto expected = trained.parameters(), actual = copy.parameters();
    for (std::size_t k = 0; k < expected.size(); ++k)
      EXPECT_LE(distance(*actual[k], *expected[k]), kWeightTolerance) << s.H << " parameter " << k;
    EXPECT_GT(distance(before.w_ho, copy.w_ho), kLearningRate) << "nothing was learned";
  }
}

}  // namespace
}  // namespace bench
