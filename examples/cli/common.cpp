#include "common.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <system_error>
#include <utility>

#include "layers.h"
#include "ranks.h"

namespace {

struct Name {
  std::int32_t value;
  const char* name;
};

constexpr Name kComputes[] = {{RNN_COMPUTE_F32, "f32"},
                              {RNN_COMPUTE_BF16, "bf16"},
                              {RNN_COMPUTE_INT8, "int8"},
                              {RNN_COMPUTE_BF16_FAST, "bf16_fast"}};

template <std::size_t n>
std::string name_in(const Name (&names)[n], std::int32_t value) {
  for (const Name& name : names)
    if (name.value == value) return name.name;
  return std::to_string(value);  // of a library that is newer than this program
}

template <std::size_t n>
std::int32_t value_in(const Name (&names)[n], const std::string& text) {
  for (const Name& name : names)
    if (name.name == text) return name.value;
  throw UsageError("unknown name " + text);
}

template <std::size_t n>
CLI::Validator is_one_of(const Name (&names)[n]) {
  std::vector<std::string> all;
  for (const Name& name : names) all.push_back(name.name);
  return CLI::IsMember(all, CLI::ignore_case);
}

// The options of layers that are all the same.
constexpr const char* kUniform[] = {"--cell",     "--hidden",     "--layers",    "--projection",
                                    "--residual", "--layer-norm", "--peepholes", "--coupled"};

CLI::Validator layer_list() {
  const auto check = [](std::string& text) {
    text = CLI::detail::to_lower(text);
    try {
      read_layers(text);
    } catch (const std::invalid_argument& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  return {check, "LAYERS"};
}

CLI::Validator number_in(double low, double high, bool or_zero) {
  char range[64];
  std::snprintf(range, sizeof range, "%s%g..%g", or_zero ? "0, " : "", low, high);
  const auto check = [=](const std::string& text) {
    char* end = nullptr;
    const double value = std::strtod(text.c_str(), &end);
    const bool is_number = end != text.c_str() && *end == '\0';
    const bool fits = is_number && ((or_zero && value == 0) || (value >= low && value <= high));  // not NaN
    return fits ? std::string() : text + " is not a number in " + range;
  };
  return {check, range};
}

[[noreturn]] void throw_output_error() {
  throw std::runtime_error(std::string("cannot write to standard output: ") + std::strerror(errno));
}

std::string counted(std::int32_t count, const char* singular, const char* plural) {
  return std::to_string(count) + " " + (count == 1 ? singular : plural);
}

}  // namespace

void write_output(const std::string& bytes) {
  errno = 0;
  if (std::fwrite(bytes.data(), 1, bytes.size(), stdout) != bytes.size()) throw_output_error();
}

void print(const char* format, ...) {
  std::va_list arguments;
  va_start(arguments, format);
  errno = 0;
  const int written = std::vprintf(format, arguments);
  va_end(arguments);
  if (written < 0) throw_output_error();
}

void print(const Json& json) {
  write_output(printable_json(json.dump(2, ' ', false, Json::error_handler_t::replace)) + "\n");
}

void flush_output() {
  errno = 0;
  if (std::fflush(stdout) != 0) throw_output_error();
}

void note(const std::string& message) {
  if (rank() == 0) std::fprintf(stderr, "rnn: note: %s\n", one_line(message).c_str());
}

rnn::Network Shape::network(std::int32_t inputs, std::int32_t outputs) const {
  auto config = rnn::sized<rnn_config_t>();
  config.compute = compute_of(compute);
  config.input_size = inputs;
  config.embedding_size = embedding;
  config.seed = seed;
  if (!list.empty()) {
    std::vector<rnn_layer_t> all = read_layers(list);
    auto head = rnn::sized<rnn_layer_t>();
    head.kind = RNN_LAYER_DENSE;
    head.size = outputs;
    if (outputs > 0) all.push_back(head);
    config.layers = all.data();
    config.layer_count = all.size();
    return rnn::Network(config);
  }
  config.cell = cell_of(cell);
  config.hidden_size = hidden;
  config.output_size = outputs;
  config.num_layers = layers;
  config.projection_size = projection;
  config.flags = (residual ? std::uint32_t{RNN_FLAG_RESIDUAL} : 0) |
                 (layer_norm ? std::uint32_t{RNN_FLAG_LAYER_NORM} : 0) |
                 (peepholes ? std::uint32_t{RNN_FLAG_PEEPHOLES} : 0) |
                 (coupled ? std::uint32_t{RNN_FLAG_COUPLED_GATES} : 0);
  return rnn::Network(config);
}

void add_shape_options(CLI::App& command, Shape& shape) {
  command.add_option("--cell", shape.cell, "vanilla, gru, lstm, mingru or minlstm")
      ->transform(CLI::IsMember(cell_names(), CLI::ignore_case))
      ->capture_default_str();
  command.add_option("--hidden", shape.hidden, "Hidden units of each layer")
      ->check(CLI::Range(1, 65536))
      ->capture_default_str();
  command.add_option("--layers", shape.layers, "Layers")->check(CLI::Range(1, 64))->capture_default_str();
  command
      .add_option("--embedding", shape.embedding, "Size of a learned vector for each index; 0: none, one-hot")
      ->check(CLI::Range(0, 65536))
      ->capture_default_str();
  command.add_option("--projection", shape.projection, "LSTM: width to which h is projected; 0: none")
      ->check(CLI::Range(0, 65535))
      ->capture_default_str();
  command.add_flag("--residual", shape.residual, "Add the input of each layer but the first to its output");
  command.add_flag("--layer-norm", shape.layer_norm, "Normalise what enters the gates");
  command.add_flag("--peepholes", shape.peepholes, "LSTM: the gates read the cell");
  command.add_flag("--coupled", shape.coupled, "LSTM: the forget gate is 1 minus the input gate");
  CLI::Option* const list =
      command
          .add_option("--layer-list", shape.list,
                      "The layers one behind the other, instead of --cell and its sizes and flags, as\n"
                      "conv1d:16:kernel=3:relu,gru:128,dense:64:tanh: of each the kind, the size\n"
                      "and what else it has. A linear layer follows them. Every kind may have\n"
                      "residual and no_bias; vanilla: relu, layer_norm; gru: reset_before,\n"
                      "layer_norm; lstm: projection=N, peepholes, coupled_gates, layer_norm;\n"
                      "mingru, minlstm: no more; conv1d: kernel=N, dilation=N; and all but mingru\n"
                      "and minlstm an activation: tanh, relu, sigmoid, softmax, elu, leaky_relu,\n"
                      "prelu, softsign, gelu, swish, hard_sigmoid, softplus, affine, scaled_tanh or\n"
                      "thresholded_relu, with alpha=X, beta=X; gru, lstm: gates=NAME for that of the\n"
                      "gates, gate_alpha=X, gate_beta=X; lstm: output=NAME for that of c,\n"
                      "output_alpha=X, output_beta=X; vanilla, gru, lstm: clip=X, zoneout_h=X;\n"
                      "lstm: zoneout_c=X")
          ->transform(layer_list());
  for (const char* option : kUniform) list->excludes(command.get_option(option));
  command
      .add_option("--compute", shape.compute, "What the products compute with: f32, bf16, bf16_fast or int8")
      ->transform(compute_names())
      ->capture_default_str();
  command.add_option("--seed", shape.seed, "Of all that is random")
      ->check(whole_number())
      ->capture_default_str();
}

void check_shape(const CLI::App& command, const Shape& shape, const rnn_config_t& config,
                 const std::string& path) {
  const auto check = [&](const char* option, const std::string& given, const std::string& found) {
    if (command.count(option) > 0 && given != found)
      throw UsageError(std::string(option) + " is " + given + "; that of " + path + " is " + found);
  };
  const auto size = [&](const char* option, int given, std::int32_t found) {
    check(option, std::to_string(given), std::to_string(found));
  };
  const auto flag = [&](const char* option, bool given, std::uint32_t found) {
    check(option, given ? "on" : "off", (config.flags & found) != 0 ? "on" : "off");
  };
  const std::string list = hidden_layers_of(config);
  if (config.layer_count > 0)
    for (const char* option : kUniform)
      if (command.count(option) > 0)
        throw UsageError(std::string(option) + " is given; the layers of " + path + " are " + list);
  if (!shape.list.empty())
    check("--layer-list", hidden_layers_of(shape.network(config.input_size, config.input_size).config()),
          list);
  check("--cell", shape.cell, name_of_kind(config.cell));
  size("--hidden", shape.hidden, config.hidden_size);
  size("--layers", shape.layers, config.num_layers);
  size("--embedding", shape.embedding, config.embedding_size);
  size("--projection", shape.projection, config.projection_size);
  flag("--residual", shape.residual, RNN_FLAG_RESIDUAL);
  flag("--layer-norm", shape.layer_norm, RNN_FLAG_LAYER_NORM);
  flag("--peepholes", shape.peepholes, RNN_FLAG_PEEPHOLES);
  flag("--coupled", shape.coupled, RNN_FLAG_COUPLED_GATES);
  check("--compute", shape.compute, name_of_compute(config.compute));
  check("--seed", std::to_string(shape.seed), std::to_string(config.seed));
}

void add_threads_option(CLI::App& command, int& threads) {
  command.add_option("--threads", threads, "0: all that there are")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
}

void add_json_flag(CLI::App& command, bool& json) { command.add_flag("--json", json, "Write JSON"); }

CLI::Validator number(double low, double high) { return number_in(low, high, false); }
CLI::Validator number_or_zero(double low, double high) { return number_in(low, high, true); }

CLI::Validator whole_number(std::uint64_t low, std::uint64_t high) {
  const std::string range = std::to_string(low) + ".." + std::to_string(high);
  const auto check = [=](const std::string& text) {
    char* end = nullptr;
    errno = 0;
    const unsigned long long value = std::strtoull(text.c_str(), &end, 0);  // as the parser reads it
    const bool is_whole = end != text.c_str() && *end == '\0' && errno == 0 && text.find('-') == text.npos;
    return is_whole && value >= low && value <= high ? std::string()
                                                     : text + " is not a whole number in " + range;
  };
  return {check, range};
}

CLI::Validator power_of_two(std::int32_t high) {
  const CLI::Validator in_range = whole_number(1, static_cast<std::uint64_t>(high));
  const auto check = [=](std::string text) {
    const std::string error = in_range(text);
    if (!error.empty()) return error;
    const unsigned long long value = std::strtoull(text.c_str(), nullptr, 0);
    return (value & (value - 1)) == 0 ? std::string() : text + " is not a power of two";
  };
  return {check, "1.." + std::to_string(high)};
}

CLI::Validator compute_names() { return is_one_of(kComputes); }
std::int32_t compute_of(const std::string& name) { return value_in(kComputes, name); }
std::string name_of_compute(std::int32_t compute) { return name_in(kComputes, compute); }

std::size_t hidden_layers(const rnn_config_t& config) {
  return config.layer_count > 0 ? config.layer_count - 1 : static_cast<std::size_t>(config.num_layers);
}

bool reads_state(const rnn_config_t& config) {
  const auto reads = [](std::int32_t kind) {
    return kind < RNN_LAYER_DENSE && kind != RNN_CELL_MIN_GRU && kind != RNN_CELL_MIN_LSTM;
  };
  if (config.layer_count == 0) return reads(config.cell);
  return std::any_of(config.layers, config.layers + config.layer_count,
                     [&](const rnn_layer_t& layer) { return reads(layer.kind); });
}

std::string summary(const rnn_config_t& config) {
  std::string text;
  for (std::size_t l = 0; l < config.layer_count; ++l) {
    const rnn_layer_t& layer = config.layers[l];
    text += name_of_kind(layer.kind) + " of " + std::to_string(layer.size) + ", ";
  }
  if (config.layer_count > 0)
    return text + counted(config.input_size, "input", "inputs") + ", " + name_of_compute(config.compute);
  text = name_of_kind(config.cell) + ", " + counted(config.num_layers, "layer", "layers") + " of " +
         std::to_string(config.hidden_size) + ", " + counted(config.input_size, "input", "inputs");
  if (config.output_size > 0) text += ", " + counted(config.output_size, "output", "outputs");
  return text + ", " + name_of_compute(config.compute);
}

Text read_input(const std::string& path) {
  if (path != "-") return read_text(path);
  Text text = Text::read(std::cin);
  if (std::cin.bad()) throw std::runtime_error("cannot read standard input");
  return text;
}

std::vector<std::int32_t> encode(const Vocabulary& vocabulary, Text text, const std::string& name) {
  const bool is_utf8 = text.is_utf8();
  std::vector<std::int32_t> indices = vocabulary.encode(std::move(text), name);
  if (!is_utf8) note_bytes(name);
  return indices;
}

void note_bytes(const std::string& name) {
  note(name + " is neither UTF-8 nor UTF-16 with a byte order mark: its bytes are the characters");
}

CLI::Validator not_empty() {
  return {[](const std::string& text) { return text.empty() ? "is empty" : std::string(); }, ""};
}

void check_effect(const CLI::App& command, const char* option, bool has_effect, const std::string& reason) {
  if (command.count(option) > 0 && !has_effect)
    throw UsageError(std::string(option) + " has no effect: " + reason);
}

void check_not_same(const char* name, const std::string& path, const char* other_name,
                    const std::string& other) {
  namespace fs = std::filesystem;
  if (path.empty() || other.empty()) return;
  const auto whole = [](const std::string& part) {
    return fs::weakly_canonical(fs::current_path() / fs::u8path(part));
  };
  std::error_code missing;
  if (whole(path) == whole(other) || fs::equivalent(fs::u8path(path), fs::u8path(other), missing))
    throw UsageError(std::string(name) + " and " + other_name + " are the same file, " + path);
}

std::string one_line(const std::string& text) {
  std::string line = printable(text);
  std::replace_if(
      line.begin(), line.end(), [](char c) { return c == '\n' || c == '\t'; }, ' ');
  return line;
}

std::string text_of(const rnn_evaluation_t& evaluation) {
  char text[512];  // a perplexity may have 309 digits
  std::snprintf(text, sizeof text,
                "%.4f nats, %.4f bits per character, perplexity %.3f, %.2f %% of %.0f characters right",
                evaluation.loss, bits(evaluation.loss), std::exp(evaluation.loss), 100 * evaluation.accuracy,
                evaluation.weight);
  return text;
}

Json json_of(const rnn_evaluation_t& evaluation) {
  return {{"characters", static_cast<std::uint64_t>(evaluation.weight)},
          {"loss", evaluation.loss},
          {"bits_per_character", bits(evaluation.loss)},
          {"perplexity", std::exp(evaluation.loss)},
          {"accuracy", evaluation.accuracy}};
}
