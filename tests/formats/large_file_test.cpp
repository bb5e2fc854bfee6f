// Files of which the network is a small part, or that claim to be large: loading takes memory for the network
// alone, and no time for the rest. The files are sparse: they take no room on the disk.
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <fstream>

#include "tests/capi/memory.h"
#include "tests/formats/formats_test.h"

namespace {

constexpr std::uint64_t kGibi = std::uint64_t{1} << 30;

// `text`, and behind it zeros up to `size`.
void put_sparse(const std::string& path, const std::string& text, std::uint64_t size) {
  put(path, text);
  ASSERT_EQ(truncate(path.c_str(), static_cast<off_t>(size)), 0);
}

std::uint64_t address_space() {
  std::uint64_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  return pages * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

// The status of a load in a process that may map no more than `growth` bytes beside what it has.
int load_within(std::uint64_t growth, const std::string& path, const char* layers = nullptr) {
  const pid_t child = fork();
  if (child == 0) {
    const rlimit limit{address_space() + growth, RLIM_INFINITY};
    if (setrlimit(RLIMIT_AS, &limit) != 0) _exit(100);
    rnn_load_options_t options{};
    options.struct_size = sizeof options;
    options.layers = layers;
    rnn_t* rnn = nullptr;
    _exit(rnn_load_as(path.c_str(), &options, nullptr, &rnn));
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

class LargeFile : public testing::Test {
 protected:
  static constexpr std::uint64_t kGrowth = std::uint64_t{32} << 20;

  void SetUp() override {
#ifdef RNN_SANITIZED
    GTEST_SKIP() << "a sanitizer needs address space of its own";
#endif
    if (address_space() == 0) GTEST_SKIP() << "no /proc here";
  }
  void TearDown() override {
    const auto seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
    EXPECT_LT(seconds, 10) << "reading it all would take memory and time";
  }

  Folder folder_;
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

// An LSTM among the other tensors of a model, one of which has 1 GiB.
TEST_F(LargeFile, StateDictBesideOthers) {
  std::string data(4 * (48 + 64 + 16 + 16), '\0');
  const std::string header =
      "{\"lstm.weight_ih_l0\":{\"dtype\":\"F32\",\"shape\":[16,3],\"data_offsets\":[0,192]},"
      "\"lstm.weight_hh_l0\":{\"dtype\":\"F32\",\"shape\":[16,4],\"data_offsets\":[192,448]},"
      "\"lstm.bias_ih_l0\":{\"dtype\":\"F32\",\"shape\":[16],\"data_offsets\":[448,512]},"
      "\"lstm.bias_hh_l0\":{\"dtype\":\"F32\",\"shape\":[16],\"data_offsets\":[512,576]},"
      "\"others.table\":{\"dtype\":\"F32\",\"shape\":[268435456],\"data_offsets\":[576,1073742400]}}";
  const std::string file = container(header, data);
  put_sparse(folder_ / "model", file, 8 + header.size() + 576 + kGibi);
  EXPECT_EQ(load_within(kGrowth, folder_ / "model", "lstm."), RNN_OK);
  EXPECT_EQ(load_within(kGrowth, folder_ / "model"), RNN_UNSUPPORTED);
}

TEST_F(LargeFile, OfNoKnownKind) {
  put_sparse(folder_ / "zeros", "", 4 * kGibi);
  EXPECT_EQ(load_within(kGrowth, folder_ / "zeros"), RNN_BAD_FORMAT);
}

// Files that begin as those which are read whole.
TEST_F(LargeFile, BeginsAsAnother) {
  const std::string onnx("\x08\x07\x12\x06librnn\x3a\x00", 12);
  put_sparse(folder_ / "json", "{\"layers\":[", 4 * kGibi);
  EXPECT_EQ(load_within(kGrowth, folder_ / "json"), RNN_BAD_FORMAT);
  put_sparse(folder_ / "onnx", onnx, 4 * kGibi);
  const int status = load_within(kGrowth, folder_ / "onnx");
  EXPECT_TRUE(status == RNN_BAD_FORMAT || status == RNN_UNSUPPORTED) << status;
  put_sparse(folder_ / "binary", save_as(create().get(), RNN_FORMAT_BINARY), 4 * kGibi);
  EXPECT_EQ(load_within(kGrowth, folder_ / "binary"), RNN_BAD_FORMAT);
}

}  // namespace
