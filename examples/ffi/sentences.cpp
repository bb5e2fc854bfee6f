// librnn from C++17 by rnn.hpp: step a network, teach another three sentences, save it and load it.
//
//   c++ -std=c++17 sentences.cpp $(pkg-config --cflags --libs rnn) && ./a.out
#include <cstdio>
#include <cstring>
#include <exception>
#include <rnn/rnn.hpp>
#include <set>
#include <string>
#include <vector>

namespace {

const std::vector<std::string> kSentences = {"hey how are you", "good i am fine", "have a nice day"};
constexpr char kEnd = '\n';

// The characters of the sentences and their end, in their order: an index is a place in it.
std::string make_alphabet() {
  std::set<char> characters = {kEnd};
  for (const std::string& sentence : kSentences) characters.insert(sentence.begin(), sentence.end());
  return {characters.begin(), characters.end()};
}
const std::string kAlphabet = make_alphabet();

std::int32_t index(char c) { return static_cast<std::int32_t>(kAlphabet.find(c)); }

// Values to the last bit, as a comparison needs them.
void print_bits(const char* label, rnn::span<const float> values) {
  std::printf("%s", label);
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::uint32_t bits;
    std::memcpy(&bits, values.data() + i, sizeof bits);
    std::printf(" %08X", static_cast<unsigned>(bits));
  }
  std::printf("\n");
}

rnn_config_t make_config(std::int32_t inputs, std::int32_t hidden, std::int32_t outputs, std::uint64_t seed) {
  auto config = rnn::sized<rnn_config_t>();
  config.input_size = inputs;
  config.hidden_size = hidden;
  config.output_size = outputs;
  config.seed = seed;
  return config;
}

void refuse() {
  try {
    rnn::Network network(make_config(2, -4, 0, 0));
  } catch (const rnn::exception& refused) {
    std::printf("%s: %s\n", rnn_status_string(refused.status()), refused.what());
  }
}

void step() {
  auto config = make_config(2, 4, 2, 7);
  config.cell = RNN_CELL_GRU;
  rnn::Network network(config);
  for (const auto& x : {std::vector{0.5f, -1.0f}, {0.25f, 0.0f}, {1.0f, 2.0f}}) {
    float y[2];
    network.step(x.data(), y);
    print_bits("step", y);
  }
}

std::int32_t report(const rnn_progress_t* progress, void* user) {
  ++*static_cast<int*>(user);
  std::printf("update %llu: loss %.6f\n", static_cast<unsigned long long>(progress->update), progress->loss);
  return progress->loss < 0.05;  // enough: stop
}

rnn::Network learn() {
  std::vector<std::size_t> lengths;
  std::vector<std::int32_t> indices, classes;
  for (const std::string& sentence : kSentences) {
    lengths.push_back(sentence.size());
    for (const char c : sentence) indices.push_back(index(c));
    for (const char c : sentence.substr(1) + kEnd) classes.push_back(index(c));  // each predicts the next
  }
  auto data = rnn::sized<rnn_sequences_t>();
  data.count = lengths.size();
  data.frames = indices.size();
  data.lengths = lengths.data();
  data.indices = indices.data();
  data.classes = classes.data();

  int reports = 0;
  auto options = rnn::sized<rnn_train_options_t>();
  options.learning_rate = 0.01f;
  options.clip_norm = 1;
  options.epochs = 5000;
  options.threads = 1;
  options.report_every = 100;
  options.progress = report;
  options.user = &reports;

  const auto size = static_cast<std::int32_t>(kAlphabet.size());
  rnn::Network network(make_config(size, 12, size, 1));
  network.train(data, &options);
  std::printf("%d reports\n", reports);
  return network;
}

void complete(rnn::Network& network, const std::string& start) {
  std::vector<std::int32_t> prompt;
  for (const char c : start) prompt.push_back(index(c));
  auto options = rnn::sized<rnn_generate_options_t>();
  options.prompt = prompt.data();
  options.prompt_count = prompt.size();
  options.greedy = 1;
  options.stop = 1;
  options.stop_index = index(kEnd);
  network.reset();
  std::string text = start;
  for (const std::int32_t drawn : network.generate(options, 64)) text += kAlphabet[drawn];
  std::printf("%s", text.c_str());  // with its end
  std::vector<float> y(kAlphabet.size());
  network.step(options.stop_index, y.data());
  print_bits("outputs", {y.data(), 4});
}

}  // namespace

int main() try {
  std::printf("librnn %s\n", rnn_version());
  refuse();
  step();
  rnn::Network network = learn();
  complete(network, "good");
  network.save("sentences.safetensors");
  rnn::Network loaded = rnn::Network::load("sentences.safetensors");
  complete(loaded, "good");
  return 0;
} catch (const std::exception& failure) {
  std::fprintf(stderr, "%s\n", failure.what());
  return 1;
}
