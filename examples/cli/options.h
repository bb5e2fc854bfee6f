// The options of a command as data, for what describes them in other forms than --help.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

struct DescribedOption {
  std::vector<std::string> names;  // "-o", "--out"; of an argument without one its name: "text"
  bool is_argument = false;        // without "--"
  bool has_value = false;
  bool is_repeated = false;
  bool is_file = false;
  std::vector<std::string> choices;
  std::string type;         // "INT", "FILE"
  std::string value;        // the default, or empty
  std::string description;  // in one line
};

std::vector<DescribedOption> describe_options(const CLI::App& command);

// The commands that --help lists.
std::vector<const CLI::App*> described_commands(const CLI::App& program);

// The beginning of a description, for a menu.
std::string shortened(const std::string& description);
