// The C library of MinGW-w64 rounds fmaf twice, and the tests compare with it: theirs rounds once.
#include <cmath>
#include <cstdint>
#include <cstring>

extern "C" float fmaf(float x, float y, float z) {
  const double product = static_cast<double>(x) * static_cast<double>(y);  // exact
  double sum = product + static_cast<double>(z);
  const double rounded = sum - product;
  const double error = (product - (sum - rounded)) + (static_cast<double>(z) - rounded);
  std::uint64_t bits;
  std::memcpy(&bits, &sum, sizeof bits);
  // Rounded to odd, so that the second rounding goes where one would have gone.
  if (std::isfinite(sum) && error != 0 && (bits & 1) == 0)
    bits += (error > 0) == (sum > 0) ? 1 : ~std::uint64_t{0};
  std::memcpy(&sum, &bits, sizeof sum);
  return static_cast<float>(sum);
}
