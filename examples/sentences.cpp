#include "sentences.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <numeric>
#include <string>

#include "text.h"

namespace {

const std::string kSentences[] = {"hey how are you", "good i am fine", "have a nice day"};
constexpr char kEnd = '\n';
constexpr int kHiddenUnits = 12;
constexpr int kMaximumUpdates = 5000;
constexpr int kCheckEvery = 10;   // updates between two attempts to complete the sentences
constexpr int kReportEvery = 20;  // updates between two lines that show the loss

std::string first_word(const std::string& sentence) { return sentence.substr(0, sentence.find(' ')); }

class Learner {
 public:
  explicit Learner(std::uint64_t seed)
      : vocabulary_(
            Text(std::accumulate(std::begin(kSentences), std::end(kSentences), std::string(1, kEnd)))),
        network_(config(seed)),
        trainer_(trainer(network_)) {
    for (const std::string& sentence : kSentences) {
      const auto indices = vocabulary_.encode(sentence + kEnd);
      sequences_.add(indices.data(), indices.size());
    }
  }

  // Returns the number of updates until the network completes all sentences, or 0 if it never does.
  int learn(bool show) {
    for (int update = 1; update <= kMaximumUpdates; ++update) {
      const rnn_progress_t progress = trainer_.update(sequences_.view());
      if (show && update % kReportEvery == 1)
        std::printf("  update %4d  %.3f bits per character\n", update, bits(progress.loss));
      if (update % kCheckEvery == 0 && completes_all()) return update;
    }
    return 0;
  }

  double loss() const { return network_.evaluate(sequences_.view()).loss; }

  // What the network says after the first word, up to the end marker.
  std::string complete(const std::string& sentence) {
    const std::string start = first_word(sentence);
    const auto prompt = vocabulary_.encode(start);
    auto options = rnn::sized<rnn_generate_options_t>();
    options.prompt = prompt.data();
    options.prompt_count = prompt.size();
    options.greedy = 1;
    options.stop = 1;
    options.stop_index = vocabulary_.encode(std::string(1, kEnd))[0];
    network_.reset();
    std::string text = start + vocabulary_.decode(network_.generate(options, 2 * sentence.size()));
    if (text.back() == kEnd) text.pop_back();
    return text;
  }

  std::int32_t characters() const { return vocabulary_.size(); }

 private:
  rnn_config_t config(std::uint64_t seed) const {
    auto config = rnn::sized<rnn_config_t>();
    config.input_size = vocabulary_.size();
    config.hidden_size = kHiddenUnits;
    config.output_size = vocabulary_.size();
    config.seed = seed;
    return config;
  }

  static rnn::Trainer trainer(const rnn::Network& network) {
    auto options = rnn::sized<rnn_train_options_t>();
    options.learning_rate = 0.01f;
    options.clip_norm = 1;
    options.stateless_windows = 1;
    options.threads = 1;  // too little work to share
    return rnn::Trainer(network, &options);
  }

  bool completes_all() {
    trainer_.sync(network_);
    return std::all_of(std::begin(kSentences), std::end(kSentences),
                       [this](const std::string& sentence) { return complete(sentence) == sentence; });
  }

  Vocabulary vocabulary_;
  Sequences sequences_;
  rnn::Network network_;
  rnn::Trainer trainer_;
};

}  // namespace

bool show_sentences(std::uint64_t seed) {
  Learner learner(seed);
  std::printf("Three sentences, %d hidden units, %d characters\n", kHiddenUnits, learner.characters());
  const int updates = learner.learn(true);
  if (updates == 0) {
    std::printf("  not learnt after %d updates\n", kMaximumUpdates);
    return false;
  }
  std::printf("  update %4d  %.3f bits per character\n", updates, bits(learner.loss()));
  for (const std::string& sentence : kSentences)
    std::printf("  '%s' -> '%s'\n", first_word(sentence).c_str(), learner.complete(sentence).c_str());
  return true;
}

bool check_sentences(std::uint64_t first_seed, int count) {
  using Clock = std::chrono::steady_clock;
  int failed = 0;
  for (int i = 0; i < count; ++i) {
    const std::uint64_t seed = first_seed + static_cast<std::uint64_t>(i);
    const auto start = Clock::now();
    const int updates = Learner(seed).learn(false);
    const std::chrono::duration<double> seconds = Clock::now() - start;
    failed += updates == 0;
    std::printf("seed %llu: %s, %d updates, %.3f s\n", static_cast<unsigned long long>(seed),
                updates == 0 ? "FAILED" : "ok", updates == 0 ? kMaximumUpdates : updates, seconds.count());
  }
  std::printf("%d of %d seeds complete all sentences\n", count - failed, count);
  return failed == 0;
}
