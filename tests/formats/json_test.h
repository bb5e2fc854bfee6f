// What the tests of models in JSON share: text, numbers to fill models with, and the comparison of outputs.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "tests/formats/formats_test.h"
#include "tests/reference/linear.h"

// Numbers that floats hold, the same on every machine.
class Numbers {
 public:
  explicit Numbers(std::uint32_t seed) : state_(seed) {}

  double next() {  // -0.9 .. 0.9
    state_ = state_ * 1664525u + 1013904223u;
    return static_cast<double>(static_cast<float>(0.9 * (static_cast<double>(state_ >> 8) / (1 << 23) - 1)));
  }
  rnn::reference::Vector vector(std::size_t count) {
    rnn::reference::Vector values(count);
    for (double& value : values) value = next();
    return values;
  }

 private:
  std::uint32_t state_;
};

std::string list(const rnn::reference::Vector& values);                       // [1,2,3]
std::string rows(const rnn::reference::Vector& values, std::size_t columns);  // [[1,2],[3,4]]

std::string replaced(std::string text, const std::string& from,
                     const std::string& to);  // which must be there once

// The file loads, and steps from its initial state through the inputs, [T, I], to these outputs, [T, O].
void expect_outputs(const std::string& file, const rnn::reference::Vector& inputs,
                    const rnn::reference::Vector& expected);

std::map<std::string, std::string> metadata(const std::string& file);  // of the network that it holds

// Loading the text, with `from` replaced, is refused with a message that contains `message`: as
// RNN_UNSUPPORTED if this begins with "unsupported: ", and else as RNN_BAD_FORMAT.
struct Refusal {
  const char* from;
  const char* to;
  const char* message;
};
void expect_refused(const std::string& text, const Refusal& refusal);
