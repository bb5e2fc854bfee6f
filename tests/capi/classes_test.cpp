// As many classes as there can be: 2^20 inputs and outputs.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "common.h"

namespace {

constexpr int32_t kClasses = 1 << 20;

rnn_config_t large(int32_t hidden) {
  rnn_config_t c = config(kClasses, hidden, kClasses);
  c.init = RNN_INIT_UNIFORM;
  return c;
}

// y = W_ho h + b_o of one class, in double.
double logit(const Floats& head, const Floats& bias, const Floats& h, int32_t i) {
  const auto row = static_cast<size_t>(i) * h.size();
  double sum = static_cast<double>(bias[static_cast<size_t>(i)]);
  for (size_t k = 0; k < h.size(); ++k) sum += static_cast<double>(head[row + k]) * static_cast<double>(h[k]);
  return sum;
}

TEST(Classes, StepReadsAndWritesAll) {
  const Network network = create(large(3));
  const Floats head = parameter(network, "head.weight"), bias = parameter(network, "head.bias"),
               input = parameter(network, "weight_ih_l0"), input_bias = parameter(network, "bias_ih_l0");
  Floats y(kClasses);
  ASSERT_EQ(rnn_step_index(network.get(), kClasses - 1, y.data()), RNN_OK) << rnn_last_error();
  const Floats h = state(network);
  for (size_t j = 0; j < h.size(); ++j)
    EXPECT_NEAR(h[j], std::tanh(input[(j + 1) * kClasses - 1] + input_bias[j]), 1e-6);
  for (const int32_t i : {0, 1, 65535, 65536, 700'001, kClasses - 1})
    EXPECT_NEAR(y[static_cast<size_t>(i)], logit(head, bias, h, i), 1e-6) << i;
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "it must be 0..1048575",
               rnn_step_index(network.get(), kClasses, y.data()));

  const Network stream = create(large(3));
  Data data;
  data.lengths = {1};
  data.indices = {kClasses - 1};
  const rnn_sequences_t in = data.get();
  Floats outputs(kClasses);
  ASSERT_EQ(rnn_forward(stream.get(), &in, nullptr, outputs.data()), RNN_OK) << rnn_last_error();
  EXPECT_TRUE(same_bits(outputs, y));
}

TEST(Classes, FilesHoldThem) {
  for (const int32_t format : {RNN_FORMAT_BINARY, RNN_FORMAT_SAFETENSORS}) {
    const Network network = create(large(1));
    auto options = sized<rnn_save_options_t>();
    options.format = format;
    size_t size = 0;
    const rnn_status_t found = rnn_save_memory_as(network.get(), &options, nullptr, 0, &size);
    if (found == RNN_UNSUPPORTED) continue;
    ASSERT_EQ(found, RNN_OK) << rnn_last_error();
    std::vector<char> file(size);
    ASSERT_EQ(rnn_save_memory_as(network.get(), &options, file.data(), size, &size), RNN_OK)
        << rnn_last_error();
    rnn_t* out = nullptr;
    ASSERT_EQ(rnn_load_memory(file.data(), size, nullptr, &out), RNN_OK) << rnn_last_error();
    EXPECT_TRUE(same_bits(weights(Network(out)), weights(network)));
  }
}

TEST(Classes, GenerateDrawsAmongThem) {
  const Network network = create(large(1));
  const std::vector<int32_t> likely = {kClasses - 1, 3, 65536, 500'000};
  Floats bias(kClasses);
  for (size_t i = 0; i < likely.size(); ++i)
    bias[static_cast<size_t>(likely[i])] = 20.0f - static_cast<float>(i);
  set_parameter(network, "head.bias", bias);
  const auto generate = [&](int32_t top_k, float top_p) {
    auto options = sized<rnn_generate_options_t>();
    const int32_t prompt = 0;
    options.prompt = &prompt;
    options.prompt_count = 1;
    options.top_k = top_k;
    options.top_p = top_p;
    std::vector<int32_t> out(4);
    size_t written = 0;
    EXPECT_EQ(rnn_generate(fork(network).get(), &options, out.data(), out.size(), &written), RNN_OK)
        << rnn_last_error();
    EXPECT_EQ(written, out.size());
    return out;
  };
  for (const int32_t index : generate(3, 1.0f))
    EXPECT_NE(std::find(likely.begin(), likely.begin() + 3, index), likely.begin() + 3) << index;
  for (const int32_t index : generate(0, 0.9f))
    EXPECT_NE(std::find(likely.begin(), likely.end(), index), likely.end()) << index;
  for (const int32_t index : generate(0, 0.3f)) EXPECT_EQ(index, kClasses - 1);
}

#if RNN_TRAINING
TEST(Classes, TrainingLearnsThem) {
  const Network network = create(large(2));
  Data data;
  data.lengths = {3, 2};
  data.indices = {0, 65536, kClasses - 1, 7, 0};
  data.classes = {kClasses - 1, 0, 65536, 7, kClasses - 1};
  const rnn_sequences_t in = data.get();
  const Floats before = parameter(network, "head.bias");
  auto options = sized<rnn_train_options_t>();
  options.optimizer = RNN_OPTIMIZER_SGD;
  options.learning_rate = 1.0f;
  auto evaluation = sized<rnn_evaluation_t>();
  ASSERT_EQ(rnn_evaluate(network.get(), &in, &options, &evaluation), RNN_OK) << rnn_last_error();
  EXPECT_NEAR(evaluation.loss, std::log(double{kClasses}), 0.2);
  ASSERT_EQ(rnn_train(network.get(), &in, &options), RNN_OK) << rnn_last_error();
  const Floats after = parameter(network, "head.bias");
  std::vector<size_t> raised;
  for (size_t i = 0; i < after.size(); ++i)
    if (after[i] > before[i]) raised.push_back(i);
  EXPECT_EQ(raised, (std::vector<size_t>{0, 7, 65536, kClasses - 1}));
  EXPECT_NEAR(after[kClasses - 1] - before[kClasses - 1], 0.4, 1e-4);
}
#endif

}  // namespace
