// The floating-point mode of the caller: nothing depends on it, and it is the same after each call.
#include <cfenv>
#include <functional>
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

#include "common.h"

namespace {

#if defined(__x86_64__)
unsigned mode() { return _mm_getcsr(); }
#else
int mode() { return std::fegetround(); }
#endif

// Runs the call in the default mode and in an unusual one, and compares what it gives.
void in_any_mode(const char* name, const std::function<Floats()>& call) {
  const Floats expected = call();
  std::feclearexcept(FE_ALL_EXCEPT);
  for (const int rounding : {FE_UPWARD, FE_TOWARDZERO}) {
    std::fesetround(rounding);
    const auto before = mode();
    const Floats actual = call();
    const auto after = mode();
    std::fesetround(FE_TONEAREST);
#if defined(__x86_64__)
    EXPECT_EQ(before & ~0x3fu, after & ~0x3fu) << name;  // but for the exceptions seen
#else
    EXPECT_EQ(before, after) << name;
#endif
    EXPECT_TRUE(same_bits(actual, expected)) << name << ", rounding mode " << rounding;
  }
}

class FloatMode : public testing::Test {
 protected:
  const Network network = create(config(5, 20, 5, 2));
  Data data = index_data({3, 1, 6}, 5);
};

TEST_F(FloatMode, OfCreate) {
  for (const int32_t init :
       {RNN_INIT_PYTORCH, RNN_INIT_XAVIER_UNIFORM, RNN_INIT_XAVIER_NORMAL, RNN_INIT_KAIMING_UNIFORM,
        RNN_INIT_KAIMING_NORMAL, RNN_INIT_UNIFORM, RNN_INIT_ORTHOGONAL, RNN_INIT_IDENTITY}) {
    rnn_config_t c = config(5, 20, 5, 2);
    c.recurrent_init = init;
    if (init < RNN_INIT_ORTHOGONAL) c.init = init;
    in_any_mode("rnn_create", [&] { return weights(create(c)); });
  }
}

TEST_F(FloatMode, OfSteps) {
  const Floats x = numbers(5);
  in_any_mode("rnn_step", [&] {
    const Network stream = fork(network);
    Floats y(5);
    EXPECT_EQ(rnn_step(stream.get(), x.data(), y.data()), RNN_OK);
    EXPECT_EQ(rnn_step_index(stream.get(), 2, y.data()), RNN_OK);
    return y;
  });
  in_any_mode("rnn_step_many", [&] {
    const Network first = fork(network), second = fork(network);
    rnn_t* streams[] = {first.get(), second.get()};
    Floats y(10);
    const Floats two = numbers(10);
    EXPECT_EQ(rnn_step_many(streams, 2, two.data(), y.data()), RNN_OK);
    return y;
  });
  in_any_mode("rnn_rollout", [&] {
    const Network stream = fork(network);
    Floats y(20);
    EXPECT_EQ(rnn_rollout(stream.get(), x.data(), 4, y.data()), RNN_OK);
    return y;
  });
}

TEST_F(FloatMode, OfSequences) {
  const rnn_sequences_t in = data.get();
  in_any_mode("rnn_forward", [&] {
    Floats y(50);
    EXPECT_EQ(rnn_forward(network.get(), &in, nullptr, y.data()), RNN_OK);
    return y;
  });
  in_any_mode("rnn_generate", [&] {
    const Network stream = fork(network);
    const int32_t prompt[] = {1};
    auto options = sized<rnn_generate_options_t>();
    options.prompt = prompt;
    options.prompt_count = 1;
    options.top_p = 0.7f;
    options.temperature = 0.8f;
    std::vector<int32_t> out(200);
    size_t written = 0;
    EXPECT_EQ(rnn_generate(stream.get(), &options, out.data(), 200, &written), RNN_OK);
    return Floats(out.begin(), out.end());
  });
}

#if RNN_TRAINING

TEST_F(FloatMode, OfTraining) {
  data.classes = indices(data.frames(), 5, 3);
  const rnn_sequences_t in = data.get();
  for (const int32_t optimizer : {RNN_ADAM, RNN_ADAMW, RNN_SGD, RNN_ADAGRAD, RNN_RMSPROP}) {
    for (const int32_t threads : {1, 2}) {
      auto options = sized<rnn_train_options_t>();
      options.optimizer = optimizer;
      options.epochs = 3;
      options.batch_size = 2;
      options.threads = threads;
      options.clip_norm = 0.1f;
      options.schedule = RNN_SCHEDULE_EXPONENTIAL;
      options.schedule_updates = 7;
      options.weight_decay = 0.01f;
      in_any_mode("rnn_train", [&] {
        const Network stream = fork(network);
        EXPECT_EQ(rnn_train(stream.get(), &in, &options), RNN_OK) << rnn_last_error();
        return weights(stream);
      });
      in_any_mode("rnn_evaluate", [&] {
        auto out = sized<rnn_evaluation_t>();
        EXPECT_EQ(rnn_evaluate(network.get(), &in, &options, &out), RNN_OK) << rnn_last_error();
        Floats bits(4);  // a conversion here would depend on the mode
        std::memcpy(bits.data(), &out.loss, 8);
        std::memcpy(bits.data() + 2, &out.accuracy, 8);
        return bits;
      });
    }
  }
  in_any_mode("rnn_backward", [&] {
    rnn_tape_t* out = nullptr;
    EXPECT_EQ(rnn_tape_create(network.get(), 2, &out), RNN_OK);
    const Tape tape(out);
    Floats y(50), gradient(400);
    EXPECT_EQ(rnn_forward_tape(tape.get(), network.get(), &in, nullptr, y.data(), nullptr), RNN_OK);
    EXPECT_EQ(rnn_backward(tape.get(), y.data(), nullptr, nullptr, nullptr), RNN_OK);
    EXPECT_EQ(rnn_get_gradient(tape.get(), "weight_hh_l0", gradient.data(), 400), RNN_OK);
    y.insert(y.end(), gradient.begin(), gradient.end());
    return y;
  });
}

#endif

}  // namespace
