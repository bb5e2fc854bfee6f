#include "lib/network/weights.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <string>

#include "lib/kernels/dispatch.h"
#include "lib/network/error.h"
#include "lib/network/layer_list.h"
#include "lib/network/text.h"

namespace rnn {
namespace {

using Kind = Parameter::Kind;
using kernels::padded;

// Of networks whose widest layer has `width` units; null if RNN_ISA names none.
const kernels::Table* table_of(std::int32_t compute, std::size_t width) {
  switch (compute) {
    case RNN_COMPUTE_BF16:
      return kernels::table(kernels::Format::bf16);
    case RNN_COMPUTE_BF16_FAST:
      return kernels::fast_table(width);
    case RNN_COMPUTE_INT8:
      return kernels::table(kernels::Format::int8);
    default:
      return kernels::table();
  }
}

const kernels::Table& available_table(const rnn_config_t& config, const Buffer<Layer>& layers) {
  std::size_t width = 0;
  for (const Layer& layer : layers) width = std::max(width, layer.hidden);
  if (const kernels::Table* table = table_of(config.compute, width)) return *table;
  std::string names;
  const kernels::TableList tables = kernels::all();
  for (const kernels::Table* const* i = tables.begin; i != tables.end; ++i)
    names += (names.empty() ? "" : ", ") + std::string((*i)->name);
  if (names.empty())
    throw Error(RNN_UNSUPPORTED, "this CPU has none of the instruction sets that the library was built for");
  throw Error(RNN_UNSUPPORTED, "the environment variable RNN_ISA is %s; on this CPU it must be one of %s",
              quote(kernels::requested()).c_str(), names.c_str());
}

std::size_t group(std::size_t gates) noexcept { return gates < 2 ? 0 : gates; }

// Places parameters one behind the other: only counted, or written to `parameters`.
class Layout {
 public:
  explicit Layout(Parameter* parameters) noexcept : parameters_(parameters) {}

  void add(Kind kind, const std::string& name, std::size_t rows, std::size_t columns, std::size_t strand = 0,
           std::size_t index = 0, const cells::Vector& vector = {}) {
    Parameter parameter{};
    parameter.kind = kind;
    parameter.strand = strand;
    parameter.index = index;
    parameter.vector = vector;
    std::snprintf(parameter.name, sizeof parameter.name, "%s", name.c_str());
    parameter.rows = rows;
    parameter.columns = columns;
    parameter.stride = parameter.is_matrix() ? padded(columns) : 1;
    parameter.offset = size_;
    const std::size_t size = padded(checked_product(rows, parameter.stride));
    if (size > static_cast<std::size_t>(-1) - size_) throw std::bad_alloc();
    size_ += size;
    if (parameters_ != nullptr) parameters_[count_] = parameter;
    ++count_;
  }

  std::size_t count() const noexcept { return count_; }
  std::size_t size() const noexcept { return size_; }

