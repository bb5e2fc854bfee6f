// Patterns of names in which * stands for any characters and ? for one.
#pragma once

namespace rnn {

// True if the pattern fits the whole name.
bool fits(const char* pattern, const char* name) noexcept;

}  // namespace rnn
