// Floating-point modes of the thread: the two that the library runs in, and the caller's, which is back when
// their objects end, with its exception flags as they were.
#pragma once

#include <cstdint>

#include "lib/kernels/subnormals.h"

#if !defined(RNN_FLOAT_MODE_X86) && !defined(RNN_FLOAT_MODE_AARCH64)
#include <cfenv>
#endif

namespace rnn::kernels {

// Of the computing calls: round to nearest, no traps, and subnormals count as zero; where the CPU has no such mode, by
// the kernels and Real.
class FloatMode {
 public:
  FloatMode() noexcept { begin(); }
  ~FloatMode() { end(); }
  FloatMode(const FloatMode&) = delete;
  FloatMode& operator=(const FloatMode&) = delete;

 private:
#if defined(RNN_FLOAT_MODE_X86)
  // From memory to memory: to look at what is saved is to wait for all that is being computed, such as the
  // last step's head, beside which a step may begin.
  void begin() noexcept {
    constexpr std::uint32_t mode = 0x9fc0;  // FTZ, DAZ, all exceptions masked, nearest
    __asm__ volatile("stmxcsr %0\n\tldmxcsr %1" : "=m"(saved_) : "m"(mode) : "memory");
  }
  void end() noexcept { __asm__ volatile("ldmxcsr %0" : : "m"(saved_) : "memory"); }
  std::uint32_t saved_;
#elif defined(RNN_FLOAT_MODE_AARCH64)
  void begin() noexcept {
    __asm__ volatile("mrs %0, fpcr\n\tmrs %1, fpsr" : "=r"(saved_), "=r"(flags_) : : "memory");
    if (saved_ != kMode) set(kMode);
  }
  void end() noexcept {
    if (saved_ != kMode) set(saved_);
    __asm__ volatile("msr fpsr, %0" : : "r"(flags_) : "memory");
  }
  static constexpr std::uint64_t kMode = std::uint64_t{1} << 24;  // FPCR.FZ
  static void set(std::uint64_t word) noexcept { __asm__ volatile("msr fpcr, %0" : : "r"(word) : "memory"); }
  std::uint64_t saved_, flags_;
#elif defined(RNN_FLOAT_MODE_ARM)
  void begin() noexcept {
    constexpr std::uint32_t mode = 1u << 24;  // FPSCR.FZ
    __asm__ volatile("vmrs %0, fpscr\n\tvmsr fpscr, %1" : "=&r"(saved_) : "r"(mode) : "memory");
  }
  void end() noexcept { __asm__ volatile("vmsr fpscr, %0" : : "r"(saved_) : "memory"); }
  std::uint32_t saved_;
#else
  void begin() noexcept {
    std::fegetenv(&saved_);
    std::fesetenv(FE_DFL_ENV);
  }
  void end() noexcept { std::fesetenv(&saved_); }
  std::fenv_t saved_;
#endif
};

// Of all else that the library does: IEEE 754's default, round to nearest, no traps, subnormals as they are.
// On x86 also of the x87 unit, by whose mode glibc rounds the numbers that it prints and reads.
class FloatEnvironment {
 public:
  FloatEnvironment() noexcept { begin(); }
  ~FloatEnvironment() { end(); }
  FloatEnvironment(const FloatEnvironment&) = delete;
  FloatEnvironment& operator=(const FloatEnvironment&) = delete;

  // The caller's again, for a call of a function of the caller's; what that changes in it stays.
  class Suspended {
   public:
    explicit Suspended(FloatEnvironment& environment) noexcept : environment_(environment) {
      environment_.end();
    }
    ~Suspended() { environment_.begin(); }
    Suspended(const Suspended&) = delete;
    Suspended& operator=(const Suspended&) = delete;

   private:
    FloatEnvironment& environment_;
  };

 private:
#if defined(RNN_FLOAT_MODE_X86)
  static constexpr std::uint16_t kControl = 0x37f;  // all exceptions masked, nearest, 64 bits
  static constexpr std::uint16_t kFlags = 0x7f;     // of the status word

  void begin() noexcept {
    constexpr std::uint32_t mode = 0x1f80;  // all exceptions masked, nearest
    __asm__ volatile("stmxcsr %0\n\tldmxcsr %1" : "=m"(mode_) : "m"(mode) : "memory");
    control_ = x87_control();
    status_ = x87_status();
    if (control_ != kControl) set_x87(kControl, status_);
  }
  void end() noexcept {
    if (x87_control() != control_ || ((x87_status() ^ status_) & kFlags) != 0) set_x87(control_, status_);
    __asm__ volatile("ldmxcsr %0" : : "m"(mode_) : "memory");
  }

  static std::uint16_t x87_control() noexcept {
    std::uint16_t word;
    __asm__ volatile("fnstcw %0" : "=m"(word));
    return word;
  }
  static std::uint16_t x87_status() noexcept {
    std::uint16_t word;
    __asm__ volatile("fnstsw %0" : "=a"(word));
    return word;
  }
  // By the whole environment, since to load the control word alone is to trap if flags that it unmasks are
  // set. Rare, and slow: some 50 ns.
  static void set_x87(std::uint16_t control, std::uint16_t flags) noexcept {
    struct {
      std::uint16_t control, unused, status, rest[11];
    } environment;
    __asm__ volatile("fnstenv %0" : "=m"(environment) : : "memory");
    environment.control = control;
    environment.status = static_cast<std::uint16_t>((environment.status & ~kFlags) | (flags & kFlags));
    __asm__ volatile("fldenv %0" : : "m"(environment) : "memory");
  }
  std::uint32_t mode_;
  std::uint16_t control_, status_;
#elif defined(RNN_FLOAT_MODE_AARCH64)
  void begin() noexcept {
    __asm__ volatile("mrs %0, fpcr\n\tmrs %1, fpsr" : "=r"(mode_), "=r"(flags_) : : "memory");
    if (mode_ != 0) set(0);
  }
  void end() noexcept {
    if (mode_ != 0) set(mode_);
    __asm__ volatile("msr fpsr, %0" : : "r"(flags_) : "memory");
  }
  static void set(std::uint64_t word) noexcept { __asm__ volatile("msr fpcr, %0" : : "r"(word) : "memory"); }
  std::uint64_t mode_, flags_;
#else
  void begin() noexcept {
    std::fegetenv(&saved_);
    std::fesetenv(FE_DFL_ENV);
  }
  void end() noexcept { std::fesetenv(&saved_); }
  std::fenv_t saved_;
#endif
};

}  // namespace rnn::kernels
