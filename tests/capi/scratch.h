// Paths of files that tests write, apart for each process.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

inline std::string scratch_path(const std::string& name) {
  return testing::TempDir() + "librnn_" + std::to_string(getpid()) + "_" + name;
}
