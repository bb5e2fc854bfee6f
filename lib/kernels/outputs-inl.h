// The functions of all outputs, of one instruction set. Its unit of f32 compiles them, and those of other numbers use
// them: the formulas do not depend on what was multiplied. To add an output: its place in the list.
#ifndef RNN_KERNELS_OUTPUTS_INL_H_
#define RNN_KERNELS_OUTPUTS_INL_H_

#include "lib/kernels/gru-inl.h"
#include "lib/kernels/lstm-inl.h"
#include "lib/kernels/minimal-inl.h"
#include "lib/kernels/step-inl.h"

namespace rnn::kernels {
namespace {

template <class... Outputs>
struct OutputList {
  static constexpr std::size_t count = sizeof...(Outputs);
};

template <class... A, class... B>
constexpr OutputList<A..., B...> operator+(OutputList<A...>, OutputList<B...>) noexcept {
  return {};
}
template <template <class> class... Output>
constexpr OutputList<Output<std::size_t>..., Output<WholeUnits>...> of_rows() noexcept {
  return {};
}
template <template <class> class... Output>
constexpr OutputList<Output<PaddedUnits>...> of_steps() noexcept {
  return {};
}

using Outputs =
    decltype(OutputList<Affine<1>, Affine<2>, Affine<3>, Affine<4>>{} +
             of_rows<TanhForward, ReluForward, LstmForward, LstmPeepholeForward, LstmCoupledForward,
                     LstmCoupledPeepholeForward, GruForward, GruBeforeForward, GruBeforeForwardState>() +
             of_rows<TanhBackward, ReluBackward, LstmBackward, LstmPeepholeBackward, LstmCoupledBackward,
                     LstmCoupledPeepholeBackward, GruBackward, GruBeforeBackwardState, GruBeforeBackward>() +
             OutputList<StepInput<1>, StepInput<3>, StepInput<4>, StepHead>{} +
             of_steps<TanhForward, ReluForward, LstmForward, LstmPeepholeForward, LstmCoupledForward,
                      LstmCoupledPeepholeForward, GruForward>() +
             OutputList<StepAlone<MinGruForward>, StepAlone<MinLstmForward>>{});

// Where an output stands in the list.
template <class A, class B>
constexpr bool is_same = false;
template <class A>
constexpr bool is_same<A, A> = true;
template <class Output, class... Outputs>
constexpr std::size_t place(OutputList<Outputs...>) noexcept {
  constexpr bool found[] = {is_same<Output, Outputs>...};
  std::size_t i = 0;
  while (!found[i]) ++i;
  return i;
}

// True for an output of one row.
template <class Output>
constexpr bool has_one_row = is_step<decltype(Output::n)>;
template <>
constexpr bool has_one_row<StepHead> = true;

template <class Arch, class Output>
void finish_output(const void* output, const float* sums, std::size_t m0, std::size_t rows,
                   std::size_t column, std::size_t vectors, [[maybe_unused]] bool narrow) noexcept {
  const Output copy = *static_cast<const Output*>(output);  // in registers, whatever is stored
  finish_tile<Arch>(sums, m0, rows, column, vectors, copy);
  if constexpr (has_narrow<Arch>) {
    constexpr std::size_t G = Output::gates, L = lanes<Arch>;
    if (narrow) finish_tile<Narrow<Arch>>(sums + vectors * L, m0, rows, column + vectors / G * L, G, copy);
  }
}
template <class Output>
void prefetch_output(const void* output, std::size_t m0, std::size_t rows, std::size_t column,
                     std::size_t columns) noexcept {
  prefetch_tile(*static_cast<const Output*>(output), m0, rows, column, columns);
}

template <class Arch, class Output>
constexpr OutputFunctions functions_of() noexcept {
  if constexpr (has_one_row<Output>)
    return {&finish_output<Arch, Output>, nullptr};
  else
    return {&finish_output<Arch, Output>, &prefetch_output<Output>};
}

}  // namespace

// By place in the list.
struct OutputTable {
  OutputFunctions functions[Outputs::count];
};
#if defined(RNN_SCALAR)
extern const OutputTable scalar_outputs;
#define RNN_OUTPUTS scalar_outputs
#elif defined(__AVX512F__)
extern const OutputTable avx512_outputs;
#define RNN_OUTPUTS avx512_outputs
#elif defined(__AVX2__)
extern const OutputTable avx2_outputs;
#define RNN_OUTPUTS avx2_outputs
#elif defined(__wasm_relaxed_simd__)
extern const OutputTable wasm_fma_outputs;
#define RNN_OUTPUTS wasm_fma_outputs
#elif defined(__wasm__)
extern const OutputTable wasm_outputs;
#define RNN_OUTPUTS wasm_outputs
#elif defined(__SSE2__)
extern const OutputTable sse2_outputs;
#define RNN_OUTPUTS sse2_outputs
#else
extern const OutputTable neon_outputs;
#define RNN_OUTPUTS neon_outputs
#endif

namespace {

template <class Arch, class... Outputs>
constexpr OutputTable output_table(OutputList<Outputs...>) noexcept {
  return {{functions_of<Arch, Outputs>()...}};
}

template <class Output>
inline AnyOutput any(const Output& output) noexcept {
  return {&output, &RNN_OUTPUTS.functions[place<Output>(Outputs{})]};
}

}  // namespace
}  // namespace rnn::kernels

#endif  // RNN_KERNELS_OUTPUTS_INL_H_
