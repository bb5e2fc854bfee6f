// A library built without oneTBB: the functions are there and say so.
#include "common.h"

namespace {

TEST(NoTraining, IsSaid) {
  const Network network = create(config(2, 3, 1));
  const Data data = float_data({2}, 2);
  const rnn_sequences_t s = data.get();
  rnn_trainer_t* trainer = nullptr;
  rnn_tape_t* tape = nullptr;
  rnn_t* out = nullptr;
  auto evaluation = sized<rnn_evaluation_t>();
  const char* text = "without training";
  EXPECT_FAILS(RNN_UNSUPPORTED, text, rnn_train(network.get(), &s, nullptr));
  EXPECT_FAILS(RNN_UNSUPPORTED, text, rnn_evaluate(network.get(), &s, nullptr, &evaluation));
  EXPECT_FAILS(RNN_UNSUPPORTED, text, rnn_trainer_create(network.get(), nullptr, &trainer));
  EXPECT_FAILS(RNN_UNSUPPORTED, text, rnn_trainer_update(trainer, &s, nullptr));
  EXPECT_FAILS(RNN_UNSUPPORTED, text, rnn_trainer_reset(trainer));
  EXPECT_FAILS(RNN_UNSUPPORTED, text, rnn_trainer_set_learning_rate(trainer, 0.1f));
  EXPECT_FAILS(RNN_UNSUPPORTED, text, rnn_trainer_run(trainer, &s));
  EXPECT_FAILS(RNN_UNSUPPORTED, text, rnn_trainer_network(trainer, &out));
  EXPECT_FAILS(RNN_UNSUPPORTED, text, rnn_trainer_sync(trainer, network.get()));
  EXPECT_FAILS(RNN_UNSUPPORTED, text, rnn_trainer_save(trainer, "x"));
  EXPECT_FAILS(RNN_UNSUPPORTED, text, rnn_trainer_load(trainer, "x"));
  std::size_t bytes = 0;
  EXPECT_FAILS(RNN_UNSUPPORTED, text, rnn_trainer_optimizer_bytes(trainer, &bytes));
  EXPECT_FAILS(RNN_UNSUPPORTED, text, rnn_trainer_log(trainer, nullptr));
  EXPECT_FAILS(RNN_UNSUPPORTED, text, rnn_tape_create(network.get(), 0, &tape));
  EXPECT_FAILS(RNN_UNSUPPORTED, text, rnn_tape_forward(tape, network.get(), &s, nullptr, nullptr, nullptr));
  EXPECT_FAILS(RNN_UNSUPPORTED, text, rnn_tape_backward(tape, nullptr, nullptr, nullptr, nullptr));
  EXPECT_FAILS(RNN_UNSUPPORTED, text, rnn_tape_gradient(tape, "head.bias", nullptr, 1));
  EXPECT_FAILS(RNN_UNSUPPORTED, text, rnn_tape_zero_gradients(tape));
  EXPECT_FAILS(RNN_UNSUPPORTED, text, rnn_tape_set_dropout(tape, 0.5f, 1));
  EXPECT_FAILS(RNN_UNSUPPORTED, text, rnn_tape_set_dropout_rates(tape, nullptr, 1));
  EXPECT_FAILS(RNN_UNSUPPORTED, text, rnn_trainer_apply(trainer, tape, nullptr));
  EXPECT_EQ(trainer, nullptr);
  EXPECT_EQ(tape, nullptr);
  EXPECT_EQ(out, nullptr);
}

}  // namespace
