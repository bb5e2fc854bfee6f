// What the parser refuses, in words.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

// For an error that `program` has thrown: a command or an option that does not exist comes before all else, with the one
// that may be meant; what was not expected is listed in the order given.
std::string complaint_of(const CLI::App& program, const CLI::ParseError& error);

// "; did you mean eval?" for the one of the names that is nearest to the word; empty if none is near.
std::string suggestion(const std::string& word, const std::vector<std::string>& names);

// Of what `rnn COMMAND` can be.
std::vector<std::string> command_names(const CLI::App& program);

// Throws UsageError, with a suggestion, if there is no such command.
const CLI::App& command_of(const CLI::App& program, const std::string& name);
