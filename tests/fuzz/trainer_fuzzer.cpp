// Checkpoints of trainers.
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "tests/fuzz/trainers.h"

namespace {

using fuzz::require;

const std::string kPath =
    std::filesystem::temp_directory_path() / ("rnn_trainer_fuzzer." + std::to_string(getpid()));

std::string read() {
  std::ifstream file(kPath, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

void write(const std::string& bytes) {
  std::FILE* file = std::fopen(kPath.c_str(), "wb");
  require(file != nullptr && std::fwrite(bytes.data(), 1, bytes.size(), file) == bytes.size() &&
          std::fclose(file) == 0);
}

std::string saved(const rnn_trainer_t* trainer) {
  require(rnn_trainer_save(trainer, kPath.c_str()) == RNN_OK);
  return read();
}

// What was loaded is saved to the same bytes again once those are loaded, and trains or says why not. What
// was not loaded has changed nothing.
void attempt(const std::string& file, int kind) {
  const fuzz::Trainer trainer = fuzz::make_trainer(kind);
  static const std::string fresh[] = {saved(fuzz::make_trainer(0).get()), saved(fuzz::make_trainer(1).get()),
                                      saved(fuzz::make_trainer(2).get()), saved(fuzz::make_trainer(3).get())};
  write(file);
  const rnn_status_t status = rnn_trainer_load(trainer.get(), kPath.c_str());
  require(status == RNN_OK || status == RNN_BAD_FORMAT || status == RNN_UNSUPPORTED ||
          status == RNN_MISMATCH);
  if (status != RNN_OK) return require(saved(trainer.get()) == fresh[kind]);

  const std::string first = saved(trainer.get());
  const fuzz::Trainer again = fuzz::make_trainer(kind);
  require(rnn_trainer_load(again.get(), kPath.c_str()) == RNN_OK);
  require(saved(again.get()) == first);

  const rnn_sequences_t data = fuzz::data();
  const auto trained = [](rnn_status_t result) {
    return result == RNN_OK || result == RNN_NOT_FINITE || result == RNN_MISMATCH ||
           result == RNN_INVALID_ARGUMENT;
  };
  const rnn_status_t run = rnn_trainer_run(trainer.get(), &data);
  require(trained(run) && rnn_trainer_run(again.get(), &data) == run);
  require(saved(trainer.get()) == saved(again.get()));
  require(rnn_trainer_reset(trainer.get()) == RNN_OK);
  require(trained(rnn_trainer_update(trainer.get(), &data, nullptr)));
  rnn_t* out = nullptr;
  require(rnn_trainer_network(trainer.get(), &out) == RNN_OK);
  float y[2];
  require(rnn_step_index(out, 0, y) == RNN_OK);
  rnn_destroy(out);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const int kind = data[0] % fuzz::kTrainers;
  std::string file(reinterpret_cast<const char*>(data) + 1, size - 1);
  attempt(file, kind);

  // Mutations change the header's length without its count: once more with the count set right.
  constexpr std::size_t kLengthSize = 8;
  const std::size_t end = file.rfind("}}");
  if (end != std::string::npos && end >= kLengthSize) {
    const std::uint64_t length = end + 2 - kLengthSize;
    std::memcpy(file.data(), &length, sizeof length);
    attempt(file, kind);
  }
  std::remove(kPath.c_str());
  return 0;
}
