// minGRU and minLSTM in ONNX files. ONNX has no operators for them: each is a function of standard operators, whose
// definition stands in the file, so that every program that runs functions runs it.
#pragma once

#include <onnx/onnx_pb.h>

#include <cstddef>
#include <cstdint>
#include <string>

namespace rnn {

constexpr char kFunctionDomain[] = "librnn";

// A function of X [steps, sequences, X], W [G*H, X], B [G*H] and initial_h [1, sequences, H], which gives Y [steps,
// sequences, H] and Y_h [1, sequences, H].
struct MinimalCell {
  std::int32_t cell;  // RNN_CELL_...
  std::size_t gates;
  const char* name;
  const char* reverse;  // the function that goes from the last step to the first
};

const MinimalCell* find_minimal(std::int32_t cell) noexcept;  // or null
const MinimalCell* find_minimal(const std::string& function) noexcept;
::onnx::FunctionProto make_function(const MinimalCell& cell, bool reverse);

}  // namespace rnn
