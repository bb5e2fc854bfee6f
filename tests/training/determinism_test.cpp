// The same bits for every number of threads and in every run.
#include <tbb/global_control.h>
#include <tbb/task_arena.h>

#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <map>

#include "lib/kernels/dispatch.h"
#include "lib/training/threads.h"
#include "tests/training/training_test.h"

namespace rnn::training_test {
namespace {

// So that threads work at once on a machine with fewer cores, too.
class Determinism : public testing::Test {
 protected:
  tbb::global_control allow_{tbb::global_control::max_allowed_parallelism, 8};
};

struct Case {
  std::int32_t optimizer;
  std::int32_t layers;
  bool one_hot;
  bool windows;
};

// Large enough that no phase runs on one thread alone.
const std::vector<std::size_t>& lengths() {
  static const std::vector<std::size_t> lengths = [] {
    std::vector<std::size_t> l;
    for (std::size_t n = 0; n < 90; ++n) l.push_back(1 + n * 7 % 23);
    return l;
  }();
  return lengths;
}

struct Outcome {
  std::vector<std::uint32_t> values;
  std::vector<double> losses;
};

std::int32_t record(const rnn_progress_t* progress, void* user) {
  auto& losses = *static_cast<std::vector<double>*>(user);
  losses.push_back(progress->loss);
  losses.push_back(progress->event == RNN_EVENT_VALIDATION ? progress->validation_loss
                                                           : progress->gradient_norm);
  return 0;
}

Outcome run(const Case& c, std::int32_t threads) {
  rnn_config_t networks = config(40, 72, 40, c.layers);
  networks.initial_state = RNN_INITIAL_TRAINED;
  DataKind kind;
  kind.one_hot = c.one_hot;
  kind.masks = true;
  kind.resets = c.windows;
  const Data data = make_data(networks, lengths(), kind),
             validation = make_data(networks, {9, 3, 30, 2}, kind, 2);
  const rnn_sequences_t in = data.get(), valid = validation.get();
  Outcome outcome;
  auto o = sized<rnn_train_options_t>();
  o.optimizer = c.optimizer;
  o.momentum = c.optimizer == RNN_SGD || c.optimizer == RNN_RMSPROP ? 0.9f : 0.0f;
  o.learning_rate = 0.01f;
  o.clip_norm = 0.1f;
  o.batch_size = 50;
  o.window = c.windows ? 8 : 0;
  o.epochs = 2;
  o.threads = threads;
  o.validation = &valid;
  o.progress = &record;
  o.user = &outcome.losses;
  const NetworkHandle network = create(networks);
  EXPECT_EQ(rnn_train(network.get(), &in, &o), RNN_OK) << rnn_last_error();
  outcome.values = bits(values(network));
  return outcome;
}

TEST_F(Determinism, OfWeightsForEveryNumberOfThreads) {
  const Case cases[] = {{RNN_ADAM, 1, true, false},
                        {RNN_ADAMW, 2, false, true},
                        {RNN_SGD, 1, false, false},
                        {RNN_ADAGRAD, 3, true, true},
                        {RNN_RMSPROP, 2, true, false}};
  for (const Case& c : cases) {
    const Outcome one = run(c, 1);
    EXPECT_NE(one.values,
              run({c.optimizer == RNN_SGD ? RNN_ADAM : RNN_SGD, c.layers, c.one_hot, c.windows}, 1).values);
    for (const std::int32_t threads : {1, 2, 3, 8, 0}) {
      const Outcome other = run(c, threads);
      EXPECT_EQ(other.values, one.values) << "optimizer " << c.optimizer << ", " << threads << " threads";
      EXPECT_EQ(other.losses, one.losses) << "optimizer " << c.optimizer << ", " << threads << " threads";
    }
  }
}

// Run by the test below, in processes of their own: the instruction set is chosen once.
TEST_F(Determinism, DISABLED_PrintsWeights) {
  for (const Case& c : {Case{RNN_ADAM, 2, true, false}, Case{RNN_RMSPROP, 1, false, true}}) {
    std::uint64_t hash = 0;
    for (const std::uint32_t value : run(c, 2).values) hash = (hash ^ value) * 0x100000001b3;
    std::printf("weights %" PRIx64 "\n", hash);
  }
}

TEST_F(Determinism, OfWeightsOnEveryInstructionSetWithFma) {
  std::map<std::string, std::string> weights;
  const kernels::TableList tables = kernels::all();
  for (const kernels::Table* const* table = tables.begin; table != tables.end; ++table) {
    const std::string name = (*table)->name;
    if (name == "sse2") continue;
    const std::string program = std::filesystem::read_symlink("/proc/self/exe").string();
    const std::string command =
        "RNN_ISA=" + name + " '" + program +
        "' --gtest_also_run_disabled_tests --gtest_filter='*PrintsWeights' | grep weights";
    std::FILE* const pipe = popen(command.c_str(), "r");
    ASSERT_NE(pipe, nullptr);
    char line[80];
    while (std::fgets(line, sizeof line, pipe) != nullptr) weights[name] += line;
    EXPECT_EQ(pclose(pipe), 0);
  }
  if (weights.size() < 2) GTEST_SKIP() << "fewer than two instruction sets with fused multiply-add";
  for (const auto& [name, lines] : weights) {
    EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 2) << lines;
    EXPECT_EQ(lines, weights.begin()->second) << name << " and " << weights.begin()->first;
  }
}

TEST_F(Determinism, OfWeightsInTheCallersArena) {
  const Case c{RNN_ADAM, 2, true, false};
  const Outcome one = run(c, 1);
  tbb::task_arena arena(3);
  Outcome inside;
  arena.execute([&] { inside = run(c, 0); });
  EXPECT_EQ(inside.values, one.values);
}

TEST_F(Determinism, OfTapes) {
  const rnn_config_t c = config(40, 72, 40, 2);
  const Data data = make_data(c, lengths(), {});
  const rnn_sequences_t in = data.get();
  const NetworkHandle network = create(c);
  Random random(5);
  const std::vector<float> d_y = numbers(random, in.frames * 40), d_h = numbers(random, in.count * 144);
  std::vector<float> first;
  for (const std::int32_t threads : {1, 2, 8}) {
    rnn_tape_t* out = nullptr;
    ASSERT_EQ(rnn_tape_create(network.get(), threads, &out), RNN_OK);
    const TapeHandle tape(out);
    std::vector<float> all(in.frames * 40 + in.count * 144 + in.frames * 40 + in.count * 144 + 72 * 72);
    float* y = all.data();
    float* h = y + in.frames * 40;
    float* d_x = h + in.count * 144;
    float* d_initial = d_x + in.frames * 40;
    ASSERT_EQ(rnn_forward_tape(tape.get(), network.get(), &in, nullptr, y, h), RNN_OK);
    ASSERT_EQ(rnn_backward(tape.get(), d_y.data(), d_h.data(), d_x, d_initial), RNN_OK);
    ASSERT_EQ(rnn_get_gradient(tape.get(), "weight_ih_l1", d_initial + in.count * 144, 72 * 72), RNN_OK);
    if (first.empty()) first = all;
    EXPECT_EQ(bits(all), bits(first)) << threads << " threads";
  }
}

TEST_F(Determinism, OfTasks) {
  for (const std::int32_t n : {1, 2, 3, 8, 0}) {
    Threads threads(n);
    EXPECT_EQ(threads.count(), n == 0 ? threads.count() : static_cast<std::size_t>(n));
    EXPECT_EQ(threads.count(0.0), 1u);
    EXPECT_EQ(threads.count(1e18), threads.count());
    std::vector<int> calls(1000);
    threads.run(1e18, calls.size(), [&](std::size_t i) { ++calls[i]; });
    EXPECT_EQ(calls, std::vector<int>(1000, 1));
  }
}

}  // namespace
}  // namespace rnn::training_test
