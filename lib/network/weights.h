// The parameters of a network in canonical form, their packed copy, and who shares them.
#pragma once

#include <atomic>
#include <cstddef>
#include <utility>

#include "lib/cells/cell.h"
#include "lib/kernels/table.h"
#include "lib/network/config.h"
#include "lib/network/layer.h"
#include "lib/network/memory.h"
#include "lib/network/metadata.h"
#include "lib/network/packed.h"
#include "rnn/rnn.h"

namespace rnn {

// One parameter tensor: element (i, j) at values[offset + i * stride + j]. Rows of a matrix are padded with
// zeros to kernels::kPad; a vector (a bias, a gain, an initial state) has columns = 1 and stride = 1, and is
// padded at its end.
struct Parameter {
  enum class Kind { embedding, input, recurrent, projection, vector, initial, head, head_bias };
  Kind kind;
  std::size_t strand;    // of the embedding and the head: 0
  std::size_t index;     // vector: of the cell's, or kNorm...; initial: of the state's, 0 is h
  cells::Vector vector;  // of that kind
  char name[32];
  std::size_t rows;
  std::size_t columns;
  std::size_t stride;
  std::size_t offset;

  static constexpr std::size_t kNormInput = cells::kMaxVectors;
  static constexpr std::size_t kNormRecurrent = kNormInput + 1;

  std::size_t count() const noexcept { return rows * columns; }
  // Not of the head.
  bool is_bias() const noexcept { return kind == Kind::vector && vector.start == cells::Vector::Start::bias; }
  bool is_matrix() const noexcept {
    return kind == Kind::embedding || kind == Kind::input || kind == Kind::recurrent ||
           kind == Kind::projection || kind == Kind::head;
  }
};

// Weights that more than one stream refers to are never written: see Network::change_weights.
class Weights {
 public:
  // All parameters zero. `config` is resolved. Throws std::bad_alloc, or Error(RNN_UNSUPPORTED) if RNN_ISA
  // names an instruction set that is not available.
  Weights(const rnn_config_t& config, const Allocator& allocator);

  const rnn_config_t& config() const noexcept { return config_; }
  const Allocator& allocator() const noexcept { return allocator_; }
  const kernels::Table& table() const noexcept { return *table_; }

  // A strand is one direction of one layer: of each layer the forward one and, if it has two, the reverse one.
  std::size_t num_layers() const noexcept { return layers_.size(); }  // L
  const Layer& layer(std::size_t layer) const noexcept { return layers_[layer]; }
  const Layer& last_layer() const noexcept { return layers_[layers_.size() - 1]; }
  // Of a whole sequence, pooling takes what the last of these gives; the layers behind it are dense, and read
  // what is pooled.
  std::size_t layers_before_pooling() const noexcept { return layers_before_pooling_; }
  const Layer& pooled_layer() const noexcept { return layers_[layers_before_pooling_ - 1]; }
  std::size_t strands() const noexcept { return strands_.size(); }
  const Strand& strand(std::size_t strand) const noexcept { return strands_[strand]; }
  bool has_reverse() const noexcept { return has_reverse_; }  // a strand
  bool has_zoneout() const noexcept { return has_zoneout_; }  // a layer

  std::size_t input_size() const noexcept { return static_cast<std::size_t>(config_.input_size); }  // I
  // O, or without a head what the last layer gives.
  std::size_t output_size() const noexcept {
    return has_head() ? head_shape_.outputs : last_layer().outputs();
  }

  bool has(std::uint32_t flag) const noexcept { return (config_.flags & flag) != 0; }
  // The layers are those of rnn_config_t::layers, which the other fields cannot stand for.
  bool is_list() const noexcept { return config_.layers != nullptr; }
  const Head& head_shape() const noexcept { return head_shape_; }
  bool has_head() const noexcept { return head_shape_.outputs != 0; }
  bool has_embedding() const noexcept { return config_.embedding_size != 0; }
  std::size_t skip() const noexcept { return static_cast<std::size_t>(config_.skip); }

  // The state: one vector for each strand, first of h, then of c. S floats, or padded.
  std::size_t state_size() const noexcept { return state_size_; }
  std::size_t padded_state_size() const noexcept {
    return padded_state_size_;
  }                                                              // without the past of convolutions
  std::size_t past_size() const noexcept { return past_size_; }  // which is that

