#include "step_path.h"

#if defined(__x86_64__) && defined(__linux__)

#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <stdexcept>
#include <unordered_map>
#include <unordered_set>

namespace {

using Address = std::uint64_t;

constexpr greg_t kTrap = 0x100;  // TF of the flags: an exception after each instruction
constexpr std::uint8_t kBreakpoint = 0xcc;

std::uint8_t* code(Address at) { return reinterpret_cast<std::uint8_t*>(at); }

// ---- Instructions --------------------------------------------------------------------------------

enum class Kind { kPlain, kConditional, kWatched };
struct Instruction {
  Kind kind = Kind::kPlain;
  Address next = 0, target = 0;  // of a conditional jump
  int condition = 0;             // the opcode's last four bits
};

Instruction decode(Address at) {
  const std::uint8_t* p = code(at);
  bool repeats = false;
  for (;; ++p) {
    const bool is_prefix = std::memchr("\x66\x67\x2e\x36\x3e\x26\x64\x65\xf0", *p, 9) != nullptr;
    repeats = repeats || *p == 0xf2 || *p == 0xf3;
    if (!is_prefix && *p != 0xf2 && *p != 0xf3 && (*p & 0xf0) != 0x40) break;
  }
  Instruction result;
  if ((p[0] & 0xf0) == 0x70) {
    std::int8_t offset;
    std::memcpy(&offset, p + 1, sizeof offset);
    result.next = reinterpret_cast<Address>(p + 2);
    result.target = result.next + static_cast<Address>(std::int64_t{offset});
    result.kind = Kind::kConditional;
    result.condition = p[0] & 15;
  } else if (p[0] == 0x0f && (p[1] & 0xf0) == 0x80) {
    std::int32_t offset;
    std::memcpy(&offset, p + 2, sizeof offset);
    result.next = reinterpret_cast<Address>(p + 6);
    result.target = result.next + static_cast<Address>(std::int64_t{offset});
    result.kind = Kind::kConditional;
    result.condition = p[1] & 15;
  } else {
    const bool is_counted = (p[0] & 0xfc) == 0xe0;  // jumps by rcx
    const int extension = p[1] >> 3 & 7;
    const bool is_indirect = p[0] == 0xff && (extension == 2 || extension == 4);
    const bool is_string = (p[0] >= 0xa4 && p[0] <= 0xa7) || (p[0] >= 0xaa && p[0] <= 0xaf);
    if (is_counted || is_indirect || (is_string && repeats)) result.kind = Kind::kWatched;
  }
  return result;
}

bool is_true(int condition, greg_t flags) {
  const bool carry = (flags & 1) != 0, parity = (flags & 4) != 0, zero = (flags & 0x40) != 0;
  const bool sign = (flags & 0x80) != 0, overflow = (flags & 0x800) != 0;
  const bool conditions[] = {
      overflow, carry, zero, carry || zero, sign, parity, sign != overflow, zero || sign != overflow};
  return conditions[condition >> 1] != ((condition & 1) != 0);
}

// ---- Handlers ------------------------------------------------------------------------------------

struct Breakpoint {
  Address at;
  std::uint8_t replaced;
  bool is_watched;
  Instruction instruction;
};

// What the handlers of SIGTRAP know. They call no library: a breakpoint may be in whatever a step calls.
struct State {
  // To record: from the entry to where it returns to.
  Address entry, end;
  bool is_inside, is_done;
  Address* path;
  std::size_t room, count;
  // To follow.
  Breakpoint* breakpoints;
  std::size_t breakpoint_count;
  const Address* decisions;
  std::size_t decision_count, decided;
  Address stepping;  // the watched instruction that runs now, or zero
  bool is_left;
};
State state;

void record_trap(int, siginfo_t*, void* context) {
  greg_t* const registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
  const auto at = static_cast<Address>(registers[REG_RIP]);
  if (!state.is_inside) {
    if (at != state.entry) return;
    state.is_inside = true;
    state.end = *reinterpret_cast<const Address*>(registers[REG_RSP]);
  }
  if (state.count < state.room) state.path[state.count] = at;
  ++state.count;
  if (at != state.end) return;
  state.is_done = true;
  registers[REG_EFL] &= ~kTrap;
}

void set_breakpoints(bool set) {
  for (std::size_t i = 0; i < state.breakpoint_count; ++i)
    *const_cast<volatile std::uint8_t*>(code(state.breakpoints[i].at)) =
        set ? kBreakpoint : state.breakpoints[i].replaced;
}

bool is_next(Address at) {
  return state.decided < state.decision_count && state.decisions[state.decided++] == at;
}

// A conditional jump is done here; another watched instruction runs, and stops once more behind it.
void follow_trap(int, siginfo_t*, void* context) {
  greg_t* const registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
  auto at = static_cast<Address>(registers[REG_RIP]);
  if (state.stepping != 0) {
    state.is_left = !is_next(at);
    if (!state.is_left && at == state.stepping) return;  // one that repeats
    *code(state.stepping) = kBreakpoint;
    state.stepping = 0;
    registers[REG_EFL] &= ~kTrap;
  } else {
    --at;
    const Breakpoint* found = state.breakpoints;
    while (found->at != at) ++found;
    const Instruction& instruction = found->instruction;
    if (!found->is_watched) {
      state.is_left = true;
    } else if (instruction.kind == Kind::kConditional) {
      at = is_true(instruction.condition, registers[REG_EFL]) ? instruction.target : instruction.next;
      state.is_left = !is_next(at);
    } else {
      *code(at) = found->replaced;
      state.stepping = at;
      registers[REG_EFL] |= kTrap;
    }
    registers[REG_RIP] = static_cast<greg_t>(at);
  }
  if (state.is_left) set_breakpoints(false);
}

class Handler {
 public:
  explicit Handler(void (*on_trap)(int, siginfo_t*, void*)) {
    struct sigaction action = {};
    action.sa_sigaction = on_trap;
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGTRAP, &action, &before_);
  }
  ~Handler() { sigaction(SIGTRAP, &before_, nullptr); }
  Handler(const Handler&) = delete;
  Handler& operator=(const Handler&) = delete;

