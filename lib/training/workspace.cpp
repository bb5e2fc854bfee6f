#include "lib/training/workspace.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace rnn {
namespace {

// Floats of the outputs of a chunk: 32 MB. But as many as a quarter of the head's weights, which are read and
// whose gradients are added to once for each chunk, are not noticed beside these. A multiple of so many rows:
// the kernels add the products of some rows at a time.
constexpr std::size_t kChunkFloats = std::size_t{1} << 23;
constexpr std::size_t kChunkUnit = 64;

std::size_t chunk_rows(const Weights& weights, const Dimensions& d) noexcept {
  if (!weights.has_head()) return static_cast<std::size_t>(-1);
  const std::size_t rows = std::max(kChunkFloats / d.output_stride, d.layer_outputs / 4);
  return std::max(rows / kChunkUnit, std::size_t{1}) * kChunkUnit;
}

}  // namespace

double target_weight(const Pass& pass) noexcept {
  const float* weights = pass.data->weights;
  const bool by_class =
      pass.loss == RNN_LOSS_CROSS_ENTROPY && pass.labels != nullptr && pass.labels->weighted();
  const auto weight = [&](std::size_t target) {
    const double own = weights != nullptr ? kernels::widened(weights[target]) : 1.0;
    return by_class ? own * pass.labels->weight(pass.data->classes[target]) : own;
  };
  double total = 0.0;
  for (std::size_t i = 0; i < pass.count; ++i) {
    const Slice& slice = pass.slices[i];
    const std::size_t target = pass.items[i].target;
    if (pass.data->pooling != 0) {
      if (target != Item::kNone) total += weight(target);
    } else if (weights == nullptr && !by_class) {
      total += static_cast<double>(slice.length);
    } else {
      for (std::size_t t = 0; t < slice.length; ++t) total += weight(slice.first + t);
    }
  }
  return total;
}

Dimensions::Dimensions(const Weights& weights) noexcept
    : embedding(weights.has_embedding()),
      has_reverse(weights.has_reverse()),
      layers(weights.num_layers()),
      strands(weights.strands()),
      inputs(weights.input_size()),
      layer_inputs(weights.layer(0).inputs),
      layer_outputs(weights.last_layer().outputs()),
      outputs(weights.output_size()),
      input_stride(stride(layer_inputs)),
      output_stride(stride(outputs)),
      layer_stride(0),
      gate_stride(0) {
  for (std::size_t l = 0; l < layers; ++l) {
    layer_stride = std::max(layer_stride, stride(weights.layer(l).width()));
    gate_stride = std::max(gate_stride, stride(weights.layer(l).gates()));
  }
}

// ---- Runs ----------------------------------------------------------------------------------------

// Rows of a step stand in the same order as those of its neighbours, so that as long as no segment ends, row
// r follows on row r - active, or r + active. The initial states stand before the first rows in the same way.
void Runs::build(const Allocator& allocator, const Plan& plan, bool reverse) {
  runs.reserve(allocator, (reverse ? 2 : 1) * plan.steps());
  count = 0;
  const std::size_t segments = plan.segments();
  for (std::size_t t = 0; t < plan.steps(); ++t) {
    const std::size_t row = plan.offset(t), active = plan.active(t);
    if (!reverse) {
      add({row, t == 0 ? 0 : segments + plan.offset(t - 1), active});
      continue;
    }
    const std::size_t going_on = t + 1 < plan.steps() ? plan.active(t + 1) : 0;
    add({row, segments + plan.offset(t + 1), going_on});
    add({row + going_on, going_on, active - going_on});
  }
}

void Runs::add(const Run& run) noexcept {
  if (run.count == 0) return;
  if (count > 0) {
    Run& last = runs[count - 1];
    if (last.row + last.count == run.row && last.previous + last.count == run.previous) {
      last.count += run.count;
      return;
    }
  }
  runs[count++] = run;
}

// ---- Workspace -----------------------------------------------------------------------------------

Workspace::Workspace(const Weights& w, std::size_t rows)
    : dimensions(w),
      chunk(w.has_head() && rows != 0 ? rows : chunk_rows(w, dimensions)),
      shapes(w.allocator(), dimensions.layers),
      strands(w.allocator(), dimensions.strands),
      layers(w.allocator(), dimensions.layers),
      no_target(w.allocator(), dimensions.outputs),
      allocator_(w.allocator()),
      rooms_(w.allocator(), dimensions.layers) {
  for (std::size_t l = 0; l < dimensions.layers; ++l) shapes[l] = w.layer(l);
  for (std::size_t s = 0; s < dimensions.strands; ++s) {
    strands[s].layer = &shapes[w.strand(s).layer->index];
    strands[s].reverse = w.strand(s).reverse;
  }
}

std::size_t Workspace::row_floats(const Weights& weights) {
  Workspace workspace(weights);
  workspace.row_capacity_ = 1;
  workspace.room_for_inputs_ = workspace.room_for_outputs_ = true;
  return workspace.lay_out(nullptr);
}

