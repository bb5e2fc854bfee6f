// rnn sample: text that a model writes.
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <random>

#include "../model_file.h"
#include "../text.h"
#include "common.h"

namespace {

struct Sample {
  std::string path;
  std::string prompt;
  std::size_t length = 500;
  float temperature = 0.8f;
  float top_p = 1;
  int top_k = 0;
  bool greedy = false;
  std::uint64_t seed = 0;
  bool json = false;
};

void run(const Sample& sample, bool has_seed) {
  rnn::Network network = rnn::Network::load(sample.path);
  const Vocabulary vocabulary = vocabulary_of(network, sample.path);
  std::vector<std::int32_t> prompt = vocabulary.encode(sample.prompt, "the prompt");
  if (prompt.empty()) prompt.push_back(0);  // the lowest character; in most texts that is a new line
  auto options = rnn::sized<rnn_generate_options_t>();
  options.prompt = prompt.data();
  options.prompt_count = prompt.size();
  options.temperature = sample.temperature;
  options.top_p = sample.top_p;
  options.top_k = sample.top_k;
  options.greedy = sample.greedy;
  options.seed = has_seed ? sample.seed : std::random_device()();
  const std::string text = vocabulary.decode(network.generate(options, sample.length));
  if (sample.json)
    return print(
        {{"prompt", sample.prompt}, {"text", text}, {"characters", sample.length}, {"seed", options.seed}});
  const std::string all = sample.prompt + text;
  const bool is_terminal = isatty(STDOUT_FILENO) != 0;
  const std::string shown = is_terminal ? printable(all) + "\n" : all;
  std::fwrite(shown.data(), 1, shown.size(), stdout);
}

}  // namespace

void add_sample(CLI::App& program) {
  const auto sample = std::make_shared<Sample>();
  CLI::App& command = *program.add_subcommand("sample", "Write text as a model of characters goes on");
  command.add_option("model", sample->path, "A model that rnn train has saved")->required();
  command.add_option("--prompt", sample->prompt, "What the text begins with");
  command.add_option("--length", sample->length, "Characters to write behind the prompt")
      ->check(whole_number(1, 100'000'000))
      ->capture_default_str();
  command.add_option("--temperature", sample->temperature, "Low is safe, high is wild")
      ->check(number(1e-6, 1e6))
      ->capture_default_str();
  command.add_option("--top-k", sample->top_k, "Draw from the k most probable characters only; 0: from all")
      ->check(CLI::Range(0, 0x7fffffff))
      ->capture_default_str();
  command
      .add_option("--top-p", sample->top_p,
                  "Draw from the most probable characters that make up this part only")
      ->check(number(1e-6, 1))
      ->capture_default_str();
  command.add_flag("--greedy", sample->greedy, "Always the most probable character");
  const CLI::Option* seed =
      command.add_option("--seed", sample->seed, "Same seed, same text; default: another each time")
          ->check(whole_number());
  add_json_flag(command, sample->json);
  command.callback([=] { run(*sample, seed->count() > 0); });
}
