// The activations of a pass over a batch of ragged sequences, in memory that is kept from pass to pass.
#pragma once

#include <cstddef>
#include <cstdint>
#include <tuple>

#include "lib/network/layer_walk.h"
#include "lib/network/memory.h"
#include "lib/network/plan.h"
#include "lib/network/weights.h"
#include "lib/training/loss.h"

namespace rnn {

class ClassSample;

// What belongs to a slice of the data.
struct Item {
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);

  std::size_t state;           // its row of the initial and final states
  std::size_t target;          // with pooling: its last frame's target row; kNone: it has no target
  std::uint64_t sequence = 0;  // its number: the same has the same masks of recurrent dropout
};

// A forward pass. What it points to is borrowed for the pass; slices and items also for the backward pass.
struct Pass {
  const Weights* weights = nullptr;
  const rnn_sequences_t* data = nullptr;
  const Slice* slices = nullptr;  // [count]
  const Item* items = nullptr;    // [count]
  std::size_t count = 0;
  const float* initial_states = nullptr;  // [.., S]  null: the initial state
  float* final_states = nullptr;          // [.., S]  null: not wanted
  float* outputs = nullptr;               // [F, O] by frame, or [count, O] with pooling; null: not wanted
  std::int32_t* best = nullptr;           // [F] by frame, the index of the largest output; null: not wanted
  std::int32_t loss = 0;                  // RNN_LOSS_...; 0: none
  double total = 0;                       // the sum of target weights over which the loss is the mean
  const Labels* labels = nullptr;         // of cross-entropy; null: plain
  const ClassSample* sample = nullptr;    // of cross-entropy in training; null: over all classes
  float dropout = 0;                      // 0..<1; of what a layer hands to the next
  float output_dropout = 0;               // 0..<1; of what the head reads
  bool by_sequence =
      false;  // what is drawn for a row follows from its sequence and step, otherwise from its place
  std::uint64_t dropout_key = 0;    // which elements: the same for the same key and lengths
  float recurrent_dropout = 0;      // 0..<1; of h on its way into a product
  std::uint64_t recurrent_key = 0;  // which units, with the number of the sequence
  bool zoneout = false;             // masks are drawn for the layers that have it
  std::uint64_t zoneout_key = 0;    // which units: the same for the same key and lengths
};

// The sum of the weights of the pass's target rows, with those of their classes, in a fixed order.
double target_weight(const Pass& pass) noexcept;

// A matrix of activations; absent if data is null.
struct Matrix {
  float* data;
  std::size_t stride;

  // Without its first j columns.
  Matrix from(std::size_t j) const noexcept { return {data != nullptr ? data + j : nullptr, stride}; }
  // From row r, column j on.
  float* at(std::size_t r, std::size_t j = 0) const noexcept { return data + r * stride + j; }
  kernels::MutableRows rows(std::size_t r, std::size_t j = 0) const noexcept {
    if (data == nullptr) return {};
    return {at(r, j), stride, nullptr};
  }
  kernels::Rows read(std::size_t r, std::size_t j = 0) const noexcept {
    if (data == nullptr) return {};
    return {at(r, j), stride, nullptr};
  }
};

// An architecture, and the distances of rows. A multiple of 128 floats would put the columns of a tile into
// few sets of the cache.
struct Dimensions {
  explicit Dimensions(const Weights& weights) noexcept;

  static constexpr std::size_t stride(std::size_t n) {
    return kernels::padded(n) % 128 == 0 ? kernels::padded(n) + 16 : kernels::padded(n);
  }

  bool embedding;
  bool has_reverse;    // a strand
  std::size_t layers;  // L
  std::size_t strands;
  std::size_t inputs;         // I
  std::size_t layer_inputs;   // X of the lowest layer: I or E
  std::size_t layer_outputs;  // D*P of the last layer
  std::size_t outputs;        // O
  std::size_t input_stride, output_stride;
  std::size_t layer_stride, gate_stride;  // of the widest layer's h and gates
};

