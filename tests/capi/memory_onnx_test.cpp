// Memory that is refused while ONNX files are read and written. protobuf builds some things at their first
// use, so that each attempt needs a process in which nothing was read before.
#include <sys/wait.h>
#include <unistd.h>

#include "memory.h"

#if RNN_REPLACES_MALLOC

namespace {

using File = std::vector<unsigned char>;

// Into a file that has room.
rnn_status_t save(const rnn_t* rnn, File& file, size_t* size) {
  auto options = sized<rnn_save_options_t>();
  options.format = RNN_FORMAT_ONNX;
  return rnn_save_memory_as(rnn, &options, file.data(), file.size(), size);
}

enum Result { kRepeated = 0, kNothingFailed = 1, kWrongStatus = 2, kWrongRepetition = 3 };

// Lets the n-th allocation of a call fail in a process of its own, and repeats the call.
template <class Call, class Right>
int attempt(long n, const Call& call, const Right& right) {
  const pid_t child = fork();
  if (child == 0) {
    rnn_status_t status;
    {
      const Watching fail(n);
      status = call();
    }
    if (status == RNN_OK) _exit(kNothingFailed);
    if (status != RNN_OUT_OF_MEMORY) _exit(kWrongStatus);
    _exit(call() == RNN_OK && right() ? kRepeated : kWrongRepetition);
  }
  int result = 0;
  EXPECT_EQ(waitpid(child, &result, 0), child);
  EXPECT_TRUE(WIFEXITED(result)) << "allocation " << n << ": signal " << WTERMSIG(result);
  return WIFEXITED(result) ? WEXITSTATUS(result) : -1;
}

template <class Call, class Right>
void fail_each_from_the_start(const Call& call, const Right& right) {
  for (long n = 0;; ++n) {
    ASSERT_LT(n, 10000);
    const int result = attempt(n, call, right);
    if (result == kNothingFailed) {
      EXPECT_GT(n, 20) << "hardly anything was allocated";
      return;
    }
    ASSERT_EQ(result, kRepeated) << "allocation " << n;
  }
}

Network lstm() {
  rnn_config_t c = kConfig;
  c.cell = RNN_CELL_LSTM;
  const Network network = create(c);
  EXPECT_EQ(rnn_set_metadata(network.get(), "key", "value"), RNN_OK);
  return clone(network);
}

TEST(OutOfMemoryOnnx, Load) {
  const Network network = lstm();
  File file(65536);
  size_t size = 0;
  ASSERT_EQ(save(network.get(), file, &size), RNN_OK) << rnn_last_error();
  rnn_t* out = nullptr;
  fail_each_from_the_start([&] { return rnn_load_memory(file.data(), size, nullptr, &out); },
                           [&] { return same_bits(weights(out), weights(network)); });
  EXPECT_EQ(out, nullptr) << "all was done by other processes";
}

TEST(OutOfMemoryOnnx, Save) {
  const Network network = lstm();
  File file(65536);
  size_t size = 0;
  fail_each_from_the_start([&] { return save(network.get(), file, &size); },
                           [&] {
                             rnn_t* out = nullptr;
                             return rnn_load_memory(file.data(), size, nullptr, &out) == RNN_OK &&
                                    same_bits(weights(out), weights(network));
                           });
}

}  // namespace

#endif
