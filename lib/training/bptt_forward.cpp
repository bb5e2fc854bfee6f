// The forward half of Bptt: what one task does for its group of segments.
#include <algorithm>
#include <utility>

#include "lib/network/layer_walk.h"
#include "lib/network/pooling.h"
#include "lib/training/bptt.h"
#include "lib/training/dropout.h"

namespace rnn {
// The rows of a group's block of steps, in the workspace.
struct Bptt::GroupBuffers {
  Bptt& bptt;
  const Group& group;
  const Block block;
  const Workspace& w;

  bool step_at_once(std::size_t) const noexcept { return false; }
  bool multiplies_inputs(std::size_t s) const noexcept { return !bptt.picks_inputs(s); }
  template <class Visit>
  void for_rows(const Visit& visit) const noexcept {
    bptt.for_spans(group, block,
                   [&](std::size_t first, std::size_t count, std::size_t) { visit(first, count); });
  }
  void make_windows(std::size_t l) const noexcept { bptt.make_windows(group, block, l); }
  kernels::Rows windows(std::size_t l, std::size_t first) const noexcept {
    return w.layers[l].windows.read(first);
  }
  kernels::Rows input(std::size_t l, std::size_t first) const noexcept {
    return w.layers[l].inputs.read(first);
  }
  const std::int32_t* indices(std::size_t l, std::size_t first) const noexcept {
    return w.layers[l].inputs.data == nullptr ? &w.indices[first] : nullptr;
  }
  kernels::MutableRows gates(std::size_t s, std::size_t first) const noexcept {
    return w.strands[s].gates.rows(first);
  }
  Normalized normalized(std::size_t s, std::size_t first) const noexcept {
    const StrandRows& rows = w.strands[s];
    if (rows.deviation_input == nullptr) return {};
    return {rows.normalized_input.rows(first), rows.deviation_input + first};
  }
  template <class Visit>
  void for_steps(std::size_t s, const Visit& visit) const noexcept {
    const Strand& strand = bptt.pass_.weights->strand(s);
    const StrandRows& rows = w.strands[s];
    const std::size_t states = strand.layer->cell->states;
    const bool picks = bptt.picks_inputs(s);
    cells::ForwardStep f{};
    cells::ForwardZoneout zoneout;
    f.hidden = strand.layer->hidden;
    if (!strand.layer->cell->keeps_h)
      return for_rows([&](std::size_t first, std::size_t count) {
        f.rows = count;
        f.gates = rows.gates.rows(first);
        f.next[0] = rows.states[0].rows(w.plan.segments() + first);
        visit(f);
      });
    for (std::size_t i = 0; i < block.last - block.first; ++i) {
      const std::size_t t = strand.reverse ? block.last - 1 - i : block.first + i;
      bptt.visit_step(group, t, s, [&](const Step& step) {
        const std::size_t first = bptt.row(group, t) + step.first;
        f.rows = step.count;
        f.gates = rows.gates.rows(first);
        if (picks) f.index = &w.indices[first];
        for (std::size_t p = 0; p < states; ++p) {
          f.previous[p] = rows.states[p].read(step.previous);
          f.next[p] = rows.states[p].rows(w.plan.segments() + first);
        }
        f.kept = rows.kept.rows(first);
        if (!rows.plain) add_rows(s, step, first, f, zoneout);
        visit(f);
      });
    }
  }
  // What plain steps do not have; apart, so that theirs are inlined.
  [[gnu::noinline]] void add_rows(std::size_t s, const Step& step, std::size_t first, cells::ForwardStep& f,
                                  cells::ForwardZoneout& zoneout) const noexcept {
    const Layer& layer = *bptt.pass_.weights->strand(s).layer;
    const StrandRows& rows = w.strands[s];
    if (w.masks(s)) {
      f.mask = rows.mask.read(group.first + step.first);
      f.masked = rows.masked.rows(first);
    }
    if (layer.has_zoneout()) {
      zoneout = {};
      f.zoneout = &zoneout;
      for (std::size_t p = 0; p < layer.cell->states; ++p) {
        if (layer.zoneout[p] == 0.0f) continue;
        zoneout.after[p] = std::exchange(f.next[p], rows.computed[p].rows(first));
        if (!bptt.pass_.zoneout) continue;
        draw_zoneout(bptt.pass_, s, p, layer.zoneout[p], &w.row_numbers[first], step.count,
                     layer.state_size(p), rows.replaced[p].rows(first));
        zoneout.mask[p] = rows.replaced[p].read(first);
      }
    }
    f.unprojected = rows.unprojected.rows(first);
    f.product = rows.product.rows(first);
    if (layer.layer_norm) {
      f.normalized = rows.normalized.rows(first);
      f.deviation = rows.deviation + first;
    }
  }
  void end_strand(std::size_t) const noexcept {}
  bool copies(const Layer& layer) const noexcept { return layer.directions > 1; }
  kernels::Rows h(std::size_t s, std::size_t first) const noexcept {
    return w.strands[s].states[0].read(w.plan.segments() + first);
  }
  kernels::MutableRows output(std::size_t l, std::size_t first) const noexcept {
    return w.layers[l].outputs.rows(first);
  }
  void end_layer(std::size_t l) const noexcept {
    if (!w.drops(l) || w.pools(l)) return;
    for_rows([&](std::size_t first, std::size_t count) {
      bptt.drop_outputs(l, first, count, w.layers[l].outputs);
    });
  }
};

void Bptt::forward_group(const Group& g) noexcept {
  load_initial_states(g);
  if (w_.recurrent_dropout) draw_masks(g);
  const bool outputs = wants_outputs();
  for (std::size_t t = 0; t < steps(g); t += g.block) {
    const Block block{t, std::min(t + g.block, steps(g))};
    load_inputs(g, block);
    GroupBuffers buffers{*this, g, block, w_};
    walk_layers(*pass_.weights, 0, w_.before_pooling, buffers);
    if (w_.pooling != 0)
      pool(g, block);
    else if (outputs)
      compute_outputs(g, block);
  }
  if (w_.pooling != 0) {
    forward_pooled(g);
    if (outputs) compute_pooled_outputs(g);
  }
  if (pass_.final_states != nullptr) store_final_states(g);
}

// The layers behind a pooling.
void Bptt::forward_pooled(const Group& g) noexcept {
  const std::size_t first = w_.before_pooling, end = w_.dimensions.layers;
  for (std::size_t b = g.first; b < g.last; ++b)
    finish_pooling(w_.pooling, w_.pooled_layer(), w_.plan.segment(b).length, w_.pooled.at(b));
  if (w_.drops(first - 1)) drop_outputs(first - 1, g.first, g.last - g.first, w_.pooled);
  GroupBuffers buffers{*this, g, {0, 0, true}, w_};
  walk_layers(*pass_.weights, first, end, buffers);
}

// From row `first` on, of what the layer gives or what is pooled of that.
void Bptt::drop_outputs(std::size_t l, std::size_t first, std::size_t rows, const Matrix& x) noexcept {
  const float rate = l + 1 < w_.dimensions.layers ? pass_.dropout : pass_.output_dropout;
  drop(pass_, w_.shapes[l], rate, w_.numbers(l, first), rows, x.read(first),
       w_.layers[l].handed_on.rows(first));
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
      for (std::size_t p = strand.layer->cell->first_kept_state(); p < strand.layer->cell->states; ++p) {
        const Strand::State& state = strand.states[p];
        std::copy_n(given != nullptr ? given + state.offset : state.initial, state.size,
                    w_.strands[s].states[p].at(b));
      }
      if (strand.past.size == 0) continue;
      float* const past = w_.layers[strand.layer->index].past.at(b);
      if (given != nullptr)
        std::copy_n(given + strand.past.offset, strand.past.size, past);
      else
        std::fill_n(past, strand.past.size, 0.0f);
    }
  }
}

