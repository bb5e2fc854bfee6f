// across write FOLDER: saves networks, what they compute, and a training run half-way with what becomes of it.
// across read FOLDER: loads what another machine wrote, and finds that it computes and trains the same bits.
// Every machine writes the same bytes; scripts/test_cpus compares them. Builds without training leave out the run.
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "rnn/rnn.h"

namespace {

using Network = std::unique_ptr<rnn_t, void (*)(rnn_t*)>;
using Trainer = std::unique_ptr<rnn_trainer_t, void (*)(rnn_trainer_t*)>;

void check(rnn_status_t status, const std::string& what) {
  if (status == RNN_OK) return;
  std::fprintf(stderr, "%s: %s\n", what.c_str(), rnn_last_error());
  std::exit(1);
}

void expect(bool right, const std::string& what) {
  if (right) return;
  std::fprintf(stderr, "%s is not the same\n", what.c_str());
  std::exit(1);
}

std::string contents(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

struct Case {
  const char* name;
  std::int32_t cell;
  std::int32_t compute;
};

constexpr Case kCases[] = {{"vanilla", RNN_CELL_VANILLA, RNN_COMPUTE_F32},
                           {"gru", RNN_CELL_GRU, RNN_COMPUTE_F32},
                           {"lstm", RNN_CELL_LSTM, RNN_COMPUTE_F32},
                           {"bf16", RNN_CELL_GRU, RNN_COMPUTE_BF16},
                           {"int8", RNN_CELL_LSTM, RNN_COMPUTE_INT8}};
constexpr std::size_t kInputs = 3, kOutputs = 4, kSteps = 20;
constexpr const char* kSuffixes[] = {".safetensors", ".rnn", ".h"};

Network create(const Case& c) {
  rnn_config_t config{};
  config.struct_size = sizeof config;
  config.cell = c.cell;
  config.input_size = kInputs;
  config.hidden_size = 37;
  config.output_size = kOutputs;
  config.num_layers = 2;
  config.seed = 7;
  config.compute = c.compute;
  rnn_t* rnn = nullptr;
  check(rnn_create(&config, &rnn), c.name);
  return {rnn, &rnn_destroy};
}

Network load(const std::string& path) {
  rnn_t* rnn = nullptr;
  check(rnn_load(path.c_str(), nullptr, &rnn), path);
  return {rnn, &rnn_destroy};
}

float number(std::size_t i) { return static_cast<float>(i * 37 % 101) / 101 - 0.5f; }

// The bits of the outputs of some steps.
std::string outputs(rnn_t* rnn) {
  std::string text;
  for (std::size_t t = 0; t < kSteps; ++t) {
    float x[kInputs], y[kOutputs];
    for (std::size_t i = 0; i < kInputs; ++i) x[i] = number(kInputs * t + i);
    check(rnn_step(rnn, x, y), "rnn_step");
    for (const float value : y) {
      std::uint32_t bits;
      std::memcpy(&bits, &value, sizeof bits);
      char line[16];
      std::snprintf(line, sizeof line, "%08" PRIx32 "\n", bits);
      text += line;
    }
  }
  return text;
}

// Null in a build without training.
Trainer make_trainer(const rnn_t* rnn) {
  rnn_train_options_t options{};
  options.struct_size = sizeof options;
  options.learning_rate = 0.01f;
  options.epochs = 4;
  options.batch_size = 3;
  options.window = 2;
  options.seed = 5;
  options.dropout = 0.2f;
  rnn_trainer_t* trainer = nullptr;
  const rnn_status_t status = rnn_trainer_create(rnn, &options, &trainer);
  if (status != RNN_UNSUPPORTED) check(status, "rnn_trainer_create");
  return {trainer, &rnn_trainer_destroy};
}

void update(rnn_trainer_t* trainer, std::size_t seed) {
  const std::vector<std::size_t> lengths(6, 5);
  std::vector<float> inputs(6 * 5 * kInputs), targets(6 * 5 * kOutputs);
  for (std::size_t i = 0; i < inputs.size(); ++i) inputs[i] = number(seed + i);
  for (std::size_t i = 0; i < targets.size(); ++i) targets[i] = number(seed + 3 * i);
  rnn_sequences_t batch{};
  batch.struct_size = sizeof batch;
  batch.count = lengths.size();
  batch.lengths = lengths.data();
  batch.frames = 6 * 5;
  batch.inputs = inputs.data();
  batch.targets = targets.data();
  check(rnn_trainer_update(trainer, &batch, nullptr), "rnn_trainer_update");
}

Network trained(const rnn_trainer_t* trainer) {
  rnn_t* rnn = nullptr;
  check(rnn_trainer_network(trainer, &rnn), "rnn_trainer_network");
  return {rnn, &rnn_destroy};
}

void write(const std::string& folder) {
  for (const Case& c : kCases) {
    const Network network = create(c);
    for (const char* suffix : kSuffixes)
      check(rnn_save(network.get(), (folder + c.name + suffix).c_str()), c.name);
    std::ofstream(folder + c.name + ".outputs", std::ios::binary) << outputs(network.get());
  }
  const Trainer trainer = make_trainer(create(kCases[1]).get());
  if (trainer == nullptr) return;
  for (std::size_t i = 0; i < 3; ++i) update(trainer.get(), i);
  check(rnn_trainer_save(trainer.get(), (folder + "run").c_str()), "rnn_trainer_save");
  for (std::size_t i = 3; i < 6; ++i) update(trainer.get(), i);
  check(rnn_save(trained(trainer.get()).get(), (folder + "trained.safetensors").c_str()), "rnn_save");
}

void read(const std::string& folder) {
  for (const Case& c : kCases) {
    for (const char* suffix : {kSuffixes[0], kSuffixes[1]}) {
      const std::string path = folder + c.name + suffix;
      expect(outputs(load(path).get()) == contents(folder + c.name + ".outputs"),
             "what " + path + " computes");
    }
  }
  const std::string path = folder + "trained.safetensors", expected = contents(path);
  const Trainer trainer = make_trainer(create(kCases[1]).get());
  if (trainer == nullptr || expected.empty()) return;
  check(rnn_trainer_load(trainer.get(), (folder + "run").c_str()), "rnn_trainer_load");
  for (std::size_t i = 3; i < 6; ++i) update(trainer.get(), i);
  std::size_t size = 0;
  const Network network = trained(trainer.get());
  check(rnn_save_memory(network.get(), nullptr, 0, &size), "rnn_save_memory");
  std::string found(size, '\0');
  check(rnn_save_memory(network.get(), found.data(), found.size(), &size), "rnn_save_memory");
  expect(found == expected, "what becomes of " + folder + "run");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return std::fprintf(stderr, "usage: across write|read FOLDER\n"), 2;
  const std::string folder = std::string(argv[2]) + "/";
  std::strcmp(argv[1], "write") == 0 ? write(folder) : read(folder);
}
