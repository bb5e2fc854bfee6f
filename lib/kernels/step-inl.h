// A whole step of one row: input, recurrent product, activations and head in one kernel. A tiny network feels
// each call and each way through memory.
#ifndef RNN_KERNELS_STEP_INL_H_
#define RNN_KERNELS_STEP_INL_H_

#include "lib/kernels/gates-inl.h"

namespace rnn::kernels {
namespace {

// b + W_ih x of gate g
template <class Arch>
[[gnu::always_inline]] inline Vec<Arch> add_bias(const CellStep& step, std::size_t g, std::size_t unit,
                                                 Vec<Arch> sum) noexcept {
  return load_columns<Arch>(step.forward.vectors[0] + g * step.H, unit, step.H) + sum;
}

// gates = b + W_ih x
template <std::size_t G>
struct StepInput {
  static constexpr std::size_t gates = G;
  const CellStep& step;
  PaddedUnits n;

  template <class Arch>
  [[gnu::always_inline]] void finish(std::size_t, std::size_t unit,
                                     const Vec<Arch> (&sum)[G]) const noexcept {
    RNN_UNROLL for (std::size_t g = 0; g < G; ++g)
        store_units<Arch>(step.forward.gates, 0, g, unit, n, add_bias<Arch>(step, g, unit, sum[g]));
  }
};

// The step of a cell without a product with W_hh, from the sums of W_ih x.
template <template <class> class Output>
struct StepAlone {
  static constexpr std::size_t gates = Output<PaddedUnits>::gates;
  const CellStep& step;
  PaddedUnits n;

  template <class Arch>
  [[gnu::always_inline]] void finish(std::size_t, std::size_t unit,
                                     const Vec<Arch> (&sum)[gates]) const noexcept {
    const Output<PaddedUnits> output{step.forward, n};
    Vec<Arch> in[gates];
    RNN_UNROLL for (std::size_t g = 0; g < gates; ++g) in[g] = add_bias<Arch>(step, g, unit, sum[g]);
    store_units<Arch>(step.forward.h, 0, 0, unit, n,
                      first_units<Arch>(output.template advance<Arch>(0, unit, in), unit, step.H));
  }
};

// y = b + W_hy h, beside which the caller may have the next x.
struct StepHead {
  static constexpr std::size_t gates = 1;
  const float* bias;
  float* y;
  std::size_t n;

