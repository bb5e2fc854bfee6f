// What the programs' command lines have in common.
#pragma once

#include <rnn/rnn.h>

#include <CLI/CLI.hpp>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <map>
#include <string>

inline const std::map<std::string, std::int32_t>& cells() {
  static const std::map<std::string, std::int32_t> all = {{"vanilla", RNN_CELL_VANILLA},
                                                          {"gru", RNN_CELL_GRU},
                                                          {"lstm", RNN_CELL_LSTM},
                                                          {"mingru", RNN_CELL_MIN_GRU},
                                                          {"minlstm", RNN_CELL_MIN_LSTM}};
  return all;
}

inline std::int32_t cell_of(const std::string& name) { return cells().at(name); }

// For cell_of.
inline CLI::Option* add_cell_option(CLI::App& app, std::string& name) {
  return app.add_option("--cell", name, "Of the hidden layers")
      ->check(CLI::IsMember(cells()))
      ->capture_default_str();
}

inline CLI::Option* add_threads_option(CLI::App& app, int& threads) {
  return app.add_option("--threads", threads, "0: all that there are")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
}

// Parse the arguments and call run(), which returns the exit status; what goes wrong becomes a line on stderr
// and exit status 1.
template <class Run>
int run_program(const char* name, CLI::App& app, int argc, char** argv, Run run) {
  try {
    app.parse(argc, argv);
    return run();
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help
    std::fprintf(stderr, "%s: %s\n", name, error.what());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", name, error.what());
  }
  return 1;
}
