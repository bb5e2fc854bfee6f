// The steps of a GRU, with the reset gate behind or before the product, in the letters of gates-inl.h.
#ifndef RNN_KERNELS_GRU_INL_H_
#define RNN_KERNELS_GRU_INL_H_

#include "lib/kernels/gates-inl.h"

namespace rnn::kernels {
namespace {

// r, z = sigmoid(gates + s)    kept = s + bias    n = tanh(gates + r * kept)    h = n + z * (h - n)
template <class Units>
struct GruForward {
  static constexpr std::size_t gates = 3;
  static constexpr bool halves = true;
  const CellForward& step;
  Units n;

  template <class Visit>
  [[gnu::always_inline]] void visit(const Visit& visit) const noexcept {
    visit(step.gates, 3);
    visit(step.h_prev, 1);
    visit(step.kept, 1);
    visit(step.h, 1);
  }
  template <class Arch>
  [[gnu::always_inline]] void begin(std::size_t m, std::size_t unit,
                                    const Vec<Arch> (&sum)[3]) const noexcept {
    RNN_UNROLL for (std::size_t g = 0; g < 2; ++g)
        store_units<Arch>(step.gates, m, g, unit, n, activate<Arch>(m, g, unit, sum[g]));
  }
  template <class Arch>
  [[gnu::always_inline]] void end(std::size_t m, std::size_t unit, const Vec<Arch> (&sum)[3]) const noexcept {
    advance<Arch>(m, unit, load_units<Arch>(step.gates, m, 0, unit, n),
                  load_units<Arch>(step.gates, m, 1, unit, n), sum[2]);
  }
  template <class Arch>
  [[gnu::always_inline]] void finish(std::size_t m, std::size_t unit,
                                     const Vec<Arch> (&sum)[3]) const noexcept {
    const Vec<Arch> r = activate<Arch>(m, 0, unit, sum[0]), z = activate<Arch>(m, 1, unit, sum[1]);
    advance<Arch>(m, unit, r, z, sum[2]);
    if constexpr (is_step<Units>) return;
    store_units<Arch>(step.gates, m, 0, unit, n, r);
    store_units<Arch>(step.gates, m, 1, unit, n, z);
  }
  static constexpr std::size_t leads = is_step<Units> ? 1 : 0;  // n waits for r
  template <class V>
  [[gnu::always_inline]] V lead(std::size_t unit, const V (&sum)[1]) const noexcept {
    return activate<typename V::arch_type>(0, 0, unit, sum[0]);
  }
  template <class V>
  [[gnu::always_inline]] void follow(std::size_t unit, V r, const V (&sum)[2]) const noexcept {
    using Arch = typename V::arch_type;
    advance<Arch>(0, unit, r, activate<Arch>(0, 1, unit, sum[0]), sum[1]);
  }

 private:
  template <class Arch>
  [[gnu::always_inline]] Vec<Arch> activate(std::size_t m, std::size_t g, std::size_t unit,
                                            Vec<Arch> sum) const noexcept {
    return vsigmoid<Arch>(load_input<Arch, 3>(step, m, g, unit, n) + sum);
  }
  template <class Arch>
  [[gnu::always_inline]] void advance(std::size_t m, std::size_t unit, Vec<Arch> r, Vec<Arch> z,
                                      Vec<Arch> sum) const noexcept {
    const Vec<Arch> kept = sum + load_vector<Arch>(step.vectors[1], unit, n);
    const Vec<Arch> candidate = vtanh<Arch>(vfma<Arch>(r, kept, load_input<Arch, 3>(step, m, 2, unit, n)));
    const Vec<Arch> h_prev = load_units<Arch>(step.h_prev, m, 0, unit, n);
    if constexpr (!is_step<Units>) {
      store_units<Arch>(step.gates, m, 2, unit, n, candidate);
      if (step.kept.base != nullptr || step.kept.pointers != nullptr)
        store_units<Arch>(step.kept, m, 0, unit, n, kept);
    }
    store_units<Arch>(step.h, m, 0, unit, n, vfma<Arch>(z, h_prev - candidate, candidate));
  }
};

// d = d_h + carry + s    carry = d * z    d_n = d * (1 - z) * n'    d_z = d * (h - n) * z'
// d_r = d_n * kept * r'    gates = d_r, d_z, d_n    kept = d_n * r
template <class Units>
struct GruBackward {
  static constexpr std::size_t gates = 1;
  const CellBackward& step;
  Units n;

  template <class Visit>
  [[gnu::always_inline]] void visit(const Visit& visit) const noexcept {
    visit(step.gates, 3);
    visit(step.h_prev, 1);
    visit(step.d_h, 1);
    visit(step.carry_h, 1);
    visit(step.kept, 1);
  }
  template <class Arch>
  [[gnu::always_inline]] void finish(std::size_t m, std::size_t unit,
                                     const Vec<Arch> (&sum)[1]) const noexcept {
    using V = Vec<Arch>;
    const V r = load_units<Arch>(step.gates, m, 0, unit, n), z = load_units<Arch>(step.gates, m, 1, unit, n);
    const V candidate = load_units<Arch>(step.gates, m, 2, unit, n);
    const V h_prev = load_units<Arch>(step.h_prev, m, 0, unit, n);
    const V d =
        (load_gradient<Arch>(step, m, unit, n) + load_units<Arch>(step.carry_h, m, 0, unit, n)) + sum[0];
    const V d_n = d * (V(1.0f) - z) * tanh_slope<Arch>(candidate);
    const V d_z = d * (h_prev - candidate) * sigmoid_slope<Arch>(z);
    const V d_r = d_n * load_units<Arch>(step.kept, m, 0, unit, n) * sigmoid_slope<Arch>(r);
    store_units<Arch>(step.gates, m, 0, unit, n, d_r);
    store_units<Arch>(step.gates, m, 1, unit, n, d_z);
    store_units<Arch>(step.gates, m, 2, unit, n, d_n);
    store_units<Arch>(step.kept, m, 0, unit, n, d_n * r);
    store_units<Arch>(step.carry_h, m, 0, unit, n, d * z);
  }
};

// Reset before the product, its first half: r, z = sigmoid(gates + s)    kept = r * h
template <class Units>
struct GruBeforeForward {
  static constexpr std::size_t gates = 2;
  const CellForward& step;
  Units n;

