// Before a peer is measured, its results are compared with librnn's: those of right ones pass, of wrong ones
// not.
#include "bench/agreement.h"

#include <gtest/gtest.h>

#include <limits>
#include <memory>
#include <utility>

#include "bench/sides.h"

namespace bench {
namespace {

class Agreement : public testing::TestWithParam<Cell> {};

INSTANTIATE_TEST_SUITE_P(Cells, Agreement, testing::ValuesIn(kCells),
                         [](const testing::TestParamInfo<Cell>& cell) { return cell.param.name; });

constexpr Size kSizes[] = {{1, 16, 1, false}, {12, 20, 7, true}, {12, 20, 7, false}};

TEST_P(Agreement, InferenceOfBothSides) {
  for (const Size& size : kSizes) {
    for (const std::size_t T : {1, 6}) {
      for (const std::size_t N : {1, 5}) {
        EXPECT_EQ(difference(naive_side(), InferenceWork{GetParam(), size, T, N, 1}), "")
            << size.I << " T " << T << " N " << N;
        if (N > 1) {
          EXPECT_EQ(difference(librnn_side(), InferenceWork{GetParam(), size, T, N, 2}), "");
        }
      }
    }
  }
}

TEST_P(Agreement, TrainingOfBothSides) {
  for (const std::size_t L : {1, 2}) {
    EXPECT_EQ(difference(naive_side(), TrainingWork{GetParam(), 8, 16, L, 10, 3, 1}), "") << L;
    EXPECT_EQ(difference(librnn_side(), TrainingWork{GetParam(), 8, 16, L, 10, 3, 2}), "") << L;
  }
}

TEST_P(Agreement, NothingToCompare) {
  const Size size = {1, 16, 1, false};
  EXPECT_EQ(naive_side().make_inference(model(GetParam(), 1, 16, 1, 1), 1, 4, 2), nullptr);
  EXPECT_EQ(difference(naive_side(), InferenceWork{GetParam(), size, 1, 4, 2}), "");
  EXPECT_EQ(difference(Peer{}, InferenceWork{GetParam(), size, 1, 4, 1}), "");
  EXPECT_EQ(difference(Peer{}, TrainingWork{GetParam(), 8, 16, 1, 10, 3, 1}), "");
}

// Right but for an error in one output, small or NaN.
class Inaccurate final : public Inference {
 public:
  Inaccurate(std::unique_ptr<Inference> right, std::size_t outputs)
      : right_(std::move(right)), last_(outputs - 1) {}
  void run(const float* x, float* y) override {
    right_->run(x, y);
    y[last_] += error;
  }
  static float error;

 private:
  std::unique_ptr<Inference> right_;
  std::size_t last_;
};
float Inaccurate::error = 0.0f;

TEST_P(Agreement, WrongOutputs) {
  Peer peer = naive_side();
  peer.make_inference = [](const naive::Network& model, std::size_t T, std::size_t N,
                           int threads) -> std::unique_ptr<Inference> {
    return std::make_unique<Inaccurate>(naive_side().make_inference(model, T, N, threads),
                                        T * N * model.outputs);
  };
  for (const float error : {1e-2f, std::numeric_limits<float>::quiet_NaN()}) {
    Inaccurate::error = error;
    EXPECT_NE(difference(peer, InferenceWork{GetParam(), {4, 16, 3, false}, 5, 2, 1}), "") << error;
  }
  Inaccurate::error = 0.0f;
  EXPECT_EQ(difference(peer, InferenceWork{GetParam(), {4, 16, 3, false}, 5, 2, 1}), "");
}

// Each call starts anew.
class Forgetful final : public Inference {
 public:
  explicit Forgetful(const naive::Network& model) : model_(model) {}
  void run(const float* x, float* y) override { naive::Stream(model_).step(x, y); }

 private:
  const naive::Network& model_;
};

TEST_P(Agreement, StatesThatDoNotGoOn) {
  Peer peer = naive_side();
  peer.make_inference = [](const naive::Network& model, std::size_t, std::size_t,
                           int) -> std::unique_ptr<Inference> { return std::make_unique<Forgetful>(model); };
  EXPECT_NE(difference(peer, InferenceWork{GetParam(), {4, 16, 3, false}, 1, 1, 1}), "");
}

// Does not learn.
class Idle final : public Training {
 public:
  explicit Idle(double loss) : loss_(loss) {}
  double update() override { return loss_; }

 private:
  double loss_;
};

TEST_P(Agreement, WrongLosses) {
  Peer peer = naive_side();
  peer.make_training = [](const naive::Network& model, const Batch& batch,
                          int threads) -> std::unique_ptr<Training> {
    return std::make_unique<Idle>(naive_side().make_training(model, batch, threads)->update());
  };
  const TrainingWork work = {GetParam(), 8, 16, 1, 10, 3, 1};
  EXPECT_NE(difference(peer, work), "");
  peer.training_note = "a part of it";
  EXPECT_EQ(difference(peer, work), "") << "its losses mean nothing";
}

}  // namespace
}  // namespace bench
