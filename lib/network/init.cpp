#include "lib/network/init.h"

#include <cmath>
#include <cstdint>

#include "lib/kernels/float_mode.h"
#include "lib/kernels/subnormals.h"
#include "lib/network/random.h"

namespace rnn {
namespace {

// The block of one gate in a matrix, [rows, columns].
struct Block {
  float* values;
  std::size_t rows;
  std::size_t columns;
  std::size_t stride;
};

void fill_uniform(const Block& block, double limit, Random& random) noexcept {
  for (std::size_t i = 0; i < block.rows; ++i)
    for (std::size_t j = 0; j < block.columns; ++j)
      block.values[i * block.stride + j] = kernels::narrowed(limit * (2.0 * random.uniform() - 1.0));
}

void fill_normal(const Block& block, double deviation, Random& random) noexcept {
  for (std::size_t i = 0; i < block.rows; ++i)
    for (std::size_t j = 0; j < block.columns; ++j)
      block.values[i * block.stride + j] = kernels::narrowed(deviation * random.normal());
}

void fill_constant(const Block& block, float value) noexcept {
  for (std::size_t i = 0; i < block.rows; ++i)
    for (std::size_t j = 0; j < block.columns; ++j) block.values[i * block.stride + j] = value;
}

void fill_identity(const Block& block) noexcept {
  for (std::size_t i = 0; i < block.rows; ++i)
    for (std::size_t j = 0; j < block.columns; ++j) block.values[i * block.stride + j] = i == j ? 1.0f : 0.0f;
}

void shift(const Block& block, float by) noexcept {
  for (std::size_t i = 0; i < block.rows; ++i) {
    float& value = block.values[i * block.stride];
    value = static_cast<float>(kernels::Real(value) + kernels::Real(by));
  }
}

// Sums for a dot product: lanes that the compiler can put into vectors, in an order that is the same
// everywhere.
constexpr std::size_t kLanes = 16;

// a . b, both of n elements, a multiple of kLanes.
double dot(const double* a, const double* b, std::size_t n) noexcept {
  double sums[kLanes] = {};
  for (std::size_t k = 0; k < n; k += kLanes)
    for (std::size_t lane = 0; lane < kLanes; ++lane) sums[lane] += a[k + lane] * b[k + lane];
  double sum = 0.0;
  for (const double lane : sums) sum += lane;
  return sum;
}

// Vectors of normal numbers, each made orthogonal to those before it (modified Gram-Schmidt, done twice,
// which leaves no more than rounding errors) and of length 1: a matrix uniformly distributed over the
// orthogonal ones. The vectors are the rows; of a matrix that is higher than wide, the columns.
void fill_orthogonal(const Block& block, const Allocator& allocator, Random& random) {
  const bool by_rows = block.rows <= block.columns;
  const std::size_t count = by_rows ? block.rows : block.columns;
  const std::size_t n = by_rows ? block.columns : block.rows;
  const std::size_t stride = (n + kLanes - 1) / kLanes * kLanes;
  Buffer<double> vectors(allocator, checked_product(count, stride));
  for (std::size_t i = 0; i < count; ++i) {
    double* vector = vectors.data() + i * stride;
    double length = 0.0;
    while (length < 1e-6) {  // almost surely only once
      for (std::size_t j = 0; j < n; ++j) vector[j] = random.normal();
      for (int pass = 0; pass < 2; ++pass) {
        for (std::size_t k = 0; k < i; ++k) {
          const double* other = vectors.data() + k * stride;
          const double share = dot(vector, other, stride);
          for (std::size_t j = 0; j < stride; ++j) vector[j] -= share * other[j];
        }
      }
      length = std::sqrt(dot(vector, vector, stride));
    }
    for (std::size_t j = 0; j < n; ++j) {
      vector[j] /= length;
      block.values[by_rows ? i * block.stride + j : j * block.stride + i] = kernels::narrowed(vector[j]);
    }
  }
}

class Initializer {
 public:
  explicit Initializer(Weights& weights) noexcept : weights_(weights), random_(weights.config().seed) {}