bool Workspace::begin(const Pass& pass) {
  const auto before = kind();
  const bool had_layout = std::exchange(laid_out_, false);
  one_hot = pass.data->indices != nullptr && !dimensions.embedding && !shapes[0].has_window();
  pooling = pass.data->pooling;
  before_pooling = pooling != 0 ? pass.weights->layers_before_pooling() : dimensions.layers;
  dropout = pass.dropout > 0.0f && dimensions.layers > 1;
  output_dropout = pass.output_dropout > 0.0f;
  recurrent_dropout = pass.recurrent_dropout > 0.0f;
  given_states = pass.initial_states != nullptr;
  sampled = pass.sample != nullptr;
  smoothed = pass.labels != nullptr && pass.labels->smoothed();
  const bool other_rows = plan.build(allocator_, pass.slices, pass.count, pass.data->resets);
  in_chunks = sampled || output_rows() > chunk;
  first_output = 0;
  const bool other = !had_layout || other_rows || kind() != before;
  if (other) {
    reserve();
    connect_layers();
    runs_[0].build(allocator_, plan, false);
    if (dimensions.has_reverse) runs_[1].build(allocator_, plan, true);
  }
  if (dropout || output_dropout || pass.zoneout) number_rows(pass);
  laid_out_ = true;
  return other;
}

void Workspace::begin_backward() {
  if (!in_chunks || pooling != 0) return;
  d_top_.reserve(allocator_, checked_product(plan.rows(), dimensions.layer_stride));
  d_top = {d_top_.data(), dimensions.layer_stride};
}

// Rows grow by a quarter at least, so that ragged batches soon find room.
void Workspace::reserve() {
  const std::size_t rows = plan.rows(), segments = plan.segments();
  indices.reserve(allocator_, rows);
  classes.reserve(allocator_, rows);
  targets.reserve(allocator_, rows);
  weights.reserve(allocator_, rows);
  scale.reserve(allocator_, rows);
  softmax.reserve(allocator_, rows);
  if (smoothed) {
    certain.reserve(allocator_, rows);
    rest.reserve(allocator_, rows);
  }
  losses.reserve(allocator_, rows);
  if (pooling == RNN_POOLING_MAX)
    pooled_steps.reserve(allocator_, checked_product(segments, pooled_layer().outputs()));
  const bool kinds = (one_hot || room_for_inputs_) && (!dropout || room_for_dropout_) &&
                     (!output_dropout || room_for_output_dropout_) &&
                     (!recurrent_dropout || room_for_masks_) && (sampled || room_for_outputs_);
  if (rows <= row_capacity_ && segments <= segment_capacity_ && kinds) return;

  room_for_inputs_ = room_for_inputs_ || !one_hot;
  room_for_dropout_ = room_for_dropout_ || dropout;
  room_for_output_dropout_ = room_for_output_dropout_ || output_dropout;
  room_for_masks_ = room_for_masks_ || recurrent_dropout;
  room_for_outputs_ = room_for_outputs_ || !sampled;
  if (rows > row_capacity_) row_capacity_ = std::max(rows, row_capacity_ + row_capacity_ / 4);
  segment_capacity_ = std::max(segment_capacity_, segments);
  try {
    memory_ = Buffer<float>();  // before there is more
    memory_ = Buffer<float>(allocator_, lay_out(nullptr));
  } catch (...) {
    row_capacity_ = segment_capacity_ = 0;
    throw;
  }
  lay_out(memory_.data());
}

void Workspace::number_rows(const Pass& pass) {
  row_numbers.reserve(allocator_, plan.rows());
  segment_numbers.reserve(allocator_, plan.segments());
  if (!pass.by_sequence) {
    std::iota(row_numbers.begin(), row_numbers.begin() + plan.rows(), 0);
    std::iota(segment_numbers.begin(), segment_numbers.begin() + plan.segments(), 0);
    return;
  }
  for (std::size_t b = 0; b < plan.segments(); ++b) {
    const Segment& segment = plan.segment(b);
    const std::uint64_t first =
        (pass.items[segment.slice].sequence << 32) + (segment.first - pass.slices[segment.slice].first);
    segment_numbers[b] = first;
    for (std::size_t t = 0; t < segment.length; ++t) row_numbers[plan.offset(t) + b] = first + t;
  }
}

// Hands out matrices one behind the other from `base` on, or if that is null, only counts.
struct Workspace::Taker {
  float* base;
  std::size_t* used;

  Matrix operator()(std::size_t rows, std::size_t stride) const {
    float* const place = base != nullptr ? base + *used : nullptr;
    *used += kernels::padded(checked_product(rows, stride));
    return {place, stride};
  }
};

