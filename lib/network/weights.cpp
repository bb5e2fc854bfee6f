#include "lib/network/weights.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <string>

#include "lib/kernels/dispatch.h"
#include "lib/network/error.h"
#include "lib/network/text.h"

namespace rnn {
namespace {

using Kind = Parameter::Kind;
using kernels::padded;

kernels::Format format_of(std::int32_t compute) noexcept {
  return compute == RNN_COMPUTE_BF16   ? kernels::Format::bf16
         : compute == RNN_COMPUTE_INT8 ? kernels::Format::int8
                                       : kernels::Format::f32;
}

const kernels::Table& available_table(const rnn_config_t& config) {
  const auto width = static_cast<std::size_t>(config.hidden_size);
  if (const kernels::Table* table = kernels::table(format_of(config.compute), width)) return *table;
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
           std::size_t part = 0) {
    Parameter parameter{};
    parameter.kind = kind;
    parameter.strand = strand;
    parameter.part = part;
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

void add_strand(const Weights& weights, std::size_t strand, Layout& layout) {
  const std::size_t H = weights.hidden_size(), GH = weights.gates_size(), P = weights.projected_size();
  const std::size_t layer = strand / weights.directions();
  const std::string suffix =
      "_l" + std::to_string(layer) + (strand % weights.directions() == 0 ? "" : "_reverse");
  const auto add = [&](Kind kind, const char* name, std::size_t rows, std::size_t columns,
                       std::size_t part = 0) {
    layout.add(kind, name + suffix, rows, columns, strand, part);
  };
  add(Kind::input, "weight_ih", GH, weights.layer_input_size(layer));
  add(Kind::recurrent, "weight_hh", GH, P);
  if (weights.has_projection()) add(Kind::projection, "weight_hr", P, H);
  if (weights.has_bias()) add(Kind::bias, "bias_ih", GH, 1);
  if (weights.has_bias() && weights.cell().recurrent_bias) add(Kind::recurrent_bias, "bias_hn", H, 1);
  if (weights.has(RNN_LAYER_NORM)) {
    add(Kind::norm_input, "norm_ih", GH, 1);
    add(Kind::norm_recurrent, "norm_hh", GH, 1);
  }
  if (weights.config().initial_state == RNN_INITIAL_ZERO) return;
  add(Kind::initial, "initial_h", P, 1, 0);
  if (weights.cell().states > 1) add(Kind::initial, "initial_c", H, 1, 1);
}

void add_all(const Weights& weights, Layout& layout) {
  if (weights.has_embedding())
    layout.add(Kind::embedding, "embedding.weight", weights.input_size(), weights.layer_input_size(0));
  for (std::size_t strand = 0; strand < weights.strands(); ++strand) add_strand(weights, strand, layout);
  if (!weights.has_head()) return;
  if (!weights.has(RNN_TIED_HEAD))
    layout.add(Kind::head, "head.weight", weights.output_size(), weights.layer_size());
  if (weights.has_bias()) layout.add(Kind::head_bias, "head.bias", weights.output_size(), 1);
}

}  // namespace

Weights::Weights(const rnn_config_t& config, const Allocator& allocator)
    : config_(config),
      allocator_(allocator),
      table_(&available_table(config)),
      cell_(cells::find(config.cell, config.flags & cells::kVariants)) {
  lay_out_parameters();
  lay_out_matrices();
  strands_ = Buffer<cells::LayerWeights>(allocator_, strands());
  initials_ = Buffer<const float*>(allocator_, state_vectors());
  zeros_ = Buffer<float>(allocator_, padded(std::max(gates_size(), output_size())));
  connect();
}

void Weights::lay_out_parameters() {
  Layout counted(nullptr);
  add_all(*this, counted);
  parameters_ = Buffer<Parameter>(allocator_, counted.count());
  values_ = Buffer<float>(allocator_, counted.size());
  Layout layout(parameters_.data());
  add_all(*this, layout);
}

// Of each strand W_ih, W_hh (in two parts, if the cell wants them apart) and W_hr, then the head's.
void Weights::lay_out_matrices() {
  const std::size_t H = hidden_size(), G = cell_->gates;
  const std::size_t of_strand = 2 + (cell_->candidate ? 1 : 0) + (has_projection() ? 1 : 0);
  matrices_ = PackedMatrices(allocator_, strands() * of_strand + (has_head() ? 1 : 0));
  std::size_t next = 0;
  const auto add = [&](Kind kind, std::size_t strand, std::size_t first_row, std::size_t rows,
                       std::size_t gates) {
    const Parameter* parameter = find(kind, strand);
    const auto index = static_cast<std::size_t>(parameter - parameters_.data());
    const kernels::Panels panels{nullptr, rows, parameter->columns, gates};
    matrices_[next++] = {index, first_row, 0, false, panels, nullptr};
  };
  const std::size_t joint = cell_->candidate ? G - 1 : G;  // gates of W_hh's first part
  for (std::size_t strand = 0; strand < strands(); ++strand) {
    add(Kind::input, strand, 0, G * H, group(G));
    add(Kind::recurrent, strand, 0, joint * H, group(joint));
    if (cell_->candidate) add(Kind::recurrent, strand, joint * H, H, 0);
    if (has_projection()) add(Kind::projection, strand, 0, projected_size(), 0);
  }
  if (has_head()) add(has(RNN_TIED_HEAD) ? Kind::embedding : Kind::head, 0, 0, output_size(), 0);
  matrices_.place(allocator_, *table_);
}

void Weights::connect() noexcept {
  std::size_t next = 0;  // in the order of lay_out_matrices
  for (std::size_t s = 0; s < strands(); ++s) {
    cells::LayerWeights& w = strands_[s];
    w = {};
    w.input = matrices_[next++].panels;
    w.recurrent = matrices_[next++].panels;
    if (cell_->candidate) w.candidate = matrices_[next++].panels;
    if (has_projection()) w.projection = matrices_[next++].panels;
    w.bias = vector(Kind::bias, s);
    w.recurrent_bias = vector(Kind::recurrent_bias, s);
    if (has(RNN_LAYER_NORM)) {
      w.norm_input = vector(Kind::norm_input, s);
      w.norm_recurrent = vector(Kind::norm_recurrent, s);
    }
    for (std::size_t part = 0; part < cell_->states; ++part)
      initials_[part * strands() + s] = vector(Kind::initial, s, part);
  }
  if (!has_head()) return;
  head_ = matrices_[next].panels;
  head_bias_ = vector(Kind::head_bias, 0);
  head_row_ = values_.data() + parameters_[matrices_[next].parameter].offset;
}

const float* Weights::vector(Kind kind, std::size_t strand, std::size_t part) const noexcept {
  const Parameter* parameter = find(kind, strand, part);
  return parameter != nullptr ? values_.data() + parameter->offset : zeros_.data();
}

const Parameter* Weights::find(const char* name) const noexcept {
  for (const Parameter& parameter : parameters_)
    if (std::strcmp(parameter.name, name) == 0) return &parameter;
  return nullptr;
}

const Parameter* Weights::find(Kind kind, std::size_t strand, std::size_t part) const noexcept {
  for (const Parameter& parameter : parameters_)
    if (parameter.kind == kind && parameter.strand == strand && parameter.part == part) return &parameter;
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