void Bptt::draw_masks(const Group& g) noexcept {
  for (std::size_t s = 0; s < w_.dimensions.strands; ++s)
    for (std::size_t b = g.first; w_.masks(s) && b < g.last; ++b)
      draw_mask(pass_, s, pass_.items[w_.plan.segment(b).slice].sequence, w_.strands[s].layer->projected,
                w_.strands[s].mask.at(b));
}

// Inputs in the plan's order: the gradients read them once more.
void Bptt::load_inputs(const Group& g, Block block) noexcept {
  const Dimensions& d = w_.dimensions;
  const rnn_sequences_t& data = *pass_.data;
  const Matrix& inputs = w_.layers[0].inputs;
  for (std::size_t t = block.first; t < block.last; ++t) {
    const std::size_t first = row(g, t), rows = active(g, t);
    for (std::size_t i = 0; i < rows; ++i) {
      const std::size_t frame = w_.plan.frame(t, g.first + i);
      if (data.indices != nullptr) w_.indices[first + i] = data.indices[frame];
      if (w_.one_hot) continue;
      if (d.embedding) {
        const auto index = static_cast<std::size_t>(data.indices[frame]);
        std::copy_n(pass_.weights->embedding(index), d.layer_inputs, inputs.at(first + i));
      } else if (data.indices == nullptr) {
        std::copy_n(data.inputs + frame * d.inputs, d.inputs, inputs.at(first + i));
      } else {
        std::fill_n(inputs.at(first + i), d.inputs, 0.0f);
        inputs.at(first + i)[data.indices[frame]] = 1.0f;
      }
    }
  }
}

// The input of a convolution at a position of the group's segment i: the past has the first ones, then come
// those of the steps.
const float* Bptt::input_at(const Group& g, std::size_t l, std::size_t i,
                            std::size_t position) const noexcept {
  const std::size_t reach = w_.shapes[l].reach();
  if (position < reach) return w_.layers[l].past.at(g.first + i, position * w_.shapes[l].inputs);
  return w_.layers[l].inputs.at(row(g, position - reach) + i);
}

void Bptt::make_windows(const Group& g, Block block, std::size_t l) noexcept {
  const Layer& layer = w_.shapes[l];
  for (std::size_t t = block.first; t < block.last; ++t)
    for (std::size_t i = 0; i < active(g, t); ++i)
      for (std::size_t k = 0; k < layer.taps; ++k)
        std::copy_n(input_at(g, l, i, t + k * layer.dilation), layer.inputs,
                    w_.layers[l].windows.at(row(g, t) + i, k * layer.inputs));
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
      for (std::size_t p = strand.layer->cell->first_kept_state(); p < strand.layer->cell->states; ++p)
        std::copy_n(w_.strands[s].states[p].at(w_.plan.segments() + last), strand.states[p].size,
                    out + strand.states[p].offset);
      const Layer& layer = *strand.layer;
      for (std::size_t j = 0; j < layer.reach(); ++j)
        std::copy_n(input_at(g, layer.index, b - g.first, segment.length + j), layer.inputs,
                    out + strand.past.offset + j * layer.inputs);
    }
  }
}

}  // namespace rnn
