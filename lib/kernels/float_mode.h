// Floating-point mode of the computing calls: round to nearest, no traps, subnormals count as zero. The
// caller's mode is back when the guard ends.
#pragma once

#include <cstdint>

namespace rnn::kernels {

class FloatMode {
 public:
  FloatMode() noexcept { begin(); }
  ~FloatMode() { end(); }
  FloatMode(const FloatMode&) = delete;
  FloatMode& operator=(const FloatMode&) = delete;

 private:
#if defined(__x86_64__)
  // From memory to memory: to look at what is saved is to wait for all that is being computed, such as the
  // last step's head, beside which a step may begin.
  void begin() noexcept {
    constexpr std::uint32_t mode = 0x9fc0;  // FTZ, DAZ, all exceptions masked, nearest
    __asm__ volatile("stmxcsr %0\n\tldmxcsr %1" : "=m"(saved_) : "m"(mode) : "memory");
  }
  void end() noexcept { __asm__ volatile("ldmxcsr %0" : : "m"(saved_) : "memory"); }
  std::uint32_t saved_;
#elif defined(__aarch64__)
  void begin() noexcept {
    __asm__ volatile("mrs %0, fpcr" : "=r"(saved_));
    if (saved_ != kMode) set(kMode);
  }
  void end() noexcept {
    if (saved_ != kMode) set(saved_);
  }
  static constexpr std::uint64_t kMode = std::uint64_t{1} << 24;  // FPCR.FZ
  static void set(std::uint64_t word) noexcept { __asm__ volatile("msr fpcr, %0" : : "r"(word) : "memory"); }
  std::uint64_t saved_;
#else
#error "unknown architecture: how does it flush subnormals?"
#endif
};

}  // namespace rnn::kernels
