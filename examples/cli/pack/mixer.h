// Probabilities that learn, and what mixes them: all in integers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "logistic.h"

namespace pack {

// The probability of a one, 22 bits, and how often it was seen, 10 bits.
class AdaptiveProbability {
 public:
  AdaptiveProbability() : AdaptiveProbability(kOne / 2) {}
  explicit AdaptiveProbability(int probability) : value_(static_cast<std::uint32_t>(probability) << 16) {}

  int probability() const {
    const int p = static_cast<int>(value_ >> 16);
    return p > 0 ? p : 1;
  }

  // Moves by 1 / (count + 1.5) of the error, and counts up to `most`.
  void update(int bit, std::uint32_t most) {
    const std::uint32_t count = value_ & 1023;
    const auto error =
        static_cast<std::int64_t>(bit != 0 ? kFull : 0) - static_cast<std::int64_t>(value_ >> 10);
    const std::int64_t moved =
        static_cast<std::int64_t>(value_ >> 10) + error * 2 / static_cast<std::int64_t>(2 * count + 3);
    value_ = static_cast<std::uint32_t>(moved) << 10 | (count < most ? count + 1 : count);
  }

 private:
  static constexpr std::uint32_t kFull = (1 << 22) - 1;
  std::uint32_t value_;
};

// Logistic mixing (Mahoney 2005): p = squash(sum of w_i stretch(p_i)), and each weight moves along the gradient of the
// coding cost, x_i times the error. Each of several sets of weights is chosen by a context of its own; a last set mixes
// what they find.
class Mixer {
 public:
  // contexts[k]: how many sets of weights there are to choose from, for choice k.
  Mixer(std::size_t inputs, const std::vector<std::size_t>& contexts, std::size_t last_contexts);

  void add(int stretched) { inputs_[filled_++] = static_cast<std::int16_t>(stretched); }
  std::size_t choices() const { return choices_.size(); }
  void choose(std::size_t choice, std::size_t context) { choices_[choice].chosen = context; }
  void choose_last(std::size_t context) { last_.chosen = context; }

  int mix();
  void update(int bit);

 private:
  struct Choice {
    std::vector<std::int32_t> weights;  // [contexts, inputs], 1 is 2^16
    std::size_t chosen = 0;
    int probability = kOne / 2;
  };
  int mix(Choice& choice, const std::vector<std::int16_t>& inputs);
  static void learn(Choice& choice, const std::vector<std::int16_t>& inputs, int bit, int rate);

  std::vector<std::int16_t> inputs_;  // padded with zeros to a multiple of 8
  std::size_t filled_ = 0;
  std::vector<Choice> choices_;
  std::vector<std::int16_t> found_;
  Choice last_;
  const Logistic& logistic_ = Logistic::get();
  std::uint32_t bits_ = 0;
};

// Corrects a probability by what followed it in a context: interpolates between adaptive probabilities at 33 steps of
// the stretched one. Secondary symbol estimation, as in PAQ.
class Correction {
 public:
  explicit Correction(std::size_t contexts);
  void prefetch(std::size_t context) const;
  int correct(int probability, std::size_t context);
  void update(int bit, int rate);

 private:
  const Logistic& logistic_ = Logistic::get();
  std::vector<std::uint16_t> steps_;
  std::size_t place_ = 0;
};

}  // namespace pack
