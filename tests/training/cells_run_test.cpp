// Runs of every cell, and of all that training can do at once: what they learn, and that they can stop
// anywhere.
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <utility>

#include "tests/reference/lists.h"
#include "tests/training/runs.h"

namespace rnn::training_test {
namespace {

const rnn_config_t kConfig = config(3, 5, 4, 2);

struct Kind {
  const char* name;
  std::function<void(rnn_config_t&)> change;
};

const Kind kKinds[] = {
    {"tanh", [](rnn_config_t&) {}},
    {"ReLU", [](rnn_config_t& c) { c.flags = RNN_FLAG_RELU, c.recurrent_init = RNN_INIT_IDENTITY; }},
    {"GRU", [](rnn_config_t& c) { c.cell = RNN_CELL_GRU; }},
    {"GRU, reset before", [](rnn_config_t& c) { c.cell = RNN_CELL_GRU, c.flags = RNN_FLAG_RESET_BEFORE; }},
    {"LSTM", [](rnn_config_t& c) { c.cell = RNN_CELL_LSTM, c.forget_bias = 1; }},
    {"LSTM with projection", [](rnn_config_t& c) { c.cell = RNN_CELL_LSTM, c.projection_size = 9; }},
    {"LSTM with peepholes", [](rnn_config_t& c) { c.cell = RNN_CELL_LSTM, c.flags = RNN_FLAG_PEEPHOLES; }},
    {"LSTM with coupled gates",
     [](rnn_config_t& c) { c.cell = RNN_CELL_LSTM, c.flags = RNN_FLAG_COUPLED_GATES; }},
    {"minGRU", [](rnn_config_t& c) { c.cell = RNN_CELL_MIN_GRU, c.num_layers = 2; }},
    {"minLSTM", [](rnn_config_t& c) { c.cell = RNN_CELL_MIN_LSTM, c.num_layers = 2; }},
    {"two layers, residual and normalised",
     [](rnn_config_t& c) { c.num_layers = 2, c.flags = RNN_FLAG_RESIDUAL + RNN_FLAG_LAYER_NORM; }},
    {"tied embedding", [](rnn_config_t& c) { c.embedding_size = 12, c.flags = RNN_FLAG_TIED_HEAD; }},
    {"dense, GRU, LSTM, dense",
     [](rnn_config_t& c) {
       const std::int32_t outputs = std::exchange(c.output_size, 0);
       c.hidden_size = c.num_layers = 0;
       c = reference::with_layers(
           c, {reference::dense_layer(10, RNN_ACTIVATION_GELU), reference::cell_layer(RNN_CELL_GRU, 12),
               reference::cell_layer(RNN_CELL_LSTM, 14, 0, RNN_DIRECTION_FORWARD, 12),
               reference::dense_layer(12, RNN_ACTIVATION_PRELU, RNN_FLAG_RESIDUAL),
               reference::dense_layer(outputs)});
     }},
};

// A small network on three sentences, each letter telling the next.
TEST(Cells, OverfitThreeSentences) {
  const std::string sentences[] = {"hey how are you", "good i am fine ", "have a nice day"};
  std::map<char, std::int32_t> alphabet;
  for (const std::string& s : sentences)
    for (const char c : s) alphabet.emplace(c, static_cast<std::int32_t>(alphabet.size()));
  Data data;
  for (const std::string& s : sentences) {
    data.lengths.push_back(14);
    for (std::size_t t = 0; t < 14; ++t) {
      data.indices.push_back(alphabet[s[t]]);
      data.classes.push_back(alphabet[s[t + 1]]);
    }
  }
  const rnn_sequences_t in = data.get();
  const auto letters = static_cast<std::int32_t>(alphabet.size());
  for (const Kind& kind : kKinds) {
    SCOPED_TRACE(kind.name);
    rnn_config_t c = config(letters, 12, letters);
    kind.change(c);
    auto o = sized<rnn_train_options_t>();
    o.learning_rate = 0.02f;
    o.epochs = 200;
    o.restore_best = 1;
    o.validation = &in;
    const NetworkHandle network = create(c);
    EXPECT_GT(loss_of(network, in), 2.0);
    ASSERT_EQ(rnn_train(network.get(), &in, &o), RNN_OK) << rnn_last_error();
    EXPECT_LT(loss_of(network, in), 0.35);
  }
}

// Whether a sequence ends as it began.
TEST(Cells, ClassifyWholeSequences) {
  Data data;
  Random random(8);
  for (int n = 0; n < 60; ++n) {
    const std::size_t length = 3 + random.below(3);
    const auto kind = static_cast<std::int32_t>(n % 2);
    data.lengths.push_back(length);
    for (std::size_t t = 0; t < length; ++t)
      data.indices.push_back(static_cast<std::int32_t>(random.below(4)));
    data.indices.back() = kind == 1 ? data.indices[data.indices.size() - length]
                                    : (data.indices[data.indices.size() - length] + 1) % 4;
    data.classes.push_back(kind);
  }
  rnn_sequences_t in = data.get();
  for (const std::int32_t pooling : {RNN_POOLING_LAST, RNN_POOLING_MEAN, RNN_POOLING_MAX}) {
    for (const std::uint32_t flags : {0, +RNN_FLAG_BIDIRECTIONAL}) {
      in.pooling = pooling;
      rnn_config_t c = config(4, 16, 2);
      c.cell = RNN_CELL_LSTM;
      c.flags = flags;
      auto o = sized<rnn_train_options_t>();
      o.learning_rate = 0.02f;
      o.epochs = 100;
      const NetworkHandle network = create(c);
      ASSERT_EQ(rnn_train(network.get(), &in, &o), RNN_OK) << rnn_last_error();
      EXPECT_LT(loss_of(network, in), 0.1) << "pooling " << pooling << ", flags " << flags;
    }
  }
}

// A bidirectional network has no states that could go from one batch to the next.
TEST(Cells, BothDirectionsCarryNothing) {
  rnn_config_t c = kConfig;
  c.flags = RNN_FLAG_BIDIRECTIONAL;
  const Data data = make_data(c, {4, 7}, {});
  const rnn_sequences_t in = data.get();
  const NetworkHandle network = create(c);
  auto o = sgd(0.1f);
  const TrainerHandle carrying = create_trainer(network, o);
  o.stateless_windows = 1;
  const TrainerHandle fresh = create_trainer(network, o);
  for (int update = 0; update < 3; ++update) {
    ASSERT_EQ(rnn_trainer_update(carrying.get(), &in, nullptr), RNN_OK) << rnn_last_error();
    ASSERT_EQ(rnn_trainer_update(fresh.get(), &in, nullptr), RNN_OK);
  }
  EXPECT_EQ(bits(values(carrying)), bits(values(fresh)));
}

std::string read_bytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

TEST(All, ResumesAtEveryReport) {
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("rnn_conveniences_" + std::to_string(getpid()));
  std::filesystem::create_directory(folder);
  const std::string path = (folder / "run").string(), at_end = (folder / "end").string();
  for (const std::int32_t cell :
       {RNN_CELL_VANILLA, RNN_CELL_GRU, RNN_CELL_LSTM, RNN_CELL_MIN_GRU, RNN_CELL_MIN_LSTM}) {
    rnn_config_t c = config(4, 6, 4, 2);
    c.cell = cell;
    c.initial_state = RNN_INITIAL_TRAINED;
    DataKind kind;
    kind.loss = RNN_LOSS_SQUARED_ERROR;
    kind.masks = true;
    const Data data = make_data(c, {5, 1, 9, 4, 4, 12, 2}, kind), other = make_data(c, {4, 6}, kind, 2);
    const rnn_sequences_t in = data.get(), validation = other.get();
    rnn_parameter_group_t groups[] = {group("*bias*"), group("*_l1"), group("initial_*_l0")};
    groups[0].no_weight_decay = 1;
    groups[1].learning_rate_factor = 0.5f;
    groups[2].frozen = 1;
    const auto trainer = [&](rnn_progress_function_t progress, void* user, std::uint64_t seed) {
      rnn_train_options_t o = sgd(0.1f);
      o.momentum = 0.5f;
      o.weight_decay = 0.01f;
      o.batch_size = 3;
      o.window = 3;
      o.epochs = 6;
      o.validate_every = 3;
      o.patience = 4;
      o.validation = &validation;
      o.dropout = 0.3f;
      o.scheduled_sampling = 0.5f;
      o.average = 0.8f;
      o.accumulate = 2;
      o.restore_best = 1;
      o.groups = groups;
      o.group_count = 3;
      o.threads = 1;
      o.progress = progress;
      o.user = user;
      rnn_config_t seeded = c;
      seeded.seed = seed;
      return create_trainer(create(seeded), o);
    };
    Saver counter;
    const TrainerHandle whole = trainer(&Saver::save, &counter, 3);
    ASSERT_EQ(rnn_trainer_run(whole.get(), &in), RNN_OK) << rnn_last_error();
    ASSERT_GT(counter.reports, 10);
    ASSERT_EQ(rnn_trainer_save(whole.get(), at_end.c_str()), RNN_OK);
    const std::string expected = read_bytes(at_end);
    for (int report = 1; report <= counter.reports; ++report) {
      TrainerHandle first;
      Saver saver{&first, path.c_str(), 0, report, true};
      first = trainer(&Saver::save, &saver, 3);
      ASSERT_EQ(rnn_trainer_run(first.get(), &in), RNN_OK) << rnn_last_error();
      const TrainerHandle second = trainer(nullptr, nullptr, 99);
      ASSERT_EQ(rnn_trainer_load(second.get(), path.c_str()), RNN_OK) << rnn_last_error();
      ASSERT_EQ(rnn_trainer_save(second.get(), at_end.c_str()), RNN_OK);
      ASSERT_EQ(read_bytes(at_end), read_bytes(path)) << "a value that can be saved and restored";
      // The saved network is what the trainer hands out.
      rnn_t* loaded = nullptr;
      ASSERT_EQ(rnn_load(path.c_str(), nullptr, &loaded), RNN_OK) << rnn_last_error();
      EXPECT_EQ(bits(values(NetworkHandle(loaded))), bits(values(second)));
      ASSERT_EQ(rnn_trainer_run(second.get(), &in), RNN_OK) << rnn_last_error();
      ASSERT_EQ(rnn_trainer_save(second.get(), at_end.c_str()), RNN_OK);
      ASSERT_EQ(read_bytes(at_end), expected) << "cell " << cell << ", saved at report " << report;
    }
  }
  std::filesystem::remove_all(folder);
}

// What a trainer does not do itself it refuses to take over.
TEST(All, MustBeTheSameAtTheResumption) {
  const std::filesystem::path path =
      std::filesystem::temp_directory_path() / ("rnn_conveniences_" + std::to_string(getpid()) + ".run");
  const Data data = make_data(kConfig, {5, 3, 4, 6}, {});
  const rnn_sequences_t in = data.get();
  const NetworkHandle network = create(kConfig);
  auto plain = sized<rnn_train_options_t>(), averaging = plain, restoring = plain;
  plain.validation = averaging.validation = restoring.validation = &in;
  averaging.average = 0.9f;
  restoring.restore_best = 1;
  const auto load = [&](const rnn_train_options_t& from, const rnn_train_options_t& to) {
    const TrainerHandle first = create_trainer(network, from), second = create_trainer(network, to);
    EXPECT_EQ(rnn_trainer_run(first.get(), &in), RNN_OK) << rnn_last_error();
    EXPECT_EQ(rnn_trainer_save(first.get(), path.c_str()), RNN_OK);
    const rnn_status_t status = rnn_trainer_load(second.get(), path.c_str());
    EXPECT_EQ(bits(values(second)), bits(status == RNN_OK ? values(first) : values(network)));
    return status;
  };
  EXPECT_EQ(load(plain, plain), RNN_OK);
  EXPECT_EQ(load(plain, averaging), RNN_MISMATCH);
  EXPECT_EQ(load(averaging, plain), RNN_MISMATCH);
  EXPECT_EQ(load(plain, restoring), RNN_MISMATCH);
  EXPECT_EQ(load(restoring, plain), RNN_OK);
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace rnn::training_test
