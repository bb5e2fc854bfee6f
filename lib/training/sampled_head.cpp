#include "lib/training/sampled_head.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "lib/kernels/pack.h"
#include "lib/kernels/subnormals.h"
#include "lib/network/random.h"
#include "lib/training/dropout.h"
#include "lib/training/exact.h"
#include "lib/training/long_sums.h"

namespace rnn {
namespace {

using kernels::Real;
using Kind = Parameter::Kind;

constexpr std::size_t kNone = static_cast<std::size_t>(-1);
// Floats of the logits of a chunk: 32 MB. A multiple of so many rows: the kernels add the products of some
// rows at a time.
constexpr std::size_t kChunkFloats = std::size_t{1} << 23;
constexpr std::size_t kChunkUnit = 64;
// Rows of which the kernels make tiles without a rest.
constexpr std::size_t kTileRows = 12;
// Tiles of the gradient, and columns of it that a task adds up.
constexpr std::size_t kGradientRows = 96, kGradientColumns = 128, kStripe = 64;

std::size_t find(const Weights& weights, Kind kind) noexcept {
  const Parameter* const p = weights.find(kind, 0);
  return p != nullptr ? static_cast<std::size_t>(p - &weights.parameter(0)) : kNone;
}

// n is a multiple of kPad. The lanes of the sum are the same on every machine.
float dot(const float* a, const float* b, std::size_t n) noexcept {
  constexpr std::size_t lanes = kernels::kPad;
  Real sum[lanes];
  for (Real& part : sum) part = Real(0.0f);
  for (std::size_t k = 0; k < n; k += lanes)
    for (std::size_t i = 0; i < lanes; ++i) sum[i] = sum[i] + Real(a[k + i]) * Real(b[k + i]);
  for (std::size_t width = lanes / 2; width > 0; width /= 2)
    for (std::size_t i = 0; i < width; ++i) sum[i] = sum[i] + sum[i + width];
  return static_cast<float>(sum[0]);
}

void add_scaled(float factor, const float* x, std::size_t n, float* y) noexcept {
  for (std::size_t j = 0; j < n; ++j) y[j] = static_cast<float>(Real(y[j]) + Real(factor) * Real(x[j]));
}

}  // namespace

// ---- Which classes ---------------------------------------------------------------------------------

ClassSample::ClassSample(const Allocator& allocator, std::size_t classes, std::size_t size)
    : log_range_(exact_log(static_cast<double>(classes) + 1.0)),
      drawn_(allocator, size),
      among_(allocator, classes) {}

// Class c by the probability log((c + 2) / (c + 1)) / log(classes + 1), again and again until there are
// enough different ones.
void ClassSample::draw(std::uint64_t key) noexcept {
  Random random(key);
  const double range = static_cast<double>(among_.size()) + 1.0;
  std::size_t count = 0;
  for (draws_ = 0; count < drawn_.size(); ++draws_) {
    const auto drawn = static_cast<std::size_t>(exact_power(range, random.uniform())) - 1;
    const std::size_t c = std::min(drawn, among_.size() - 1);
    if (std::exchange(among_[c], std::uint8_t{1}) == 0) drawn_[count++] = static_cast<std::int32_t>(c);
  }
  std::sort(drawn_.begin(), drawn_.end());
  for (const std::int32_t c : drawn_) among_[static_cast<std::size_t>(c)] = 0;
}

// After so many draws.
float ClassSample::log_expected(std::int32_t c) const noexcept {
  const double probability = exact_log((c + 2.0) / (c + 1.0)) / log_range_;
  return static_cast<float>(exact_log(1.0 - exact_power(1.0 - probability, draws_)));
}

// ---- A pass ----------------------------------------------------------------------------------------

SampledHead::SampledHead(const Weights& weights, Threads& threads)
    : allocator_(weights.allocator()),
      threads_(threads),
      weight_(find(weights, weights.has(RNN_FLAG_TIED_HEAD) ? Kind::embedding : Kind::head)),
      bias_(find(weights, Kind::head_bias)),
      inputs_(weights.last_layer().outputs()),
      stride_(kernels::padded(inputs_)) {}

void SampledHead::prepare(const Pass& pass, const Workspace& w) {
  const kernels::Table& table = pass.weights->table();
  size_ = pass.sample->size();
  const std::size_t stride = Dimensions::stride(size_ + 1), width = kernels::padded(size_ + 1);
  chunk_ =
      std::min(std::max(kChunkFloats / stride / kChunkUnit, std::size_t{1}) * kChunkUnit, w.output_rows());
  logit_values_.reserve(allocator_, checked_product(chunk_, stride));
  logits_ = {logit_values_.data(), stride};
  weights_ = {nullptr, size_, inputs_, 0};
  transposed_ = {nullptr, inputs_, size_, 0};
  packed_.reserve(allocator_, kernels::packed_size(table, weights_));
  packed_transposed_.reserve(allocator_, kernels::packed_size(table, transposed_));
  weights_.data = packed_.data();
  transposed_.data = packed_transposed_.data();
  rows_.reserve(allocator_, checked_product(size_, stride_));
  d_rows_.reserve(allocator_, checked_product(size_, stride_));
  biases_.reserve(allocator_, width);
  d_biases_.reserve(allocator_, width);
  d_targets_.reserve(allocator_, w.output_rows());
  positions_.reserve(allocator_, chunk_);
  std::fill_n(positions_.begin(), chunk_, static_cast<std::int32_t>(size_));
}

void SampledHead::run(const Pass& pass, Workspace& w) noexcept {
  pack(pass);
  std::fill(d_rows_.begin(), d_rows_.end(), 0.0f);
  std::fill(d_biases_.begin(), d_biases_.end(), 0.0f);
  for (first_ = 0; first_ < w.output_rows(); first_ += chunk_) {
    const std::size_t rows = std::min(chunk_, w.output_rows() - first_);
    const double operations = 4.0 * static_cast<double>(rows * size_) * static_cast<double>(inputs_);
    threads_.run_ranges(operations, rows, kTileRows, [&](std::size_t begin, std::size_t count) {
      compute_rows(pass, w, first_ + begin, count);
    });
    compute_gradients(pass, w, rows);
  }
}

// The sample's rows of the head's weights, and transposed.
void SampledHead::pack(const Pass& pass) noexcept {
  const Weights& weights = *pass.weights;
  const kernels::Table& table = weights.table();
  const std::int32_t* const classes = pass.sample->begin();
  const double values = static_cast<double>(size_ * inputs_);
  threads_.run_ranges(Threads::kReading * values, size_, 1, [&](std::size_t first, std::size_t count) {
    for (std::size_t i = first; i < first + count; ++i) {
      std::copy_n(row(weights, classes[i]), stride_, &rows_[i * stride_]);
      biases_[i] = weights.head_bias()[classes[i]] - pass.sample->log_expected(classes[i]);
    }
  });
  const std::size_t panels = kernels::panel_count(table, weights_);
  threads_.run(2 * Threads::kPacking * values, panels + kernels::panel_count(table, transposed_),
               [&](std::size_t i) {
                 if (i < panels)
                   kernels::pack(table, weights_, {rows_.data(), stride_, 1, 0}, i, i + 1, packed_.data());
                 else
                   kernels::pack(table, transposed_, {rows_.data(), 1, stride_, 0}, i - panels,
                                 i - panels + 1, packed_transposed_.data());
               });
}

void SampledHead::compute_rows(const Pass& pass, Workspace& w, std::size_t first, std::size_t rows) noexcept {
  const Weights& weights = *pass.weights;
  const kernels::Table& table = weights.table();
  const Matrix &h = w.head_inputs(), &d_h = w.d_head_inputs();
  const std::size_t at = first - first_;
  table.gemm(weights_, rows, h.read(first), {biases_.data(), 0, nullptr}, size_, logits_.rows(at));
  for (std::size_t i = first; i < first + rows; ++i) {
    const std::int32_t target = w.classes[i];
    float* const y = logits_.at(i - first_);
    const std::int32_t* const found = std::lower_bound(pass.sample->begin(), pass.sample->end(), target);
    if (found != pass.sample->end() && *found == target)
      y[found - pass.sample->begin()] = -std::numeric_limits<float>::infinity();
    y[size_] = (dot(row(weights, target), h.at(i), stride_) + weights.head_bias()[target]) -
               pass.sample->log_expected(target);
  }
  compute_losses(pass, w, first, rows);
  table.gemm(transposed_, rows, logits_.read(at), {}, stride_, d_h.rows(first));
  for (std::size_t i = first; i < first + rows; ++i) {
    d_targets_[i] = *logits_.at(i - first_, size_);
    add_scaled(d_targets_[i], row(weights, w.classes[i]), stride_, d_h.at(i));
  }
  if (w.output_dropout)
    drop(pass, weights.last_layer(), pass.output_dropout, w.numbers(w.dimensions.layers - 1, first), rows,
         d_h.read(first), d_h.rows(first));
}

// Logits become their gradients.
void SampledHead::compute_losses(const Pass& pass, Workspace& w, std::size_t first,
                                 std::size_t rows) noexcept {
  const auto weight = [&](std::size_t i) {
    return kernels::widened(w.weights[i]) * class_weight(pass.labels, w.classes[i]);
  };
  const std::size_t at = first - first_;
  for (std::size_t i = first; i < first + rows; ++i) w.scale[i] = kernels::narrowed(weight(i) / pass.total);
  pass.weights->table().softmax_cross_entropy(rows, size_ + 1, logits_.at(at), logits_.stride,
                                              &positions_[at], &w.scale[first], &w.softmax[first]);
  for (std::size_t i = first; i < first + rows; ++i) {
    const kernels::SoftmaxRow& found = w.softmax[i];
    const double loss = std::log(static_cast<double>(found.sum)) + static_cast<double>(found.gap);
    w.losses[i] = {weight(i) * loss, found.gap == 0.0f ? weight(i) : 0.0};
  }
}

// ---- Gradients of the parameters -------------------------------------------------------------------

// Those of the sample, from the rows of the chunk.
void SampledHead::compute_gradients(const Pass& pass, const Workspace& w, std::size_t rows) noexcept {
  const kernels::Table& table = pass.weights->table();
  const Matrix& h = w.head_inputs();
  const std::size_t across = (stride_ + kGradientColumns - 1) / kGradientColumns;
  const std::size_t down = (size_ + kGradientRows - 1) / kGradientRows;
  const double operations = 2.0 * static_cast<double>(rows * size_) * static_cast<double>(inputs_);
  threads_.run(operations, down * (across + 1), [&](std::size_t i) {
    const std::size_t row = i % down * kGradientRows, column = i / down * kGradientColumns;
    const std::size_t count = std::min(kGradientRows, size_ - row);
    const bool apart = w.output_rows() > kLongRows;
    if (i / down == across) {
      const auto add = [&](std::size_t at, std::size_t some, float* sums) {
        table.column_sums(some, kernels::padded(count), logits_.at(at, row), logits_.stride, sums);
      };
      return apart ? add_apart(table, rows, kernels::padded(count), &d_biases_[row], add)
                   : add(0, rows, &d_biases_[row]);
    }
    table.gemm_tn(count, std::min(kGradientColumns, stride_ - column), rows, logits_.at(0, row),
                  logits_.stride, h.at(first_, column), h.stride, &d_rows_[row * stride_ + column], stride_,
                  apart);
  });
}

void SampledHead::add_gradients(const Pass& pass, const Workspace& w, float* gradients) noexcept {
  const Weights& weights = *pass.weights;
  const double values = static_cast<double>((size_ + w.output_rows()) * inputs_);
  const std::size_t stripes = (stride_ + kStripe - 1) / kStripe;
  threads_.run(Threads::kReading * values, stripes + (bias_ != kNone ? 1 : 0), [&](std::size_t i) {
    if (i < stripes)
      return add_columns(pass, w, i * kStripe, std::min(kStripe, stride_ - i * kStripe), gradients);
    float* const bias = gradients + weights.parameter(bias_).offset;
    for (std::size_t j = 0; j < size_; ++j) bias[pass.sample->begin()[j]] += d_biases_[j];
    for (std::size_t r = 0; r < w.output_rows(); ++r) bias[w.classes[r]] += d_targets_[r];
  });
}

void SampledHead::add_columns(const Pass& pass, const Workspace& w, std::size_t first, std::size_t columns,
                              float* gradients) const noexcept {
  const Parameter& p = pass.weights->parameter(weight_);
  const auto target = [&](std::int32_t c) {
    return gradients + p.offset + static_cast<std::size_t>(c) * p.stride + first;
  };
  for (std::size_t j = 0; j < size_; ++j)
    add_scaled(1.0f, &d_rows_[j * stride_ + first], columns, target(pass.sample->begin()[j]));
  for (std::size_t r = 0; r < w.output_rows(); ++r)
    add_scaled(d_targets_[r], w.head_inputs().at(r, first), columns, target(w.classes[r]));
}

}  // namespace rnn
