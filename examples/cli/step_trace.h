// What the CPU does in one step of a stream.
#pragma once

#include <rnn/rnn.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

struct StepTrace {
  std::uint64_t instructions = 0;  // from the first of the function to its return
  std::uint64_t path = 0;          // a hash of their addresses, in their order
};

// The CPU stops after each instruction: some microseconds each. Nothing where it cannot: on other CPUs than x86-64, in
// some emulators. One thread at a time; SIGTRAP is taken for the call. y: [O]; x or, if null, index.
std::optional<StepTrace> trace_step(rnn_t* stream, const float* x, std::int32_t index, float* y);

// Numbers in -2..2, the same for the same seed.
std::vector<float> ordinary_numbers(std::size_t size, std::uint32_t seed);
// Every subnormal, infinity, NaN and number that saturates, one or more in each place: number 0, 1, ... has others, and
// all have been in so many / 2; then some of them among ordinary ones.
std::vector<float> unusual_numbers(std::size_t size, std::uint32_t number);
constexpr std::uint32_t kUnusual = 16;

// The bytes of stack that a step writes at most, in some steps. Nothing on Windows, where a thread's stack is the system's.
std::optional<std::size_t> stack_of_step(rnn_t* stream, const float* x, std::int32_t index, float* y);
