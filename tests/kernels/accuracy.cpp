#include "tests/kernels/accuracy.h"

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <cstring>

#include "lib/kernels/subnormals.h"

namespace rnn::kernels {
namespace {

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

float from_bits(std::uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

std::uint32_t to_bits(float value) {
  std::uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

// The distance of floats around a number.
double ulp_of(double exact) {
  constexpr std::uint64_t kExponent = std::uint64_t{0x7ff} << 52;
  std::uint64_t bits;
  std::memcpy(&bits, &exact, sizeof bits);
  bits &= kExponent;
  double power;
  std::memcpy(&power, &bits, sizeof power);
  return std::max(power * 0x1p-23, 0x1p-149);
}

// Judge y for the argument x.
void judge(const ArrayKernel& activation, float x, float y, double exact, Measured& measured) {
  const auto wrong = [&] {
    if (measured.wrong++ == 0) measured.wrong_where = x;
  };
  if (std::isnan(x) || std::isnan(y)) {
    if (!std::isnan(x) || !std::isnan(y)) wrong();
    return;
  }
  const bool is_tanh = activation.kernel == &Table::tanh;
  const bool is_exp = activation.kernel == &Table::exp;
  if (is_tanh && std::signbit(x) != std::signbit(y)) wrong();
  if (!is_tanh && std::signbit(y)) wrong();
  if (!is_exp && std::fabs(y) > 1) wrong();
  if (std::isinf(y) || exact > FLT_MAX) {
    // Where the exact result rounds to infinity, or to FLT_MAX by less than one ULP.
    if (!is_exp || exact < FLT_MAX * (1 - 0x1p-23) || y < FLT_MAX) wrong();
    return;
  }
  if (std::fabs(exact) < activation.smallest) {
    if (std::fabs(y) > activation.smallest * (1 + 0x1p-22)) wrong();
    return;
  }
  const double error = std::fabs(y - exact) / ulp_of(exact);
  if (error > measured.ulp) {
    measured.ulp = error;
    measured.where = x;
  }
}

}  // namespace

const std::vector<ArrayKernel> kActivations = {
    {"tanh", &Table::tanh, [](double x) { return std::tanh(x); }, 2.44, kFlushesSubnormals ? 0 : FLT_MIN},
    {"sigmoid", &Table::sigmoid, &sigmoid, 2.59, FLT_MIN},
    {"exp", &Table::exp, [](double x) { return std::exp(x); }, 1.01, FLT_MIN},
};

std::vector<std::vector<Measured>> measure(const std::vector<const Table*>& tables, std::uint64_t first,
                                           std::uint64_t end, std::uint32_t stride) {
  constexpr std::size_t kBlock = 1024;
  std::vector<std::vector<Measured>> result(tables.size(), std::vector<Measured>(kActivations.size()));
  std::vector<float> x, y(kBlock), first_table(kBlock);
  std::vector<double> exact(kBlock);
  while (first < end) {
    x.clear();
    for (; first < end && x.size() < kBlock; first += stride)
      x.push_back(from_bits(static_cast<std::uint32_t>(first)));
    for (std::size_t a = 0; a < kActivations.size(); ++a) {
      const ArrayKernel& activation = kActivations[a];
      for (std::size_t i = 0; i < x.size(); ++i) exact[i] = activation.exact(x[i]);
      for (std::size_t t = 0; t < tables.size(); ++t) {
        Measured& measured = result[t][a];
        (tables[t]->*activation.kernel)(x.data(), y.data(), x.size());
        for (std::size_t i = 0; i < x.size(); ++i) judge(activation, x[i], y[i], exact[i], measured);
        if (t == 0) first_table = y;
        for (std::size_t i = 0; i < x.size(); ++i)
          measured.different += to_bits(y[i]) != to_bits(first_table[i]) && !std::isnan(y[i]);
      }
    }
  }
  return result;
}

}  // namespace rnn::kernels
