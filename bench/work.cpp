#include "bench/work.h"

#include <algorithm>
#include <map>

namespace bench {

const naive::Network& model(const Cell& cell, std::size_t I, std::size_t H, std::size_t O, std::size_t L) {
  static std::map<std::vector<std::size_t>, naive::Network> models;
  const std::vector<std::size_t> key = {static_cast<std::size_t>(cell.id), I, H, O, L};
  auto found = models.find(key);
  if (found == models.end())
    found = models.emplace(key, naive_copy(cell, make_network(cell, I, H, O, L))).first;
  return found->second;
}

Inputs::Inputs(const Size& size, std::size_t T, std::size_t N, std::size_t calls, bool batch_first)
    : count_(T * N), stride_(count_ * size.I), mask_(calls - 1) {
  const std::vector<std::int32_t> indices = Text(size.I, 1, calls * count_).indices;
  const std::vector<float> values = uniform(size.by_index ? 0 : calls * stride_, -1.0f, 1.0f);
  indices_.resize(calls * count_);
  x_.resize(calls * stride_);
  for (std::size_t i = 0; i < calls * count_; ++i) {
    const std::size_t t = i % count_ / N, n = i % N;
    const std::size_t to = batch_first ? i / count_ * count_ + n * T + t : i;
    indices_[to] = indices[i];
    if (size.by_index)
      x_[to * size.I + static_cast<std::size_t>(indices[i])] = 1.0f;
    else
      std::copy_n(&values[i * size.I], size.I, &x_[to * size.I]);
  }
}

TrainingText::TrainingText(const TrainingWork& work) : T_(work.T), B_(work.B) {
  const Text text(work.V, B_, T_);
  for (std::size_t t = 0; t < T_; ++t) {
    for (std::size_t b = 0; b < B_; ++b) {
      indices_.push_back(text.indices[b * T_ + t]);
      classes_.push_back(text.classes[b * T_ + t]);
    }
  }
}

}  // namespace bench
