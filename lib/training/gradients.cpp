#include "lib/training/gradients.h"

#include <algorithm>
#include <cstring>

namespace rnn {
namespace {

using Kind = Parameter::Kind;

// Columns of a tile: panels of every ISA divide it.
constexpr std::size_t kTileColumns = 128;
// Rows of a tile, a multiple of what a kernel does at a time.
constexpr std::size_t kTileRows = 96;
constexpr std::size_t kLeastTileRows = 24;
constexpr std::size_t kTilesPerThread = 4;
// Rows of what is summed by columns: biases, initial states, and W_ih of one-hot inputs.
constexpr std::size_t kStripe = 64;

bool is_matrix(const Parameter& p) noexcept {
  return p.kind == Kind::input || p.kind == Kind::recurrent || p.kind == Kind::head;
}

// The matrix of which the gradient's rows are sums of columns, and that of which its columns are.
struct Operands {
  const float* a;
  std::size_t lda;
  const float* b;
  std::size_t ldb;
};

Operands operands(const Workspace& w, const Parameter& p) noexcept {
  const Dimensions& d = w.dimensions;
  if (p.kind == Kind::head || p.kind == Kind::head_bias)
    return {w.outputs, d.output_stride, w.last_only ? w.last_states : w.top_states(), d.state_stride};
  const LayerRows& layer = w.layers[p.layer];
  if (p.kind == Kind::recurrent) return {layer.gates, d.gate_stride, layer.states[0], d.state_stride};
  if (p.layer == 0) return {layer.gates, d.gate_stride, w.inputs, d.input_stride};
  const float* below = w.layers[p.layer - 1].states[0] + w.plan.segments() * d.state_stride;
  return {layer.gates, d.gate_stride, below, d.state_stride};
}

// Which part of the layer's state an initial state is: h comes before c.
std::size_t state_part(const Weights& weights, std::size_t index) noexcept {
  std::size_t part = 0;
  for (std::size_t i = 0; i < index; ++i)
    part += weights.parameter(i).kind == Kind::initial &&
            weights.parameter(i).layer == weights.parameter(index).layer;
  return part;
}

bool starts_from_given_state(const Workspace& w, std::size_t b) noexcept {
  return w.given_states && w.plan.segment(b).starts_slice;
}

// The sum over the segments that start from the initial state, for `width` elements of it.
void add_initial(const Workspace& w, const Weights& weights, std::size_t parameter, std::size_t first,
                 std::size_t width, float* out) noexcept {
  const LayerRows& layer = w.layers[weights.parameter(parameter).layer];
  const std::size_t part = state_part(weights, parameter), stride = w.dimensions.state_stride;
  const float* rows = (part == 0 ? layer.d_initial : layer.d_state[part - 1]) + first;
  std::size_t b = 0;
  while (b < w.plan.segments()) {
    std::size_t end = b;
    while (end < w.plan.segments() && !starts_from_given_state(w, end)) ++end;
    if (end > b) weights.table().column_sums(end - b, width, rows + b * stride, stride, out);
    b = end + 1;
  }
}

}  // namespace

Gradients::Gradients(const Weights& weights, Threads& threads)
    : allocator_(weights.allocator()), threads_(threads) {}

void Gradients::add(const Workspace& workspace, const Weights& weights, float* gradients) {
  compute(workspace, weights, {false, true}, gradients);
}

void Gradients::write(const Workspace& workspace, const Weights& weights, bool initial, float* gradients) {
  compute(workspace, weights, {true, initial}, gradients);
}

void Gradients::compute(const Workspace& w, const Weights& weights, Mode mode, float* gradients) {
  const double operations =
      2.0 * static_cast<double>(weights.value_count()) * static_cast<double>(w.plan.rows());
  threads_.run(operations, tile_count_,
               [&](std::size_t i) { compute_tile(w, weights, tiles_[i], mode, gradients); });
}

// Tiles depend on the architecture, the number of threads and the kind of inputs.
void Gradients::prepare(const Workspace& w, const Weights& weights) {
  const std::size_t threads = threads_.count();
  if (prepared_threads_ == threads && prepared_one_hot_ == w.one_hot) return;
  prepared_threads_ = 0;
  if (w.one_hot) columns_.reserve(allocator_, checked_product(w.dimensions.inputs, w.dimensions.gate_stride));
  for (std::size_t rows = kTileRows;; rows /= 2) {
    cut(weights, w.one_hot, rows);
    if (threads == 1 || rows == kLeastTileRows || tile_count_ >= kTilesPerThread * threads) break;
  }
  // The largest first: small ones fill the gaps at the end.
  std::stable_sort(tiles_.begin(), tiles_.begin() + tile_count_,
                   [](const Tile& a, const Tile& b) { return a.rows * a.columns > b.rows * b.columns; });
  prepared_threads_ = threads;
  prepared_one_hot_ = w.one_hot;
}

void Gradients::cut(const Weights& weights, bool one_hot, std::size_t tile_rows) {
  for (const bool measure : {true, false}) {
    tile_count_ = 0;
    for (std::size_t i = 0; i < weights.parameter_count(); ++i) {
      const Parameter& p = weights.parameter(i);
      const bool matrix = is_matrix(p);
      const bool stripes = p.kind == Kind::input && p.layer == 0 && one_hot;
      const std::size_t columns = matrix ? kernels::padded(p.columns) : 1;
      const std::size_t step = matrix && !stripes ? tile_rows : kStripe;
      const std::size_t column_step = stripes ? columns : kTileColumns;
      for (std::size_t row = 0; row < p.rows; row += step) {
        for (std::size_t column = 0; column < columns; column += column_step, ++tile_count_) {
          if (measure) continue;
          tiles_[tile_count_] = {i, row, std::min(step, p.rows - row), column,
                                 std::min(column_step, columns - column)};
        }
      }
    }
    if (measure) tiles_.reserve(allocator_, tile_count_);
  }
}

void Gradients::compute_tile(const Workspace& w, const Weights& weights, const Tile& tile, Mode mode,
                             float* gradients) noexcept {
  const kernels::Table& table = weights.table();
  const Parameter& p = weights.parameter(tile.parameter);
  float* const c = gradients + p.offset + tile.row * p.stride + tile.column;
  const std::size_t width = kernels::padded(tile.rows);
  if (mode.overwrite && !is_matrix(p))
    std::fill_n(c, width, 0.0f);
  else if (mode.overwrite)
    for (std::size_t row = 0; row < tile.rows; ++row) std::fill_n(c + row * p.stride, tile.columns, 0.0f);

  const Operands o = operands(w, p);
  switch (p.kind) {
    case Kind::recurrent:
      for (std::size_t i = 0; i < w.run_count; ++i) {
        const Run& run = w.runs[i];
        table.gemm_tn(tile.rows, tile.columns, run.count, o.a + run.row * o.lda + tile.row, o.lda,
                      o.b + run.previous * o.ldb + tile.column, o.ldb, c, p.stride);
      }
      return;
    case Kind::input:
      if (p.layer == 0 && w.one_hot) return add_one_hot(w, table, p, tile, gradients);
      table.gemm_tn(tile.rows, tile.columns, w.plan.rows(), o.a + tile.row, o.lda, o.b + tile.column, o.ldb,
                    c, p.stride);
      return;
    case Kind::head:
      table.gemm_tn(tile.rows, tile.columns, w.output_rows(), o.a + tile.row, o.lda, o.b + tile.column, o.ldb,
                    c, p.stride);
      return;
    case Kind::bias:
      table.column_sums(w.plan.rows(), width, o.a + tile.row, o.lda, c);
      return;
    case Kind::head_bias:
      table.column_sums(w.output_rows(), width, o.a + tile.row, o.lda, c);
      return;
    case Kind::initial:
      if (mode.initial) add_initial(w, weights, tile.parameter, tile.row, width, c);
      return;
  }
}

// Column `index` of W_ih gathers the gate gradients of the rows with that input. Their sum is made in the
// transposed matrix, where a column is contiguous.
void Gradients::add_one_hot(const Workspace& w, const kernels::Table& table, const Parameter& p,
                            const Tile& tile, float* gradients) noexcept {
  const Dimensions& d = w.dimensions;
  const std::size_t width = kernels::padded(tile.rows);
  float* const sums = columns_.data() + tile.row;
  for (std::size_t i = 0; i < d.inputs; ++i) std::fill_n(sums + i * d.gate_stride, width, 0.0f);
  table.scatter_add(w.plan.rows(), width, w.indices.data(), w.layers[0].gates + tile.row, d.gate_stride, sums,
                    d.gate_stride);
  constexpr std::size_t kBlock = 16;  // a cache line of the result
  float* const out = gradients + p.offset + tile.row * p.stride;
  for (std::size_t first = 0; first < d.inputs; first += kBlock) {
    const std::size_t last = std::min(first + kBlock, d.inputs);
    for (std::size_t row = 0; row < tile.rows; ++row)
      for (std::size_t i = first; i < last; ++i) out[row * p.stride + i] += sums[i * d.gate_stride + row];
  }
}

}  // namespace rnn
