#include "completion.h"

#include <memory>
#include <string>
#include <vector>

#include "common.h"
#include "man_page.h"
#include "options.h"

namespace {

std::string joined(const std::vector<std::string>& words) { return CLI::detail::join(words, " "); }

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  return CLI::detail::find_and_replace(std::move(text), from, to);
}

// A program's name that no shell and no manual page reads as more than that.
CLI::Validator program_name() {
  const auto check = [](const std::string& text) {
    const bool is_name = !text.empty() && text[0] != '-' && text[0] != '.' &&
                         text.find_first_not_of(
                             "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                             "0123456789-_.+") == text.npos;
    return is_name ? std::string() : "a name has letters, digits, and - _ . + within";
  };
  return {check, ""};
}

// Between single quotes in bash and zsh.
std::string quoted(const std::string& text) { return "'" + replaced(text, "'", "'\\''") + "'"; }

std::vector<std::string> names_of(const std::vector<const CLI::App*>& commands) {
  std::vector<std::string> names;
  for (const CLI::App* command : commands) names.push_back(command->get_name());
  return names;
}

// The words of the commands that rnn help takes, too.
bool takes_command(const CLI::App& command) { return command.get_name() == "help"; }

// ---- bash --------------------------------------------------------------------------------------------

std::string bash_of(const CLI::App& command, const std::vector<std::string>& commands) {
  std::vector<std::string> names, arguments;
  std::string cases, values;
  for (const DescribedOption& option : describe_options(command)) {
    if (option.is_argument) {
      arguments.insert(arguments.end(), option.choices.begin(), option.choices.end());
      continue;
    }
    names.insert(names.end(), option.names.begin(), option.names.end());
    if (!option.has_value) continue;
    const std::string pattern = replaced(joined(option.names), " ", " | ");
    if (option.is_file)
      cases += "        " + pattern + ") files=1; return ;;\n";
    else
      cases += "        " + pattern + ") words=" + quoted(joined(option.choices)) + "; return ;;\n";
  }
  if (takes_command(command)) arguments = commands;
  return "    " + command.get_name() + ")\n      case $1 in\n" + cases + "      esac\n" +
         (arguments.empty() ? "      files=1\n" : "") +
         "      words=" + quoted(joined(names) + (arguments.empty() ? "" : " " + joined(arguments))) +
         " ;;\n";
}

std::string bash(const CLI::App& program, const std::string& name) {
  const auto commands = described_commands(program);
  const std::vector<std::string> names = names_of(commands);
  const std::string function = replaced(name, "-", "_");
  std::vector<std::string> options;
  for (const DescribedOption& option : describe_options(program))
    options.insert(options.end(), option.names.begin(), option.names.end());
  std::string cases;
  for (const CLI::App* command : commands) cases += bash_of(*command, names);
  return "# Completion of " + name + " in bash, made by " + name +
         " completion bash.\n"
         "\n"
         "# What may stand behind the word $1 in the command $2, in words; files=1: a file, too.\n"
         "_" +
         function +
         "_words() {\n"
         "  case $2 in\n"
         "    '') words=" +
         quoted(joined(names) + " " + joined(options)) + " ;;\n" + cases +
         "  esac\n"
         "}\n"
         "\n"
         "_" +
         function +
         "() {\n"
         "  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command= words= files= "
         "i\n"
         "  # --option=value is three words.\n"
         "  [[ $word == = ]] && word=\n"
         "  [[ $before == = ]] && before=${COMP_WORDS[COMP_CWORD - 2]}\n"
         "  for ((i = 1; i < COMP_CWORD; ++i)); do\n"
         "    [[ ${COMP_WORDS[i]} != -* ]] && { command=${COMP_WORDS[i]}; break; }\n"
         "  done\n"
         "  _" +
         function +
         "_words \"$before\" \"$command\"\n"
         "  [[ $word == -* ]] && files=\n"
         "  [[ $files && $words == -* ]] && words=\n"
         "  COMPREPLY=()\n"
         "  while IFS= read -r i; do COMPREPLY+=(\"$i\"); done < <(\n"
         "    compgen -W \"$words\" -- \"$word\"\n"
         "    [[ $files ]] && compgen -f -- \"$word\")\n"
         "  if [[ $files ]]; then compopt -o filenames 2>/dev/null; fi\n"
         "}\n"
         "complete -F _" +
         function + " " + name + "\n";
}

// ---- zsh ---------------------------------------------------------------------------------------------

// As _arguments reads a description and a message.
std::string zsh_text(std::string text) {
  for (const char* special : {"\\", "[", "]", ":"})
    text = replaced(std::move(text), special, std::string("\\") + special);
  return text;
}

std::string zsh_values(const DescribedOption& option) {
  return ":" + (option.is_file           ? "_files"
                : option.choices.empty() ? " "
                                         : "(" + joined(option.choices) + ")");
}

std::string zsh_of(const CLI::App& command, const std::vector<std::string>& commands) {
  std::string text = "        " + command.get_name() + ")\n          _arguments -s";
  int place = 1;
  for (const DescribedOption& option : describe_options(command)) {
    text += " \\\n            ";
    if (option.is_argument) {
      const std::string values = takes_command(command) ? ":(" + joined(commands) + ")" : zsh_values(option);
      text += quoted((option.is_repeated ? "*" : std::to_string(place++)) + ":" + zsh_text(option.names[0]) +
                     values);
      continue;
    }
    const bool has_both = option.names.size() > 1;
    if (has_both)
      text += quoted("(" + joined(option.names) + ")") + "{" + replaced(joined(option.names), " ", ",") + "}";
    text += quoted((has_both ? "" : option.names[0]) + "[" + zsh_text(shortened(option.description)) + "]" +
                   (option.has_value ? ":" + zsh_text(option.type) + zsh_values(option) : ""));
  }
  return text + " ;;\n";
}

std::string zsh(const CLI::App& program, const std::string& name) {
  const auto commands = described_commands(program);
  const std::string function = "_" + replaced(name, "-", "_");
  std::string list, cases;
  for (const CLI::App* command : commands) {
    list += "        " + quoted(command->get_name() + ":" + zsh_text(command->get_description())) + "\n";
    cases += zsh_of(*command, names_of(commands));
  }
  return "#compdef " + name +
         "\n"
         "# Completion of " +
         name + " in zsh, made by " + name +
         " completion zsh.\n"
         "\n" +
         function +
         "() {\n"
         "  local context state state_descr line\n"
         "  typeset -A opt_args\n"
         "  _arguments -C '(- *)'{-h,--help}'[Show the help]' '(- *)'{-V,--version}'[Show the version]' \\\n"
         "    '1:command:->command' '*::argument:->argument'\n"
         "  case $state in\n"
         "    command)\n"
         "      local -a commands=(\n" +
         list +
         "      )\n"
         "      _describe command commands ;;\n"
         "    argument)\n"
         "      case $line[1] in\n" +
         cases +
         "      esac ;;\n"
         "  esac\n"
         "}\n"
         "\n"
         "if [[ $funcstack[1] == " +
         "_" + name +
         " ]]; then\n"
         "  " +
         function +
         " \"$@\"\n"
         "else\n"
         "  compdef " +
         function + " " + name +
         "\n"
         "fi\n";
}

// ---- fish --------------------------------------------------------------------------------------------

std::string fish_quoted(const std::string& text) {
  return "'" + replaced(replaced(text, "\\", "\\\\"), "'", "\\'") + "'";
}

std::string fish_of(const DescribedOption& option, const std::string& begin) {
  std::string line = begin;
  for (const std::string& name : option.names)
    line += name.compare(0, 2, "--") == 0 ? " -l " + name.substr(2) : " -s " + name.substr(1);
  if (option.has_value) line += option.is_file ? " -r -F" : " -x";
  if (!option.choices.empty()) line += " -a " + fish_quoted(joined(option.choices));
  return line + " -d " + fish_quoted(shortened(option.description)) + "\n";
}

std::string fish(const CLI::App& program, const std::string& name) {
  const auto commands = described_commands(program);
  const std::string all = joined(names_of(commands));
  const std::string none = "complete -c " + name + " -n 'not __fish_seen_subcommand_from " + all + "'";
  std::string text = "# Completion of " + name + " in fish, made by " + name + " completion fish.\n\n";
  for (const DescribedOption& option : describe_options(program)) text += fish_of(option, none);
  for (const CLI::App* command : commands)
    text += none + " -f -a " + command->get_name() + " -d " + fish_quoted(command->get_description()) + "\n";
  for (const CLI::App* command : commands) {
    const std::string in =
        "complete -c " + name + " -n '__fish_seen_subcommand_from " + command->get_name() + "'";
    if (takes_command(*command)) text += in + " -f -a " + fish_quoted(all) + "\n";
    for (const DescribedOption& option : describe_options(*command)) {
      if (!option.is_argument)
        text += fish_of(option, in);
      else if (!option.choices.empty())
        text += in + " -f -a " + fish_quoted(joined(option.choices)) + "\n";
    }
  }
  return text;
}

}  // namespace