 private:
  Parameter* parameters_;
  std::size_t count_ = 0;
  std::size_t size_ = 0;
};

std::string place_in_list(std::size_t index) { return "layers." + std::to_string(index) + "."; }

void add_strand(const Weights& weights, std::size_t strand, Layout& layout) {
  const Layer& layer = *weights.strand(strand).layer;
  const cells::Cell& cell = *layer.cell;
  const std::size_t H = layer.hidden, P = layer.projected;
  const std::string prefix = weights.is_list() ? place_in_list(layer.index) : "";
  const std::string suffix = (weights.is_list() ? "" : "_l" + std::to_string(layer.index)) +
                             std::string(weights.strand(strand).reverse ? "_reverse" : "");
  const auto add = [&](Kind kind, const std::string& name, std::size_t rows, std::size_t columns,
                       std::size_t index = 0, const cells::Vector& vector = {}) {
    layout.add(kind, prefix + name + suffix, rows, columns, strand, index, vector);
  };
  const auto add_vector = [&](const cells::Vector& vector, std::size_t index) {
    if (vector.start == cells::Vector::Start::bias && !layer.bias) return;
    add(Kind::vector, vector.name, vector.gates * H, 1, index, vector);
  };
  add(Kind::input, cell.input, layer.gates(), layer.columns());
  if (cell.recurrent_gates() > 0) add(Kind::recurrent, "weight_hh", cell.recurrent_gates() * H, P);
  if (layer.has_projection()) add(Kind::projection, "weight_hr", P, H);
  for (std::size_t i = 0; i < cell.vector_count; ++i) add_vector(cell.vectors[i], i);
  if (layer.layer_norm) {
    add_vector(cells::norm_gain(cell, false), Parameter::kNormInput);
    add_vector(cells::norm_gain(cell, true), Parameter::kNormRecurrent);
  }
  if (weights.config().initial_state == RNN_INITIAL_ZERO) return;
  for (std::size_t state = cell.first_kept_state(); state < cell.states; ++state)
    add(Kind::initial, std::string("initial_") + cells::kStateNames[state], layer.state_size(state), 1,
        state);
}

void add_all(const Weights& weights, Layout& layout) {
  if (weights.has_embedding())
    layout.add(Kind::embedding, "embedding.weight", weights.input_size(), weights.layer(0).inputs);
  for (std::size_t strand = 0; strand < weights.strands(); ++strand) add_strand(weights, strand, layout);
  if (!weights.has_head()) return;
  const Head& head = weights.head_shape();
  const std::string prefix = weights.is_list() ? place_in_list(head.index) : "head.";
  if (!weights.has(RNN_FLAG_TIED_HEAD))
    layout.add(Kind::head, prefix + "weight", head.outputs, weights.last_layer().outputs());
  if (head.bias) layout.add(Kind::head_bias, prefix + "bias", head.outputs, 1);
}

}  // namespace

Weights::Weights(const rnn_config_t& config, const Allocator& allocator)
    : allocator_(allocator),
      list_(allocator, config.layer_count),
      config_(config),
      head_shape_(make_head(config)),
      layers_(make_layers(config, allocator)),
      layers_before_pooling_(rnn::layers_before_pooling(config)),
      table_(&available_table(config, layers_)) {
  for (std::size_t l = 0; l < list_.size(); ++l) list_[l] = layer_at(config, l);
  if (is_list()) config_.layers = list_.data();
  lay_out_strands();
  lay_out_parameters();
  lay_out_matrices();
  std::size_t widest = output_size();
  for (const Layer& layer : layers_) widest = std::max(widest, layer.gates());
  zeros_ = Buffer<float>(allocator, padded(widest));
  connect();
}

void Weights::lay_out_strands() {
  std::size_t count = 0;
  for (const Layer& layer : layers_) count += layer.directions;
  strands_ = Buffer<Strand>(allocator_, count);
  for (const Layer& layer : layers_) {
    has_reverse_ = has_reverse_ || layer.has_reverse();
    has_zoneout_ = has_zoneout_ || layer.has_zoneout();
    for (std::size_t d = 0; d < layer.directions; ++d) {
      Strand& strand = strands_[layer.first_strand + d];
      strand.layer = &layer;
      strand.reverse = layer.reverse || d != 0;
      strand.column = d * layer.projected;
    }
  }
  for (std::size_t state = 0; state < cells::kMaxStates; ++state) {
    for (Strand& strand : strands_) {
      if (state >= strand.layer->cell->states) continue;
      const std::size_t length = strand.layer->state_size(state);
      strand.states[state] = {length, state_size_, padded_state_size_, nullptr};
      if (state >= strand.layer->cell->first_kept_state()) state_size_ += length;
      padded_state_size_ += padded(length);
      if (state > 0) continue;
      strand.past = {strand.layer->past(), state_size_, past_size_, nullptr};
      state_size_ += strand.past.size;
      past_size_ += strand.past.size;
    }
  }
}

void Weights::lay_out_parameters() {
  Layout counted(nullptr);
  add_all(*this, counted);
  parameters_ = Buffer<Parameter>(allocator_, counted.count());
  values_ = Buffer<float>(allocator_, counted.size());
  Layout layout(parameters_.data());
  add_all(*this, layout);
}

// Of each strand W_ih, of W_hh what each stage of the cell multiplies by, and W_hr; then the head's.
void Weights::lay_out_matrices() {
  matrices_ = PackedMatrices(allocator_, strands() * kPlaces + (has_head() ? 1 : 0));
  const auto set = [&](std::size_t matrix, const Parameter* parameter, std::size_t first_row,
                       std::size_t rows, std::size_t gates) {
    const auto index = static_cast<std::size_t>(parameter - parameters_.data());
    const kernels::Panels panels{nullptr, rows, parameter->columns, gates};
    matrices_[matrix] = {index, first_row, 0, false, panels, nullptr};
  };
  for (std::size_t s = 0; s < strands(); ++s) {
    const Layer& layer = *strands_[s].layer;
    const std::size_t first = s * kPlaces;
    set(first + kInput, find(Kind::input, s), 0, layer.gates(), group(layer.cell->gates));
    std::size_t row = 0;
    for (std::size_t stage = 0; stage < layer.cell->stage_count; ++stage) {
      const std::size_t gates = layer.cell->stages[stage].gates, rows = gates * layer.hidden;
      if (gates == 0) continue;
      set(first + kProducts + stage, find(Kind::recurrent, s), row, rows, group(gates));
      row += rows;
    }
    if (layer.has_projection()) set(first + kProjection, find(Kind::projection, s), 0, layer.projected, 0);
  }
  if (has_head())
    set(strands() * kPlaces, find(has(RNN_FLAG_TIED_HEAD) ? Kind::embedding : Kind::head, 0), 0,
        output_size(), 0);
  matrices_.place(allocator_, *this);
}

void Weights::connect() noexcept {
  for (std::size_t s = 0; s < strands(); ++s) {
    Strand& strand = strands_[s];
    const cells::Cell& cell = *strand.layer->cell;
    const PackedMatrix* const matrices = &matrices_[s * kPlaces];
    cells::LayerWeights& w = strand.weights;
    w = {};
    w.activation = strand.layer->activation;
    w.custom = strand.layer->custom;
    std::copy_n(strand.layer->zoneout, cells::kMaxStates, w.zoneout);
    w.input = matrices[kInput].panels;
    for (std::size_t stage = 0; stage < cell.stage_count; ++stage)
      w.products[stage] = matrices[kProducts + stage].panels;
    w.projection = matrices[kProjection].panels;
    for (std::size_t i = 0; i < cell.vector_count; ++i) w.vectors[i] = vector(Kind::vector, s, i);
    if (strand.layer->layer_norm) {
      w.norm_input = vector(Kind::vector, s, Parameter::kNormInput);
      w.norm_recurrent = vector(Kind::vector, s, Parameter::kNormRecurrent);
    }
    for (std::size_t state = cell.first_kept_state(); state < cell.states; ++state)
      strand.states[state].initial = vector(Kind::initial, s, state);
  }
  if (!has_head()) return;
  const PackedMatrix& head = matrices_[strands() * kPlaces];
  head_ = head.panels;
  head_bias_ = vector(Kind::head_bias, 0);
  head_row_ = values_.data() + parameters_[head.parameter].offset;
}

const float* Weights::vector(Kind kind, std::size_t strand, std::size_t index) const noexcept {
  const Parameter* parameter = find(kind, strand, index);
  return parameter != nullptr ? values_.data() + parameter->offset : zeros_.data();
}

const Parameter* Weights::find(const char* name) const noexcept {
  for (const Parameter& parameter : parameters_)
    if (std::strcmp(parameter.name, name) == 0) return &parameter;
  return nullptr;
}

const Parameter* Weights::find(Kind kind, std::size_t strand, std::size_t index) const noexcept {
  for (const Parameter& parameter : parameters_)
    if (parameter.kind == kind && parameter.strand == strand && parameter.index == index) return &parameter;
  return nullptr;
}

void Weights::get(const Parameter& parameter, float* out) const noexcept {
  const float* row = values_.data() + parameter.offset;
  for (std::size_t i = 0; i < parameter.rows; ++i, row += parameter.stride, out += parameter.columns)
    std::copy_n(row, parameter.columns, out);
}

void Weights::set(const Parameter& parameter, const float* in) noexcept {
  float* row = values_.data() + parameter.offset;
  for (std::size_t i = 0; i < parameter.rows; ++i, row += parameter.stride, in += parameter.columns)
    std::copy_n(in, parameter.columns, row);
}

void Weights::pack() noexcept {
  for (std::size_t job = 0; job < pack_jobs(); ++job) pack_job(job);
}

WeightsRef::WeightsRef(Weights* weights) noexcept : weights_(weights) {
  if (weights_ != nullptr) weights_->references_.fetch_add(1, std::memory_order_relaxed);
}

WeightsRef::WeightsRef(const WeightsRef& other) noexcept : WeightsRef(other.weights_) {}

WeightsRef::~WeightsRef() {
  if (weights_ != nullptr && weights_->references_.fetch_sub(1, std::memory_order_acq_rel) == 1)
    weights_->allocator().destroy(weights_);
}

WeightsRef WeightsRef::make(const rnn_config_t& config, const Allocator& allocator) {
  return WeightsRef(allocator.make<Weights>(config, allocator));
}

WeightsRef WeightsRef::copy() const {
  WeightsRef result = make(weights_->config_, weights_->allocator_);
  std::copy(weights_->values_.begin(), weights_->values_.end(), result.weights_->values_.begin());
  result.weights_->matrices_.copy(weights_->matrices_);
  result.weights_->metadata_.copy(weights_->allocator_, weights_->metadata_);
  return result;
}

WeightsRef WeightsRef::converted(std::int32_t compute) const {
  rnn_config_t config = weights_->config_;
  config.compute = compute;
  WeightsRef result = make(config, weights_->allocator_);
  std::copy(weights_->values_.begin(), weights_->values_.end(), result.weights_->values_.begin());
  result.weights_->metadata_.copy(weights_->allocator_, weights_->metadata_);
  result.weights_->pack();
  return result;
}

bool WeightsRef::unique() const noexcept {
  return weights_->references_.load(std::memory_order_acquire) == 1;
}

}  // namespace rnn
