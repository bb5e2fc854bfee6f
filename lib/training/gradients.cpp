#include "lib/training/gradients.h"

#include <algorithm>
#include <iterator>

#include "lib/kernels/pack.h"
#include "lib/training/long_sums.h"

namespace rnn {
namespace {

using Kind = Parameter::Kind;

// Of products, the largest first: the larger, the less often are activations read again. Panels of every ISA
// divide their columns, and vectors their rows, so that one-hot inputs go with them.
constexpr Gradients::TileShape kTileShapes[] = {{384, 256}, {192, 256}, {96, 256}, {96, 128},
                                                {48, 128},  {32, 128},  {32, 64},  {16, 64}};
// Of several threads each has so many of the largest.
constexpr std::size_t kTilesPerThread = 3;
// Rows of what is summed by columns (vectors, and W_ih of one-hot inputs), and columns of an embedding.
constexpr std::size_t kStripe = 64;
// Rows of a pass whose gradients two sums read one after the other, the second one from the cache.
constexpr std::size_t kSharedRows = 64;
static_assert(kSharedRows % kernels::kApartRows == 0,
              "sums of blocks of rows end with those that are shared");
// A sum over the rows of a pass has parts, each of so many rows at least, where a network has so many values at
// most, which are a megabyte.
constexpr std::size_t kPartRows = 1024;
constexpr std::size_t kMostParts = 4;
constexpr std::size_t kPartedValues = std::size_t{1} << 18;

struct Range {
  std::size_t first;
  std::size_t last;
  std::size_t count() const noexcept { return last - first; }
};

std::size_t row_parts(std::size_t rows, const Weights& weights) noexcept {
  if (weights.value_count() > kPartedValues) return 1;
  return std::clamp<std::size_t>(rows / kPartRows, 1, kMostParts);
}

Range rows_of_part(std::size_t rows, std::size_t part, std::size_t parts) noexcept {
  const auto edge = [&](std::size_t i) {
    if (i == 0) return i;  // mostly there is one part, and division is slow
    return i == parts ? rows : rows * i / parts / kSharedRows * kSharedRows;
  };
  return {edge(part), edge(part + 1)};
}

bool is_one_hot(const Workspace& w, const Parameter& p) noexcept {
  return p.kind == Kind::input && w.one_hot && w.strands[p.strand].layer->index == 0;
}

bool is_head(const Weights& weights, const Parameter& p) noexcept {
  return p.kind == Kind::head || p.kind == Kind::head_bias ||
         (p.kind == Kind::embedding && weights.has(RNN_FLAG_TIED_HEAD));
}

bool is_lookup(const Weights& weights, const Parameter& p) noexcept {
  return p.kind == Kind::embedding && !weights.has(RNN_FLAG_TIED_HEAD);
}

// At once if they are whole: small networks would feel the calls.
void clear_rows(float* p, std::size_t rows, std::size_t columns, std::size_t stride) noexcept {
  if (columns == stride) {
    columns *= rows;
    rows = 1;
  }
  for (std::size_t row = 0; row < rows; ++row) std::fill_n(p + row * stride, columns, 0.0f);
}

// The tiles of a strand's W_hh take the same rows of W_ih along: their sums are of gradients that are the same
// or stand beside each other.
bool takes_inputs(const Workspace& w, std::size_t strand) noexcept {
  const Layer& layer = *w.strands[strand].layer;
  return w.one_hot && layer.index == 0 && !layer.layer_norm && layer.cell->is_joint() &&
         layer.hidden % kernels::kPad == 0;
}

// The bias of a strand whose inputs are one-hot: its gradient is the sum of the columns of W_ih's.
bool goes_with_inputs(const Workspace& w, const Parameter& p) noexcept {
  return p.is_bias() && p.index == 0 && w.one_hot && w.strands[p.strand].layer->index == 0 &&
         !w.shapes[0].layer_norm;
}

}  // namespace

// ---- One tile --------------------------------------------------------------------------------------

class Gradients::TileSum {
 public:
  TileSum(const Workspace& w, const Weights& weights, const Tile& tile, std::size_t parts,
          float* gradients) noexcept
      : w_(w),
        weights_(weights),
        table_(weights.table()),
        p_(weights.parameter(tile.parameter)),
        tile_(tile),
        rows_(rows_of_part(w.rows_of(w.strands[p_.strand].layer->index), tile.part, parts)),
        output_rows_(rows_of_part(w.output_rows(), tile.part, parts)),
        apart_((is_head(weights, p_) ? output_rows_ : rows_).count() > kLongRows),
        c_(gradients + p_.offset + tile.row * p_.stride + tile.column) {
    if (tile.bias != kNone && tile.inputs == kNone)
      bias_ = gradients + weights.parameter(tile.bias).offset + tile.row;
  }

