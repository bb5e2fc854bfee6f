// What rnn.h labels "Realtime yes" allocates nothing and makes no system call, from the first call on: each
// such function is called in a process that the kernel ends at any system call but writing and exiting, and
// in which an allocation ends in a message. Exits with 77 where a process cannot be confined.
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "rnn/rnn.h"
#include "tests/reference/lists.h"

extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* memory, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);
void __libc_free(void* memory);
}

namespace {

bool confined = false;

void refuse(const char* function) {
  if (!confined) return;
  const std::size_t written = static_cast<std::size_t>(write(STDERR_FILENO, function, std::strlen(function)));
  _exit(written > 0 ? 2 : 3);
}

}  // namespace

// All memory of the process comes through these; operator new, too.
extern "C" {
void* malloc(std::size_t size) {
  refuse("malloc ");
  return __libc_malloc(size);
}
void* calloc(std::size_t count, std::size_t size) {
  refuse("calloc ");
  return __libc_calloc(count, size);
}
void* realloc(void* memory, std::size_t size) {
  refuse("realloc ");
  return __libc_realloc(memory, size);
}
void* memalign(std::size_t alignment, std::size_t size) {
  refuse("memalign ");
  return __libc_memalign(alignment, size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) {
  refuse("aligned_alloc ");
  return __libc_memalign(alignment, size);
}
int posix_memalign(void** memory, std::size_t alignment, std::size_t size) {
  refuse("posix_memalign ");
  *memory = __libc_memalign(alignment, size);
  return *memory == nullptr ? 12 : 0;
}
void free(void* memory) {
  if (memory != nullptr) refuse("free ");
  __libc_free(memory);
}
}

namespace {

bool confine() {
  sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_write, 2, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_exit_group, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program = {sizeof filter / sizeof *filter, filter};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return false;
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) != 0) return false;
  confined = true;
  return true;
}

enum Outcome { kFine, kAllocated, kSystemCall, kFailed, kCannot };

// What a body does in a confined process of its own. The body says whether its calls succeeded.
Outcome outcome(const std::function<bool()>& body) {
  const pid_t child = fork();
  if (child == 0) {
    if (!confine()) _exit(4);
    _exit(body() ? 0 : 1);
  }
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child) return kCannot;
  if (WIFSIGNALED(status)) return WTERMSIG(status) == SIGSYS ? kSystemCall : kFailed;
  switch (WEXITSTATUS(status)) {
    case 0:
      return kFine;
    case 1:
      return kFailed;
    case 4:
      return kCannot;
    default:
      return kAllocated;
  }
}

struct Streams {
  Streams(const rnn_config_t& config, float delay, std::size_t steps) : history(steps) {
    for (rnn_t*& stream : handles) {
      const rnn_status_t status =
          &stream == &handles[0] ? rnn_create(&config, &stream) : rnn_fork(handles[0], &stream);
      if (status != RNN_OK || rnn_set_delay(stream, delay) != RNN_OK ||
          rnn_history(stream, history) != RNN_OK)
        std::fprintf(stderr, "%s\n", rnn_last_error()), std::exit(1);
    }
    rnn_state_size(handles[0], &size);
    state.resize(size);
    rnn_output_size(handles[0], &outputs);
    if (rnn_reserve_block(handles[0], kSteps) != RNN_OK) std::exit(1);
    x.resize(kRows * static_cast<std::size_t>(config.input_size), 0.25f);
    y.resize(kRows * outputs);
    indices.resize(kRows, 1);
  }
  ~Streams() {
    for (rnn_t* stream : handles) rnn_destroy(stream);
  }

  static constexpr std::size_t kCount = 9;
  static constexpr std::size_t kSteps = 40, kRows = kSteps + 9;  // of a block: there is room for kSteps
  rnn_t* handles[kCount] = {};
  std::size_t size = 0, outputs = 0, history;
  std::vector<float> x, y, state;
  std::vector<std::int32_t> indices;
};

struct Call {
  const char* name;
  std::function<rnn_status_t(Streams&)> call;
};

