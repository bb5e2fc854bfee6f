// Training with bf16 goes where training with floats goes; int8 is for running alone.
#include <cstdint>

#include "tests/reference/lists.h"
#include "tests/training/runs.h"

namespace rnn::training_test {
namespace {

NetworkHandle convert(const NetworkHandle& network, std::int32_t compute) {
  rnn_t* out = nullptr;
  EXPECT_EQ(rnn_convert(network.get(), compute, &out), RNN_OK) << rnn_last_error();
  return NetworkHandle(out);
}

class Bf16 : public testing::TestWithParam<std::int32_t> {};
INSTANTIATE_TEST_SUITE_P(Cells, Bf16,
                         testing::Values(RNN_CELL_VANILLA, RNN_CELL_GRU, RNN_CELL_LSTM, RNN_CELL_MIN_GRU,
                                         RNN_CELL_MIN_LSTM));

TEST_P(Bf16, HasTheGradientsOfTheFloats) {
  for (const bool one_hot : {false, true}) {
    for (const int flags : {0, RNN_FLAG_BIDIRECTIONAL | RNN_FLAG_RESIDUAL}) {
      rnn_config_t c = config(9, 37, 6, 2);
      c.cell = GetParam();
      c.flags = static_cast<std::uint32_t>(flags);
      DataKind kind;
      kind.one_hot = one_hot;
      const Data data = make_data(c, {12, 3, 20, 7, 1, 5, 6, 9, 15}, kind);
      const NetworkHandle floats = create(c), network = convert(floats, RNN_COMPUTE_BF16);
      SCOPED_TRACE(testing::Message() << "flags " << flags);
      expect_gradients_of_bf16(change(network, data.get()), change(floats, data.get()));
    }
  }
}

TEST(Bf16OfLists, HasTheGradientsOfTheFloats) {
  using reference::cell_layer;
  using reference::dense_layer;
  const std::vector<rnn_layer_t> lists[] = {
      {dense_layer(37, RNN_ACTIVATION_TANH), cell_layer(RNN_CELL_GRU, 33),
       cell_layer(RNN_CELL_LSTM, 40, 0, RNN_DIRECTION_FORWARD, 20), dense_layer(6)},
      {cell_layer(RNN_CELL_MIN_GRU, 21, 0, RNN_DIRECTION_SUM), dense_layer(40, RNN_ACTIVATION_GELU),
       cell_layer(RNN_CELL_VANILLA, 20, RNN_FLAG_RESIDUAL, RNN_DIRECTION_BOTH),
       dense_layer(6, RNN_ACTIVATION_SWISH)},
      {dense_layer(33, RNN_ACTIVATION_ELU), dense_layer(33, RNN_ACTIVATION_SOFTPLUS, RNN_FLAG_RESIDUAL),
       dense_layer(6)}};
  for (const std::vector<rnn_layer_t>& layers : lists) {
    for (const bool one_hot : {false, true}) {
      const rnn_config_t c = reference::with_layers(config(9, 0, 0, 0), layers);
      SCOPED_TRACE(reference::text_of(c));
      DataKind kind;
      kind.one_hot = one_hot;
      const Data data = make_data(c, {12, 3, 20, 7, 1, 5, 6, 9, 15}, kind);
      const NetworkHandle floats = create(c), network = convert(floats, RNN_COMPUTE_BF16);
      expect_gradients_of_bf16(change(network, data.get()), change(floats, data.get()));
    }
  }
}

TEST_P(Bf16, LearnsAsTheFloatsDo) {
  rnn_config_t c = config(9, 32, 6);
  c.cell = GetParam();
  const Data data = make_data(c, {12, 3, 20, 7, 1, 5, 6, 9, 15}, {});
  const rnn_sequences_t in = data.get();
  auto o = sized<rnn_train_options_t>();
  o.learning_rate = 0.01f;
  o.epochs = 80;
  const NetworkHandle floats = create(c), network = convert(floats, RNN_COMPUTE_BF16);
  const double before = loss_of(floats, in);
  ASSERT_EQ(rnn_train(floats.get(), &in, &o), RNN_OK) << rnn_last_error();
  ASSERT_EQ(rnn_train(network.get(), &in, &o), RNN_OK) << rnn_last_error();
  EXPECT_LT(loss_of(floats, in), 0.3 * before);
  EXPECT_NEAR(loss_of(network, in), loss_of(floats, in), 0.05 * before);
}

TEST(Int8, IsEvaluatedAndNotTrained) {
  const rnn_config_t c = config(9, 32, 6);
  const Data data = make_data(c, {12, 3, 20, 7}, {});
  const rnn_sequences_t in = data.get();
  const NetworkHandle floats = create(c), network = convert(floats, RNN_COMPUTE_INT8);
  EXPECT_NEAR(loss_of(network, in), loss_of(floats, in), 0.02);
  EXPECT_NE(loss_of(network, in), loss_of(floats, in));

  const std::string message = "the network's compute is 2 (RNN_COMPUTE_INT8), which is not for training";
  const auto refused = [&](rnn_status_t status) {
    EXPECT_EQ(status, RNN_INVALID_ARGUMENT);
    EXPECT_NE(std::string(rnn_last_error()).find(message), std::string::npos) << rnn_last_error();
  };
  rnn_trainer_t* trainer = nullptr;
  rnn_tape_t* tape = nullptr;
  refused(rnn_train(network.get(), &in, nullptr));
  refused(rnn_trainer_create(network.get(), nullptr, &trainer));
  refused(rnn_tape_create(network.get(), 1, &tape));
  EXPECT_EQ(trainer, nullptr);
  EXPECT_EQ(tape, nullptr);
}

}  // namespace
}  // namespace rnn::training_test