  void clear() noexcept;
  void add_all(bool initial, float* columns) noexcept;
  void add_head(const Range& rows) noexcept;
  void add_recurrent_with(TileSum& inputs, float* columns) noexcept;

 private:
  const StrandRows& strand() const noexcept { return w_.strands[p_.strand]; }
  const Layer& layer() const noexcept { return *strand().layer; }

  // c += a^T b of these rows; a without its first rows.
  void add_product(const Matrix& a, const Matrix& b, const Range& rows, std::size_t without = 0) noexcept {
    table_.gemm_tn(tile_.rows, tile_.columns, rows.count(), a.at(rows.first - without, tile_.row), a.stride,
                   b.at(rows.first, tile_.column), b.stride, c_, p_.stride, apart_);
  }
  // Call visit(run) for what the runs have of the tile's rows.
  template <class Visit>
  void for_runs(const Visit& visit) const noexcept {
    const Runs& runs = w_.runs(p_.strand);
    for (std::size_t i = 0; i < runs.count; ++i) {
      const Run& run = runs.runs[i];
      const std::size_t first = std::max(run.row, rows_.first),
                        last = std::min(run.row + run.count, rows_.last);
      if (first < last) visit(Run{first, run.previous + (first - run.row), last - first});
    }
  }
  void add_vector() noexcept;
  void add_recurrent() noexcept;
  void add_recurrent(const Run& run) noexcept;
  void clear_columns(float* columns) noexcept;
  void add_to_columns(const Range& rows, float* columns) noexcept;
  void add_columns(const float* columns) noexcept;
  std::size_t rows_in_columns() const noexcept;
  void flush_columns(float* columns) noexcept;
  void add_lookups() noexcept;
  void add_tied_lookups() noexcept;
  void add_column_sums(const Matrix& a, const Range& rows) noexcept;
  void add_product_sums(const Matrix& a, const Matrix& b) noexcept;
  void add_initial() noexcept;