// The rows of one strand, by the names of cells::ForwardStep and BackwardStep; what its cell has no use for
// is absent. Gates, and what is kept, hold their gradients after a backward pass. Where the gradient of the first
// stage's product is that of the gates, it is the same matrix; where kept leads, both stand side by side.
struct StrandRows {
  const Layer* layer;
  bool reverse;
  bool plain;                           // the layer is, and there is no recurrent dropout
  Matrix gates;                         // [rows, G*H]
  Matrix states[cells::kMaxStates];     // [segments + rows, ..]  initial states, then those after each row
  Matrix kept;                          // [rows, kept * H]
  Matrix unprojected;                   // [rows, H]
  Matrix normalized_input;              // [rows, G*H]  layer normalisation: W_ih x without gain,
  Matrix normalized;                    // [rows, G*H]  W_hh h without gain,
  float* deviation_input;               // [rows]       and 1 / their standard deviations
  float* deviation;                     // [rows]
  Matrix d_sum;                         // [rows, G*H]
  Matrix product;                       // [rows, G*H]  if it is separate; may be d_product
  Matrix d_product;                     // [rows, G*H]
  Matrix d_input_product;               // [rows, G*H]  gradient of W_ih x
  Matrix d_projected;                   // [rows, P]  with projection, recurrent dropout or zoneout of h
  Matrix mask;                          // [segments, P]  recurrent dropout: what h is multiplied by,
  Matrix masked;                        // [rows, P]  and that h of the step before
  Matrix computed[cells::kMaxStates];   // [rows, ..]  zoneout: the states that the cell computes,
  Matrix replaced[cells::kMaxStates];   // [rows, ..]  1 where these replace those before
  Matrix held[cells::kMaxStates];       // [segments, ..]  and the gradient of what stays, of one step
  Matrix carry[cells::kMaxStates];      // [segments, H]
  Matrix d_initial[cells::kMaxStates];  // [segments, ..]  gradient of the initial state
};

// What a layer reads and what it gives: matrices of their own or of others, [rows, X], [rows, D*P]. Layers behind a
// pooling have a row for each segment, others for each row of the plan.
struct LayerRows {
  Matrix inputs;  // of the lowest layer absent with one-hot inputs
  Matrix outputs;
  Matrix handed_on;  // what the next layer or the head reads: the outputs, or what is pooled, after dropout
  // Of a convolution:
  Matrix windows;    // [rows, K*X]  what its taps read,
  Matrix d_windows;  // [rows, K*X]  and the gradient of that
  Matrix past;       // [segments, reach * X]  the inputs before the first step

  // What W_ih is multiplied by.
  const Matrix& read() const noexcept { return windows.data != nullptr ? windows : inputs; }
};

// Consecutive rows of which row + i follows on state row previous + i.
struct Run {
  std::size_t row;
  std::size_t previous;
  std::size_t count;
};

// Which state row each row of a direction follows on.
struct Runs {
  void build(const Allocator& allocator, const Plan& plan, bool reverse);

  Buffer<Run> runs;
  std::size_t count = 0;

 private:
  void add(const Run& run) noexcept;
};

// Rows are the plan's. Output rows are the same, or the segments with pooling. Padding is zero: buffers start
// at zero, keep their place, and nothing else is written there.
struct Workspace {
  // chunk: of so many output rows; 0: as many as take little memory.
  explicit Workspace(const Weights& weights, std::size_t chunk = 0);

  // About how many floats each row of a pass takes.
  static std::size_t row_floats(const Weights& weights);

  // Lay out a pass. False if the pass before had the same layout.
  bool begin(const Pass& pass);
  // Make room for the backward pass.
  void begin_backward();

  // A layer whose output is not simply the h of its only strand.
  bool joins(std::size_t layer) const noexcept {
    return shapes[layer].directions > 1 || shapes[layer].residual;
  }
  // A layer of whose outputs, or of what is pooled of them, parts are dropped.
  bool drops(std::size_t layer) const noexcept {
    return layer + 1 < dimensions.layers ? dropout : output_dropout;
  }
  // A strand with recurrent dropout.
  bool masks(std::size_t strand) const noexcept {
    return recurrent_dropout && strands[strand].layer->cell->recurrent_gates() > 0;
  }
  bool pools(std::size_t layer) const noexcept { return pooling != 0 && layer + 1 == before_pooling; }
  std::size_t output_rows() const noexcept { return pooling != 0 ? plan.segments() : plan.rows(); }
  // Of what a layer reads and gives.
  std::size_t rows_of(std::size_t layer) const noexcept {
    return layer < before_pooling ? plan.rows() : plan.segments();
  }
  const Layer& pooled_layer() const noexcept { return shapes[before_pooling - 1]; }
  // The numbers of the rows of what a layer gives, from `row` on, by which parts of it are dropped.
  const std::uint64_t* numbers(std::size_t layer, std::size_t row) const noexcept {
    return &(pooling != 0 && layer + 1 >= before_pooling ? segment_numbers : row_numbers)[row];
  }
  // What the network reads from row r on.
  NetworkInputs network_inputs(std::size_t r) const noexcept {
    return {layers[0].inputs.read(r), one_hot ? &indices[r] : nullptr};
  }
  // What the head reads, a row for each output row.
  const Matrix& head_inputs() const noexcept { return layers[dimensions.layers - 1].handed_on; }
  // The gradients of that, if they are computed for all rows at once.
  const Matrix& d_head_inputs() const noexcept { return pooling != 0 ? d_pooled : d_top; }
  float* output(std::size_t row) const noexcept { return outputs.at(row - first_output); }
  const Runs& runs(std::size_t strand) const noexcept { return runs_[strands[strand].reverse ? 1 : 0]; }

