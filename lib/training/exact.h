// Elementary functions from nothing but IEEE 754 arithmetic, in one order of operations: the same bits on
// every machine, which libm does not promise. Errors are a few units in the last place.
#pragma once

#include <cstdint>

namespace rnn {

double exact_log(double x) noexcept;  // x > 0
double exact_power(double base, std::uint64_t exponent) noexcept;
double exact_power(double base, double exponent) noexcept;  // base > 0
double exact_cos_pi(double x) noexcept;                     // cos(pi x), 0 <= x <= 1

}  // namespace rnn
