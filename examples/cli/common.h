// What the commands have in common.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <exception>
#include <limits>
#include <nlohmann/json.hpp>
#include <rnn/rnn.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "../text.h"

// Each adds its command to the program. Commands throw what goes wrong.
void add_info(CLI::App& program);
void add_convert(CLI::App& program);
void add_train(CLI::App& program);
void add_sample(CLI::App& program);
void add_eval(CLI::App& program);
void add_bench(CLI::App& program);
void add_verify(CLI::App& program);
void add_describe(CLI::App& program);
void add_pack(CLI::App& program);
void add_unpack(CLI::App& program);
void add_predict(CLI::App& program);
void add_plot(CLI::App& program);

// Arguments that contradict each other: exit status 2, as for those that the parser refuses.
class UsageError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

// A training that a signal has stopped, with its result shown.
class Stopped : public std::exception {
 public:
  explicit Stopped(int signal) : signal_(signal) {}
  int status() const { return 128 + signal_; }  // as a shell has it

 private:
  int signal_;
};

using Json = nlohmann::ordered_json;

// To standard output. Throws std::runtime_error if it cannot be written.
[[gnu::format(printf, 1, 2)]] void print(const char* format, ...);
void print(const Json& json);
void write_output(const std::string& bytes);
void flush_output();

// A line on stderr, for what a user may not expect but can live with.
void note(const std::string& message);

// What a network is created as.
struct Shape {
  std::string cell = "gru";
  std::string compute = "f32";
  int hidden = 256;
  int layers = 1;
  int embedding = 0;
  int projection = 0;
  bool residual = false;
  bool layer_norm = false;
  bool peepholes = false;
  bool coupled = false;
  std::string list;  // of layers; empty: the fields above are those of all
  std::uint64_t seed = 1;

  rnn::Network network(std::int32_t inputs, std::int32_t outputs) const;
};
void add_shape_options(CLI::App& command, Shape& shape);

// Throws UsageError if one of these options was given and is another than that of the network in `path`.
void check_shape(const CLI::App& command, const Shape& shape, const rnn_config_t& config,
                 const std::string& path);

// Layers before the head.
std::size_t hidden_layers(const rnn_config_t& config);

// A layer multiplies its state by weights.
bool reads_state(const rnn_config_t& config);

void add_threads_option(CLI::App& command, int& threads);
void add_json_flag(CLI::App& command, bool& json);

// An option's values: numbers from `low` to `high`. CLI::Range wraps what is negative where none may be.
CLI::Validator number(double low, double high);
CLI::Validator number_or_zero(double low, double high);
CLI::Validator whole_number(std::uint64_t low = 0,
                            std::uint64_t high = std::numeric_limits<std::uint64_t>::max());

CLI::Validator power_of_two(std::int32_t high);

// RNN_COMPUTE_... and the names that the options have for it, to be a transform: they are in any case.
CLI::Validator compute_names();
std::int32_t compute_of(const std::string& name);
std::string name_of_compute(std::int32_t compute);

// "lstm, 2 layers of 256, 65 inputs, 65 outputs, bf16".
std::string summary(const rnn_config_t& config);

// A file, or standard input if it is "-".
Text read_input(const std::string& path);

// The text as its symbols in the vocabulary; notes if they are its bytes, as it is not UTF-8.
std::vector<std::int32_t> encode(const Vocabulary& vocabulary, Text text, const std::string& name);
void note_bytes(const std::string& name);

// For options that may not be empty, such as paths.
CLI::Validator not_empty();

// Throws UsageError if the option was given although it has no effect, for the reason.
void check_effect(const CLI::App& command, const char* option, bool has_effect, const std::string& reason);

// Throws UsageError if two files, of which one is to be written, are the same; empty: no file.
void check_not_same(const char* name, const std::string& path, const char* other_name,
                    const std::string& other);

// For the terminal: printable(), with blanks for newlines and tabs.
std::string one_line(const std::string& text);

// What an evaluation found, for people and for programs.
std::string text_of(const rnn_evaluation_t& evaluation);
Json json_of(const rnn_evaluation_t& evaluation);
