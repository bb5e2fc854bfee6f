// Floating-point mode of the computing calls: round to nearest, no traps, subnormals count as zero. The
// caller's mode is back when the guard ends. A guard within another costs next to nothing: to write the mode
// takes ten times as long as to read it.
#pragma once

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif
#include <cstdint>

namespace rnn::kernels {

class FloatMode {
 public:
  FloatMode() noexcept : saved_(get()) {
    if ((saved_ & ~kSeen) != kMode) set(kMode);
  }
  ~FloatMode() {
    if ((saved_ & ~kSeen) != kMode) set(saved_);
  }
  FloatMode(const FloatMode&) = delete;
  FloatMode& operator=(const FloatMode&) = delete;

 private:
#if defined(__x86_64__)
  using Word = unsigned;
  static constexpr Word kMode = 0x9fc0;  // FTZ, DAZ, all exceptions masked, nearest
  static constexpr Word kSeen = 0x3f;    // which exceptions there have been: no mode
  static Word get() noexcept { return _mm_getcsr(); }
  static void set(Word word) noexcept { _mm_setcsr(word); }
#elif defined(__aarch64__)
  using Word = std::uint64_t;
  static constexpr Word kMode = std::uint64_t{1} << 24;  // FPCR.FZ
  static constexpr Word kSeen = 0;                       // those are in FPSR
  static Word get() noexcept {
    Word word;
    __asm__ volatile("mrs %0, fpcr" : "=r"(word));
    return word;
  }
  static void set(Word word) noexcept { __asm__ volatile("msr fpcr, %0" : : "r"(word) : "memory"); }
#else
#error "unknown architecture: how does it flush subnormals?"
#endif
  Word saved_;
};

}  // namespace rnn::kernels
