// rnn convert: a model in another format, or computing with other numbers, and what that costs.
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include "../character_training.h"
#include "../model_file.h"
#include "common.h"
#include "kinds.h"

namespace {

// What stands before the names of a PyTorch module's tensors.
struct Names {
  std::optional<std::string> layers, head, embedding;
};

struct Format {
  const char* name;
  std::int32_t format;
};

constexpr Format kFormats[] = {{"safetensors", RNN_FORMAT_SAFETENSORS},
                               {"onnx", RNN_FORMAT_ONNX},
                               {"rnn", RNN_FORMAT_BINARY},
                               {"c", RNN_FORMAT_C}};

struct Convert {
  std::string in;
  std::string out;
  std::string compute;
  std::string format;
  std::vector<std::string> metadata;
  Names from = {};
  std::optional<std::string> activations;
  bool relu = false;
  Names to = {};
  std::string array;
  std::string text;
  int threads = 0;
  bool json = false;
};

// Of the model before or after.
struct Side {
  std::string compute;
  rnn_evaluation_t evaluation;
  double microseconds;  // of a step
};

double microseconds_per_step(const rnn::Network& network, const std::vector<std::int32_t>& text) {
  rnn::Network stream = network.fork();
  const std::size_t steps = std::min<std::size_t>(text.size(), 10000);
  std::vector<float> y(network.output_size());
  const auto start = std::chrono::steady_clock::now();
  for (std::size_t i = 0; i < steps; ++i) stream.step(text[i], y.data());
  const std::chrono::duration<double, std::micro> time = std::chrono::steady_clock::now() - start;
  return time.count() / static_cast<double>(steps);
}

Side measure(const rnn::Network& network, const std::vector<std::int32_t>& text, int threads) {
  const Sequences sequences = Sequences::pieces(text, kEvaluatedPiece);
  return {name_of_compute(network.config().compute), CharacterTraining::evaluate(network, sequences, threads),
          microseconds_per_step(network, text)};
}

void print_text(const Side& before, const Side& after, double change) {
  const std::size_t width = std::max({std::size_t{5}, before.compute.size(), after.compute.size()});
  for (const Side* side : {&before, &after})
    print("%-*s  %.4f bits per character, %.2f us per step\n", static_cast<int>(width), side->compute.c_str(),
          bits(side->evaluation.loss), side->microseconds);
  print("the loss differs by %+.3f %%\n", 100 * change);
}

Json json_of(const Side& side) {
  Json json = {{"compute", side.compute}, {"microseconds_per_step", side.microseconds}};
  json.update(json_of(side.evaluation));
  return json;
}

const char* pointer(const std::optional<std::string>& text) { return text ? text->c_str() : nullptr; }

rnn::Network load(const Convert& convert) {
  auto options = rnn::sized<rnn_load_options_t>();
  options.flags = convert.relu ? RNN_FLAG_RELU : 0;
  options.layers = pointer(convert.from.layers);
  options.head = pointer(convert.from.head);
  options.embedding = pointer(convert.from.embedding);
  options.activations = pointer(convert.activations);
  return rnn::Network::load_as(convert.in, options);
}

void save(const rnn::Network& network, const Convert& convert) {
  auto options = rnn::sized<rnn_save_options_t>();
  for (const Format& format : kFormats)
    if (convert.format == format.name) options.format = format.format;
  options.layers = pointer(convert.to.layers);
  options.head = pointer(convert.to.head);
  options.embedding = pointer(convert.to.embedding);
  if (!convert.array.empty()) options.name = convert.array.c_str();
  network.save_as(convert.out, &options);
}

void set_metadata(rnn::Network& network, const std::vector<std::string>& entries) {
  for (const std::string& entry : entries) {
    const std::size_t middle = entry.find('=');
    if (middle == std::string::npos) throw UsageError("--metadata: " + entry + " has no =");
    network.set_metadata(entry.substr(0, middle).c_str(), entry.c_str() + middle + 1);
  }
}

void compare(const rnn::Network& from, const rnn::Network& to, const Convert& convert) {
  check_text_model(to, convert.in);
  const std::vector<std::int32_t> text =
      encode(vocabulary_of(to, convert.in), read_input(convert.text), convert.text);
  check_length(text, convert.text);
  const Side before = measure(from, text, convert.threads), after = measure(to, text, convert.threads);
  const double change = after.evaluation.loss / before.evaluation.loss - 1;
  save(to, convert);
  if (!convert.json) return print_text(before, after, change);
  print({{"before", json_of(before)}, {"after", json_of(after)}, {"relative_difference", change}});
}

void check_options(const Convert& convert, const CLI::App& command, const rnn_config_t& config) {
  const bool is_c = convert.format.empty() ? std::filesystem::u8path(convert.out).extension() == ".h"
                                           : convert.format == "c";
  check_effect(command, "--array", is_c, "only C has an array");
  check_effect(command, "--out-head", config.output_size > 0, "the network has no head");
  check_effect(command, "--out-embedding", config.embedding_size > 0, "the network has no embedding");
}

void run(const Convert& convert, const CLI::App& command) {
  check_not_same("out", convert.out, "--text", convert.text);
  const rnn::Network from = load(convert);
  const bool drops = is_checkpoint(from, convert.in);  // before out is written, which may be the same file
  check_options(convert, command, from.config());
  rnn::Network to =
      from.convert(convert.compute.empty() ? from.config().compute : compute_of(convert.compute));
  set_metadata(to, convert.metadata);
  convert.text.empty() ? save(to, convert) : compare(from, to, convert);
  if (drops)
    note(convert.in + " is a checkpoint; " + convert.out +
         " has its weights alone, and not the optimiser's state and the place in the run that rnn train "
         "--resume needs");
}

void add_format_options(CLI::App& command, Convert& convert) {
  std::vector<std::string> formats;
  for (const Format& format : kFormats) formats.push_back(format.name);
  command
      .add_option("--format", convert.format,
                  "safetensors, onnx, rnn (binary) or c (an array); default: by the suffix of OUT,\n"
                  ".safetensors, .onnx, .rnn or .h")
      ->transform(CLI::IsMember(formats, CLI::ignore_case));
  command.add_option("--array", convert.array, "The name of the array in C")->check(not_empty());
  command.add_option("--layers", convert.from.layers,
                     "IN is a PyTorch state dict: what stands before weight_ih_l0, such as\n"
                     "lstm.; * stands for any characters; of several modules, in the order in which\n"
                     "they read each other: lstm1.,gru.");
  command.add_option("--head", convert.from.head,
                     "What stands before the head's weight, such as fc.; \"\": no head");
  command.add_option("--embedding", convert.from.embedding, "The same for the embedding");
  command.add_option("--activations", convert.activations,
                     "IN is a PyTorch state dict of several Linears: what is behind each, such as\n"
                     "tanh,none");
  command.add_flag("--relu", convert.relu, "IN is a PyTorch state dict of an RNN with nonlinearity='relu'");
  command.add_option("--out-layers", convert.to.layers,
                     "OUT is to have a PyTorch module's names: what stands before its layers'");
  command.add_option("--out-head", convert.to.head, "What stands before the head's");
  command.add_option("--out-embedding", convert.to.embedding, "What stands before the embedding's");
}

}  // namespace

