#include "lib/formats/decimal.h"

#include <cmath>
#include <cstdlib>
#include <string>

namespace rnn::formats {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// strtod and its kin round exactly, but expect the locale's point: they are given digits without one, and an
// exponent.
template <class T>
bool read(std::string_view text, T (*convert)(const char*, char**), T& value) {
  std::string number;
  std::size_t at = 0;
  if (at < text.size() && text[at] == '-') number += text[at++];
  long long exponent = 0;
  bool is_number = false, is_zero = true, has_point = false;
  for (; at < text.size() && (is_digit(text[at]) || (text[at] == '.' && !has_point)); ++at) {
    if (text[at] == '.') {
      has_point = true;
      continue;
    }
    is_number = true;
    is_zero = is_zero && text[at] == '0';
    number += text[at];
    exponent -= has_point ? 1 : 0;
  }
  if (is_number && at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at + 1 < text.size() && text[at] == '+' && is_digit(text[at + 1])) ++at;
    const char* const end = text.data() + text.size();
    long long given = 0;
    const auto [rest, error] = std::from_chars(text.data() + at, end, given);
    if (error == std::errc::invalid_argument) return false;
    constexpr long long kMost = 1'000'000'000;  // as good as infinity
    if (error == std::errc::result_out_of_range) given = text[at] == '-' ? -kMost : kMost;
    exponent += given < -kMost ? -kMost : given > kMost ? kMost : given;
    at = static_cast<std::size_t>(rest - text.data());
  }
  if (!is_number || at != text.size()) return false;
  number += 'e' + std::to_string(exponent);
  const T result = convert(number.c_str(), nullptr);
  if (std::isinf(result) || (result == 0 && !is_zero)) return false;
  value = result;
  return true;
}

}  // namespace

bool read_decimal(std::string_view text, float& value) { return read(text, &std::strtof, value); }
bool read_decimal(std::string_view text, double& value) { return read(text, &std::strtod, value); }

}  // namespace rnn::formats
