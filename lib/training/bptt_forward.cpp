// The forward half of Bptt: what one task does for its group of segments.
#include <algorithm>

#include "lib/training/bptt.h"

namespace rnn {
namespace {

// splitmix64's finalisation (Steele, Lea & Flood 2014): keys of their own for the layers of a pass.
std::uint64_t layer_key(std::uint64_t key, std::size_t layer) noexcept {
  std::uint64_t z = key + (layer + 1) * 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

}  // namespace

void Bptt::forward_group(const Group& g) noexcept {
  const Dimensions& d = w_.dimensions;
  load_initial_states(g);
  const bool outputs = wants_outputs();
  for (std::size_t t = 0; t < steps(g); t += g.block) {
    const Block block{t, std::min(t + g.block, steps(g))};
    load_inputs(g, block);
    for (std::size_t l = 0; l < d.layers; ++l) {
      for (std::size_t strand = l * d.directions; strand < (l + 1) * d.directions; ++strand) {
        project_inputs(g, block, strand);
        sweep_forward(g, block, strand);
      }
      finish_layer(g, block, l);
    }
    if (w_.pooling != 0)
      pool(g, block);
    else if (outputs)
      compute_outputs(g, block);
  }
  if (w_.pooling != 0) compute_pooled_outputs(g);
  if (pass_.final_states != nullptr) store_final_states(g);
}

// A reverse strand starts at the end of a slice.
void Bptt::load_initial_states(const Group& g) noexcept {
  const Weights& weights = *pass_.weights;
  for (std::size_t b = g.first; b < g.last; ++b) {
    const Segment& segment = w_.plan.segment(b);
    for (std::size_t s = 0; s < w_.dimensions.strands; ++s) {
      const Strand& strand = weights.strand(s);
      const bool starts = strand.reverse ? segment.ends_slice : segment.starts_slice;
      const float* given = nullptr;
      if (starts && pass_.initial_states != nullptr)
        given = pass_.initial_states + pass_.items[segment.slice].state * weights.state_size();
      for (std::size_t p = 0; p < strand.layer->cell->states; ++p) {
        const Strand::State& state = strand.states[p];
        std::copy_n(given != nullptr ? given + state.offset : state.initial, state.size,
                    w_.strands[s].states[p].at(b));
      }
    }
  }
}

// Inputs in the plan's order: the gradients read them once more.
void Bptt::load_inputs(const Group& g, Block block) noexcept {
  const Dimensions& d = w_.dimensions;
  const rnn_sequences_t& data = *pass_.data;
  const Matrix& inputs = w_.layers[0].inputs;
  for (std::size_t t = block.first; t < block.last; ++t) {
    const std::size_t first = row(g, t);
    for (std::size_t i = 0; i < active(g, t); ++i) {
      const std::size_t frame = w_.plan.frame(t, g.first + i);
      if (data.indices != nullptr) w_.indices[first + i] = data.indices[frame];
      if (d.embedding) {
        const auto index = static_cast<std::size_t>(data.indices[frame]);
        std::copy_n(pass_.weights->embedding(index), d.layer_inputs, inputs.at(first + i));
      } else if (data.indices == nullptr) {
        std::copy_n(data.inputs + frame * d.inputs, d.inputs, inputs.at(first + i));
      }
    }
  }
}

// gates = W_ih x + b; with layer normalisation, of W_ih x.
void Bptt::project_inputs(const Group& g, Block block, std::size_t strand) noexcept {
  if (picks_inputs(strand)) return;
  const kernels::Table& table = pass_.weights->table();
  const cells::LayerWeights& weights = pass_.weights->strand(strand).weights;
  const Layer& layer = *pass_.weights->strand(strand).layer;
  const StrandRows& s = w_.strands[strand];
  const Matrix& x = w_.layers[strand / layer.directions].inputs;
  const kernels::Rows init{layer.layer_norm ? nullptr : weights.bias(), 0, nullptr};
  const std::size_t width = kernels::padded(layer.gates());
  for_spans(g, block, [&](std::size_t first, std::size_t rows, std::size_t) {
    const kernels::MutableRows gates = s.gates.rows(first);
    if (x.data == nullptr)
      table.gather(weights.input, rows, &w_.indices[first], init, width, gates);
    else
      table.gemm(weights.input, rows, x.read(first), init, width, gates);
    if (layer.layer_norm)
      table.layer_norm(rows, layer.gates(), s.gates.read(first), weights.norm_input, weights.bias(),
                       s.normalized_input.rows(first), s.deviation_input + first, gates);
  });
}

void Bptt::sweep_forward(const Group& g, Block block, std::size_t strand) noexcept {
  const bool reverse = w_.dimensions.is_reverse(strand);
  for (std::size_t i = 0; i < block.last - block.first; ++i) {
    const std::size_t t = reverse ? block.last - 1 - i : block.first + i;
    visit_step(g, t, strand, [&](const Step& step) { step_forward(g, step, strand); });
  }
}

void Bptt::step_forward(const Group& g, const Step& step, std::size_t index) noexcept {
  const Strand& strand = pass_.weights->strand(index);
  const StrandRows& s = w_.strands[index];
  const std::size_t first = row(g, step.t) + step.first;
  cells::ForwardStep f{};
  f.rows = step.count;
  f.hidden = strand.layer->hidden;
  f.gates = s.gates.rows(first);
  if (picks_inputs(index)) f.index = &w_.indices[first];
  for (std::size_t p = 0; p < strand.layer->cell->states; ++p) {
    f.previous[p] = s.states[p].read(step.previous);
    f.next[p] = s.states[p].rows(w_.plan.segments() + first);
  }
  f.kept = s.kept.rows(first);
  f.unprojected = s.unprojected.rows(first);
  if (strand.layer->layer_norm) {
    f.product = s.d_product.rows(first);
    f.normalized = s.normalized.rows(first);
    f.deviation = s.deviation + first;
  }
  cells::forward(*strand.layer->cell, pass_.weights->table(), strand.weights, f);
}

// ---- From one layer to the next --------------------------------------------------------------------

void Bptt::finish_layer(const Group& g, Block block, std::size_t l) noexcept {
  const Dimensions& d = w_.dimensions;
  const bool drops = w_.dropout && l + 1 < d.layers;
  if (!w_.joins(l) && !drops) return;
  for_spans(g, block, [&](std::size_t first, std::size_t rows, std::size_t) {
    if (w_.joins(l)) join(l, first, rows);
    if (drops) drop(l, first, rows, w_.layers[l].outputs.read(first), w_.layers[l + 1].inputs.rows(first));
  });
}

// o = [h forward, h backward], + x
void Bptt::join(std::size_t l, std::size_t first, std::size_t rows) noexcept {
  const Dimensions& d = w_.dimensions;
  const LayerRows& layer = w_.layers[l];
  for (std::size_t direction = 0; direction < d.directions; ++direction) {
    const Strand& strand = pass_.weights->strand(l * d.directions + direction);
    const std::size_t P = strand.layer->projected;
    const Matrix& h = w_.strands[l * d.directions + direction].states[0];
    const std::size_t state = w_.plan.segments() + first;
    if (strand.layer->residual) {
      pass_.weights->table().add(rows, P, h.read(state), layer.inputs.read(first, strand.column),
                                 layer.outputs.rows(first, strand.column));
      continue;
    }
    for (std::size_t i = 0; i < rows; ++i)
      std::copy_n(h.at(state + i), P, layer.outputs.at(first + i, strand.column));
  }
}

// The outputs of a layer from row `first` on, or the gradients of what is left of them.
void Bptt::drop(std::size_t l, std::size_t first, std::size_t rows, const kernels::Rows& x,
                const kernels::MutableRows& y) noexcept {
  const double rate = pass_.dropout;
  const auto threshold = static_cast<std::uint32_t>(rate * 4294967296.0);  // rate < 1
  pass_.weights->table().dropout(rows, w_.shapes[l].outputs(), x, layer_key(pass_.dropout_key, l), first,
                                 threshold, static_cast<float>(1.0 / (1.0 - rate)), y);
}

// A reverse strand ends with the first frame of a slice.
void Bptt::store_final_states(const Group& g) noexcept {
  const Weights& weights = *pass_.weights;
  for (std::size_t b = g.first; b < g.last; ++b) {
    const Segment& segment = w_.plan.segment(b);
    float* const out = pass_.final_states + pass_.items[segment.slice].state * weights.state_size();
    for (std::size_t s = 0; s < w_.dimensions.strands; ++s) {
      const Strand& strand = weights.strand(s);
      const bool reverse = strand.reverse;
      if (!(reverse ? segment.opens_slice : segment.ends_slice)) continue;
      const std::size_t last = w_.plan.offset(reverse ? 0 : segment.length - 1) + b;
      for (std::size_t p = 0; p < strand.layer->cell->states; ++p)
        std::copy_n(w_.strands[s].states[p].at(w_.plan.segments() + last), strand.states[p].size,
                    out + strand.states[p].offset);
    }
  }
}

}  // namespace rnn