  void fill(const Parameter& parameter) {
    using Kind = Parameter::Kind;
    const rnn_config_t& config = weights_.config();
    const bool of_head = parameter.kind == Kind::head || parameter.kind == Kind::head_bias;
    of_listed_head_ = of_head && weights_.is_list();
    layer_ = of_head ? &weights_.last_layer() : weights_.strand(parameter.strand).layer;
    switch (parameter.kind) {
      case Kind::input:
        return fill_gates(parameter, config.init);
      case Kind::recurrent:
        return fill_gates(parameter, config.recurrent_init);
      case Kind::embedding:
        return fill_embedding(all(parameter));
      case Kind::projection:
      case Kind::head:
        return fill_matrix(all(parameter), config.init);
      case Kind::vector:
        return fill_vector(parameter);
      case Kind::head_bias:
        return fill_bias(all(parameter));
      case Kind::initial:
        return fill_constant(all(parameter), 0.0f);
    }
  }

 private:
  Block block(const Parameter& parameter, std::size_t first_row, std::size_t rows) noexcept {
    return {weights_.values() + parameter.offset + first_row * parameter.stride, rows, parameter.columns,
            parameter.stride};
  }

  Block all(const Parameter& parameter) noexcept { return block(parameter, 0, parameter.rows); }

  // Each gate by itself.
  void fill_gates(const Parameter& parameter, std::int32_t init) {
    const std::size_t H = layer_->hidden;
    for (std::size_t row = 0; row < parameter.rows; row += H) fill_matrix(block(parameter, row, H), init);
  }

  void fill_vector(const Parameter& parameter) {
    const cells::Vector& vector = parameter.vector;
    if (vector.start == cells::Vector::Start::ones) return fill_constant(all(parameter), 1.0f);
    if (vector.start == cells::Vector::Start::slopes) return fill_constant(all(parameter), 0.25f);
    fill_bias(all(parameter));
    const std::size_t gate = layer_->cell->forget_gate - vector.first_gate;
    if (parameter.index == 0 && gate < vector.gates)
      shift(block(parameter, gate * layer_->hidden, layer_->hidden), weights_.config().forget_bias);
  }

  // As torch.nn.LSTM and torch.nn.Linear do it; the head of a uniform stack as its cells.
  double pytorch_limit() const noexcept {
    const std::size_t columns = of_listed_head_ ? layer_->outputs() : layer_->columns();
    const bool by_columns = of_listed_head_ || !layer_->cell->keeps_h;
    return 1.0 / std::sqrt(static_cast<double>(by_columns ? columns : layer_->hidden));
  }

  void fill_matrix(const Block& block, std::int32_t init) {
    const auto fan_in = static_cast<double>(block.columns);
    const auto fan_out = static_cast<double>(block.rows);
    switch (init) {
      case RNN_INIT_XAVIER_UNIFORM:
        return fill_uniform(block, std::sqrt(6.0 / (fan_in + fan_out)), random_);
      case RNN_INIT_XAVIER_NORMAL:
        return fill_normal(block, std::sqrt(2.0 / (fan_in + fan_out)), random_);
      case RNN_INIT_KAIMING_UNIFORM:
        return fill_uniform(block, std::sqrt(6.0 / fan_in), random_);
      case RNN_INIT_KAIMING_NORMAL:
        return fill_normal(block, std::sqrt(2.0 / fan_in), random_);
      case RNN_INIT_UNIFORM:
        return fill_uniform(block, kernels::widened(weights_.config().init_range), random_);
      case RNN_INIT_ORTHOGONAL:
        return fill_orthogonal(block, weights_.allocator(), random_);
      case RNN_INIT_IDENTITY:
        return fill_identity(block);
      default:
        return fill_uniform(block, pytorch_limit(), random_);
    }
  }

  // As torch.nn.Embedding does it; an embedding that is the head's matrix, too, as the head.
  void fill_embedding(const Block& block) {
    if (weights_.config().init == RNN_INIT_PYTORCH && !weights_.has(RNN_FLAG_TIED_HEAD))
      fill_normal(block, 1.0, random_);
    else
      fill_matrix(block, weights_.config().init);
  }

  void fill_bias(const Block& block) noexcept {
    switch (weights_.config().init) {
      case RNN_INIT_PYTORCH:
        return fill_uniform(block, pytorch_limit(), random_);
      case RNN_INIT_UNIFORM:
        return fill_uniform(block, kernels::widened(weights_.config().init_range), random_);
      default:
        return fill_constant(block, 0.0f);
    }
  }

  Weights& weights_;
  Random random_;
  const Layer* layer_ = nullptr;  // in work; of the head, the last one
  bool of_listed_head_ = false;   // in work is the head of a list
};

}  // namespace

void initialize(Weights& weights) {
  const kernels::FloatMode mode;
  Initializer initializer(weights);
  for (std::size_t i = 0; i < weights.parameter_count(); ++i) initializer.fill(weights.parameter(i));
  weights.pack();
}

}  // namespace rnn
