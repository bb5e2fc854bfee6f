#include "man_page.h"

#include <rnn/rnn.h>

#include <vector>

#include "options.h"

namespace {

std::string upper(const std::string& text) {
  std::string result = text;
  for (char& c : result) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return result;
}

// As groff prints it: neither a request nor an escape, and each - one that can be copied.
std::string escaped(const std::string& text) {
  std::string result;
  for (const char c : text) {
    const bool starts = result.empty() || result.back() == '\n';
    if (starts && (c == '.' || c == '\'')) result += "\\&";
    result += c == '\\' ? "\\e" : c == '-' ? "\\-" : std::string(1, c);
  }
  return result;
}

std::string of_option(const DescribedOption& option) {
  std::string names;
  for (const std::string& name : option.names)
    names += (names.empty() ? "\\fB" : ", \\fB") + escaped(name) + "\\fR";
  if (option.has_value && !option.is_argument) names += " \\fI" + escaped(option.type) + "\\fR";
  const std::string value = option.value.empty() ? "" : " (default: " + option.value + ")";
  return ".TP\n" + names + "\n" + escaped(option.description + value) + "\n";
}

std::string of_command(const CLI::App& command, const std::string& name) {
  const std::vector<DescribedOption> options = describe_options(command);
  std::string text = ".SH \"" + upper(name + " " + command.get_name()) + "\"\n\\fB" + escaped(name) + " " +
                     escaped(command.get_name()) + "\\fR [\\fIoptions\\fR]";
  for (const DescribedOption& option : options)
    if (option.is_argument) text += " \\fI" + escaped(option.names[0]) + "\\fR";
  text += "\n.PP\n" + escaped(command.get_description()) + ".\n";
  for (const DescribedOption& option : options) text += of_option(option);
  if (!command.get_footer().empty()) text += ".PP\n.nf\n" + escaped(command.get_footer()) + "\n.fi\n";
  return text;
}

}  // namespace

std::string man_page(const CLI::App& program, const std::string& name) {
  std::string text = ".TH " + upper(name) + " 1 \"\" \"" + escaped(name + " " + rnn_version()) +
                     "\" \"User Commands\"\n.SH NAME\n" + escaped(name) +
                     " \\- train, run and look into recurrent neural networks\n.SH SYNOPSIS\n\\fB" +
                     escaped(name) +
                     "\\fR \\fIcommand\\fR [\\fIoptions\\fR] [\\fIfile\\fR ...]\n.SH COMMANDS\n";
  for (const CLI::App* command : described_commands(program))
    text +=
        ".TP\n\\fB" + escaped(command->get_name()) + "\\fR\n" + escaped(command->get_description()) + ".\n";
  text += ".SH OPTIONS\n";
  for (const DescribedOption& option : describe_options(program)) text += of_option(option);
  text += ".PP\n.nf\n" + escaped(program.get_footer()) + "\n.fi\n";
  for (const CLI::App* command : described_commands(program)) text += of_command(*command, name);
  return text;
}
