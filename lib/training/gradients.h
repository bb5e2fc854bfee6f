// Parameter gradients from the activations and gate gradients of a pass:
//
//   d_W_ih = sum of d_input_product x^T
//   d_W_hh = sum of d_product h_prev^T, of a second stage's gates d_gates kept^T; with recurrent dropout of
//            the masked h_prev
//   d_W_hr = sum of d_projected unprojected^T
//   vectors: see cells::Vector::Sum
//   d_initial = sum over segments
//   d_W_ho = sum of d_y o^T    d_b_o = sum of d_y
//   d_embedding[i] = sum of d_x where x is i
//
// In parallel over tiles of the result. Of a small network and many rows, which would be few tiles, parts of
// the rows are summed apart and then added in order: how many does not depend on the threads. Where many rows are
// left, the sum over them is made of blocks (long_sums.h).
#pragma once

#include "lib/training/threads.h"
#include "lib/training/workspace.h"

namespace rnn {

class Gradients {
 public:
  // How a call treats what it finds.
  struct Mode {
    bool overwrite;  // otherwise it adds
    bool initial;    // with initial states' gradients; without, they count as 0
  };

  struct TileShape {
    std::size_t rows;
    std::size_t columns;
  };

  Gradients(const Weights& weights, Threads& threads);

  // Make room for what a pass of this kind needs, so that compute cannot fail.
  void prepare(const Workspace& workspace, const Weights& weights);

  // gradients: laid out as the weights' values. First, all but those of a head whose outputs are in chunks:
  // sums that compute_head goes on with, or with a sample of the outputs 0.
  void compute(const Workspace& workspace, const Weights& weights, Mode mode, float* gradients);
  // Where a chunk that begins with this output row has to end.
  std::size_t chunk_end(const Workspace& workspace, std::size_t first) const noexcept;
  // The chunk that the workspace holds, up to this row. Chunks come in order; those of a tied head after
  // compute.
  void compute_head(const Workspace& workspace, const Weights& weights, std::size_t last, Mode mode,
                    float* gradients);
  // At the end.
  void add_parts(const Weights& weights, float* gradients);

 private:
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);
  // Rows [row, row + rows), columns [column, column + columns) of a parameter's gradient.
  struct Tile {
    std::size_t parameter;
    std::size_t row, rows;
    std::size_t column, columns;
    std::size_t inputs;  // of W_hh: one-hot inputs' W_ih, if the tile has the same rows of it along, or kNone
    std::size_t bias;    // of one-hot inputs' W_ih: the bias whose same rows go along, or kNone
    std::size_t part;    // of the sum over the pass's rows
  };

  class TileSum;

  void compute_tile(const Workspace& workspace, const Weights& weights, const Tile& tile, Mode mode,
                    float* gradients);
  float* part_sums(const Weights& weights, const Tile& tile, float* gradients) noexcept {
    return tile.part > 0 ? &sums_[(tile.part - 1) * weights.value_count()] : gradients;
  }
  void cut(const Workspace& workspace, const Weights& weights, std::size_t parameter, const TileShape& shape,
           bool measure);

  Allocator allocator_;
  Threads& threads_;
  Buffer<Tile> tiles_;
  std::size_t tile_count_ = 0;
  std::size_t parts_ = 1;
  std::size_t prepared_threads_ = 0;
  bool prepared_one_hot_ = false;
  Buffer<float> columns_;  // [parts, D, I, G*H]  d_W_ih of the lowest layer transposed, for one-hot inputs
  Buffer<float> sums_;     // [parts - 1, values]  of all parts but the first
};

}  // namespace rnn
