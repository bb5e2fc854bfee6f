// rnn: train, run and look into networks from the command line.
//
//   rnn COMMAND ...      --help lists the commands, rnn COMMAND --help their options
//
// Exit status: 0 if all went well, 1 if not, 2 if the arguments are not what they should be, 128 and the number of the
// signal if a training was stopped by one.
#include <rnn/rnn.h>

#ifdef _WIN32
#include <fcntl.h>
#include <io.h>
#endif

#include <cstdio>
#include <exception>
#include <memory>
#include <new>
#include <sstream>
#include <string>

#include "arguments.h"
#include "common.h"
#include "completion.h"
#include "ranks.h"

namespace {

constexpr int kFailure = 1;
constexpr int kUsage = 2;

int complain(const std::string& message, int status) {
  let_first_complain();
  const std::string who = rank() == 0 ? "" : "rank " + std::to_string(rank()) + ": ";
  std::fprintf(stderr, "rnn: %s%s\n", who.c_str(), one_line(message).c_str());
  return status;
}

// Options as their names, what they take and their default; the ranges are in the errors.
class Help : public CLI::Formatter {
  std::string make_option_opts(const CLI::Option* option) const override {
    if (option->get_type_size() == 0) return "";
    const std::string type = option->get_type_name(), value = option->get_default_str();
    return " " + type.substr(0, type.find(':')) + (value.empty() ? "" : "=" + value);
  }
};

// "rnn train --help".
std::string help_of(const CLI::App& program) {
  const auto chosen = program.get_subcommands();
  return "rnn " + (chosen.empty() ? "" : chosen[0]->get_name() + " ") + "--help";
}

// Runs the command; --help and --version are thrown by the parser.
void parse(CLI::App& program, int argc, char** argv) {
  try {
    program.parse(argc, argv);
    if (program.get_subcommands().empty()) throw UsageError("there is no command");
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() != 0) throw;
    std::ostringstream text;
    program.exit(error, text);
    if (rank() == 0) write_output(text.str());
  }
}

int run(CLI::App& program, int argc, char** argv) {
  try {
    parse(program, argc, argv);
    flush_output();  // it may wait in a buffer for a disk that is full
  } catch (const CLI::ParseError& error) {
    return complain(complaint_of(program, error) + " (see " + help_of(program) + ")", kUsage);
  } catch (const UsageError& error) {
    return complain(error.what() + (" (see " + help_of(program) + ")"), kUsage);
  } catch (const Stopped& stopped) {
    return stopped.status();
  } catch (const std::bad_alloc&) {
    return complain("out of memory", kFailure);
  } catch (const std::exception& error) {
    return complain(error.what(), kFailure);
  }
  return 0;
}

// rnn help [COMMAND]
void add_help(CLI::App& program) {
  const auto name = std::make_shared<std::string>();
  CLI::App& command = *program.add_subcommand("help", "Show the help of rnn, or of a command");
  command.add_option("command", *name, "One of the commands");
  command.footer("Example:\n  rnn help train");
  command.callback([&program, name] {
    const auto normal = CLI::AppFormatMode::Normal;
    write_output(name->empty() ? program.get_formatter()->make_help(&program, "rnn", normal)
                               : command_of(program, *name).help("rnn"));
  });
}

}  // namespace

int main(int argc, char** argv) {
#ifdef _WIN32
  // Texts are bytes: no carriage returns.
  for (std::FILE* const stream : {stdin, stdout}) _setmode(_fileno(stream), _O_BINARY);
#endif
  join_ranks(argc, argv);
  CLI::App program("Train, run and look into recurrent neural networks.", "rnn");
  program.allow_windows_style_options(false);  // /x is a path
  program.set_version_flag("-V,--version", std::string("rnn ") + rnn_version());
  program.formatter(std::make_shared<Help>());
  program.require_subcommand(0, 1);
  add_info(program);
  add_convert(program);
  add_train(program);
  add_sample(program);
  add_eval(program);
  add_predict(program);
  add_plot(program);
  add_bench(program);
  add_verify(program);
  add_describe(program);
  add_pack(program);
  add_unpack(program);
  add_help(program);
  add_completion(program);
  program.footer(
      "rnn help COMMAND, or rnn COMMAND --help, lists the options of a command. Exit status: 0 if all went\n"
      "well, 1 if not, 2 if the arguments are wrong, 128 and the signal's number if a training was stopped.\n"
      "Nothing is in colour, whatever NO_COLOR is.\n"
      "\n"
      "Examples:\n"
      "  rnn train book.txt -o book.safetensors\n"
      "  rnn sample book.safetensors --prompt \"Once upon\"\n"
      "  rnn eval book.safetensors other.txt");
  return leave_ranks(run(program, argc, argv));
}
