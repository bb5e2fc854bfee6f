#include "lib/training/exact.h"

#include <cmath>

namespace rnn {
namespace {

constexpr double kLn2 = 0x1.62e42fefa39efp-1;
constexpr double kPi = 0x1.921fb54442d18p+1;

// exp x = 2^n exp r, |r| <= ln(2) / 2.
double exact_exp(double x) noexcept {
  if (x < -745.0) return 0.0;
  if (x > 709.0) return HUGE_VAL;
  const double n = std::floor(x / kLn2 + 0.5);
  const double r = x - n * kLn2;
  double sum = 1.0;
  for (int k = 16; k >= 1; --k) sum = 1.0 + sum * r / k;
  return std::ldexp(sum, static_cast<int>(n));
}

}  // namespace

// log x = e ln 2 + 2 artanh s, s = (m - 1) / (m + 1), x = m 2^e, sqrt(1/2) <= m < sqrt 2.
double exact_log(double x) noexcept {
  int e = 0;
  double m = std::frexp(x, &e);
  if (m < 0x1.6a09e667f3bcdp-1) {
    m *= 2.0;
    --e;
  }
  const double s = (m - 1.0) / (m + 1.0);
  double sum = 0.0;
  for (int k = 25; k >= 1; k -= 2) sum = sum * (s * s) + 1.0 / k;
  return e * kLn2 + 2.0 * s * sum;
}

double exact_power(double base, std::uint64_t exponent) noexcept {
  double result = 1.0;
  for (; exponent != 0; exponent >>= 1) {
    if (exponent & 1) result *= base;
    base *= base;
  }
  return result;
}

double exact_power(double base, double exponent) noexcept { return exact_exp(exponent * exact_log(base)); }

double exact_cos_pi(double x) noexcept {
  if (x > 0.5) return -exact_cos_pi(1.0 - x);
  const double y = kPi * x;
  double sum = 1.0;
  for (int k = 26; k >= 2; k -= 2) sum = 1.0 - sum * (y * y) / (k * (k - 1));
  return sum;
}

}  // namespace rnn
