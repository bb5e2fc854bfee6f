// The layers of a network: each has a cell, a shape and places of its own.
#pragma once

#include <cstddef>

#include "lib/cells/cell.h"
#include "lib/network/memory.h"

namespace rnn {

struct Layer {
  const cells::Cell* cell;
  kernels::Activation activation;    // of a dense layer or a convolution
  kernels::Activations custom;       // of a cell that has them
  float zoneout[cells::kMaxStates];  // see cells::LayerWeights
  std::size_t index;                 // l
  std::size_t first_strand;          // of its D strands, which stand one after the other
  std::size_t inputs;                // X
  std::size_t taps;                  // K: inputs that a step reads, 1 but of a convolution,
  std::size_t dilation;              // so many steps apart, up to its own
  std::size_t hidden;                // H
  std::size_t projected;             // P, the width of h; H without a projection, else less
  std::size_t directions;            // D
  bool reverse;                      // of one direction: from the last step to the first
  bool sums;                         // the output is the sum of both directions' h, not one beside the other
  bool residual;                     // the layer's input is added to the output
  bool layer_norm;
  bool bias;

  std::size_t gates() const noexcept { return cell->gates * hidden; }    // G*H
  std::size_t kept() const noexcept { return cell->kept * hidden; }      // of each step
  std::size_t width() const noexcept { return directions * projected; }  // D*P: all h, one beside the other
  std::size_t outputs() const noexcept { return sums ? projected : width(); }
  bool has_window() const noexcept { return taps > 1; }
  std::size_t columns() const noexcept { return taps * inputs; }  // of W_ih
  std::size_t reach() const noexcept {
    return (taps - 1) * dilation;
  }                                                               // steps before its own that a step reads
  std::size_t past() const noexcept { return reach() * inputs; }  // what the state has of these
  // See Cell::kept_leads; layer normalisation has the gradient of the product elsewhere.
  bool kept_leads() const noexcept { return cell->kept_leads() && !layer_norm; }
  bool has_projection() const noexcept { return projected != hidden; }
  bool has_reverse() const noexcept { return reverse || directions > 1; }
  bool has_zoneout() const noexcept { return zoneout[0] != 0.0f || zoneout[1] != 0.0f; }
  // Back in time h has a gradient beside that by its product.
  bool carries_h() const noexcept { return cell->carries_h || zoneout[0] != 0.0f; }
  // The product with W_hh is computed before a cell's kernel.
  bool separates_product() const noexcept { return layer_norm || !cell->fused; }
  // A step is its kernels alone.
  bool is_plain() const noexcept { return !separates_product() && !has_projection() && !has_zoneout(); }
  // A step of one stream is one kernel.
  bool has_step() const noexcept {
    return cell->step != nullptr && !layer_norm && !has_zoneout() && !has_reverse();
  }
  std::size_t state_size(std::size_t state) const noexcept { return state == 0 ? projected : hidden; }
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
  std::size_t column;  // where h stands among those of the layer
  cells::LayerWeights weights;
  State states[cells::kMaxStates];
  State
      past;  // of a convolution: the last inputs, the oldest first, 0 at first; its place is among those alone
};

// The linear map from the last layer's output to the network's.
struct Head {
  std::size_t outputs;  // O; 0: there is none
  std::size_t index;    // behind the layers
  bool bias;
};

// Of a resolved configuration: its layers but the head, and the head.
Buffer<Layer> make_layers(const rnn_config_t& config, const Allocator& allocator);
Head make_head(const rnn_config_t& config) noexcept;

}  // namespace rnn
