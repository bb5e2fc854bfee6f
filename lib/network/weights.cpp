#include "lib/network/weights.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <string>

#include "lib/kernels/dispatch.h"
#include "lib/kernels/pack.h"
#include "lib/network/error.h"

namespace rnn {
namespace {

using Kind = Parameter::Kind;
using kernels::padded;

const char* const kInitialNames[cells::kMaxStates] = {"initial_h_l%zu", "initial_c_l%zu"};

const kernels::Table& available_table() {
  if (const kernels::Table* table = kernels::table()) return *table;
  std::string names;
  const kernels::TableList tables = kernels::all();
  for (const kernels::Table* const* i = tables.begin; i != tables.end; ++i)
    names += (names.empty() ? "" : ", ") + std::string((*i)->name);
  throw Error(RNN_UNSUPPORTED,
              "the environment variable RNN_ISA is \"%.64s\"; on this CPU it must be one of %s",
              kernels::requested(), names.c_str());
}

bool is_matrix(const Parameter& parameter) noexcept {
  return parameter.kind == Kind::input || parameter.kind == Kind::recurrent || parameter.kind == Kind::head;
}

// Places parameters one behind the other.
class Layout {
 public:
  explicit Layout(Parameter* next) noexcept : next_(next) {}

  void add(Kind kind, std::size_t layer, const char* format, std::size_t rows, std::size_t columns) {
    Parameter& parameter = *next_++;
    parameter.kind = kind;
    parameter.layer = layer;
    std::snprintf(parameter.name, sizeof parameter.name, format, layer);
    parameter.rows = rows;
    parameter.columns = columns;
    parameter.stride = is_matrix(parameter) ? padded(columns) : 1;
    parameter.offset = size_;
    const std::size_t size = padded(checked_product(rows, parameter.stride));
    if (size > static_cast<std::size_t>(-1) - size_) throw std::bad_alloc();
    size_ += size;
  }

  std::size_t size() const noexcept { return size_; }

 private:
  Parameter* next_;
  std::size_t size_ = 0;
};

}  // namespace

void pack_panels(const kernels::Table& table, const Parameter& parameter, const float* values,
                 const PackedMatrix& matrix, std::size_t first, std::size_t last) noexcept {
  const std::size_t row_stride = matrix.transposed ? 1 : parameter.stride;
  const std::size_t column_stride = matrix.transposed ? parameter.stride : 1;
  kernels::pack(table, matrix.panels.rows, matrix.panels.depth, values, row_stride, column_stride, first,
                last, matrix.data);
}

Weights::Weights(const rnn_config_t& config, const Allocator& allocator)
    : config_(config), allocator_(allocator), table_(&available_table()), cell_(cells::find(config.cell)) {
  lay_out_parameters();
  lay_out_matrices();
  layers_ = Buffer<cells::LayerWeights>(allocator_, num_layers());
  initials_ = Buffer<const float*>(allocator_, state_vectors());
  zeros_ = Buffer<float>(allocator_, padded(std::max(gates_size(), output_size())));
  connect();
}

void Weights::lay_out_parameters() {
  const std::size_t I = input_size(), H = hidden_size(), GH = gates_size(), O = output_size();
  const bool initial = config_.initial_state != RNN_INITIAL_ZERO;
  const std::size_t biases = has_bias() ? 1 : 0;
  const std::size_t of_layer = 2 + biases + (initial ? cell_->states : 0);
  parameters_ = Buffer<Parameter>(allocator_, num_layers() * of_layer + (has_head() ? 1 + biases : 0));

  Layout layout(parameters_.data());
  for (std::size_t l = 0; l < num_layers(); ++l) {
    layout.add(Kind::input, l, "weight_ih_l%zu", GH, l == 0 ? I : H);
    layout.add(Kind::recurrent, l, "weight_hh_l%zu", GH, H);
    if (has_bias()) layout.add(Kind::bias, l, "bias_ih_l%zu", GH, 1);
    for (std::size_t part = 0; initial && part < cell_->states; ++part)
      layout.add(Kind::initial, l, kInitialNames[part], H, 1);
  }
  if (has_head()) {
    layout.add(Kind::head, 0, "head.weight", O, H);
    if (has_bias()) layout.add(Kind::head_bias, 0, "head.bias", O, 1);
  }
  values_ = Buffer<float>(allocator_, layout.size());
}

void Weights::lay_out_matrices() {
  const std::size_t count = 2 * num_layers() + (has_head() ? 1 : 0);
  matrices_ = Buffer<PackedMatrix>(allocator_, count);
  job_ends_ = Buffer<std::size_t>(allocator_, count);
  Buffer<std::size_t> offsets(allocator_, count);
  std::size_t m = 0, jobs = 0, size = 0;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const Parameter& parameter = parameters_[i];
    if (!is_matrix(parameter)) continue;
    checked_product(parameter.rows + table_->panel, parameter.columns + kernels::kPad);
    const std::size_t room = padded(kernels::packed_size(*table_, parameter.rows, parameter.columns));
    if (room > static_cast<std::size_t>(-1) - size) throw std::bad_alloc();
    matrices_[m] = {i, false, {nullptr, parameter.rows, parameter.columns}, nullptr};
    job_ends_[m] = jobs += kernels::panel_count(*table_, parameter.rows);
    offsets[m] = size;
    size += room;
    ++m;
  }
  packed_ = Buffer<float>(allocator_, size);
  for (std::size_t i = 0; i < count; ++i)
    matrices_[i].panels.data = matrices_[i].data = packed_.data() + offsets[i];
}

