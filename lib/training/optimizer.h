// From gradients to new weights: clipping, the rule, the learning rate.
#pragma once

#include <cstddef>
#include <cstdint>

#include "lib/network/memory.h"
#include "lib/network/weights.h"
#include "lib/training/threads.h"
#include "rnn/rnn.h"

namespace rnn {

class Optimizer {
 public:
  // options: resolved; of its groups nothing is kept. Throws Error if a group fits no parameter.
  Optimizer(const Weights& weights, const rnn_train_options_t& options, Threads& threads);

  // Which of its two values per weight the rule keeps.
  bool keeps_first() const noexcept;
  bool keeps_second() const noexcept;

  // Consecutive values and the chunks in them: all, or one of several parts.
  struct Slice {
    std::size_t first_chunk, last_chunk;
    std::size_t first, last;  // values

    std::size_t size() const noexcept { return last - first; }
  };
  Slice slice(const Weights& weights, std::size_t part = 0, std::size_t parts = 1) const noexcept;

  // The squares of the slice's gradients, added by chunk; without those of weights that are not trained.
  void add_squares(const kernels::Table& table, const Slice& slice, const float* gradients);
  // These sums, by chunk: of other parts they come from elsewhere.
  Buffer<float>& sums() noexcept { return sums_; }
  // The Euclidean norm from the sums of all chunks.
  double norm() const noexcept;

  // Change the slice's values by update number `update`, 0, 1, ..., at this rate, with scale times the
  // gradients, whose norm is then `norm`. first and second are the rule's state; null where it keeps none. All
  // arrays are the slice's.
  void apply(const kernels::Table& table, const Slice& slice, float* values, const float* gradients,
             double scale, double norm, std::uint64_t update, double rate, float* first, float* second);

  // Let a moving average of the values follow that update.
  void follow(const Weights& weights, std::uint64_t update, float* average);

 private:
  // A range of values, of which a task does one: its size is fixed, since it decides how the norm is added.
  // It is of whole blocks of kPad values, but where a parameter's settings change within one.
  struct Chunk {
    std::size_t offset;
    std::size_t size;
    std::size_t setting;
  };
  // What holds for the parameters of a group; the first for those of none.
  struct Setting {
    double learning_rate_factor;
    double weight_decay;
    bool frozen;
    bool two_biases;  // each value is the sum of two with the same gradient
    bool used;        // by a chunk
  };
  // Of Adam's bias; by update, the same for all settings.
  struct Correction {
    double rate;
    double epsilon;
  };

  void find_settings(const Weights& weights);
  std::size_t find_setting(const Parameter& parameter) const noexcept;
  void check_group(const Weights& weights, std::size_t i) const;
  void cut(const Weights& weights);
  Correction correction(std::uint64_t update) const noexcept;
  kernels::Update rule(const Setting& setting, double gradient_scale, const Correction& correction,
                       double rate) const noexcept;

  rnn_train_options_t options_;
  Threads& threads_;
  Buffer<Chunk> chunks_;
  Buffer<float> sums_;  // of squares, by chunk
  Buffer<Setting> settings_;
  Buffer<kernels::Update> rules_;  // of an update, by setting
};

}  // namespace rnn
