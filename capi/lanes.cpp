#include <cstdint>

#include "rnn/rnn.h"

namespace {

constexpr std::int32_t kMostLanes = 1024;

bool valid(std::int32_t lanes) noexcept {
  return lanes >= 1 && lanes <= kMostLanes && (lanes & (lanes - 1)) == 0;
}

}  // namespace

std::int32_t rnn_lane_of(std::uint64_t sequence, std::int32_t lanes) {
  return valid(lanes) ? static_cast<std::int32_t>(sequence % static_cast<std::uint64_t>(lanes)) : -1;
}

// The last rank whose first lane, lanes * rank / ranks, is not behind this one.
std::int32_t rnn_rank_of(std::int32_t lane, std::int32_t lanes, std::int32_t ranks) {
  if (!valid(lanes) || lane < 0 || lane >= lanes || ranks < 1 || ranks > lanes) return -1;
  return ((lane + 1) * ranks - 1) / lanes;
}
