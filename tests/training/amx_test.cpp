// Networks wide enough for AMX, which amx_emulator.cpp stands in for where the CPU has none.
#include <cmath>
#include <cstdint>

#include "lib/kernels/dispatch.h"
#include "tests/training/runs.h"

namespace rnn::training_test {
namespace {

constexpr std::int32_t kInputs = 9, kHidden = 70, kOutputs = 6;

class Amx : public testing::TestWithParam<std::int32_t> {
 protected:
  void SetUp() override {
    const kernels::Table* const table = kernels::table(kernels::Format::bf16, kHidden);
    if (table == nullptr || table->block == 1) GTEST_SKIP() << "no AVX512_BF16, or RNN_ISA is set";
  }
  static rnn_config_t config_of(std::int32_t compute) {
    rnn_config_t c = config(kInputs, kHidden, kOutputs, 2);
    c.cell = GetParam();
    c.compute = compute;
    return c;
  }
};
INSTANTIATE_TEST_SUITE_P(Cells, Amx, testing::Values(RNN_CELL_VANILLA, RNN_CELL_GRU, RNN_CELL_LSTM));

TEST_P(Amx, IsForWideNetworks) {
  EXPECT_EQ(kernels::table(kernels::Format::bf16, kernels::kAmxWidth - 1)->block, 1u);
  EXPECT_EQ(kernels::table(kernels::Format::bf16, kernels::kAmxWidth)->block, 16u);
  EXPECT_EQ(kernels::table(kernels::Format::f32, kernels::kAmxWidth)->block, 1u);
}

TEST_P(Amx, OutputsOfASequenceDoNotDependOnOthers) {
  const NetworkHandle network = create(config_of(RNN_COMPUTE_BF16));
  const std::vector<std::size_t> lengths = {4, 1, 5, 3, 2, 5, 4, 1, 1, 3, 2, 5, 3, 1, 4, 2, 3, 1, 2};
  const Data data = make_data(config_of(RNN_COMPUTE_BF16), lengths, {});
  const rnn_sequences_t in = data.get();
  std::vector<float> y(in.frames * kOutputs);
  ASSERT_EQ(rnn_forward(network.get(), &in, nullptr, y.data()), RNN_OK) << rnn_last_error();
  std::vector<float> alone(kOutputs);
  std::size_t frame = 0;
  for (const std::size_t length : lengths) {
    ASSERT_EQ(rnn_reset(network.get()), RNN_OK);
    for (std::size_t t = 0; t < length; ++t, ++frame) {
      ASSERT_EQ(rnn_step(network.get(), in.inputs + frame * kInputs, alone.data()), RNN_OK);
      const auto start = y.begin() + static_cast<std::ptrdiff_t>(frame * kOutputs);
      EXPECT_EQ(bits(alone), bits({start, start + kOutputs})) << "frame " << frame;
    }
  }
}

// What an update of plain gradient descent leaves, by `threads` threads.
std::vector<float> updated(const rnn_config_t& c, const rnn_sequences_t& batch, std::int32_t threads) {
  rnn_train_options_t options = sgd(1.0f);
  options.threads = threads;
  const TrainerHandle trainer = create_trainer(create(c), options);
  EXPECT_EQ(rnn_trainer_update(trainer.get(), &batch, nullptr), RNN_OK) << rnn_last_error();
  return values(trainer);
}

TEST_P(Amx, TrainsAsTheFloatsDoWithAnyNumberOfThreads) {
  for (const bool one_hot : {false, true}) {
    const rnn_config_t c = config_of(RNN_COMPUTE_BF16), floats = config_of(RNN_COMPUTE_F32);
    std::vector<std::size_t> lengths;
    for (std::size_t n = 0; n < 37; ++n) lengths.push_back(1 + n * 7 % 11);
    DataKind kind;
    kind.one_hot = one_hot;
    const Data data = make_data(c, lengths, kind);
    const rnn_sequences_t batch = data.get();
    const std::vector<float> one = updated(c, batch, 1), expected = updated(floats, batch, 1),
                             before = values(create(floats));
    double difference = 0, change = 0;
    for (std::size_t i = 0; i < one.size(); ++i) {
      difference += std::pow(double{one[i]} - expected[i], 2);
      change += std::pow(double{expected[i]} - before[i], 2);
    }
    EXPECT_LT(std::sqrt(difference), 0.02 * std::sqrt(change));
    EXPECT_GT(std::sqrt(difference), 1e-5 * std::sqrt(change));
    for (const std::int32_t threads : {2, 5})
      EXPECT_EQ(bits(updated(c, batch, threads)), bits(one)) << threads << " threads";
  }
}

}  // namespace
}  // namespace rnn::training_test