 private:
  struct sigaction before_ = {};
};

// Behind the red zone, in which the compiler may have put something.
[[gnu::always_inline]] inline void set_trap() {
  __asm__ volatile(
      "lea -128(%%rsp), %%rsp\n\tpushfq\n\torq $0x100, (%%rsp)\n\tpopfq\n\tlea 128(%%rsp), %%rsp" ::
          : "memory", "cc");
}

void check(rnn_status_t status) {
  if (status != RNN_OK) throw std::runtime_error(rnn_last_error());
}

bool make_writable(Address at) {
  static std::unordered_set<Address> writable;
  const auto page = static_cast<Address>(sysconf(_SC_PAGESIZE));
  at -= at % page;
  if (writable.count(at) != 0) return true;
  if (mprotect(code(at), page, PROT_READ | PROT_WRITE | PROT_EXEC) != 0) return false;
  writable.insert(at);
  return true;
}

}  // namespace

std::optional<StepPath> StepPath::record(rnn_t* stream, const float* x, float* y) {
  rnn_status_t (*const volatile function)(rnn_t*, const float*, float*) = rnn_step;
  const auto step = function;
  std::vector<Address> path(std::size_t{1} << 20);
  state = {};
  state.entry = reinterpret_cast<Address>(step);
  state.path = path.data();
  state.room = path.size();
  {
    const Handler handler(record_trap);
    set_trap();
    const rnn_status_t status = step(stream, x, y);
    check(status);
  }
  if (!state.is_done || state.count > state.room) return std::nullopt;
  path.resize(state.count);

  StepPath result;
  result.instructions_ = path.size() - 1;
  std::unordered_map<Address, std::unordered_set<Address>> successors;  // of each instruction
  for (std::size_t i = 0; i + 1 < path.size(); ++i) successors[path[i]].insert(path[i + 1]);
  std::unordered_set<Address> watched;
  for (const auto& [at, after] : successors) {
    const Instruction instruction = decode(at);
    if (instruction.kind == Kind::kPlain) continue;
    const Address other = after.count(instruction.next) != 0 ? instruction.target : instruction.next;
    const bool is_outside = instruction.kind == Kind::kConditional && successors.count(other) == 0;
    if (is_outside)
      result.outside_.push_back(other);
    else
      watched.insert(at);
    if (!make_writable(is_outside ? other : at)) return std::nullopt;
  }
  std::sort(result.outside_.begin(), result.outside_.end());
  result.outside_.erase(std::unique(result.outside_.begin(), result.outside_.end()), result.outside_.end());
  result.watched_.assign(watched.begin(), watched.end());
  for (std::size_t i = 0; i + 1 < path.size(); ++i)
    if (watched.count(path[i]) != 0) result.decisions_.push_back(path[i + 1]);
  return result;
}

bool StepPath::is_taken(rnn_t* stream, const float* x, float* y) const {
  std::vector<Breakpoint> breakpoints;
  for (const Address at : watched_) breakpoints.push_back({at, *code(at), true, decode(at)});
  for (const Address at : outside_) breakpoints.push_back({at, *code(at), false, {}});
  state = {};
  state.breakpoints = breakpoints.data();
  state.breakpoint_count = breakpoints.size();
  state.decisions = decisions_.data();
  state.decision_count = decisions_.size();
  rnn_status_t status;
  {
    const Handler handler(follow_trap);
    set_breakpoints(true);
    status = rnn_step(stream, x, y);
    set_breakpoints(false);
  }
  check(status);
  return !state.is_left && state.decided == state.decision_count;
}

#else

std::optional<StepPath> StepPath::record(rnn_t*, const float*, float*) { return std::nullopt; }
bool StepPath::is_taken(rnn_t*, const float*, float*) const { return false; }

#endif
