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

  // The Euclidean norm of the gradients, without those of weights that are not trained.
  double norm(const Weights& weights, const float* gradients);

  // Change the weights' values by update number `update`, 0, 1, ..., at this rate, with scale times the
  // gradients, whose norm is then `norm`. first and second are the rule's state, laid out as the values; null
  // where it keeps none.
  void apply(Weights& weights, const float* gradients, double scale, double norm, std::uint64_t update,
             double rate, float* first, float* second);

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
