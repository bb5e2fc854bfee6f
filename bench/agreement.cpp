#include "bench/agreement.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>
#include <vector>

#include "bench/sides.h"

namespace bench {
namespace {

constexpr double kOutputTolerance = 1e-4, kLossTolerance = 1e-3;
constexpr std::size_t kCallsCompared = 8;  // so that states that do not go on are seen
constexpr int kUpdatesCompared = 3;

// [calls, T, N, O]; empty if there is no such thing.
std::vector<float> outputs(const Peer& peer, const InferenceWork& work) {
  const auto [I, H, O, by_index] = work.size;
  if (peer.make_inference == nullptr) return {};
  const std::unique_ptr<Inference> inference =
      peer.make_inference(model(work.cell, I, H, O, 1), work.T, work.N, work.threads);
  if (inference == nullptr) return {};
  const Inputs inputs(work.size, work.T, work.N, kCallsCompared, inference->batch_first());
  const std::size_t count = work.T * work.N;
  std::vector<float> result(kCallsCompared * count * O), y(count * O);
  for (std::size_t call = 0; call < kCallsCompared; ++call) {
    if (by_index && inference->takes_indices())
      inference->run(inputs.indices(call), y.data());
    else
      inference->run(inputs.x(call), y.data());
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t from = inference->batch_first() ? i % work.N * work.T + i / work.N : i;
      std::copy_n(&y[from * O], O, &result[(call * count + i) * O]);
    }
  }
  return result;
}

std::vector<double> losses(const Peer& peer, const TrainingWork& work) {
  if (peer.make_training == nullptr || !peer.training_note.empty()) return {};
  const TrainingText text(work);
  const std::unique_ptr<Training> training =
      peer.make_training(model(work.cell, work.V, work.H, work.V, work.L), text.batch(), work.threads);
  std::vector<double> result;
  for (int i = 0; training != nullptr && i < kUpdatesCompared; ++i) result.push_back(training->update());
  return result;
}

std::string message(const char* what, std::size_t index, double actual, double expected) {
  char text[100];
  std::snprintf(text, sizeof text, "%s %zu is %.7g; librnn's is %.7g", what, index, actual, expected);
  return text;
}

}  // namespace

std::string difference(const Peer& peer, const InferenceWork& work) {
  const std::vector<float> actual = outputs(peer, work);
  if (actual.empty()) return {};
  // On one thread: librnn's outputs are the same on any number, but it may not offer that many.
  InferenceWork alone = work;
  alone.threads = 1;
  const std::vector<float> expected = outputs(librnn_side(), alone);
  double largest = 0.0;
  for (const float y : expected) largest = std::max(largest, std::fabs(double{y}));
  for (std::size_t i = 0; i < expected.size(); ++i)
    if (!(std::fabs(double{actual[i]} - double{expected[i]}) <= kOutputTolerance * largest))
      return message("output", i, double{actual[i]}, double{expected[i]});
  return {};
}

std::string difference(const Peer& peer, const TrainingWork& work) {
  const std::vector<double> actual = losses(peer, work);
  if (actual.empty()) return {};
  const std::vector<double> expected = losses(librnn_side(), work);
  for (std::size_t i = 0; i < expected.size(); ++i)
    if (!(std::fabs(actual[i] - expected[i]) <= kLossTolerance * expected[i]))
      return message("the loss before update", i + 1, actual[i], expected[i]);
  return {};
}

}  // namespace bench
