#include "mixer.h"

#include <algorithm>

namespace pack {
namespace {

constexpr int kWeightBits = 16, kDropped = 6;
constexpr std::int32_t kMostWeight =
    (1 << 19) - 1;  // 50 products of what is left of it and kMostStretch fit in 31 bits
constexpr int kSteps = 33;
constexpr int kStepWidth = (2 * kMostStretch + kSteps - 2) / (kSteps - 1);
constexpr int kLowestRate = 4, kHighestRate = 56, kLastRate = 8, kRateUnit = 128;

}  // namespace

Mixer::Mixer(std::size_t inputs, const std::vector<std::size_t>& contexts, std::size_t last_contexts) {
  const std::size_t padded = (inputs + 7) / 8 * 8, padded_choices = (contexts.size() + 7) / 8 * 8;
  inputs_.resize(padded);
  found_.resize(padded_choices);
  choices_.resize(contexts.size());
  for (std::size_t k = 0; k < contexts.size(); ++k)
    choices_[k].weights.assign(contexts[k] * padded, static_cast<std::int32_t>(65536 * 3 / (2 * inputs)));
  last_.weights.assign(last_contexts * padded_choices, static_cast<std::int32_t>(65536 / contexts.size()));
}

int Mixer::mix(Choice& choice, const std::vector<std::int16_t>& inputs) {
  const std::int32_t* const weights = choice.weights.data() + choice.chosen * inputs.size();
  const std::int16_t* const x = inputs.data();
  std::int32_t sum = 0;  // of 16-bit products, for which every CPU has vectors
  for (std::size_t i = 0; i < inputs.size(); ++i)
    sum += static_cast<std::int16_t>(weights[i] >> kDropped) * x[i];
  const int stretched = std::clamp(sum >> (kWeightBits - kDropped), -kMostStretch, kMostStretch);
  choice.probability = logistic_.squash(stretched);
  return stretched;
}

int Mixer::mix() {
  for (std::size_t k = 0; k < choices_.size(); ++k)
    found_[k] = static_cast<std::int16_t>(mix(choices_[k], inputs_));
  mix(last_, found_);
  return last_.probability;
}

void Mixer::learn(Choice& choice, const std::vector<std::int16_t>& inputs, int bit, int rate) {
  std::int32_t* const weights = choice.weights.data() + choice.chosen * inputs.size();
  const std::int16_t* const x = inputs.data();
  const auto error =
      static_cast<std::int16_t>(((bit << kProbabilityBits) - choice.probability) * rate / kRateUnit);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const std::int32_t weight = weights[i] + ((error * x[i] + (1 << 12)) >> 13);
    weights[i] = std::clamp(weight, -kMostWeight, kMostWeight);
  }
}

void Mixer::update(int bit) {
  const int rate = kLowestRate + static_cast<int>((kHighestRate - kLowestRate) * 16384LL / (16384 + bits_));
  for (Choice& choice : choices_) learn(choice, inputs_, bit, rate);
  learn(last_, found_, bit, kLastRate);
  if (bits_ < 1u << 30) ++bits_;
  std::fill(inputs_.begin(), inputs_.end(), 0);
  filled_ = 0;
}

Correction::Correction(std::size_t contexts) : steps_(contexts * kSteps) {
  for (int i = 0; i < kSteps; ++i)
    steps_[static_cast<std::size_t>(i)] =
        static_cast<std::uint16_t>(logistic_.squash(i * kStepWidth - kMostStretch));
  for (std::size_t c = 1; c < contexts; ++c)
    std::copy_n(steps_.begin(), kSteps, steps_.begin() + static_cast<std::ptrdiff_t>(c * kSteps));
}

void Correction::prefetch(std::size_t context) const {
  __builtin_prefetch(&steps_[context * kSteps]);
  __builtin_prefetch(&steps_[context * kSteps + kSteps - 1]);
}

int Correction::correct(int probability, std::size_t context) {
  const int above = logistic_.stretch(probability) + kMostStretch,
            step = std::min(above / kStepWidth, kSteps - 2), part = above - step * kStepWidth;
  const std::size_t low = context * kSteps + static_cast<std::size_t>(step);
  place_ = part * 2 < kStepWidth ? low : low + 1;
  return std::max((steps_[low] * (kStepWidth - part) + steps_[low + 1] * part) / kStepWidth, 1);
}

void Correction::update(int bit, int rate) {
  const int p = steps_[place_];
  steps_[place_] = static_cast<std::uint16_t>(p + (((bit != 0 ? kOne - 1 : 0) - p) >> rate));
}

}  // namespace pack
