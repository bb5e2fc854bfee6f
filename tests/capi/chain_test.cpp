// Networks behind each other, whose states and gradients are those of the stack, and one behind itself.
#include "common.h"

namespace {

// A stack of two layers as two networks, the first without a head.
class Chain : public testing::Test {
 protected:
  Chain() {
    for (const char* name : {"weight_ih_l0", "weight_hh_l0", "bias_ih_l0"})
      set_parameter(lower, name, parameter(stack, name));
    set_parameter(upper, "weight_ih_l0", parameter(stack, "weight_ih_l1"));
    set_parameter(upper, "weight_hh_l0", parameter(stack, "weight_hh_l1"));
    set_parameter(upper, "bias_ih_l0", parameter(stack, "bias_ih_l1"));
    set_parameter(upper, "head.weight", parameter(stack, "head.weight"));
    set_parameter(upper, "head.bias", parameter(stack, "head.bias"));
  }

  static constexpr size_t kInputs = 5, kHidden = 20, kOutputs = 3;
  const Network stack = ::create(config(kInputs, kHidden, kOutputs, 2));
  const Network lower = ::create(config(kInputs, kHidden, 0));
  const Network upper = ::create(config(kHidden, kHidden, kOutputs));
  const Data data = float_data({4, 7, 1}, kInputs);
};

TEST_F(Chain, StepsLikeTheStack) {
  for (size_t t = 0; t < 5; ++t) {
    const float* x = data.inputs.data() + t * kInputs;
    Floats h(kHidden), y(kOutputs), expected(kOutputs);
    ASSERT_EQ(rnn_step(lower.get(), x, h.data()), RNN_OK);
    ASSERT_EQ(rnn_step(upper.get(), h.data(), y.data()), RNN_OK);
    ASSERT_EQ(rnn_step(stack.get(), x, expected.data()), RNN_OK);
    EXPECT_TRUE(same_bits(y, expected));
  }
  Floats both = state(lower);
  const Floats second = state(upper);
  both.insert(both.end(), second.begin(), second.end());
  EXPECT_TRUE(same_bits(both, state(stack)));
}

#if RNN_TRAINING

Tape tape_of(const Network& network) {
  rnn_tape_t* out = nullptr;
  EXPECT_EQ(rnn_tape_create(network.get(), 1, &out), RNN_OK) << rnn_last_error();
  return Tape(out);
}

Floats gradient(const Tape& tape, const Network& network, const std::string& name) {
  Floats values(parameter(network, name).size());
  EXPECT_EQ(rnn_tape_gradient(tape.get(), name.c_str(), values.data(), values.size()), RNN_OK)
      << rnn_last_error();
  return values;
}

TEST_F(Chain, HasTheGradientsOfTheStack) {
  const size_t frames = data.frames(), count = data.lengths.size();
  const Floats d_y = numbers(frames * kOutputs, 50);
  const Floats d_final = numbers(count * 2 * kHidden, 51);
  Floats d_final_lower, d_final_upper;
  for (size_t n = 0; n < count; ++n) {
    const auto row = d_final.begin() + static_cast<std::ptrdiff_t>(n * 2 * kHidden);
    d_final_lower.insert(d_final_lower.end(), row, row + kHidden);
    d_final_upper.insert(d_final_upper.end(), row + kHidden, row + 2 * kHidden);
  }
  const rnn_sequences_t in = data.get();

  const Tape whole = tape_of(stack), first = tape_of(lower), second = tape_of(upper);
  Floats expected(frames * kOutputs), d_x_expected(frames * kInputs);
  ASSERT_EQ(rnn_tape_forward(whole.get(), stack.get(), &in, nullptr, expected.data(), nullptr), RNN_OK);
  ASSERT_EQ(rnn_tape_backward(whole.get(), d_y.data(), d_final.data(), d_x_expected.data(), nullptr), RNN_OK);

  Data middle;
  middle.lengths = data.lengths;
  middle.inputs.resize(frames * kHidden);
  Floats y(frames * kOutputs), d_h(frames * kHidden), d_x(frames * kInputs);
  ASSERT_EQ(rnn_tape_forward(first.get(), lower.get(), &in, nullptr, middle.inputs.data(), nullptr), RNN_OK);
  const rnn_sequences_t between = middle.get();
  ASSERT_EQ(rnn_tape_forward(second.get(), upper.get(), &between, nullptr, y.data(), nullptr), RNN_OK);
  ASSERT_EQ(rnn_tape_backward(second.get(), d_y.data(), d_final_upper.data(), d_h.data(), nullptr), RNN_OK);
  ASSERT_EQ(rnn_tape_backward(first.get(), d_h.data(), d_final_lower.data(), d_x.data(), nullptr), RNN_OK);

  EXPECT_TRUE(same_bits(y, expected));
  EXPECT_TRUE(same_bits(d_x, d_x_expected));
  for (const char* name : {"weight_ih_l0", "weight_hh_l0", "bias_ih_l0"})
    EXPECT_TRUE(same_bits(gradient(first, lower, name), gradient(whole, stack, name))) << name;
  for (const char* name : {"weight_ih_l", "weight_hh_l", "bias_ih_l"})
    EXPECT_TRUE(same_bits(gradient(second, upper, std::string(name) + "0"),
                          gradient(whole, stack, std::string(name) + "1")))
        << name;
  for (const char* name : {"head.weight", "head.bias"})
    EXPECT_TRUE(same_bits(gradient(second, upper, name), gradient(whole, stack, name))) << name;
}

#endif

TEST(Rollout, FeedsOutputsBack) {
  const Network network = ::create(config(7, 20, 7, 2));
  const Network stream = fork(network);
  const Floats x = numbers(7);
  Floats y(5 * 7);
  ASSERT_EQ(rnn_rollout(network.get(), x.data(), 5, y.data()), RNN_OK) << rnn_last_error();
  Floats input = x, expected;
  for (int t = 0; t < 5; ++t) {
    Floats output(7);
    ASSERT_EQ(rnn_step(stream.get(), input.data(), output.data()), RNN_OK);
    expected.insert(expected.end(), output.begin(), output.end());
    input = output;
  }
  EXPECT_TRUE(same_bits(y, expected));
  EXPECT_TRUE(same_bits(state(network), state(stream)));
}

}  // namespace
