#include "options.h"

#include <algorithm>
#include <cstddef>

namespace {

// "a" and "b" of "TEXT:{a,b}".
std::vector<std::string> choices_of(const std::string& type) {
  const std::size_t begin = type.find('{'), end = type.find('}');
  if (begin == type.npos || end == type.npos) return {};
  return CLI::detail::split(type.substr(begin + 1, end - begin - 1), ',');
}

DescribedOption described(const CLI::Option& option) {
  DescribedOption result;
  const std::string type = option.get_type_name();
  result.is_argument = option.get_positional();
  if (result.is_argument) result.names.push_back(option.get_name(true));
  for (const std::string& name : option.get_snames()) result.names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) result.names.push_back("--" + name);
  result.has_value = option.get_expected_min() > 0 || result.is_argument;
  result.is_repeated = result.is_argument && option.get_items_expected_max() > 1;
  if (result.has_value) {
    result.type = type.substr(0, type.find(':'));
    result.is_file = result.type == "FILE";
    result.choices = choices_of(type);
    result.value = option.get_default_str();
  }
  result.description = option.get_description();
  std::replace(result.description.begin(), result.description.end(), '\n', ' ');
  return result;
}

}  // namespace

std::vector<DescribedOption> describe_options(const CLI::App& command) {
  std::vector<DescribedOption> options;
  for (const CLI::Option* option : command.get_options()) options.push_back(described(*option));
  return options;
}

std::vector<const CLI::App*> described_commands(const CLI::App& program) {
  return program.get_subcommands([](const CLI::App* command) { return !command->get_group().empty(); });
}

std::string shortened(const std::string& description) {
  const std::size_t end = std::min({description.find(". "), description.find(';'), description.find(": ")});
  return description.substr(0, end);
}
