// Weights in training: one update at a time, or the whole job.
#pragma once

#include <functional>

#include "lib/kernels/float_mode.h"
#include "lib/network/network.h"
#include "lib/training/state.h"
#include "lib/training/tape.h"
#include "rnn/rnn.h"

namespace rnn {

class Trainer {
 public:
  // `options` is complete (struct_size resolved by the caller) and not yet validated; 0 means default.
  // Throws Error.
  Trainer(const Network& network, const rnn_train_options_t& options);
  ~Trainer();
  Trainer(const Trainer&) = delete;
  Trainer& operator=(const Trainer&) = delete;

  // `environment` is that in which these are called; functions of the caller's run in the caller's.
  void update(const rnn_sequences_t& batch, rnn_progress_t* progress,
              kernels::FloatEnvironment& environment);  // see rnn_trainer_update
  void apply(const Tape& tape, rnn_progress_t* progress,
             kernels::FloatEnvironment& environment);  // see rnn_trainer_apply
  // See rnn_trainer_log; log: complete, or null.
  void log(const rnn_log_t* log, kernels::FloatEnvironment& environment);
  // See rnn_trainer_run.
  void run(const rnn_sequences_t& data, kernels::FloatEnvironment& environment);
  void reset();                        // see rnn_trainer_reset
  void set_learning_rate(float rate);  // see rnn_trainer_set_learning_rate

  const Allocator& allocator() const noexcept;
  const WeightsRef& weights_ref() const noexcept;  // in training
  const TrainerState& state() const noexcept;
  bool alone() const noexcept;  // the only rank
  // Bytes of the optimiser's state on this rank.
  std::size_t optimizer_bytes() const noexcept;
  // Call `write` while state() is complete: of several ranks on rank 0. Throws on all ranks what it throws.
  void save(const std::function<void()>& write) const;
  // What `read` gives, of several ranks on rank 0, on all. Throws on all ranks what it throws.
  Buffer<unsigned char> load(const std::function<Buffer<unsigned char>()>& read) const;
  // The weights to hand out: those in training, or their moving average.
  const WeightsRef& result() const;
  // Those of a run that failed and will not go on: with restore_best, of its best validation. Null if that
  // has done no update, or if the weights are not finite.
  const WeightsRef* last_good();
  // Take over saved weights and state: what was handed out and, if that was an average, the weights in
  // training, laid out as their values. Throws Error(RNN_MISMATCH or RNN_BAD_FORMAT) and changes nothing if
  // they do not fit.
  void restore(WeightsRef result, const Buffer<float>& in_training, TrainerState&& state);

 private:
  struct Implementation;
  Implementation* implementation_;
};

// See rnn_evaluate.
void evaluate(const Network& network, const rnn_sequences_t& data, const rnn_train_options_t& options,
              rnn_evaluation_t* out);

}  // namespace rnn
