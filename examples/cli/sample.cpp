// rnn sample: text that a model writes.
#include <unistd.h>

#include <memory>
#include <random>
#include <string>
#include <vector>

#include "../model_file.h"
#include "common.h"
#include "kinds.h"

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

bool is_greedy(const Sample& sample) { return sample.greedy || sample.temperature == 0; }

// --seed, too: what is always the most probable character is not drawn.
void check_options(const Sample& sample, const CLI::App& command, const rnn_config_t& config) {
  const std::string reason = sample.greedy ? "--greedy" : "--temperature 0";
  const bool is_drawn = !is_greedy(sample);
  const auto check = [&](const char* option, bool has_effect) {
    check_effect(command, option, has_effect, reason + " always takes the most probable character");
  };
  check("--temperature", is_drawn || sample.temperature == 0);
  check("--top-k", is_drawn || sample.top_k == 0);
  check("--top-p", is_drawn || sample.top_p == 1);
  check("--seed", is_drawn);
  if (sample.top_k >= config.output_size)
    note("--top-k has no effect: the model has " + std::to_string(config.output_size) + " characters");
}

// A byte as the character of its number, U+0000 to U+00FF: JSON is UTF-8.
std::string latin1_to_utf8(const std::string& bytes) {
  std::string text;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x80) text += static_cast<char>(0xc0 | byte >> 6);
    text += static_cast<char>(byte < 0x80 ? byte : 0x80 | (byte & 0x3f));
  }
  return text;
}

Json json_of(const Sample& sample, const std::string& text, bool is_utf8, std::uint64_t seed) {
  Json json = {{"prompt", is_utf8 ? sample.prompt : latin1_to_utf8(sample.prompt)},
               {"text", is_utf8 ? text : latin1_to_utf8(text)},
               {"encoding", is_utf8 ? "utf-8" : "bytes"},
               {"characters", sample.length},
               {"seed", nullptr}};
  if (!is_greedy(sample)) json["seed"] = seed;
  return json;
}

void run(const Sample& sample, const CLI::App& command) {
  rnn::Network network = rnn::Network::load(sample.path);
  check_text_model(network, sample.path);
  const Vocabulary vocabulary = vocabulary_of(network, sample.path);
  check_options(sample, command, network.config());
  std::vector<std::int32_t> prompt = vocabulary.encode(sample.prompt, "the prompt");
  if (prompt.empty()) prompt.push_back(0);  // the lowest character; in most texts that is a new line
  auto options = rnn::sized<rnn_generate_options_t>();
  options.prompt = prompt.data();
  options.prompt_count = prompt.size();
  options.temperature = sample.temperature;
  options.top_p = sample.top_p;
  options.top_k = sample.top_k;
  options.greedy = is_greedy(sample);
  options.seed = command.count("--seed") > 0 ? sample.seed : std::random_device()();
  const std::string text = vocabulary.decode(network.generate(options, sample.length));
  if (sample.json) return print(json_of(sample, text, !vocabulary.has_bytes(), options.seed));
  const std::string all = sample.prompt + text;
  write_output(isatty(STDOUT_FILENO) != 0 ? printable(all) + "\n" : all);
}

}  // namespace

void add_sample(CLI::App& program) {
  const auto sample = std::make_shared<Sample>();
  CLI::App& command = *program.add_subcommand("sample", "Write text as a model of characters goes on");
  command.add_option("model", sample->path, "A model that rnn train has saved")
      ->required()
      ->type_name("FILE");
  command.add_option("--prompt", sample->prompt, "What the text begins with");
  command.add_option("--length", sample->length, "Characters to write behind the prompt")
      ->check(whole_number(1, 100'000'000))
      ->capture_default_str();
  command.add_option("--temperature", sample->temperature, "Low is safe, high is wild; 0: --greedy")
      ->check(number_or_zero(1e-6, 1e6))
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
  command.add_option("--seed", sample->seed, "Same seed, same text; default: another each time")
      ->check(whole_number());
  add_json_flag(command, sample->json);
  command.footer(
      "To a file or a pipe goes the text as it is. On a terminal, control characters and bytes that are\n"
      "not UTF-8 are shown as \\x1B or \\xE9. In JSON with the \"encoding\" \"bytes\", of a model of a text\n"
      "that was not UTF-8, each character of \"prompt\" and \"text\" is the byte of its number, U+0000 to\n"
      "U+00FF: Latin-1.\n"
      "\n"
      "Examples:\n"
      "  rnn sample model.safetensors --prompt \"Once upon\" --temperature 0.5\n"
      "  rnn sample model.safetensors --seed 1 --length 10000 >text.txt");
  command.callback([sample, &command] { run(*sample, command); });
}
