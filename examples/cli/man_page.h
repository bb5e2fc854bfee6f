// The manual page, of the help.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

std::string man_page(const CLI::App& program, const std::string& name);
