// The way that a step takes through the instructions, and whether other steps take it, at the speed of thousands of
// steps a second: step_trace.h's stops after each instruction, these stop only where the way may part.
#pragma once

#include <rnn/rnn.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

class StepPath {
 public:
  // Of one step. Nothing where it cannot be said: on other CPUs than x86-64, or where code cannot be written.
  static std::optional<StepPath> record(rnn_t* stream, const float* x, float* y);

  // The step goes from the first instruction to the last one in the same order.
  bool is_taken(rnn_t* stream, const float* x, float* y) const;

  std::size_t instructions() const { return instructions_; }
  std::size_t stops() const { return decisions_.size(); }

 private:
  std::size_t instructions_ = 0;
  // Where conditional jumps never went, and no other instruction of the step did.
  std::vector<std::uint64_t> outside_;
  // Jumps that went both ways or could skip a part of the path, indirect jumps and calls, and repeated instructions.
  std::vector<std::uint64_t> watched_;
  std::vector<std::uint64_t> decisions_;  // where the watched ones went, in their order
};