  template <class Visit>
  [[gnu::always_inline]] void visit(const Visit& visit) const noexcept {
    visit(step.gates, 2);
    visit(step.h_prev, 1);
    visit(step.kept, 1);
  }
  template <class Arch>
  [[gnu::always_inline]] void finish(std::size_t m, std::size_t unit,
                                     const Vec<Arch> (&sum)[2]) const noexcept {
    const Vec<Arch> r = vsigmoid<Arch>(load_units<Arch>(step.gates, m, 0, unit, n) + sum[0]);
    const Vec<Arch> z = vsigmoid<Arch>(load_units<Arch>(step.gates, m, 1, unit, n) + sum[1]);
    store_units<Arch>(step.gates, m, 0, unit, n, r);
    store_units<Arch>(step.gates, m, 1, unit, n, z);
    store_units<Arch>(step.kept, m, 0, unit, n, r * load_units<Arch>(step.h_prev, m, 0, unit, n));
  }
};

// Its second half: n = tanh(gates + s)    h = n + z * (h - n)
template <class Units>
struct GruBeforeForwardState {
  static constexpr std::size_t gates = 1;
  const CellForward& step;
  Units n;

  template <class Visit>
  [[gnu::always_inline]] void visit(const Visit& visit) const noexcept {
    visit(step.gates, 3);
    visit(step.h_prev, 1);
    visit(step.h, 1);
  }
  template <class Arch>
  [[gnu::always_inline]] void finish(std::size_t m, std::size_t unit,
                                     const Vec<Arch> (&sum)[1]) const noexcept {
    using V = Vec<Arch>;
    const V candidate = vtanh<Arch>(load_units<Arch>(step.gates, m, 2, unit, n) + sum[0]);
    const V z = load_units<Arch>(step.gates, m, 1, unit, n);
    const V h_prev = load_units<Arch>(step.h_prev, m, 0, unit, n);
    store_units<Arch>(step.gates, m, 2, unit, n, candidate);
    store_units<Arch>(step.h, m, 0, unit, n, vfma<Arch>(z, h_prev - candidate, candidate));
  }
};

// Backwards the second half comes first: d = d_h + carry + s    carry = d * z
// gates = r still, d * (h - n) * z', d * (1 - z) * n'
template <class Units>
struct GruBeforeBackwardState {
  static constexpr std::size_t gates = 1;
  const CellBackward& step;
  Units n;

  template <class Visit>
  [[gnu::always_inline]] void visit(const Visit& visit) const noexcept {
    visit(step.gates, 3);
    visit(step.h_prev, 1);
    visit(step.d_h, 1);
    visit(step.carry_h, 1);
  }
  template <class Arch>
  [[gnu::always_inline]] void finish(std::size_t m, std::size_t unit,
                                     const Vec<Arch> (&sum)[1]) const noexcept {
    using V = Vec<Arch>;
    const V z = load_units<Arch>(step.gates, m, 1, unit, n),
            candidate = load_units<Arch>(step.gates, m, 2, unit, n);
    const V h_prev = load_units<Arch>(step.h_prev, m, 0, unit, n);
    const V d =
        (load_gradient<Arch>(step, m, unit, n) + load_units<Arch>(step.carry_h, m, 0, unit, n)) + sum[0];
    store_units<Arch>(step.gates, m, 1, unit, n, d * (h_prev - candidate) * sigmoid_slope<Arch>(z));
    store_units<Arch>(step.gates, m, 2, unit, n, d * (V(1.0f) - z) * tanh_slope<Arch>(candidate));
    store_units<Arch>(step.carry_h, m, 0, unit, n, d * z);
  }
};

// Then the first, where s is the gradient of r * h: gates = s * h * r', ...    carry += s * r
template <class Units>
struct GruBeforeBackward {
  static constexpr std::size_t gates = 1;
  const CellBackward& step;
  Units n;

  template <class Visit>
  [[gnu::always_inline]] void visit(const Visit& visit) const noexcept {
    visit(step.gates, 1);
    visit(step.h_prev, 1);
    visit(step.carry_h, 1);
  }
  template <class Arch>
  [[gnu::always_inline]] void finish(std::size_t m, std::size_t unit,
                                     const Vec<Arch> (&sum)[1]) const noexcept {
    using V = Vec<Arch>;
    const V r = load_units<Arch>(step.gates, m, 0, unit, n),
            h_prev = load_units<Arch>(step.h_prev, m, 0, unit, n);
    const V carry = load_units<Arch>(step.carry_h, m, 0, unit, n);
    store_units<Arch>(step.gates, m, 0, unit, n, sum[0] * h_prev * sigmoid_slope<Arch>(r));
    store_units<Arch>(step.carry_h, m, 0, unit, n, vfma<Arch>(sum[0], r, carry));
  }
};

}  // namespace
}  // namespace rnn::kernels

#endif  // RNN_KERNELS_GRU_INL_H_