  std::size_t parameter_count() const noexcept { return parameters_.size(); }
  const Parameter& parameter(std::size_t index) const noexcept { return parameters_[index]; }
  const Parameter* find(const char* name) const noexcept;  // or null
  const Parameter* find(Parameter::Kind kind, std::size_t strand,
                        std::size_t index = 0) const noexcept;  // or null

  std::size_t value_count() const noexcept { return values_.size(); }
  const float* values() const noexcept { return values_.data(); }
  float* values() noexcept { return values_.data(); }  // call pack() after a change

  void get(const Parameter& parameter, float* out) const noexcept;
  void set(const Parameter& parameter, const float* in) noexcept;  // call pack() after it

  const Metadata& metadata() const noexcept { return metadata_; }
  Metadata& metadata() noexcept { return metadata_; }

  // Bring the packed matrices up to date; all at once, or job by job (each by any thread).
  void pack() noexcept;
  std::size_t pack_jobs() const noexcept { return matrices_.jobs(); }
  void pack_job(std::size_t job) noexcept { matrices_.pack(*this, job); }

  // A row of the embedding, [padded E]; only if has_embedding(), which is the first parameter then.
  const float* embedding(std::size_t index) const noexcept {
    return values_.data() + parameters_[0].offset + index * parameters_[0].stride;
  }
  // W_ho, of the embedding if tied; only if has_head().
  const kernels::Panels& head() const noexcept { return head_; }
  const float* head_bias() const noexcept { return head_bias_; }  // [padded O]
  const float* head_row() const noexcept { return head_row_; }    // W_ho's first row, not packed

 private:
  friend class WeightsRef;

  // Of each strand's packed matrices.
  enum Place : std::size_t { kInput, kProducts, kProjection = kProducts + cells::kMaxStages, kPlaces };

  void lay_out_strands();
  void lay_out_parameters();
  void lay_out_matrices();
  void connect() noexcept;  // point strands and head to the values and matrices
  // Zeros if there is none.
  const float* vector(Parameter::Kind kind, std::size_t strand, std::size_t index = 0) const noexcept;

  Allocator allocator_;
  Buffer<rnn_layer_t> list_;  // where config_.layers points
  rnn_config_t config_;
  Head head_shape_;
  Buffer<Layer> layers_;
  std::size_t layers_before_pooling_;
  const kernels::Table* table_;
  Buffer<Strand> strands_;
  bool has_reverse_ = false;
  bool has_zoneout_ = false;
  std::size_t state_size_ = 0;
  std::size_t padded_state_size_ = 0;
  std::size_t past_size_ = 0;
  Buffer<Parameter> parameters_;
  Buffer<float> values_;
  PackedMatrices matrices_;  // [strands, kPlaces] and the head's; those that are not there have no rows
  kernels::Panels head_{};
  const float* head_bias_ = nullptr;
  const float* head_row_ = nullptr;
  Metadata metadata_;
  Buffer<float> zeros_;  // for absent biases and initial states: [padded max(G*H, O)]
  mutable std::atomic<std::size_t> references_{0};
};

// A counted reference. unique() synchronises with the release of the last other reference, so weights
// that are unique may be written.
class WeightsRef {
 public:
  WeightsRef() = default;
  explicit WeightsRef(Weights* weights) noexcept;  // made by weights->allocator().make<Weights>
  WeightsRef(const WeightsRef& other) noexcept;
  WeightsRef(WeightsRef&& other) noexcept : weights_(std::exchange(other.weights_, nullptr)) {}
  WeightsRef& operator=(WeightsRef other) noexcept {
    std::swap(weights_, other.weights_);
    return *this;
  }
  ~WeightsRef();

  static WeightsRef make(const rnn_config_t& config, const Allocator& allocator);
  WeightsRef copy() const;                           // equal values in weights of their own
  WeightsRef converted(std::int32_t compute) const;  // the same, for another type of compute

  bool unique() const noexcept;
  const Weights& operator*() const noexcept { return *weights_; }
  const Weights* operator->() const noexcept { return weights_; }
  const Weights* get() const noexcept { return weights_; }
  Weights& mutate() noexcept { return *weights_; }  // only if no other stream refers to them

 private:
  Weights* weights_ = nullptr;
};

}  // namespace rnn