const std::vector<Call> kCalls = {
    {"rnn_step", [](Streams& s) { return rnn_step(s.handles[0], s.x.data(), s.y.data()); }},
    {"rnn_step without output", [](Streams& s) { return rnn_step(s.handles[0], s.x.data(), nullptr); }},
    {"rnn_step_index", [](Streams& s) { return rnn_step_index(s.handles[0], 1, s.y.data()); }},
    {"rnn_step_block",
     [](Streams& s) { return rnn_step_block(s.handles[0], s.x.data(), Streams::kRows, s.y.data()); }},
    {"rnn_step_block without room",
     [](Streams& s) { return rnn_step_block(s.handles[1], s.x.data(), Streams::kRows, s.y.data()); }},
    {"rnn_step_block_index",
     [](Streams& s) {
       return rnn_step_block_index(s.handles[0], s.indices.data(), Streams::kRows, s.y.data());
     }},
    {"rnn_step_many",
     [](Streams& s) { return rnn_step_many(s.handles, Streams::kCount, s.x.data(), s.y.data()); }},
    {"rnn_step_many_index",
     [](Streams& s) {
       return rnn_step_many_index(s.handles, Streams::kCount, s.indices.data(), s.y.data());
     }},
    {"rnn_state_size", [](Streams& s) { return rnn_state_size(s.handles[0], &s.size); }},
    {"rnn_reset", [](Streams& s) { return rnn_reset(s.handles[0]); }},
    {"rnn_get_state", [](Streams& s) { return rnn_get_state(s.handles[0], s.state.data(), s.size); }},
    {"rnn_set_state", [](Streams& s) { return rnn_set_state(s.handles[0], s.state.data(), s.size); }},
    {"rnn_get_delay",
     [](Streams& s) {
       float delay = 0;
       return rnn_get_delay(s.handles[0], &delay);
     }},
    {"rnn_rewind after rnn_step_block_index",
     [](Streams& s) {
       const rnn_status_t status =
           rnn_step_block_index(s.handles[0], s.indices.data(), Streams::kRows, s.y.data());
       return status != RNN_OK ? status : rnn_rewind(s.handles[0], s.history);
     }},
    {"rnn_parameter_count",
     [](Streams& s) {
       std::size_t count = 0;
       return rnn_parameter_count(s.handles[0], &count);
     }},
    {"rnn_parameter_info",
     [](Streams& s) {
       rnn_parameter_t parameter = {};
       parameter.struct_size = sizeof parameter;
       return rnn_parameter_info(s.handles[0], 0, &parameter);
     }},
    {"rnn_get_config",
     [](Streams& s) {
       rnn_config_t config = {};
       config.struct_size = sizeof config;
       return rnn_get_config(s.handles[0], &config);
     }},
    {"rnn_version", [](Streams&) { return rnn_version()[0] != 0 ? RNN_OK : RNN_INTERNAL; }},
    {"rnn_status_string", [](Streams&) { return rnn_status_string(RNN_OK)[0] != 0 ? RNN_OK : RNN_INTERNAL; }},
};

rnn_config_t make_config(std::int32_t inputs, std::int32_t hidden, std::int32_t outputs,
                         std::int32_t layers) {
  rnn_config_t config = {};
  config.struct_size = sizeof config;
  config.input_size = inputs;
  config.hidden_size = hidden;
  config.output_size = outputs;
  config.num_layers = layers;
  return config;
}

// Every cell, with the options that change a step.
std::vector<rnn_config_t> kinds() {
  std::vector<rnn_config_t> list(10, make_config(7, 33, 7, 3));
  list[0].flags = RNN_FLAG_RELU | RNN_FLAG_RESIDUAL | RNN_FLAG_LAYER_NORM;
  list[1].cell = list[2].cell = RNN_CELL_GRU;
  list[1].flags = RNN_FLAG_LAYER_NORM;
  list[2].flags = RNN_FLAG_RESET_BEFORE | RNN_FLAG_RESIDUAL;
  list[3].cell = list[4].cell = RNN_CELL_LSTM;
  list[4].flags = RNN_FLAG_RESIDUAL | RNN_FLAG_LAYER_NORM;
  list[4].projection_size = 12;
  list[5].cell = RNN_CELL_MIN_GRU;
  list[6].cell = RNN_CELL_MIN_LSTM;
  list[7].cell = list[8].cell = list[9].cell = RNN_CELL_LSTM;
  list[7].flags = RNN_FLAG_PEEPHOLES;
  list[8].flags = RNN_FLAG_COUPLED_GATES;
  list[9].flags = RNN_FLAG_COUPLED_GATES | RNN_FLAG_PEEPHOLES;
  return list;
}

