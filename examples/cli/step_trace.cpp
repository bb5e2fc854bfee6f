#include "step_trace.h"

#if !defined(_WIN32) && !defined(__EMSCRIPTEN__)
#include <pthread.h>
#endif

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>
#include <new>
#include <random>
#include <stdexcept>
#include <vector>

#if defined(__x86_64__) && defined(__linux__)
#include <ucontext.h>
#endif

#if !defined(_WIN32) && !defined(__EMSCRIPTEN__)

namespace {

void step(rnn_t* stream, const float* x, std::int32_t index, float* y) {
  const rnn_status_t status = x != nullptr ? rnn_step(stream, x, y) : rnn_step_index(stream, index, y);
  if (status != RNN_OK) throw std::runtime_error(rnn_last_error());
}

}  // namespace

#endif

#if defined(__x86_64__) && defined(__linux__)

namespace {

constexpr greg_t kTrap = 0x100;  // TF of the flags: an exception after each instruction

// What the handler knows; it runs between two instructions of this thread.
struct Tracer {
  greg_t entry;  // of the function
  greg_t end;    // where it returns to
  bool is_inside;
  bool is_done;
  StepTrace trace;
};
volatile Tracer tracer;

void on_trap(int, siginfo_t*, void* context) {
  greg_t* const registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
  const greg_t at = registers[REG_RIP];
  if (!tracer.is_inside) {
    if (at != tracer.entry) return;
    tracer.is_inside = true;
    std::memcpy(const_cast<greg_t*>(&tracer.end), reinterpret_cast<const void*>(registers[REG_RSP]),
                sizeof tracer.end);
    return;
  }
  tracer.trace.instructions = tracer.trace.instructions + 1;
  tracer.trace.path = (tracer.trace.path ^ static_cast<std::uint64_t>(at)) * 0x100000001b3;  // FNV-1a
  if (at != tracer.end) return;
  tracer.is_done = true;
  registers[REG_EFL] &= ~kTrap;
}

// Behind the red zone, in which the compiler may have put something.
[[gnu::always_inline]] inline void set_trap() {
  __asm__ volatile(
      "lea -128(%%rsp), %%rsp\n\tpushfq\n\torq $0x100, (%%rsp)\n\tpopfq\n\tlea 128(%%rsp), %%rsp" ::
          : "memory", "cc");
}
[[gnu::always_inline]] inline void clear_trap() {
  __asm__ volatile(
      "lea -128(%%rsp), %%rsp\n\tpushfq\n\tandq $~0x100, (%%rsp)\n\tpopfq\n\tlea 128(%%rsp), %%rsp" ::
          : "memory", "cc");
}

// A stack for the handler, so that the step's is its own; and back to what there was.
class Handler {
 public:
  Handler() : stack_(std::max<std::size_t>(SIGSTKSZ, 1 << 16)) {
    stack_t own = {};
    own.ss_sp = stack_.data();
    own.ss_size = stack_.size();
    sigaltstack(&own, &stack_before_);
    struct sigaction action = {};
    action.sa_sigaction = on_trap;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigaction(SIGTRAP, &action, &before_);
  }
  ~Handler() {
    sigaction(SIGTRAP, &before_, nullptr);
    sigaltstack(&stack_before_, nullptr);
  }
  Handler(const Handler&) = delete;
  Handler& operator=(const Handler&) = delete;

 private:
  std::vector<char> stack_;
  stack_t stack_before_ = {};
  struct sigaction before_ = {};
};

}  // namespace