  const Dimensions dimensions;
  Plan plan;
  bool one_hot = false;  // inputs are indices, and there is no embedding, and the first layer no convolution
  std::int32_t pooling = 0;        // RNN_POOLING_...
  std::size_t before_pooling = 0;  // so many layers go through all steps: without pooling, all of them
  bool dropout = false, output_dropout = false, recurrent_dropout = false;
  bool given_states = false;
  // More output rows than `outputs` has room for: it holds those from first_output on, as many as `chunk` at
  // a time.
  bool in_chunks = false;
  bool sampled = false;   // then in_chunks too, and `outputs` has nothing
  bool smoothed = false;  // labels
  const std::size_t chunk;
  std::size_t first_output = 0;

  Buffer<Layer> shapes;  // [L]  which outlive the weights that they are of
  Buffer<StrandRows> strands;
  Buffer<LayerRows> layers;               // [L]
  Matrix d_embedded{};                    // [rows, E]
  Matrix outputs{};                       // [output rows or chunk, O]  then their gradients
  Matrix d_top{};                         // [rows, D*P]  in chunks
  Matrix pooled{};                        // [segments, D*P]
  Matrix d_pooled{};                      // [segments, D*P]  before that the gradients of the head's inputs
  Buffer<std::uint32_t> pooled_steps;     // [segments, D*P]  maximum: at which step it was
  Buffer<std::int32_t> indices;           // [rows]
  Buffer<std::uint64_t> row_numbers;      // [rows]  if something is drawn at random for them
  Buffer<std::uint64_t> segment_numbers;  // [segments]  the same behind a pooling
  Buffer<std::int32_t> classes;           // [output rows]
  Buffer<const float*> targets;           // [output rows]
  Buffer<float> weights;                  // [output rows]
  Buffer<float> scale;                    // [output rows]
  Buffer<kernels::SoftmaxRow> softmax;    // [output rows]
  Buffer<float> certain;                  // [output rows]  with smoothed labels
  Buffer<float> rest;                     // [output rows]  with smoothed labels
  Buffer<RowLoss> losses;                 // [output rows]
  Buffer<float> no_target;                // [O] zeros: of rows that are masked

 private:
  struct Taker;
  // The layers' matrices that are neither states nor inputs of the pass.
  struct LayerRoom {
    Matrix outputs;  // if the layer joins
    Matrix dropped;
  };

  // What decides on the layout beside the plan.
  auto kind() const noexcept {
    return std::make_tuple(one_hot, pooling, dropout, output_dropout, recurrent_dropout, sampled, smoothed);
  }
  void reserve();
  void number_rows(const Pass& pass);
  std::size_t lay_out(float* base);
  void lay_out_strand(StrandRows& strand, const Taker& take);
  void connect_layers() noexcept;

  Allocator allocator_;
  Buffer<float> memory_;
  bool laid_out_ = false;  // the pass before
  std::size_t row_capacity_ = 0;
  std::size_t segment_capacity_ = 0;
  bool room_for_inputs_ = false;
  bool room_for_dropout_ = false, room_for_output_dropout_ = false, room_for_masks_ = false;
  bool room_for_outputs_ = false;
  Matrix inputs_{};  // [rows, X]
  Buffer<float> d_top_;
  Buffer<LayerRoom> rooms_;  // [L]
  Runs runs_[2];             // forwards, backwards
};

}  // namespace rnn
