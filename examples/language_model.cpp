#include "language_model.h"

#include <cstdio>
#include <stdexcept>
#include <utility>

#include "character_training.h"
#include "model_file.h"
#include "text.h"

namespace {

constexpr std::size_t kMinimumText = 1000;
constexpr std::size_t kBatch = 36;
constexpr double kHeldOut = 0.1;
constexpr std::uint64_t kMaximumEpochs = 50;  // more would only learn the text by heart
constexpr std::uint64_t kValidations = 40;
constexpr std::size_t kSample = 600;

double evaluate(const rnn::Network& model, const Sequences& data, int threads) {
  return bits(CharacterTraining::evaluate(model, data, threads).loss);
}

std::string first_word(const Text& whole) {
  const std::string& text = whole.parts().at(0);
  const char* blanks = " \t\r\n";
  const std::size_t start = text.find_first_not_of(blanks);
  if (start == std::string::npos) return first_characters(text, 1);
  return first_characters(text.substr(start, text.find_first_of(blanks, start) - start), 20);
}

rnn::Network create(const LanguageModelOptions& options, const Vocabulary& vocabulary) {
  auto config = rnn::sized<rnn_config_t>();
  config.cell = options.cell;
  config.input_size = vocabulary.size();
  config.embedding_size = options.embedding;
  config.hidden_size = options.hidden;
  config.output_size = vocabulary.size();
  config.num_layers = options.layers;
  config.compute = options.compute;
  config.seed = options.seed;
  return rnn::Network(config);
}

void print_sample(rnn::Network& model, const LanguageModelOptions& options, const Vocabulary& vocabulary,
                  const std::string& prefix) {
  const auto prompt = vocabulary.encode(prefix);
  auto generate = rnn::sized<rnn_generate_options_t>();
  generate.prompt = prompt.data();
  generate.prompt_count = prompt.size();
  generate.temperature = static_cast<float>(options.temperature);
  generate.seed = options.seed;
  const std::string sample = vocabulary.decode(model.generate(generate, kSample));
  std::printf("A sample at temperature %g:\n\n%s\n", options.temperature, printable(prefix + sample).c_str());
}

// The network with the best validation is in options.out.
void train(const LanguageModelOptions& options, const CharacterData& data, const Vocabulary& vocabulary,
           const rnn::Network& model) {
  rnn_train_options_t train_options = CharacterTraining::default_options(data);
  train_options.dropout = options.dropout;
  train_options.seed = options.seed;
  train_options.threads = options.threads;
  CharacterTraining training(model, vocabulary, data, train_options);
  const CharacterPlan plan =
      training.plan_seconds(options.seconds, kMaximumEpochs * training.updates_per_epoch(), kValidations);
  std::printf("  untrained: %.2f bits per character\n", evaluate(model, data.validation, options.threads));
  std::printf("  %llu updates of %.0f characters\n", static_cast<unsigned long long>(plan.updates),
              training.units_per_update());
  CharacterRun run;
  run.model = options.out;
  run.seconds = 1.1 * options.seconds;  // also on a machine that has become slower since it was measured
  run.out = stdout;
  training.run(plan, run);
}

}  // namespace

void show_language_model(const LanguageModelOptions& options) {
  if (options.text.bytes() < kMinimumText)
    throw std::invalid_argument("the text has " + std::to_string(options.text.bytes()) +
                                " bytes; it must have at least " + std::to_string(kMinimumText));
  const Vocabulary vocabulary(options.text);
  const std::string prefix = options.prefix.empty() ? first_word(options.text) : options.prefix;
  vocabulary.encode(prefix, "the prefix");  // an impossible one is found now, not after the training
  std::vector<std::int32_t> text = vocabulary.encode(options.text);
  const std::size_t size = text.size();
  const CharacterData data(std::move(text), kHeldOut, kBatch);
  rnn::Network model = create(options, vocabulary);

  std::printf("A text of %zu %s, %d different; %d hidden units, layers: %d\n", size,
              options.text.is_utf8() ? "characters" : "bytes, not UTF-8", vocabulary.size(), options.hidden,
              options.layers);
  train(options, data, vocabulary, model);
  model = rnn::Network::load(options.out);
  std::printf("  best model: %.2f bits per character in training, %.2f in validation; saved in %s\n",
              evaluate(model, data.learnt, options.threads),
              evaluate(model, data.validation, options.threads), options.out.c_str());
  print_sample(model, options, vocabulary, prefix);
}