std::optional<StepTrace> trace_step(rnn_t* stream, const float* x, std::int32_t index, float* y) {
  rnn_status_t (*const volatile of_vector)(rnn_t*, const float*, float*) = rnn_step;
  rnn_status_t (*const volatile of_index)(rnn_t*, std::int32_t, float*) = rnn_step_index;
  const auto vector_step = of_vector;
  const auto index_step = of_index;
  const Handler handler;
  tracer.entry = x != nullptr ? reinterpret_cast<greg_t>(vector_step) : reinterpret_cast<greg_t>(index_step);
  tracer.is_inside = tracer.is_done = false;
  tracer.trace.instructions = 0;
  tracer.trace.path = 0xcbf29ce484222325;
  rnn_status_t status;
  set_trap();
  if (x != nullptr)
    status = vector_step(stream, x, y);
  else
    status = index_step(stream, index, y);
  clear_trap();
  if (status != RNN_OK) throw std::runtime_error(rnn_last_error());
  if (!tracer.is_done) return std::nullopt;
  StepTrace trace;
  trace.instructions = tracer.trace.instructions;
  trace.path = tracer.trace.path;
  return trace;
}

#else

std::optional<StepTrace> trace_step(rnn_t*, const float*, std::int32_t, float*) { return std::nullopt; }

#endif

// ---- Numbers -------------------------------------------------------------------------------------

std::vector<float> ordinary_numbers(std::size_t size, std::uint32_t seed) {
  std::minstd_rand random(seed + 1);
  std::vector<float> x(size);
  for (float& value : x) value = static_cast<float>(random() % 4001) / 1000 - 2;
  return x;
}

std::vector<float> unusual_numbers(std::size_t size, std::uint32_t number) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  constexpr float kNumbers[kUnusual] = {
      0.0f, -0.0f, 1e-42f, -1e-42f, 1e-38f, 0x1p-100f, 88.8f,      -88.8f,
      1e4f, -1e4f, 3e38f,  -3e38f,  1.0f,   kInfinity, -kInfinity, std::numeric_limits<float>::quiet_NaN()};
  std::minstd_rand random(number + 1);
  std::vector<float> x = ordinary_numbers(size, number);
  for (std::size_t i = 0; i < size; ++i) {
    if (number < kUnusual / 2)
      x[i] = kNumbers[(2 * number + i) % kUnusual];
    else if (random() % 2 == 0)
      x[i] = kNumbers[random() % kUnusual];
  }
  return x;
}

// ---- Stack ---------------------------------------------------------------------------------------

#if defined(_WIN32) || defined(__EMSCRIPTEN__)

std::optional<std::size_t> stack_of_step(rnn_t*, const float*, std::int32_t, float*) { return std::nullopt; }

#else

namespace {

struct PaintedStep {
  rnn_t* stream;
  const float* x;
  std::int32_t index;
  float* y;
  const char* top = nullptr;  // of the stack, where the step is called
};

void* run_painted(void* given) {
  auto& painted = *static_cast<PaintedStep*>(given);
  painted.top = static_cast<const char*>(__builtin_frame_address(0));
  step(painted.stream, painted.x, painted.index, painted.y);
  return nullptr;
}

}  // namespace

// On a thread whose stack is painted: what has another colour was written. With two colours, since a step may write one
// of them.
std::optional<std::size_t> stack_of_step(rnn_t* stream, const float* x, std::int32_t index, float* y) {
  constexpr std::size_t kSize = 1 << 20, kAlignment = 4096;
  const std::unique_ptr<char, decltype(&std::free)> memory(
      static_cast<char*>(std::aligned_alloc(kAlignment, kSize)), &std::free);
  if (memory == nullptr) throw std::bad_alloc();
  step(stream, x, index, y);  // what is wrong is said here, not on another thread
  std::size_t most = 0;
  for (const int colour : {0xa5, 0x5a}) {
    std::memset(memory.get(), colour, kSize);
    PaintedStep painted{stream, x, index, y};
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_t thread;
    const bool runs = pthread_attr_setstack(&attributes, memory.get(), kSize) == 0 &&
                      pthread_create(&thread, &attributes, run_painted, &painted) == 0;
    pthread_attr_destroy(&attributes);
    if (!runs) throw std::runtime_error("a thread cannot be started");
    pthread_join(thread, nullptr);
    const char* const written = std::find_if(memory.get(), memory.get() + kSize,
                                             [&](char c) { return c != static_cast<char>(colour); });
    most = std::max(most, static_cast<std::size_t>(painted.top - written));
  }
  return most;
}

#endif
