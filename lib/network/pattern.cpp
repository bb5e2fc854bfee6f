#include "lib/network/pattern.h"

namespace rnn {

// After a mismatch, the last star takes in one character more.
bool fits(const char* pattern, const char* name) noexcept {
  const char* star = nullptr;
  const char* after_star = nullptr;  // where in the name the pattern behind the star begins
  while (*name != '\0') {
    if (*pattern == '*') {
      star = pattern++;
      after_star = name;
    } else if (*pattern == '?' || *pattern == *name) {
      ++pattern;
      ++name;
    } else if (star != nullptr) {
      pattern = star + 1;
      name = ++after_star;
    } else {
      return false;
    }
  }
  while (*pattern == '*') ++pattern;
  return *pattern == '\0';
}

}  // namespace rnn
