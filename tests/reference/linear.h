// Products and functions of vectors, in double precision.
#pragma once

#include <cmath>
#include <cstddef>
#include <vector>

namespace rnn::reference {

using Vector = std::vector<double>;

// W x, W[rows, x.size()]
inline Vector product(const Vector& w, const Vector& x) {
  Vector y(w.size() / x.size());
  for (std::size_t i = 0; i < y.size(); ++i)
    for (std::size_t j = 0; j < x.size(); ++j) y[i] += w.at(i * x.size() + j) * x[j];
  return y;
}

inline Vector sum(Vector a, const Vector& b) {
  for (std::size_t i = 0; i < a.size(); ++i) a[i] += b.at(i);
  return a;
}

inline double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

// (v - mean) / sqrt(variance + 1e-5) * gain
inline Vector layer_norm(Vector v, const Vector& gain) {
  const auto n = static_cast<double>(v.size());
  double mean = 0, variance = 0;
  for (const double value : v) mean += value / n;
  for (const double value : v) variance += (value - mean) * (value - mean) / n;
  for (std::size_t i = 0; i < v.size(); ++i) v[i] = (v[i] - mean) / std::sqrt(variance + 1e-5) * gain.at(i);
  return v;
}

}  // namespace rnn::reference
