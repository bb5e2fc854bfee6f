// What the tests of the kernels share: every test runs for every table that this CPU can run.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "lib/kernels/dispatch.h"
#include "lib/kernels/pack.h"
#include "lib/kernels/table.h"

namespace rnn::kernels {

// Half the distance between 1 and the next float: the largest relative error of one rounding.
constexpr double kRoundoff = 0x1p-24;

// Every table that this CPU can run.
std::vector<const Table*> tables(Format format = Format::f32);

// Formats other than f32.
constexpr Format kLowpFormats[] = {Format::bf16, Format::int8};

class KernelTest : public testing::TestWithParam<const Table*> {
 protected:
  const Table& table = *GetParam();
  std::mt19937 random{42};

  std::size_t below(std::size_t n) { return random() % n; }
  bool coin() { return below(2) == 0; }
};

#define TEST_ALL_TABLES(suite)                                                    \
  INSTANTIATE_TEST_SUITE_P(All, suite, testing::ValuesIn(rnn::kernels::tables()), \
                           [](const auto& info) { return std::string(info.param->name); })

// n floats, 64-byte aligned, with room for one more vector before and behind them that nobody may write.
class Array {
 public:
  explicit Array(std::size_t n, float value = 0.0f) : size_(n), memory_(padded(n) + 3 * kPad, kGuard) {
    const auto address = reinterpret_cast<std::uintptr_t>(memory_.data());
    start_ = kPad + (64 - address % 64) % 64 / sizeof(float);
    std::fill_n(data(), n, value);
  }
  Array(const Array&) = delete;
  Array& operator=(const Array&) = delete;
  ~Array() { EXPECT_TRUE(guards_intact()) << "written outside of an array of " << size_; }

  float* data() { return memory_.data() + start_; }
  const float* data() const { return memory_.data() + start_; }
  std::size_t size() const { return size_; }
  float& operator[](std::size_t i) { return data()[i]; }
  float operator[](std::size_t i) const { return data()[i]; }
  float* begin() { return data(); }
  float* end() { return data() + size_; }
  const float* begin() const { return data(); }
  const float* end() const { return data() + size_; }

 private:
  static constexpr float kGuard = -12345.678f;

  bool guards_intact() const {
    const auto guard = [](float value) { return value == kGuard; };
    return std::all_of(memory_.begin(), memory_.begin() + static_cast<std::ptrdiff_t>(start_), guard) &&
           std::all_of(memory_.begin() + static_cast<std::ptrdiff_t>(start_ + size_), memory_.end(), guard);
  }

  std::size_t size_;
  std::size_t start_ = 0;
  std::vector<float> memory_;
};

// Memory that ends where the process's ends: a kernel that reads or writes one float too many dies. If the
// environment has RNN_TEST_SOFT_EDGE there is readable memory behind it, for emulators (QEMU 7.2) that read
// the lanes that a masked load leaves out.
class Edge {
 public:
  explicit Edge(std::size_t capacity);
  ~Edge();
  Edge(const Edge&) = delete;
  Edge& operator=(const Edge&) = delete;

  // The last n floats.
  float* last(std::size_t n) {
    if (n > capacity_) throw std::bad_alloc();
    return end_ - n;
  }

 private:
  std::size_t capacity_;
  std::size_t bytes_;
  void* memory_;
  float* end_;
};

// Numbers in [-1, 1).
template <class Range>
void fill(Range&& range, std::mt19937& random) {
  for (float& x : range) x = static_cast<float>(static_cast<std::int32_t>(random())) * 0x1p-31f;
}

inline std::vector<float> randoms(std::size_t n, std::mt19937& random) {
  std::vector<float> values(n);
  fill(values, random);
  return values;
}

// Rows of n numbers at a distance of stride, and zeros between them.
void fill_rows(float* rows, std::size_t count, std::size_t n, std::size_t stride, std::mt19937& random);

// W[rows, depth], dense, packed, grouped by gates if there are 2 or more.
class Packed {
 public:
  Packed(const Table& table, std::size_t rows, std::size_t depth, const float* w, std::size_t gates = 0)
      : Packed(table, {nullptr, rows, depth, gates}, w, depth, 1) {}

  // Of the transposed of a matrix: w is [depth, rows].
  static Packed transposed(const Table& table, std::size_t rows, std::size_t depth, const float* w) {
    return Packed(table, {nullptr, rows, depth, 0}, w, 1, rows);
  }
  const Panels& panels() const { return panels_; }

 private:
  Packed(const Table& table, const Panels& shape, const float* w, std::size_t row_stride,
         std::size_t column_stride)
      : data_(packed_size(table, shape)), panels_(shape) {
    pack(table, shape, {w, row_stride, column_stride, 0}, 0, panel_count(table, shape), data_.data());
    panels_.data = data_.data();
  }

  Array data_;
  Panels panels_;
};

// M rows somewhere: evenly spaced, or through pointers in an order of their own.
struct Spread {
  Spread(float* base, std::size_t count, std::size_t stride, bool by_pointer, std::mt19937& random);

  const float* row(std::size_t m) const { return pointers.empty() ? base + m * stride : pointers[m]; }
  Rows rows() const {
    return pointers.empty() ? Rows{base, stride, nullptr} : Rows{nullptr, 0, pointers.data()};
  }
  MutableRows mutable_rows() {
    return pointers.empty() ? MutableRows{base, stride, nullptr}
                            : MutableRows{nullptr, 0, const_cast<float* const*>(pointers.data())};
  }
  // The same rows from m on.
  Rows from(std::size_t m) const {
    return pointers.empty() ? Rows{base + m * stride, stride, nullptr}
                            : Rows{nullptr, 0, pointers.data() + m};
  }

  float* base;
  std::size_t stride;
  std::vector<const float*> pointers;
};

bool same_bits(const float* a, const float* b, std::size_t n);

}  // namespace rnn::kernels