void Workspace::lay_out_strand(StrandRows& s, const Taker& take) {
  const Layer& layer = *s.layer;
  const cells::Cell& cell = *layer.cell;
  const std::size_t rows = row_capacity_, hidden = Dimensions::stride(layer.hidden),
                    gates = Dimensions::stride(layer.gates());
  const bool reverse = s.reverse;
  s = {};
  s.layer = &layer;
  s.reverse = reverse;
  if (layer.kept_leads()) {
    const std::size_t first = kernels::padded(layer.kept());
    const Matrix all = take(rows, Dimensions::stride(first + layer.gates()));
    s.gates = all.from(first);
    s.kept = all.from(first - layer.kept());
    s.d_product = all.from(first - layer.hidden);
  } else {
    s.gates = s.d_product = take(rows, gates);
    // Sums over the columns of the last vector also read what pads it.
    if (cell.kept > 0)
      s.kept = take(rows, Dimensions::stride(layer.kept() - layer.hidden + kernels::padded(layer.hidden)));
  }
  for (std::size_t p = 0; p < cell.states; ++p)
    s.states[p] = take(segment_capacity_ + rows, Dimensions::stride(layer.state_size(p)));
  s.d_sum = cell.kept_leads() && layer.layer_norm ? take(rows, gates) : s.gates;
  s.d_input_product = s.gates;
  const bool masks = room_for_masks_ && cell.recurrent_gates() > 0;
  s.plain = layer.is_plain() && !masks;
  const std::size_t projected = Dimensions::stride(layer.projected);
  if (layer.has_projection()) s.unprojected = take(rows, hidden);
  if (layer.has_projection() || masks || layer.zoneout[0] != 0.0f) s.d_projected = take(rows, projected);
  if (masks) {
    s.mask = take(segment_capacity_, projected);
    s.masked = take(rows, projected);
  }
  if (layer.layer_norm) {
    for (Matrix* m : {&s.normalized_input, &s.normalized, &s.d_product, &s.d_input_product})
      *m = take(rows, gates);
    s.deviation_input = take(rows, 1).data;
    s.deviation = take(rows, 1).data;
    s.product = s.d_product;
  } else if (layer.separates_product()) {
    s.product = take(rows, gates);
  }
  for (std::size_t p = 0; p < cell.states; ++p) {
    if (layer.zoneout[p] == 0.0f) continue;
    const std::size_t stride = Dimensions::stride(layer.state_size(p));
    s.computed[p] = take(rows, stride);
    s.replaced[p] = take(rows, stride);
    s.held[p] = take(segment_capacity_, stride);
  }
  for (std::size_t p = 0; p < cell.states; ++p)
    if (p > 0 || layer.carries_h()) s.carry[p] = s.d_initial[p] = take(segment_capacity_, hidden);
  if (cell.keeps_h) s.d_initial[0] = take(segment_capacity_, Dimensions::stride(layer.projected));
}

// Places at `base`, or null: measure alone. Returns the floats used.
std::size_t Workspace::lay_out(float* base) {
  const Dimensions& d = dimensions;
  std::size_t used = 0;
  const Taker take{base, &used};
  for (StrandRows& strand : strands) lay_out_strand(strand, take);
  for (std::size_t l = 0; l < d.layers; ++l) {
    const bool window = shapes[l].has_window();
    const std::size_t columns = Dimensions::stride(shapes[l].columns());
    layers[l].windows = window ? take(row_capacity_, columns) : Matrix{};
    layers[l].d_windows = window ? take(row_capacity_, columns) : Matrix{};
    layers[l].past = window ? take(segment_capacity_, shapes[l].past()) : Matrix{};
    rooms_[l].outputs = joins(l) ? take(row_capacity_, d.layer_stride) : Matrix{};
    const bool drops = l + 1 < d.layers ? room_for_dropout_ : room_for_output_dropout_;
    rooms_[l].dropped = drops ? take(row_capacity_, d.layer_stride) : Matrix{};
  }
  inputs_ = room_for_inputs_ ? take(row_capacity_, d.input_stride) : Matrix{};
  d_embedded = d.embedding ? take(row_capacity_, d.input_stride) : Matrix{};
  outputs = room_for_outputs_ ? take(std::min(row_capacity_, chunk), d.output_stride) : Matrix{};
  pooled = take(segment_capacity_, d.layer_stride);
  d_pooled = take(segment_capacity_, d.layer_stride);
  return used;
}

void Workspace::connect_layers() noexcept {
  const Dimensions& d = dimensions;
  Matrix below = one_hot ? Matrix{} : inputs_;
  for (std::size_t l = 0; l < d.layers; ++l) {
    const Matrix& h = strands[shapes[l].first_strand].states[0];
    layers[l].inputs = below;
    layers[l].outputs = joins(l) ? rooms_[l].outputs : Matrix{h.at(plan.segments()), h.stride};
    layers[l].handed_on = drops(l) ? rooms_[l].dropped : pools(l) ? pooled : layers[l].outputs;
    below = layers[l].handed_on;
  }
}

}  // namespace rnn