void add_completion(CLI::App& program) {
  struct Completion {
    std::string shell;
    std::string name = "rnn";
  };
  const auto completion = std::make_shared<Completion>();
  CLI::App& command =
      *program.add_subcommand("completion", "Write what lets a shell complete commands and options");
  command.add_option("shell", completion->shell, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember(std::vector<std::string>{"bash", "zsh", "fish"}));
  command.add_option("--name", completion->name, "Of the program")
      ->check(program_name())
      ->capture_default_str();
  command.footer(
      "meson install puts these where the shells look for them. Elsewhere:\n"
      "  rnn completion bash >~/.local/share/bash-completion/completions/rnn\n"
      "  rnn completion zsh >~/.zfunc/_rnn            (a folder of fpath)\n"
      "  rnn completion fish >~/.config/fish/completions/rnn.fish");
  command.callback([&program, completion] {
    const auto script = completion->shell == "bash" ? bash : completion->shell == "zsh" ? zsh : fish;
    write_output(script(program, completion->name));
  });

  const auto name = std::make_shared<std::string>("rnn");
  CLI::App& page = *program.add_subcommand("man-page", "Write the manual page")->group("");
  page.add_option("--name", *name, "Of the program")->check(program_name());
  page.callback([&program, name] { write_output(man_page(program, *name)); });
}