// Lists with every kind of layer and activation.
std::vector<rnn_config_t> lists() {
  using rnn::reference::cell_layer;
  using rnn::reference::dense_layer;
  const rnn_config_t c = make_config(7, 0, 0, 0);
  std::vector<rnn_layer_t> dense;
  for (std::int32_t f = RNN_ACTIVATION_NONE; f <= RNN_ACTIVATION_SOFTPLUS; ++f)
    dense.push_back(
        dense_layer(f == RNN_ACTIVATION_SOFTPLUS ? 7 : 33, f, f % 2 != 0 ? RNN_FLAG_RESIDUAL : 0));
  rnn_layer_t convolution = dense_layer(20, RNN_ACTIVATION_TANH);
  convolution.kind = RNN_LAYER_CONV1D;
  convolution.kernel_size = 4;
  convolution.dilation = 3;
  std::vector<rnn_layer_t> all = {
      dense_layer(20, RNN_ACTIVATION_TANH),
      convolution,
      cell_layer(RNN_CELL_GRU, 33),
      cell_layer(RNN_CELL_LSTM, 40, RNN_FLAG_LAYER_NORM, RNN_DIRECTION_FORWARD, 33),
      cell_layer(RNN_CELL_MIN_GRU, 33, RNN_FLAG_RESIDUAL),
      cell_layer(RNN_CELL_VANILLA, 300, RNN_FLAG_RELU),
      dense_layer(7)};
  std::vector<rnn_config_t> result = {rnn::reference::with_layers(c, dense),
                                      rnn::reference::with_layers(c, all)};
  result.push_back(result.back());
  result.back().skip = 7;
  return result;
}

int check(const char* name, Outcome found) {
  const char* const texts[] = {"fine", "allocates or frees", "makes a system call", "fails",
                               "cannot be confined"};
  if (found != kFine) std::fprintf(stderr, "%s: %s\n", name, texts[found]);
  return found != kFine;
}

}  // namespace

int main() {
  // First that what must not happen is noticed.
  const Outcome allocation = outcome([] { return std::string(1000, 'x').size() == 1000; });
  if (allocation == kCannot) return std::puts("system calls cannot be filtered here"), 77;
  if (allocation != kAllocated) return std::fprintf(stderr, "an allocation is not noticed\n"), 1;
  if (outcome([] { return getppid() > 0; }) != kSystemCall)
    return std::fprintf(stderr, "a system call is not noticed\n"), 1;

  int failures = 0;
  std::vector<rnn_config_t> configs = kinds();
  configs.push_back(make_config(3, 16, 2, 1));
  configs.push_back(configs.back());
  configs.back().skip = 2;
  configs.push_back(make_config(50, 33, 0, 2));
  configs.back().skip = 33;
  configs.push_back(make_config(7, 300, 7, 3));
  for (const rnn_config_t& list : lists()) configs.push_back(list);
  for (const rnn_config_t& config : configs) {
    constexpr std::pair<float, std::size_t> kPasts[] = {{1, 0}, {2, 0}, {2.5f, 0}, {1, 30}, {2.5f, 30}};
    for (const auto& [delay, history] : kPasts) {
      Streams streams(config, delay, history);
      for (const Call& call : kCalls)
        failures += check(call.name, outcome([&] { return call.call(streams) == RNN_OK; }));
      // As a caller may mix them.
      failures += check("all in turn", outcome([&] {
                          bool good = true;
                          for (int round = 0; round < 3; ++round)
                            for (const Call& call : kCalls) good = good && call.call(streams) == RNN_OK;
                          return good;
                        }));
      if (static_cast<std::size_t>(config.input_size) == streams.outputs) {
        std::vector<float> y(5 * streams.outputs);
        failures += check("rnn_rollout", outcome([&] {
                            return rnn_rollout(streams.handles[0], streams.x.data(), 5, y.data()) == RNN_OK;
                          }));
      }
    }
  }
  rnn_config_t embedding = make_config(7, 33, 7, 2);
  embedding.embedding_size = 33;
  embedding.flags = RNN_FLAG_TIED_HEAD;
  Streams streams(embedding, 1.5f, 7);
  for (const Call& call : kCalls)
    if (std::strstr(call.name, "index") != nullptr)
      failures += check(call.name, outcome([&] { return call.call(streams) == RNN_OK; }));
  return failures == 0 ? 0 : 1;
}
