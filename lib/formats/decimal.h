// Numbers as they stand in files, whatever the locale.
#pragma once

#include <charconv>
#include <string_view>
#include <system_error>
#include <type_traits>

namespace rnn::formats {

// What read_number does, for C++ libraries whose std::from_chars has no floating point, as libc++'s.
bool read_decimal(std::string_view text, float& value);
bool read_decimal(std::string_view text, double& value);

// False unless the whole text is a number that T can hold; of floating point the nearest is taken.
template <class T>
bool read_number(std::string_view text, T& value) {
#ifdef _LIBCPP_VERSION
  constexpr bool kIsOurs = std::is_floating_point_v<T>;
#else
  constexpr bool kIsOurs = false;
#endif
  if constexpr (kIsOurs) {
    return read_decimal(text, value);
  } else {
    const char* const end = text.data() + text.size();
    const std::from_chars_result result = std::from_chars(text.data(), end, value);
    return result.ec == std::errc() && result.ptr == end;
  }
}

}  // namespace rnn::formats
