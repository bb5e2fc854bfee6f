// What of Bptt lies behind the top layer: pooling, the head and the loss, forwards and backwards.
#include <algorithm>

#include "lib/kernels/subnormals.h"
#include "lib/network/layer_walk.h"
#include "lib/network/pooling.h"
#include "lib/training/bptt.h"
#include "lib/training/dropout.h"

namespace rnn {

using kernels::Real;

// ---- Forward ---------------------------------------------------------------------------------------

void Bptt::compute_outputs(const Group& g, Block block) noexcept {
  const bool here = !w_.in_chunks, stores = here && (pass_.outputs != nullptr || pass_.best != nullptr);
  if (here)
    for_spans(g, block,
              [&](std::size_t first, std::size_t rows, std::size_t) { multiply_head(first, rows); });
  for (std::size_t t = block.first; t < block.last; ++t) {
    const std::size_t first = row(g, t), rows = active(g, t);
    for (std::size_t i = 0; i < rows; ++i) {
      const std::size_t frame = w_.plan.frame(t, g.first + i);
      if (stores) store_outputs(first + i, frame);
      if (pass_.loss != 0) load_target(first + i, frame, true);
    }
  }
  if (!here || pass_.loss == 0) return;
  for_spans(g, block, [&](std::size_t first, std::size_t rows, std::size_t) { compute_losses(first, rows); });
}

// One output row for each segment. Only those that end a sequence have a target.
void Bptt::compute_pooled_outputs(const Group& g) noexcept {
  for (std::size_t b = g.first; b < g.last; ++b) {
    const Segment& segment = w_.plan.segment(b);
    const std::size_t target = pass_.items[segment.slice].target;
    if (pass_.loss != 0) load_target(b, target, segment.ends_slice && target != Item::kNone);
  }
  if (w_.in_chunks) return;
  multiply_head(g.first, g.last - g.first);
  for (std::size_t b = g.first; b < g.last; ++b) store_outputs(b, output_place(b));
  if (pass_.loss != 0) compute_losses(g.first, g.last - g.first);
}

// y = W_ho o + b_o for output rows from `first` on; without a head, y = o.
void Bptt::multiply_head(std::size_t first, std::size_t rows) noexcept {
  apply_head(*pass_.weights, rows, w_.head_inputs().read(first), kernels::padded(w_.dimensions.outputs),
             w_.outputs.rows(first));
  add_inputs(*pass_.weights, rows, w_.network_inputs(first), w_.outputs.rows(first));
}

// Where the caller has an output row: at its frame, or with pooling at its sequence, if it ends that.
std::size_t Bptt::output_place(std::size_t row) const noexcept {
  if (w_.pooling == 0) return w_.plan.frame(row);
  const Segment& segment = w_.plan.segment(row);
  return segment.ends_slice ? segment.slice : Item::kNone;
}

// Of equal outputs, the first is the largest.
void Bptt::store_outputs(std::size_t row, std::size_t place) noexcept {
  if (place == Item::kNone) return;
  const std::size_t O = w_.dimensions.outputs;
  const float* const y = w_.output(row);
  if (pass_.outputs != nullptr) std::copy_n(y, O, pass_.outputs + place * O);
  if (pass_.best != nullptr) pass_.best[place] = static_cast<std::int32_t>(std::max_element(y, y + O) - y);
}

// What a masked row holds as its target is not looked at.
void Bptt::load_target(std::size_t row, std::size_t target, bool exists) noexcept {
  const rnn_sequences_t& data = *pass_.data;
  const float weight = !exists ? 0.0f : data.weights != nullptr ? data.weights[target] : 1.0f;
  const bool counts = Real(weight) > Real(0.0f);
  w_.weights[row] = weight;
  if (pass_.loss == RNN_LOSS_CROSS_ENTROPY)
    w_.classes[row] = counts ? data.classes[target] : 0;
  else
    w_.targets[row] = counts ? data.targets + target * w_.dimensions.outputs : w_.no_target.data();
}

void Bptt::compute_losses(std::size_t first, std::size_t rows) noexcept {
  LossRows r{};
  r.rows = rows;
  r.outputs = w_.dimensions.outputs;
  r.y = w_.output(first);
  r.stride = w_.outputs.stride;
  r.classes = &w_.classes[first];
  r.labels = pass_.labels;
  r.targets = &w_.targets[first];
  r.weights = &w_.weights[first];
  r.total = pass_.total;
  r.scale = &w_.scale[first];
  r.scratch = &w_.softmax[first];
  r.certain = w_.certain.data() + first;
  r.rest = w_.rest.data() + first;
  r.losses = &w_.losses[first];
  row_losses(pass_.weights->table(), pass_.loss, r);
}

// ---- Backward --------------------------------------------------------------------------------------

// Output rows hold d_y after a loss; otherwise it comes from the outside.
void Bptt::load_output_gradients(const Group& g) noexcept {
  if (w_.in_chunks || pass_.loss != 0) return;
  for (std::size_t b = g.first; b < g.last; ++b) {
    if (w_.pooling != 0) load_output_gradient(b, output_place(b));
    for (std::size_t t = 0; w_.pooling == 0 && t < w_.plan.segment(b).length; ++t)
      load_output_gradient(w_.plan.offset(t) + b, w_.plan.frame(t, b));
  }
}

void Bptt::load_output_gradient(std::size_t row, std::size_t place) noexcept {
  const std::size_t O = w_.dimensions.outputs;
  float* const target = w_.output(row);
  if (cotangents_.outputs != nullptr && place != Item::kNone)
    std::copy_n(cotangents_.outputs + place * O, O, target);
  else
    std::fill_n(target, O, 0.0f);
  std::fill(target + O, target + kernels::padded(O), 0.0f);
}

// d_o = W_ho^T d_y of output rows from `first` on, to row `to`; without a head, d_o = d_y.
void Bptt::head_backward(std::size_t first, std::size_t rows, const Matrix& d_o, std::size_t to) noexcept {
  const Dimensions& d = w_.dimensions;
  if (!pass_.weights->has_head()) {
    for (std::size_t i = 0; i < rows; ++i)
      std::copy_n(w_.output(first + i), kernels::padded(d.layer_outputs), d_o.at(to + i));
    return;
  }
  pass_.weights->table().gemm(transposed_->head(), rows, w_.outputs.read(first - w_.first_output), {},
                              kernels::padded(d.layer_outputs), d_o.rows(to));
  if (w_.output_dropout)
    drop(pass_, pass_.weights->last_layer(), pass_.output_dropout, w_.numbers(d.layers - 1, first), rows,
         d_o.read(to), d_o.rows(to));
}

void Bptt::load_top_gradients(const Group& g, Block block, const BlockGradients& d_o) noexcept {
  if (w_.pooling == 0)
    for_spans(g, block, [&](std::size_t first, std::size_t rows, std::size_t before) {
      if (w_.in_chunks)
        std::copy_n(w_.d_top.at(first), rows * w_.d_top.stride, d_o.above.at(before));
      else
        head_backward(first, rows, d_o.above, before);
    });
  else if (w_.pooling == RNN_POOLING_LAST)
    load_last_gradients(g, block, d_o);
  else
    load_pooled_gradients(g, block, d_o);
}

// ---- Pooling ---------------------------------------------------------------------------------------

// From the outputs back to what is pooled.
void Bptt::backward_pooled(const Group& g) noexcept {
  const Dimensions& d = w_.dimensions;
  const std::size_t count = g.last - g.first;
  float* const d_pooled = w_.d_pooled.at(g.first);
  if (!w_.in_chunks) head_backward(g.first, count, w_.d_pooled, g.first);
  BlockGradients d_o{g.local, count, {d_pooled, d.layer_stride}, {g.scratch, d.layer_stride}};
  for (std::size_t l = d.layers; l-- > w_.before_pooling; std::swap(d_o.above, d_o.below))
    backward_layer(g, {0, 0, true}, d_o, l);
  if (d_o.above.data != d_pooled) std::copy_n(d_o.above.data, count * d.layer_stride, d_pooled);
}

// Takes in the outputs of a block.
void Bptt::pool(const Group& g, Block block) noexcept {
  const Matrix& outputs = w_.layers[w_.before_pooling - 1].outputs;
  const std::size_t width = w_.pooled_layer().outputs();
  for (std::size_t t = block.first; t < block.last; ++t) {
    for (std::size_t i = 0; i < active(g, t); ++i) {
      const std::size_t b = g.first + i;
      std::uint32_t* const steps = w_.pooling == RNN_POOLING_MAX ? &w_.pooled_steps[b * width] : nullptr;
      pool_step(w_.pooling, w_.pooled_layer(), t, w_.plan.segment(b).length, outputs.at(row(g, t) + i),
                w_.pooled.at(b), steps);
    }
  }
}

void Bptt::load_last_gradients(const Group& g, Block block, const BlockGradients& d_o) noexcept {
  const Layer& layer = w_.pooled_layer();
  const std::size_t P = layer.projected;
  std::fill_n(d_o.above.data, d_o.rows * d_o.above.stride, 0.0f);
  for (std::size_t i = 0; i < g.last - g.first; ++i) {
    const std::size_t last = w_.plan.segment(g.first + i).length - 1;
    for (std::size_t direction = 0; direction < layer.directions; ++direction) {
      const std::size_t t = layer.reverse || direction == 1 ? 0 : last, column = direction * P;
      if (t >= block.first && t < block.last)
        std::copy_n(w_.d_pooled.at(g.first + i, column), P,
                    d_o.above.at(d_o.local[t - block.first] + i, column));
    }
  }
}

// Each step has its part of the mean, or what is largest at it.
void Bptt::load_pooled_gradients(const Group& g, Block block, const BlockGradients& d_o) noexcept {
  const std::size_t width = w_.pooled_layer().outputs();
  for (std::size_t t = block.first; t < block.last; ++t) {
    for (std::size_t i = 0; i < active(g, t); ++i) {
      const std::size_t b = g.first + i;
      const float* const d_pooled = w_.d_pooled.at(b);
      float* const target = d_o.above.at(d_o.local[t - block.first] + i);
      std::fill(target + width, target + kernels::padded(width), 0.0f);
      if (w_.pooling == RNN_POOLING_MEAN) {
        const Real length(static_cast<float>(w_.plan.segment(b).length));
        for (std::size_t j = 0; j < width; ++j) target[j] = static_cast<float>(Real(d_pooled[j]) / length);
      } else {
        const std::uint32_t* const steps = &w_.pooled_steps[b * width];
        for (std::size_t j = 0; j < width; ++j)
          target[j] = steps[j] == static_cast<std::uint32_t>(t) ? d_pooled[j] : 0.0f;
      }
    }
  }
}

}  // namespace rnn