  template <class Arch>
  [[gnu::always_inline]] void finish(std::size_t, std::size_t unit,
                                     const Vec<Arch> (&sum)[1]) const noexcept {
    const Vec<Arch> value = load_columns<Arch>(bias, unit, n) + sum[0];
    if (unit + lanes<Arch> <= n)
      store<Arch>(y + unit, value);
    else
      store_exact<Arch>(y + unit, value, n - unit);
  }
};

// Column k of W_ih times x, plus two zeros, to `output`.
template <class Arch, class Output>
[[gnu::always_inline]] inline void scale_column(const Panels& w, std::size_t k, float x, float zero1,
                                                float zero2, const Output& output) noexcept {
  constexpr std::size_t G = Output::gates;
  const auto scale = [&](auto arch, std::size_t unit) __attribute__((always_inline)) {
    using A = decltype(arch);
    Vec<A> sum[G];
    RNN_UNROLL for (std::size_t g = 0; g < G; ++g) sum[g] =
        vfma<A>(load_column<A, G>(w, k, g, unit), Vec<A>(x), Vec<A>(zero1)) + Vec<A>(zero2);
    output.template finish<A>(0, unit, sum);
  };
  const std::size_t H = output.step.H;
  std::size_t unit = 0;
  for (; unit + (has_narrow<Arch> ? lanes<Narrow<Arch>> : 0) < H; unit += lanes<Arch>) scale(Arch{}, unit);
  if (has_narrow<Arch> && unit < H) scale(Narrow<Arch>{}, unit);
}

// One row of a matrix that may be deep.
template <class Arch, class Number, class Output>
[[gnu::always_inline]] inline void multiply_deep_row(Number number, const Panels& w, const float* x,
                                                     const Output& output) noexcept {
  multiply_row<Arch>(number, w, x, output);
}
template <class Arch, class Output>
[[gnu::always_inline]] inline void multiply_deep_row(F32, const Panels& w, const float* x,
                                                     const Output& output) noexcept {
  if (w.depth > kLongSum) return multiply_panels<Arch, Output::gates>(w, x, output);
  multiply_row<Arch>(F32{}, w, x, output);
}

// W_ih x, or its column `index` where x is null, to `output`, which has it already if that is kGatesGiven.
template <class Arch, class Number, class Output>
[[gnu::always_inline]] inline void multiply_input(Number number, const Panels& w, const float* x,
                                                  std::int32_t index, const Output& output) noexcept {
  if (x != nullptr)
    multiply_deep_row<Arch>(number, w, x, output);
  else if (index != kGatesGiven)
    pick<Arch>(number, w, 1, &index, output);
}
// A column is scaled at once, with the zeros that pick and multiply_row would add: parts that are 0 make 0 of
// -0, to which a small product may have been flushed; -0 leaves it.
template <class Arch, class Output>
[[gnu::always_inline]] inline void multiply_input(F32, const Panels& w, const float* x, std::int32_t index,
                                                  const Output& output) noexcept {
  if (x == nullptr) {
    if (index == kGatesGiven) return;
    scale_column<Arch>(w, static_cast<std::size_t>(index), 1.0f, -0.0f, -0.0f, output);
  } else if (w.depth == 1) {
    scale_column<Arch>(w, 0, x[0], 0.0f, part_count(w.rows) > 1 ? 0.0f : -0.0f, output);
  } else {
    multiply_deep_row<Arch>(F32{}, w, x, output);
  }
}

// y = b + W_hy h
template <class Arch, class Number>
[[gnu::always_inline]] inline void multiply_head(Number number, const CellStep& step, float* y) noexcept {
  multiply_deep_row<Arch>(number, step.head, step.forward.h.base,
                          StepHead{step.head_bias, y, step.head.rows});
}
// The parts of one row are the lanes of a vector. Packed, the row would be read number by number, and h too.
template <class Arch>
[[gnu::always_inline]] inline void multiply_head(F32 number, const CellStep& step, float* y) noexcept {
  static_assert(kParts == 4, "a part for each lane");
  const std::size_t depth = step.head.depth;
  if (step.head_row == nullptr || depth % kParts != 0 || depth > kLongSum)
    return multiply_head<Arch, F32>(number, step, y);
  Quad sum = zero_quad();
  for (std::size_t k = 0; k < depth; k += kParts)
    sum = fma_quad(load_quad(step.head_row + k), load_quad(step.forward.h.base + k), sum);
  *y = static_cast<float>(Real(step.head_bias[0]) + Real(add_in_order(sum)));
}

template <class Arch, template <class> class Output, class Number>
void whole_step(const CellStep& step, const float* x, std::int32_t index, float* y) noexcept {
  const CellForward& forward = step.forward;
  const PaddedUnits units{forward.H};
  constexpr std::size_t G = Output<PaddedUnits>::gates;
  multiply_input<Arch>(Number{}, forward.input, x, index, StepInput<G>{step, units});
  multiply_row<Arch>(Number{}, forward.w, forward.x.base, Output<PaddedUnits>{forward, units});
  if (y != nullptr) multiply_head<Arch>(Number{}, step, y);
}

// The same without a recurrent product.
template <class Arch, template <class> class Output, class Number>
void whole_step_alone(const CellStep& step, const float* x, std::int32_t index, float* y) noexcept {
  multiply_input<Arch>(Number{}, step.forward.input, x, index, StepAlone<Output>{step, {step.forward.H}});
  if (y != nullptr) multiply_head<Arch>(Number{}, step, y);
}

}  // namespace
}  // namespace rnn::kernels

#endif  // RNN_KERNELS_STEP_INL_H_
