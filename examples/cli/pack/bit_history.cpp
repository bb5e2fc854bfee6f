#include "bit_history.h"

#include <algorithm>
#include <map>
#include <stdexcept>
#include <tuple>

#include "logistic.h"

namespace pack {
namespace {

struct History {
  int count[2] = {0, 0};
  int last = 0;  // the last two bits; where there are at most four bits, all of them

  bool operator<(const History& other) const {
    return std::tie(count[0], count[1], last) < std::tie(other.count[0], other.count[1], other.last);
  }
};

// The most that one count may be beside the other.
int most(int other) {
  constexpr int kMost[] = {48, 32, 20, 14, 10, 8, 7};
  return kMost[std::min(other, 6)];
}

History after(const History& before, int bit) {
  History next = before;
  int& same = next.count[bit];
  int& other = next.count[1 - bit];
  if (other > 2) other = other / 2 + 1;
  same = std::min(same + 1, most(other));
  other = std::min(other, most(same));
  next.last = 2 * before.last + bit;
  next.last &= same + other <= 4 ? 15 : 3;
  return next;
}

}  // namespace

BitHistories::BitHistories() {
  std::map<History, std::uint16_t> numbers = {{History(), std::uint16_t{0}}};
  std::vector<History> all = {History()};
  for (std::size_t i = 0; i < all.size(); ++i) {
    const History history = all[i];
    const int zeros = history.count[0], ones = history.count[1];
    probability_.push_back((2 * ones + 1) * kOne / (2 * (zeros + ones) + 2));
    for (const int bit : {0, 1}) {
      const History next = after(history, bit);
      const auto [place, added] = numbers.emplace(next, static_cast<std::uint16_t>(all.size()));
      if (added) all.push_back(next);
      next_.push_back(place->second);
    }
  }
  if (all.size() > kMost) throw std::logic_error("too many bit histories");
}

}  // namespace pack
