// A recurrent network that predicts the next byte and learns from it.
//
// After each `window` bytes it is trained on these, from the state in which it read the first of them, and on as many
// bytes at each of several earlier places, which it reads on from update to update (replay).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <rnn/rnn.hpp>
#include <vector>

#include "logistic.h"

namespace pack {

struct NetworkOptions {
  std::int32_t cell;
  std::int32_t hidden;
  std::int32_t layers;
  std::int32_t embedding;  // 0: none
  std::size_t window;
  std::size_t replays;
  float learning_rate;
};

class NetworkPredictor {
 public:
  NetworkPredictor(const NetworkOptions& options, int threads);

  // How likely the next byte is each value: 1..2^22.
  const std::uint32_t* frequencies() const { return frequencies_.data(); }
  void update(std::uint8_t byte);

 private:
  void predict(std::uint8_t last);
  void train();
  void read(std::size_t sequence, std::uint64_t place);

  const Logistic& logistic_ = Logistic::get();
  std::size_t window_;
  rnn::Network stream_;
  rnn::Trainer trainer_;
  std::vector<std::uint8_t> past_;  // the latest bytes, a ring; before the first there is a 0
  std::uint64_t count_ = 1;
  std::vector<std::uint64_t> replayed_;  // where each replay goes on
  std::uint64_t random_ = 0;
  std::vector<std::int32_t> inputs_, targets_;
  std::vector<std::size_t> lengths_;
  std::array<float, 256> logits_;
  std::array<std::uint32_t, 256> frequencies_;
};

}  // namespace pack
