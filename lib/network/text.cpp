#include "lib/network/text.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace rnn {
namespace {

constexpr char kLeftOut[] = "...";
constexpr std::size_t kLeftOutSize = sizeof kLeftOut - 1;

// Of a whole sequence.
std::uint32_t code_point(std::string_view sequence) noexcept {
  const auto lead = static_cast<unsigned char>(sequence[0]);
  if (sequence.size() == 1) return lead;
  std::uint32_t point = lead & (0x7fu >> sequence.size());
  for (const char c : sequence.substr(1)) point = point << 6 | (static_cast<unsigned char>(c) & 0x3fu);
  return point;
}

// C1 controls, line and paragraph separators, the byte order mark, and what sets or overrides the direction
// of text.
bool is_control(std::uint32_t point) noexcept {
  const auto within = [point](std::uint32_t first, std::uint32_t last) {
    return point >= first && point <= last;
  };
  return within(0x80, 0x9f) || point == 0x61c || within(0x200e, 0x200f) || within(0x2028, 0x202e) ||
         within(0x2066, 0x2069) || point == 0xfeff;
}

}  // namespace

// Unicode 15, table 3-7.
std::size_t utf8_sequence(std::string_view text) noexcept {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  const auto trails = [&](std::size_t first, std::size_t last) {
    for (std::size_t i = first; i <= last; ++i)
      if ((byte(i) & 0xc0u) != 0x80) return false;
    return true;
  };
  const unsigned lead = byte(0), second = byte(1);
  if (lead != 0 && lead < 0x80) return 1;
  if (lead >= 0xc2 && lead <= 0xdf) return trails(1, 1) ? 2 : 0;
  if (lead >= 0xe0 && lead <= 0xef) {
    const bool overlong = lead == 0xe0 && second < 0xa0, surrogate = lead == 0xed && second > 0x9f;
    return trails(1, 2) && !overlong && !surrogate ? 3 : 0;
  }
  if (lead >= 0xf0 && lead <= 0xf4) {
    const bool overlong = lead == 0xf0 && second < 0x90, beyond = lead == 0xf4 && second > 0x8f;
    return trails(1, 3) && !overlong && !beyond ? 4 : 0;
  }
  return 0;
}

Shown show(std::string_view text) noexcept {
  Shown shown{std::max<std::size_t>(utf8_sequence(text), 1), {}, 0};
  const auto first = static_cast<unsigned char>(text[0]);
  if (shown.bytes == 1 && (first < ' ' || first > '~')) {
    shown.size = static_cast<std::size_t>(std::snprintf(shown.text, sizeof shown.text, "\\x%02X", first));
    return shown;
  }
  const std::uint32_t point = code_point(text.substr(0, shown.bytes));
  if (is_control(point)) {
    shown.size = static_cast<std::size_t>(std::snprintf(shown.text, sizeof shown.text, "\\u{%X}", point));
    return shown;
  }
  shown.size = shown.bytes;
  std::copy_n(text.data(), shown.bytes, shown.text);
  return shown;
}

void show(std::string_view text, char* out, std::size_t capacity) noexcept {
  std::size_t left = 0;  // bytes still to be shown
  for (std::size_t at = 0; at < text.size();) {
    const Shown shown = show(text.substr(at));
    at += shown.bytes;
    left += shown.size;
  }
  const std::size_t room = capacity - 1;
  const std::size_t tail = left <= room ? left : room / 3;  // messages often give the reason at their end
  std::size_t head = left <= room ? 0 : room - tail - kLeftOutSize;
  bool cut = false;
  for (std::size_t at = 0; at < text.size();) {
    const Shown shown = show(text.substr(at));
    at += shown.bytes;
    if (left <= tail) {
      out = std::copy_n(shown.text, shown.size, out);
    } else if (!cut && shown.size <= head) {
      out = std::copy_n(shown.text, shown.size, out);
      head -= shown.size;
    } else if (!cut) {
      out = std::copy_n(kLeftOut, kLeftOutSize, out);
      cut = true;
    }
    left -= shown.size;
  }
  *out = '\0';
}

std::string quote(std::string_view text) {
  constexpr std::size_t kMost = 60;
  std::string quoted = "\"";
  while (!text.empty()) {
    const Shown shown = show(text);
    if (quoted.size() + shown.size > kMost + 1) return quoted + kLeftOut + "\"";
    quoted.append(shown.text, shown.size);
    text.remove_prefix(shown.bytes);
  }
  return quoted + "\"";
}

std::string number(float value) {
  char text[32];
  std::snprintf(text, sizeof text, "%g", static_cast<double>(value));
  if (std::strtof(text, nullptr) != value)
    std::snprintf(text, sizeof text, "%.9g", static_cast<double>(value));
  return text;
}

}  // namespace rnn