void Weights::connect() noexcept {
  for (std::size_t l = 0; l < num_layers(); ++l)
    layers_[l] = {matrices_[2 * l].panels, matrices_[2 * l + 1].panels, vector(Kind::bias, l)};
  for (std::size_t part = 0; part < cell_->states; ++part) {
    for (std::size_t l = 0; l < num_layers(); ++l) {
      // A layer's initial vectors stand one behind the other.
      const Parameter* h = find(Kind::initial, l);
      initials_[part * num_layers() + l] = h != nullptr ? values_.data() + h[part].offset : zeros_.data();
    }
  }
  if (!has_head()) return;
  head_ = matrices_[2 * num_layers()].panels;
  head_bias_ = vector(Kind::head_bias, 0);
}

const float* Weights::vector(Kind kind, std::size_t layer) const noexcept {
  const Parameter* parameter = find(kind, layer);
  return parameter != nullptr ? values_.data() + parameter->offset : zeros_.data();
}

const Parameter* Weights::find(const char* name) const noexcept {
  for (const Parameter& parameter : parameters_)
    if (std::strcmp(parameter.name, name) == 0) return &parameter;
  return nullptr;
}

const Parameter* Weights::find(Kind kind, std::size_t layer) const noexcept {
  for (const Parameter& parameter : parameters_)
    if (parameter.kind == kind && parameter.layer == layer) return &parameter;
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

std::size_t Weights::pack_jobs() const noexcept { return job_ends_[job_ends_.size() - 1]; }

void Weights::pack_job(std::size_t job) noexcept {
  const std::size_t* end = std::upper_bound(job_ends_.begin(), job_ends_.end(), job);
  const std::size_t first = end == job_ends_.begin() ? 0 : end[-1];
  const PackedMatrix& matrix = matrices_[static_cast<std::size_t>(end - job_ends_.begin())];
  const Parameter& parameter = parameters_[matrix.parameter];
  pack_panels(*table_, parameter, values_.data() + parameter.offset, matrix, job - first, job - first + 1);
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
  std::copy(weights_->packed_.begin(), weights_->packed_.end(), result.weights_->packed_.begin());
  return result;
}

bool WeightsRef::unique() const noexcept {
  return weights_->references_.load(std::memory_order_acquire) == 1;
}

}  // namespace rnn