  const Workspace& w_;
  const Weights& weights_;
  const kernels::Table& table_;
  const Parameter& p_;
  const Tile& tile_;
  const Range rows_, output_rows_;  // of the pass, and of the outputs: this part of them
  const bool apart_;                // so many that blocks of them are summed apart
  float* const c_;
  float* bias_ = nullptr;  // that goes with this tile
};

void Gradients::TileSum::clear() noexcept {
  if (p_.is_matrix())
    clear_rows(c_, tile_.rows, tile_.columns, p_.stride);
  else
    std::fill_n(c_, kernels::padded(tile_.rows), 0.0f);
  if (bias_ != nullptr) std::fill_n(bias_, kernels::padded(tile_.rows), 0.0f);
}

void Gradients::TileSum::add_all(bool initial, float* columns) noexcept {
  switch (p_.kind) {
    case Kind::embedding:
      if (is_lookup(weights_, p_)) return add_lookups();
      add_tied_lookups();
      if (!w_.in_chunks) add_head(output_rows_);
      return;
    case Kind::input:
      if (is_one_hot(w_, p_)) {
        clear_columns(columns);
        for (std::size_t first = rows_.first, last = 0; first < rows_.last; first = last) {
          last = std::min(rows_.last, first + rows_in_columns());
          if (first > rows_.first) flush_columns(columns);
          add_to_columns({first, last}, columns);
        }
        return add_columns(columns);
      }
      return add_product(strand().d_input_product, w_.layers[layer().index].read(), rows_);
    case Kind::recurrent:
      return add_recurrent();
    case Kind::projection:
      return add_product(strand().d_projected, strand().unprojected, rows_);
    case Kind::head:
    case Kind::head_bias:
      return add_head(output_rows_);
    case Kind::vector:
      return add_vector();
    case Kind::initial:
      if (initial) add_initial();
      return;
  }
}

// Of the weights or of the bias.
void Gradients::TileSum::add_head(const Range& rows) noexcept {
  if (p_.is_matrix()) return add_product(w_.outputs, w_.head_inputs(), rows, w_.first_output);
  add_column_sums(w_.outputs, {rows.first - w_.first_output, rows.last - w_.first_output});
}

void Gradients::TileSum::add_vector() noexcept {
  using Sum = cells::Vector::Sum;
  const cells::Vector& vector = p_.vector;
  const StrandRows& s = strand();
  switch (vector.gradient) {
    case Sum::gates:
      return add_column_sums(s.gates.from(vector.first_gate * layer().hidden), rows_);
    case Sum::kept:
      return add_column_sums(s.kept.from(vector.first_kept * layer().hidden), rows_);
    case Sum::gates_times_input:
      return add_product_sums(s.gates, s.normalized_input);
    case Sum::sum_times_recurrent:
      return add_product_sums(s.d_sum, s.normalized);
  }
}

// What a stage's rows of W_hh were multiplied by is the h before each row, or what the cell kept of that row.
void Gradients::TileSum::add_recurrent() noexcept {
  if (tile_.row >= layer().cell->stages[0].gates * layer().hidden)
    return add_product(strand().gates, strand().kept, rows_);
  for_runs([&](const Run& run) { add_recurrent(run); });
}

// The gradient of W_hh h may have the last gate first.
void Gradients::TileSum::add_recurrent(const Run& run) noexcept {
  const StrandRows& s = strand();
  const std::size_t bound = layer().cell->stages[0].gates * layer().hidden;
  const std::size_t turn = layer().kept_leads() ? bound - layer().hidden : bound,
                    end = tile_.row + tile_.rows;
  const bool masks = w_.masks(p_.strand);
  const Matrix& h = masks ? s.masked : s.states[0];
  const float* const h_prev = h.at(masks ? run.row : run.previous, tile_.column);
  const auto add = [&](std::size_t first, std::size_t last, std::size_t column) {
    table_.gemm_tn(last - first, tile_.columns, run.count, s.d_product.at(run.row, column),
                   s.d_product.stride, h_prev, h.stride, c_ + (first - tile_.row) * p_.stride, p_.stride,
                   apart_);
  };
  if (tile_.row < turn) add(tile_.row, std::min(end, turn), tile_.row + (bound - turn));
  if (end > turn) add(std::max(tile_.row, turn), end, std::max(tile_.row, turn) - turn);
}

// The same of W_hh of one stage, with the one-hot inputs' sums of the same rows.
void Gradients::TileSum::add_recurrent_with(TileSum& inputs, float* columns) noexcept {
  inputs.clear_columns(columns);
  std::size_t added = 0;
  for_runs([&](const Run& run) {
    for (std::size_t at = 0; at < run.count; at += kSharedRows) {
      const std::size_t count = std::min(kSharedRows, run.count - at);
      add_recurrent({run.row + at, run.previous + at, count});
      if (added >= inputs.rows_in_columns()) {
        inputs.flush_columns(columns);
        added = 0;
      }
      added += count;
      inputs.add_to_columns({run.row + at, run.row + at + count}, columns);
    }
  });
  inputs.add_columns(columns);
}

// Column `index` of W_ih gathers the gradients of the rows with that input. Their sum is made in the
// transposed matrix, where a column is contiguous.
void Gradients::TileSum::clear_columns(float* columns) noexcept {
  const Dimensions& d = w_.dimensions;
  clear_rows(columns + p_.strand * d.inputs * d.gate_stride + tile_.row, d.inputs,
             kernels::padded(tile_.rows), d.gate_stride);
}

void Gradients::TileSum::add_to_columns(const Range& rows, float* columns) noexcept {
  const Dimensions& d = w_.dimensions;
  const Matrix& a = strand().d_input_product;
  table_.scatter_add(rows.count(), kernels::padded(tile_.rows), &w_.indices[rows.first],
                     a.at(rows.first, tile_.row), a.stride,
                     columns + p_.strand * d.inputs * d.gate_stride + tile_.row, d.gate_stride);
}

void Gradients::TileSum::add_columns(const float* columns) noexcept {
  const Dimensions& d = w_.dimensions;
  const float* const sums = columns + p_.strand * d.inputs * d.gate_stride + tile_.row;
  if (bias_ != nullptr) table_.column_sums(d.inputs, kernels::padded(tile_.rows), sums, d.gate_stride, bias_);
  kernels::add_transposed(d.inputs, tile_.rows, sums, d.gate_stride, c_, p_.stride);
}

// How many rows add to the same columns: then these are added to the gradient, which takes as long as to add as many
// rows as there are inputs, and others begin.
std::size_t Gradients::TileSum::rows_in_columns() const noexcept {
  return apart_ ? std::max(kLongRows, w_.dimensions.inputs) : rows_.count();
}

void Gradients::TileSum::flush_columns(float* columns) noexcept {
  add_columns(columns);
  clear_columns(columns);
}

void Gradients::TileSum::add_lookups() noexcept {
  table_.scatter_add(rows_.count(), tile_.columns, &w_.indices[rows_.first],
                     w_.d_embedded.at(rows_.first, tile_.column), w_.d_embedded.stride, c_, p_.stride);
}

// The tile is that of the head's product, and looks for the rows of the embedding that it has.
void Gradients::TileSum::add_tied_lookups() noexcept {
  for (std::size_t r = rows_.first; r < rows_.last; ++r) {
    const std::size_t row = static_cast<std::size_t>(w_.indices[r]) - tile_.row;
    if (row >= tile_.rows) continue;
    const auto index = static_cast<std::int32_t>(row);
    table_.scatter_add(1, tile_.columns, &index, w_.d_embedded.at(r, tile_.column), w_.d_embedded.stride, c_,
                       p_.stride);
  }
}

// The kernel's columns end with a vector, in which what is kept is followed by gates.
void Gradients::TileSum::add_column_sums(const Matrix& a, const Range& rows) noexcept {
  const std::size_t width = kernels::padded(tile_.rows);
  const auto add = [&](std::size_t first, std::size_t count, float* sums) {
    table_.column_sums(count, width, a.at(rows.first + first, tile_.row), a.stride, sums);
  };
  if (apart_) return add_apart(table_, rows.count(), tile_.rows, c_, add);
  if (tile_.rows == width) return add(0, rows.count(), c_);
  float sums[kStripe] = {0.0f};
  std::copy_n(c_, tile_.rows, sums);
  add(0, rows.count(), sums);
  std::copy_n(sums, tile_.rows, c_);
}

void Gradients::TileSum::add_product_sums(const Matrix& a, const Matrix& b) noexcept {
  const auto add = [&](std::size_t first, std::size_t count, float* sums) {
    table_.product_sums(count, tile_.rows, a.at(rows_.first + first, tile_.row), a.stride,
                        b.at(rows_.first + first, tile_.row), b.stride, sums);
  };
  if (apart_) return add_apart(table_, rows_.count(), tile_.rows, c_, add);
  add(0, rows_.count(), c_);
}

// The sum over the segments that start from the initial state.
void Gradients::TileSum::add_initial() noexcept {
  const bool reverse = strand().reverse;
  const auto given = [&](std::size_t b) {
    const Segment& segment = w_.plan.segment(b);
    return w_.given_states && (reverse ? segment.ends_slice : segment.starts_slice);
  };
  const Matrix& a = strand().d_initial[p_.index];
  const std::size_t segments = w_.plan.segments();
  for (std::size_t b = 0, end = 0; b < segments; b = end + 1) {
    for (end = b; end < segments && !given(end);) ++end;
    if (end > b) table_.column_sums(end - b, kernels::padded(tile_.rows), a.at(b, tile_.row), a.stride, c_);
  }
}

// ---- All -------------------------------------------------------------------------------------------

Gradients::Gradients(const Weights& weights, Threads& threads)
    : allocator_(weights.allocator()), threads_(threads) {}

void Gradients::compute(const Workspace& w, const Weights& weights, Mode mode, float* gradients) {
  const double operations =
      2.0 * static_cast<double>(weights.value_count()) * static_cast<double>(w.plan.rows());
  threads_.run(operations, tile_count_,
               [&](std::size_t i) { compute_tile(w, weights, tiles_[i], mode, gradients); });
}

std::size_t Gradients::chunk_end(const Workspace& w, std::size_t first) const noexcept {
  for (std::size_t part = 0; part < parts_; ++part) {
    const Range rows = rows_of_part(w.output_rows(), part, parts_);
    if (first < rows.last) return std::min(rows.last, first + w.chunk);
  }
  return first;
}

void Gradients::compute_head(const Workspace& w, const Weights& weights, std::size_t last, Mode mode,
                             float* gradients) {
  const Range rows{w.first_output, last};
  const double operations = 2.0 * static_cast<double>(w.dimensions.outputs * w.dimensions.layer_outputs) *
                            static_cast<double>(rows.count());
  threads_.run(operations, tile_count_, [&](std::size_t i) {
    const Tile& tile = tiles_[i];
    const Parameter& p = weights.parameter(tile.parameter);
    const Range part = rows_of_part(w.output_rows(), tile.part, parts_);
    if (!is_head(weights, p) || rows.first < part.first || rows.first >= part.last) return;
    TileSum sum(w, weights, tile, parts_, part_sums(weights, tile, gradients));
    const bool begins = rows.first == part.first && p.kind != Kind::embedding;
    if (begins && (mode.overwrite || tile.part > 0)) sum.clear();
    sum.add_head(rows);
  });
}

void Gradients::compute_tile(const Workspace& w, const Weights& weights, const Tile& tile, Mode mode,
                             float* gradients) {
  const Dimensions& d = w.dimensions;
  const Parameter& p = weights.parameter(tile.parameter);
  const bool later = w.in_chunks && is_head(weights, p) && p.kind != Kind::embedding;
  const std::size_t place = tile.part * w.shapes[0].directions * d.inputs * d.gate_stride;
  float* const columns = w.one_hot ? &columns_[place] : nullptr;
  gradients = part_sums(weights, tile, gradients);
  TileSum sum(w, weights, tile, parts_, gradients);
  const bool clear = mode.overwrite || tile.part > 0;
  if (clear && (!later || w.sampled)) sum.clear();
  if (later) return;
  if (tile.inputs == kNone) return sum.add_all(mode.initial, columns);
  const std::size_t width = kernels::padded(weights.parameter(tile.inputs).columns);
  const Tile rows = {tile.inputs, tile.row, tile.rows, 0, width, kNone, tile.bias, tile.part};
  TileSum inputs(w, weights, rows, parts_, gradients);
  if (clear) inputs.clear();
  sum.add_recurrent_with(inputs, columns);
}

void Gradients::add_parts(const Weights& weights, float* gradients) {
  if (parts_ == 1) return;
  constexpr std::size_t kChunk = 4096;
  const std::size_t count = weights.value_count();
  threads_.run(Threads::kReading * static_cast<double>(parts_ * count), (count + kChunk - 1) / kChunk,
               [&](std::size_t i) {
                 const std::size_t first = i * kChunk, size = std::min(kChunk, count - first);
                 float* const target = gradients + first;
                 for (std::size_t part = 1; part < parts_; ++part)
                   weights.table().add(1, size, {target, 0, nullptr},
                                       {&sums_[(part - 1) * count + first], 0, nullptr},
                                       {target, 0, nullptr});
               });
}

// Tiles depend on the architecture, the number of threads and of parts, and the kind of inputs.
void Gradients::prepare(const Workspace& w, const Weights& weights) {
  const std::size_t threads = threads_.count(), parts = row_parts(w.plan.rows(), weights);
  if (prepared_threads_ == threads && prepared_one_hot_ == w.one_hot && parts_ == parts) return;
  prepared_threads_ = 0;
  parts_ = parts;
  const Dimensions& d = w.dimensions;
  if (w.one_hot)
    columns_.reserve(allocator_, parts * checked_product(w.shapes[0].directions * d.inputs, d.gate_stride));
  sums_.reserve(allocator_, (parts - 1) * weights.value_count());
  std::size_t area = 0;  // of the products
  for (std::size_t i = 0; i < weights.parameter_count(); ++i) {
    const Parameter& p = weights.parameter(i);
    if (p.is_matrix() && !is_one_hot(w, p) && !is_lookup(weights, p)) area += p.rows * p.stride;
  }
  const TileShape* shape = std::begin(kTileShapes);
  while (threads > 1 && shape + 1 < std::end(kTileShapes) &&
         shape->rows * shape->columns * threads * kTilesPerThread > parts * area)
    ++shape;
  for (const bool measure : {true, false}) {
    tile_count_ = 0;
    for (std::size_t i = 0; i < weights.parameter_count(); ++i) cut(w, weights, i, *shape, measure);
    if (measure) tiles_.reserve(allocator_, tile_count_);
  }
  // The largest first: small ones fill the gaps at the end.
  std::stable_sort(tiles_.begin(), tiles_.begin() + tile_count_,
                   [](const Tile& a, const Tile& b) { return a.rows * a.columns > b.rows * b.columns; });
  prepared_threads_ = threads;
  prepared_one_hot_ = w.one_hot;
}

// The tiles of a parameter, or only their number.
void Gradients::cut(const Workspace& w, const Weights& weights, std::size_t parameter, const TileShape& shape,
                    bool measure) {
  const Parameter& p = weights.parameter(parameter);
  if (goes_with_inputs(w, p)) return;
  if (is_one_hot(w, p) && takes_inputs(w, p.strand)) return;
  std::size_t inputs = kNone;
  if (p.kind == Kind::recurrent && takes_inputs(w, p.strand))
    inputs = static_cast<std::size_t>(weights.find(Kind::input, p.strand) - &weights.parameter(0));
  std::size_t bias = kNone;
  if (const Parameter* const found = weights.find(Kind::vector, p.strand);
      (is_one_hot(w, p) || inputs != kNone) && found != nullptr && goes_with_inputs(w, *found))
    bias = static_cast<std::size_t>(found - &weights.parameter(0));
  const std::size_t columns = p.is_matrix() ? kernels::padded(p.columns) : 1;
  const std::size_t parts = p.kind == Kind::initial ? 1 : parts_;  // not sums over rows of the pass
  TileShape step = p.is_matrix() ? shape : TileShape{kStripe, 1};
  if (is_one_hot(w, p)) step = {kStripe, columns};
  if (is_lookup(weights, p)) step = {p.rows, kStripe};
  // A tile of W_hh has no rows of two stages.
  const Layer& layer = *w.strands[p.strand].layer;
  const std::size_t bound = p.kind == Kind::recurrent ? layer.cell->stages[0].gates * layer.hidden : p.rows;
  for (std::size_t row = 0, end = 0; row < p.rows; row = end) {
    end = std::min(row + step.rows, row < bound ? bound : p.rows);
    for (std::size_t column = 0; column < columns; column += step.columns)
      for (std::size_t part = 0; part < parts; ++part, ++tile_count_)
        if (!measure)
          tiles_[tile_count_] = {parameter,
                                 row,
                                 end - row,
                                 column,
                                 std::min(step.columns, columns - column),
                                 column == 0 ? inputs : kNone,
                                 column == 0 ? bias : kNone,
                                 part};
  }
}

}  // namespace rnn
