#include "arguments.h"

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <utility>
#include <vector>

#include "common.h"

namespace {

// Characters to insert, remove or replace, and neighbours to swap, until one word is the other.
std::size_t distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> last2(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  std::iota(last.begin(), last.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = std::min(row[j], last2[j - 2] + 1);
    }
    std::swap(last2, last);
    std::swap(last, row);
  }
  return last[b.size()];
}

bool is_option(const std::string& word) { return word.size() > 1 && word[0] == '-'; }

std::vector<std::string> option_names(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::Option* option : command.get_options())
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  return names;
}

std::string joined(const std::vector<std::string>& words) { return CLI::detail::join(words, ", "); }

}  // namespace

std::string suggestion(const std::string& word, const std::vector<std::string>& names) {
  std::string nearest;
  std::size_t least = 2 + word.size() / 6;  // one mistake, and another for each six letters
  for (const std::string& name : names) {
    const std::size_t both = std::min(word.size(), name.size());
    const bool is_begun = both > 3 && name.compare(0, both, word, 0, both) == 0;
    const std::size_t away = is_begun ? 1 : distance(word, name);
    if (away >= least) continue;
    least = away;
    nearest = name;
  }
  return nearest.empty() ? "" : "; did you mean " + nearest + "?";
}

std::vector<std::string> command_names(const CLI::App& program) {
  std::vector<std::string> names;
  for (const CLI::App* command : program.get_subcommands({}))
    if (!command->get_group().empty()) names.push_back(command->get_name());
  return names;
}

const CLI::App& command_of(const CLI::App& program, const std::string& name) {
  const std::vector<std::string> names = command_names(program);
  for (const CLI::App* command : program.get_subcommands({}))
    if (command->get_name() == name) return *command;
  const std::string near = suggestion(name, names);
  throw UsageError("there is no command " + name +
                   (near.empty() ? "; the commands are " + joined(names) : near));
}

std::string complaint_of(const CLI::App& program, const CLI::ParseError& error) {
  const auto chosen = program.get_subcommands();
  std::vector<std::string> rest = program.remaining(true);
  const auto option = std::find_if(rest.begin(), rest.end(), is_option);
  if (option != rest.end()) {
    const std::string name = option->substr(0, option->find('='));
    rest.erase(option);
    const std::string others = rest.empty() ? "" : ", and not expected: " + joined(rest);
    return "there is no option " + name + others +
           suggestion(name, option_names(chosen.empty() ? program : *chosen[0]));
  }
  if (chosen.empty() && !rest.empty()) {
    try {
      command_of(program, rest[0]);
    } catch (const UsageError& unknown) {
      return unknown.what();
    }
  }
  if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr) return "not expected: " + joined(rest);
  const std::string message = error.what();
  const std::size_t twice = message.find(": At Most 1 required but received ");
  return twice == message.npos ? message : message.substr(0, twice) + " is given more than once";
}
