// The layers of a network: each has a cell, a shape and places of its own.
#pragma once

#include <cstddef>

#include "lib/cells/cell.h"

namespace rnn {

struct Layer {
  const cells::Cell* cell;
  std::size_t index;         // l
  std::size_t first_strand;  // of its D strands, which stand one after the other
  std::size_t inputs;        // X
  std::size_t hidden;        // H
  std::size_t projected;     // P, the width of h; H without a projection, else less
  std::size_t directions;    // D
  bool residual;             // the output is the sum of h and the layer's input
  bool layer_norm;

  std::size_t gates() const noexcept { return cell->gates * hidden; }      // G*H
  std::size_t kept() const noexcept { return cell->kept * hidden; }        // of each step
  std::size_t outputs() const noexcept { return directions * projected; }  // D*P
  // See Cell::kept_leads; layer normalisation has the gradient of the product elsewhere.
  bool kept_leads() const noexcept { return cell->kept_leads() && !layer_norm; }
  bool has_projection() const noexcept { return projected != hidden; }
  std::size_t state_size(std::size_t part) const noexcept { return part == 0 ? projected : hidden; }
};

// One direction of a layer.
struct Strand {
  // A vector of the state, h or c.
  struct State {
    std::size_t size;
    std::size_t offset;    // in the network's state as callers have it
    std::size_t place;     // in one of padded vectors
    const float* initial;  // [padded size]
  };

  const Layer* layer;
  bool reverse;
  std::size_t column;  // where h stands in the layer's output
  cells::LayerWeights weights;
  State states[cells::kMaxStates];
};

}  // namespace rnn
