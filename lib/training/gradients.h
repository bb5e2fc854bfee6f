// Parameter gradients from the activations and gate gradients of a pass:
//
//   d_W_ih = sum of d_gates x^T    d_W_hh = sum of d_gates h_prev^T    d_b = sum of d_gates
//   d_W_ho = sum of d_y h^T        d_b_o  = sum of d_y                 d_initial = sum over segments
//
// In parallel over tiles of the result; each sums over all rows of the pass in order.
#pragma once

#include "lib/training/threads.h"
#include "lib/training/workspace.h"

namespace rnn {

class Gradients {
 public:
  Gradients(const Weights& weights, Threads& threads);

  // Make room for what a pass of this kind needs, so that add and write cannot fail.
  void prepare(const Workspace& workspace, const Weights& weights);

  // Add to `gradients`, laid out as the weights' values, or write it: then those of initial states become 0
  // unless `initial`.
  void add(const Workspace& workspace, const Weights& weights, float* gradients);
  void write(const Workspace& workspace, const Weights& weights, bool initial, float* gradients);

 private:
  // Rows [row, row + rows), columns [column, column + columns) of a parameter's gradient.
  struct Tile {
    std::size_t parameter;
    std::size_t row, rows;
    std::size_t column, columns;
  };
  // How a call treats what it finds.
  struct Mode {
    bool overwrite;
    bool initial;
  };

  void compute(const Workspace& workspace, const Weights& weights, Mode mode, float* gradients);
  void cut(const Weights& weights, bool one_hot, std::size_t tile_rows);
  void compute_tile(const Workspace& workspace, const Weights& weights, const Tile& tile, Mode mode,
                    float* gradients) noexcept;
  void add_one_hot(const Workspace& workspace, const kernels::Table& table, const Parameter& parameter,
                   const Tile& tile, float* gradients) noexcept;

  Allocator allocator_;
  Threads& threads_;
  Buffer<Tile> tiles_;
  std::size_t tile_count_ = 0;
  std::size_t prepared_threads_ = 0;
  bool prepared_one_hot_ = false;
  Buffer<float> columns_;  // [I, G*H]  d_W_ih transposed, for one-hot inputs
};

}  // namespace rnn