void add_convert(CLI::App& program) {
  const auto convert = std::make_shared<Convert>();
  CLI::App& command =
      *program.add_subcommand("convert", "Save a model in another format, or with other numbers");
  command.add_option("in", convert->in, "A model's file, of any format that the library reads")
      ->required()
      ->type_name("FILE");
  command.add_option("out", convert->out, "Where to save the converted model")->required()->type_name("FILE");
  command
      .add_option("--to", convert->compute,
                  "What its products compute with: f32, bf16, bf16_fast or int8; default: as before")
      ->transform(compute_names());
  add_format_options(command, *convert);
  command.add_option("--metadata", convert->metadata, "KEY=VALUE to keep with the model; may be given again")
      ->allow_extra_args(false);
  CLI::Option* text =
      command.add_option("--text", convert->text, "Compare the losses of this text, and the times of a step")
          ->check(not_empty())
          ->type_name("FILE");
  add_threads_option(command, convert->threads);
  command.get_option("--threads")->needs(text);
  command.add_flag("--json", convert->json, "Write the comparison as JSON")->needs(text);
  command.footer(
      "Examples:\n"
      "  rnn convert model.safetensors model.onnx\n"
      "  rnn convert model.safetensors small.rnn --to int8 --text book.txt\n"
      "  rnn convert pytorch.safetensors model.rnn --layers lstm. --head fc.");
  command.callback([convert, &command] { run(*convert, command); });
}
