// Text in UTF-8, and how messages show bytes that come from files, paths and callers.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace rnn {

// The length of the UTF-8 sequence at the front of `text`; 0 if there is none, or a zero byte.
std::size_t utf8_sequence(std::string_view text) noexcept;

// The front of `text` as it is shown: a character as it is. A byte that is not UTF-8 or an ASCII control
// becomes \x1B, and a character that controls the text around it, as those of bidirectional text do,
// \u{202E}.
struct Shown {
  std::size_t bytes;  // of the text
  char text[12];      // ends with a zero byte
  std::size_t size;   // without it
};
Shown show(std::string_view text) noexcept;  // not empty

// Copies text as it is shown, and a zero byte. Of what is too long, the middle is left out. capacity: at
// least 64.
void show(std::string_view text, char* out, std::size_t capacity) noexcept;

// Text as it is shown, in quotes; of what is too long, the end is left out.
std::string quote(std::string_view text);

// A number as %g has it; with 9 digits if that is another one, such as a bound that it just misses.
std::string number(float value);

}  // namespace rnn
