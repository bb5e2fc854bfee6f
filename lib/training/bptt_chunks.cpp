// What of Bptt lies behind the top layer where the outputs of all rows would take too much memory: rows go
// through the head and the loss chunk by chunk. A chunk is too few rows to divide among many threads, so its
// columns are divided too, and threads wait for each other between products.
#include <algorithm>

#include "lib/kernels/pack.h"
#include "lib/network/layer_walk.h"
#include "lib/training/bptt.h"

namespace rnn {
namespace {

// Rows that the product with a panel takes at a time, and of which it makes tiles without a rest.
constexpr std::size_t kProductRows = 96;
constexpr std::size_t kTileRows = 12;
// Columns of the outputs are divided at multiples of as many: panels of every ISA divide it, and a matrix
// with fewer rows is summed in another order.
constexpr std::size_t kSlice = 512;

std::size_t ceil_divide(std::size_t a, std::size_t b) noexcept { return (a + b - 1) / b; }

}  // namespace

void Bptt::run_head(const HeadWork& work, Gradients::Mode mode, float* gradients) noexcept {
  const std::size_t rows = w_.output_rows();
  for (std::size_t first = 0, last = 0; first < rows; first = last) {
    last = work.gradients ? gradients_.chunk_end(w_, first) : std::min(first + w_.chunk, rows);
    w_.first_output = first;
    if (work.outputs)
      compute_chunk(first, last - first);
    else
      load_chunk_gradients(first, last - first);
    if (work.back) chunk_backward(first, last - first);
    if (work.gradients) gradients_.compute_head(w_, *pass_.weights, last, mode, gradients);
  }
}

void Bptt::compute_chunk(std::size_t first, std::size_t rows) noexcept {
  multiply_chunk(first, rows);
  constexpr double kOperations = 16.0;  // of an element, about
  const double operations = kOperations * static_cast<double>(rows * w_.dimensions.outputs);
  threads_.run_ranges(operations, rows, 1, [&](std::size_t begin, std::size_t count) {
    const std::size_t start = first + begin;
    add_inputs(*pass_.weights, count, w_.network_inputs(start), w_.outputs.rows(begin));
    for (std::size_t i = start; i < start + count; ++i) store_outputs(i, output_place(i));
    if (pass_.loss != 0) compute_losses(start, count);
  });
}

// y = W_ho o + b_o
void Bptt::multiply_chunk(std::size_t first, std::size_t rows) noexcept {
  const Dimensions& d = w_.dimensions;
  const Weights& weights = *pass_.weights;
  const std::size_t threads = threads_.count(), most = threads > 1 ? Threads::kRanges * threads : 1;
  const std::size_t slices = std::clamp<std::size_t>(d.outputs / kSlice, 1, most);
  const std::size_t width = std::max<std::size_t>(d.outputs / slices / kSlice, 1) * kSlice;
  const std::size_t ranges = std::clamp<std::size_t>(rows / kProductRows, 1, ceil_divide(most, slices));
  const double operations =
      2.0 * static_cast<double>(d.outputs * d.layer_outputs) * static_cast<double>(rows);
  threads_.run(operations, slices * ranges, [&](std::size_t i) {
    const std::size_t slice = i / ranges, range = i % ranges;
    const std::size_t column = slice * width, end = slice + 1 < slices ? column + width : d.outputs;
    const std::size_t begin = rows * range / ranges, count = rows * (range + 1) / ranges - begin;
    weights.table().gemm(kernels::slice(weights.table(), weights.head(), column, end), count,
                         w_.head_inputs().read(first + begin), {weights.head_bias() + column, 0, nullptr},
                         slice + 1 < slices ? width : kernels::padded(end) - column,
                         w_.outputs.rows(begin, column));
  });
}

void Bptt::load_chunk_gradients(std::size_t first, std::size_t rows) noexcept {
  threads_.run_ranges(static_cast<double>(rows * w_.dimensions.outputs), rows, 1,
                      [&](std::size_t begin, std::size_t count) {
                        for (std::size_t i = first + begin; i < first + begin + count; ++i)
                          load_output_gradient(i, output_place(i));
                      });
}

void Bptt::chunk_backward(std::size_t first, std::size_t rows) noexcept {
  const Dimensions& d = w_.dimensions;
  const double operations =
      2.0 * static_cast<double>(d.outputs * d.layer_outputs) * static_cast<double>(rows);
  threads_.run_ranges(operations, rows, kTileRows, [&](std::size_t begin, std::size_t count) {
    head_backward(first + begin, count, w_.d_head_inputs(), first + begin);
  });
}

}  // namespace rnn
