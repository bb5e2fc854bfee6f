// AMX for CPUs without it: the instructions of lib/kernels/amx-inl.h trap and are carried out here, as
// Intel's manual states them. Linked into a test, this is the library's request_amx(); where the CPU has AMX,
// that is what runs.
#include <signal.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>

#include "lib/kernels/amx.h"

namespace {

struct Tile {
  unsigned rows, bytes;
  std::uint32_t slots[16][16];
};
struct Config {
  std::uint8_t palette, start_row, reserved[14];
  std::uint16_t bytes[16];
  std::uint8_t rows[16];
};

thread_local Tile tiles[8];

float flushed(float x) { return std::fabs(x) < 0x1p-126f ? std::copysign(0.0f, x) : x; }
float bf16(std::uint32_t bits) {
  bits <<= 16;
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return flushed(value);
}

void dot(Tile& sum, const Tile& x, const Tile& weights) {
  for (unsigned m = 0; m < sum.rows; ++m)
    for (unsigned n = 0; n < sum.bytes / 4; ++n) {
      float even = 0, odd = 0;
      for (unsigned k = 0; k < x.bytes / 4; ++k) {
        const std::uint32_t a = x.slots[m][k], b = weights.slots[k][n];
        even = flushed(std::fma(bf16(a & 0xffff), bf16(b & 0xffff), even));
        odd = flushed(std::fma(bf16(a >> 16), bf16(b >> 16), odd));
      }
      float value;
      std::memcpy(&value, &sum.slots[m][n], sizeof value);
      value = flushed(flushed(value) + flushed(even + odd));
      std::memcpy(&sum.slots[m][n], &value, sizeof value);
    }
}

// An instruction with a three-byte VEX prefix in the map 0F38, and the registers that it found.
class Instruction {
 public:
  explicit Instruction(greg_t* registers)
      : registers_(registers), code_(reinterpret_cast<const std::uint8_t*>(registers[REG_RIP])) {}

  // False if it is not one of those known here; registers are left alone then.
  bool run() {
    if (code_[0] != 0xc4 || (code_[1] & 31) != 2 || (code_[2] & 0x84) != 0) return false;
    const unsigned prefix = code_[2] & 3;
    const bool in_memory = modrm() >> 6 != 3;
    switch (code_[3]) {
      case 0x49:
        if (prefix == 0 && in_memory) return configure(), advance();
        if (prefix == 0 && modrm() == 0xc0) return release(), advance();
        if (prefix == 3 && !in_memory) return zero(reg()), advance();
        return false;
      case 0x4b:
        if (prefix == 3 && in_memory) return load(), advance();
        if (prefix == 2 && in_memory) return store(), advance();
        return false;
      case 0x5c:
        return prefix == 2 && !in_memory && multiply() && advance();
      default:
        return false;
    }
  }

 private:
  std::uint8_t modrm() const { return code_[4]; }
  Tile& reg() const { return tiles[modrm() >> 3 & 7]; }
  bool has_sib() const { return modrm() >> 6 != 3 && (modrm() & 7) == 4; }
  unsigned displacement_size() const {
    const unsigned mode = modrm() >> 6, base = has_sib() ? code_[5] & 7u : modrm() & 7u;
    return mode == 1 ? 1 : mode == 2 || (mode == 0 && base == 5) ? 4 : 0;
  }
  bool advance() const {
    registers_[REG_RIP] += 5 + (has_sib() ? 1 : 0) + displacement_size();
    return true;
  }

  std::uint64_t general(unsigned number, unsigned inverted_bit) const {
    static constexpr int names[] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                                    REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
    const bool upper = (code_[1] & inverted_bit) == 0;
    return static_cast<std::uint64_t>(registers_[names[number + (upper ? 8 : 0)]]);
  }
  std::uint64_t index() const {
    const unsigned number = code_[5] >> 3 & 7u;
    return number == 4 && (code_[1] & 0x40) != 0 ? 0 : general(number, 0x40) << (code_[5] >> 6);
  }
  // Without the index, which is the stride of tiles.
  std::uint8_t* base() const {
    const std::uint8_t* const at = code_ + 5 + (has_sib() ? 1 : 0);
    std::int32_t displacement = 0;
    if (displacement_size() == 1)
      displacement = static_cast<std::int8_t>(*at);
    else if (displacement_size() == 4)
      std::memcpy(&displacement, at, sizeof displacement);
    const unsigned number = has_sib() ? code_[5] & 7u : modrm() & 7u;
    std::uint64_t start = 0;
    if (modrm() >> 6 != 0 || number != 5)
      start = general(number, 0x20);
    else if (!has_sib())
      start = reinterpret_cast<std::uint64_t>(at + 4);
    return reinterpret_cast<std::uint8_t*>(start + static_cast<std::uint64_t>(std::int64_t{displacement}));
  }

  void configure() const {
    Config config;
    std::memcpy(&config, base() + (has_sib() ? index() : 0), sizeof config);
    for (unsigned i = 0; i < 8; ++i) {
      tiles[i] = {};
      tiles[i].rows = config.rows[i];
      tiles[i].bytes = config.bytes[i];
    }
  }
  void release() const { std::memset(tiles, 0, sizeof tiles); }
  void zero(Tile& tile) const { std::memset(tile.slots, 0, sizeof tile.slots); }
  void load() const {
    zero(reg());
    for (unsigned m = 0; m < reg().rows; ++m) std::memcpy(reg().slots[m], base() + m * index(), reg().bytes);
  }
  void store() const {
    for (unsigned m = 0; m < reg().rows; ++m) std::memcpy(base() + m * index(), reg().slots[m], reg().bytes);
  }
  bool multiply() const {
    const Tile &x = tiles[modrm() & 7], &weights = tiles[(~code_[2] >> 3) & 7];
    if (reg().rows == 0 || reg().rows != x.rows || x.bytes / 4 != weights.rows ||
        reg().bytes != weights.bytes)
      return false;
    dot(reg(), x, weights);
    return true;
  }

  greg_t* registers_;
  const std::uint8_t* code_;
};

void trap(int signal_number, siginfo_t*, void* context) {
  if (Instruction(static_cast<ucontext_t*>(context)->uc_mcontext.gregs).run()) return;
  std::fprintf(stderr, "an instruction that is not emulated\n");
  signal(signal_number, SIG_DFL);
}

}  // namespace

namespace rnn::kernels {

bool request_amx() noexcept {
  // Where there is AMX: see amx.cpp.
  syscall(SYS_arch_prctl, 0x1023, 18);
  struct sigaction action = {};
  action.sa_sigaction = &trap;
  action.sa_flags = SA_SIGINFO;
  return sigaction(SIGILL, &action, nullptr) == 0;
}

}  // namespace rnn::kernels
