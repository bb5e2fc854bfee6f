// rnn completion, and rnn man-page: what is made of the options that there are, for shells and for man.
#pragma once

#include <CLI/CLI.hpp>

void add_completion(CLI::App& program);
