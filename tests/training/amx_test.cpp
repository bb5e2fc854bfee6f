// Networks of RNN_COMPUTE_BF16_FAST wide enough for AMX, which amx_emulator.cpp stands in for where the CPU has none.
#include <cstdint>

#include "lib/kernels/dispatch.h"
#include "tests/training/runs.h"

namespace rnn::training_test {
namespace {

constexpr std::int32_t kInputs = 9, kHidden = 70, kOutputs = 6;

class Amx : public testing::TestWithParam<std::int32_t> {
 protected:
  void SetUp() override {
    if (kernels::fast_table(kHidden)->block == 1) GTEST_SKIP() << "no AVX512_BF16";
  }
  static rnn_config_t config_of(std::int32_t compute) {
    rnn_config_t c = config(kInputs, kHidden, kOutputs, 2);
    c.cell = GetParam();
    c.compute = compute;
    return c;
  }
};
INSTANTIATE_TEST_SUITE_P(Cells, Amx,
                         testing::Values(RNN_CELL_VANILLA, RNN_CELL_GRU, RNN_CELL_LSTM, RNN_CELL_MIN_GRU,
                                         RNN_CELL_MIN_LSTM));

TEST_P(Amx, IsForWideNetworksThatAskForIt) {
  EXPECT_EQ(kernels::fast_table(kernels::kAmxWidth - 1)->block, 1u);
  EXPECT_EQ(kernels::fast_table(kernels::kAmxWidth)->block, 16u);
  EXPECT_EQ(kernels::table(kernels::Format::bf16)->block, 1u);

  // Of two rows, so that no step is computed by a kernel of its own.
  const std::vector<std::size_t> lengths = {3, 3};
  std::vector<float> y[2];
  for (const std::int32_t compute : {RNN_COMPUTE_BF16, RNN_COMPUTE_BF16_FAST}) {
    const Data data = make_data(config_of(compute), lengths, {});
    const rnn_sequences_t in = data.get();
    std::vector<float>& outputs = y[compute == RNN_COMPUTE_BF16_FAST];
    outputs.resize(in.frames * kOutputs);
    ASSERT_EQ(rnn_forward(create(config_of(compute)).get(), &in, nullptr, outputs.data()), RNN_OK);
  }
  EXPECT_NE(bits(y[0]), bits(y[1]));
}

TEST_P(Amx, OutputsOfASequenceDoNotDependOnOthers) {
  const NetworkHandle network = create(config_of(RNN_COMPUTE_BF16_FAST));
  const std::vector<std::size_t> lengths = {4, 1, 5, 3, 2, 5, 4, 1, 1, 3, 2, 5, 3, 1, 4, 2, 3, 1, 2};
  const Data data = make_data(config_of(RNN_COMPUTE_BF16_FAST), lengths, {});
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

TEST_P(Amx, TrainsAsTheFloatsDoWithAnyNumberOfThreads) {
  for (const bool one_hot : {false, true}) {
    const rnn_config_t c = config_of(RNN_COMPUTE_BF16_FAST);
    DataKind kind;
    kind.one_hot = one_hot;
    const Data data = make_data(c, ragged_lengths(37), kind);
    const rnn_sequences_t batch = data.get();
    const std::vector<float> one = change(create(c), batch, 1);
    expect_gradients_of_bf16(one, change(create(config_of(RNN_COMPUTE_F32)), batch, 1));
    for (const std::int32_t threads : {2, 5})
      EXPECT_EQ(bits(change(create(c), batch, threads)), bits(one)) << threads << " threads";
  }
}

}  // namespace
}  // namespace rnn::training_test
