// The log of a trainer: its bytes, and that they are the same wherever and however the same is trained.
#include <algorithm>
#include <cinttypes>
#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "lib/network/little_endian.h"
#include "tests/training/runs.h"
#include "tests/training/thread_ranks.h"
#include "tests/unit/hash.h"

namespace rnn::training_test {
namespace {

constexpr std::int32_t kParts[] = {RNN_LOG_OPTIONS, RNN_LOG_DATA, RNN_LOG_WEIGHTS, RNN_LOG_OPTIMIZER,
                                   RNN_LOG_STATES};

using Parts = std::map<std::int32_t, std::vector<unsigned char>>;

struct Record {
  std::uint64_t update;
  Parts parts;
};

// What a host has that keeps all bytes.
struct Records {
  rnn_log_t log(std::uint64_t every) {
    auto result = sized<rnn_log_t>();
    result.every = every;
    result.write = [](std::int32_t part, const void* bytes, std::size_t size, void* user) {
      std::vector<unsigned char>& to = static_cast<Records*>(user)->parts[part];
      const auto* from = static_cast<const unsigned char*>(bytes);
      EXPECT_GT(size, 0u);
      to.insert(to.end(), from, from + size);
    };
    result.record = [](std::uint64_t update, void* user) {
      auto& self = *static_cast<Records*>(user);
      self.all.push_back({update, std::move(self.parts)});
      self.parts.clear();
    };
    result.user = this;
    return result;
  }
  void start(const TrainerHandle& trainer, std::uint64_t every) {
    const rnn_log_t given = log(every);
    EXPECT_EQ(rnn_trainer_log(trainer.get(), &given), RNN_OK) << rnn_last_error();
  }
  std::vector<std::uint64_t> updates() const {
    std::vector<std::uint64_t> result;
    for (const Record& record : all) result.push_back(record.update);
    return result;
  }

  Parts parts;  // of the next record
  std::vector<Record> all;
};

// The parts that differ.
std::vector<std::int32_t> differences(const Record& a, const Record& b) {
  EXPECT_EQ(a.update, b.update);
  std::vector<std::int32_t> result;
  const auto part = [](const Record& record, std::int32_t number) {
    const auto found = record.parts.find(number);
    return found != record.parts.end() ? found->second : std::vector<unsigned char>();
  };
  for (const std::int32_t number : kParts)
    if (part(a, number) != part(b, number)) result.push_back(number);
  return result;
}

void expect_same(const Records& a, const Records& b) {
  ASSERT_EQ(a.updates(), b.updates());
  for (std::size_t i = 0; i < a.all.size(); ++i)
    EXPECT_EQ(differences(a.all[i], b.all[i]), std::vector<std::int32_t>()) << "record " << i;
}

// Appends numbers as they are in a log.
template <class... T>
void put(std::vector<unsigned char>& bytes, T... values) {
  const auto one = [&](auto value) {
    unsigned char raw[sizeof value];
    std::memcpy(raw, &value, sizeof value);
    if (!kIsLittleEndian) std::reverse(raw, raw + sizeof value);
    bytes.insert(bytes.end(), raw, raw + sizeof value);
  };
  (one(values), ...);
}

// Much of what depends on order and chance.
struct Job {
  Job() {
    c = config(5, 9, 4, 2);
    c.cell = RNN_CELL_LSTM;
    c.initial_state = RNN_INITIAL_TRAINED;
    DataKind kind;
    kind.masks = kind.resets = true;
    data = make_data(c, ragged_lengths(20), kind);
    o.batch_size = 6;
    o.epochs = 3;
    o.window = 3;
    o.accumulate = 2;
    o.dropout = o.output_dropout = o.recurrent_dropout = 0.2f;
    o.average = 0.9f;
    o.optimizer = RNN_OPTIMIZER_ADAMW;
    o.lanes = 2;
    o.threads = 1;
  }

  Records run(std::uint64_t every = 2) const {
    Records records;
    const TrainerHandle trainer = create_trainer(create(c), o);
    records.start(trainer, every);
    const rnn_sequences_t in = data.get();
    EXPECT_EQ(rnn_trainer_run(trainer.get(), &in), RNN_OK) << rnn_last_error();
    return records;
  }

  rnn_config_t c;
  Data data;
  rnn_train_options_t o = sized<rnn_train_options_t>();
};

TEST(LogTest, HasTheBytesThatTheHeaderSays) {
  rnn_config_t c = config(2, 3, 2);
  c.seed = 5;
  const NetworkHandle network = create(c);
  auto o = sized<rnn_train_options_t>();
  o.optimizer = RNN_OPTIMIZER_SGD;
  o.momentum = 0.5f;
  o.learning_rate = 0.25f;
  o.seed = 0x0123456789abcdef;
  rnn_parameter_group_t g = group("head*");
  g.frozen = 1;
  o.groups = &g;
  o.group_count = 1;
  const float class_weights[] = {1.0f, 2.0f};
  o.class_weights = class_weights;
  Data data;
  data.lengths = {2, 1};
  data.inputs = {0.5f, -1, 2, 0.25f, 3, 4};
  data.classes = {1, 0, 1};
  data.weights = {1, 0, 0.5f};
  data.resets = {0, 1, 0};
  const TrainerHandle trainer = create_trainer(network, o);
  Records records;
  records.start(trainer, 1);
  ASSERT_EQ(rnn_trainer_set_learning_rate(trainer.get(), 0.125f), RNN_OK);
  const rnn_sequences_t in = data.get();
  ASSERT_EQ(rnn_trainer_update(trainer.get(), &in, nullptr), RNN_OK) << rnn_last_error();
  ASSERT_EQ(records.updates(), (std::vector<std::uint64_t>{0, 1}));

  std::vector<unsigned char> options;
  put(options, std::uint32_t{1}, RNN_CELL_VANILLA, 2, 3, 2, 1, 0, RNN_COMPUTE_F32, std::uint32_t{0}, 0, 0, 0,
      std::uint64_t{0});
  put(options, 0, RNN_OPTIMIZER_SGD, 0.25f, 0.5f, 0.9f, 0.999f, 1e-8f, 0.0f, 0, 0.0f, 0.0f,
      RNN_SCHEDULE_CONSTANT);
  put(options, 0.1f, 0, 0, 32, 0, 0, 0, std::uint64_t{0x0123456789abcdef}, 0.0f, 0.0f, 0.0f, 1);
  put(options, std::uint64_t{1}, std::uint64_t{5}, 'h', 'e', 'a', 'd', '*', 1.0f, 1, 0, 0);
  put(options, std::uint64_t{2}, 1.0f, 2.0f, 0.0f, 0, 0, 0, 0, 0.0f, 0.0f, 1);
  for (const Record& record : records.all) EXPECT_EQ(record.parts.at(RNN_LOG_OPTIONS), options);

  EXPECT_EQ(records.all[0].parts.count(RNN_LOG_DATA), 0u);
  std::vector<unsigned char> read;
  put(read, 0.125, std::uint64_t{2}, std::uint32_t{2 + 4}, RNN_POOLING_NONE, RNN_LOSS_CROSS_ENTROPY);
  put(read, std::uint64_t{0}, std::uint64_t{2}, 0.5f, -1.0f, 2.0f, 0.25f);
  put(read, std::uint8_t{0}, std::uint8_t{1}, 1, 0, 1.0f, 0.0f);
  put(read, std::uint64_t{1}, std::uint64_t{1}, 3.0f, 4.0f, std::uint8_t{0}, 1, 0.5f);
  EXPECT_EQ(records.all[1].parts.at(RNN_LOG_DATA), read);

  const auto parameters = [](const NetworkHandle& of) {
    std::vector<unsigned char> result;
    std::size_t count = 0;
    EXPECT_EQ(rnn_parameter_count(of.get(), &count), RNN_OK);
    for (std::size_t i = 0; i < count; ++i) {
      auto info = sized<rnn_parameter_t>();
      EXPECT_EQ(rnn_parameter_info(of.get(), i, &info), RNN_OK);
      std::vector<float> values(info.rows * info.columns);
      EXPECT_EQ(rnn_get_parameter(of.get(), info.name, values.data(), values.size()), RNN_OK);
      for (const float value : values) put(result, value);
    }
    return result;
  };
  const std::vector<unsigned char> before = parameters(network), after = parameters(network_of(trainer));
  EXPECT_EQ(records.all[0].parts.at(RNN_LOG_WEIGHTS), before);
  EXPECT_EQ(records.all[1].parts.at(RNN_LOG_WEIGHTS), after);
  EXPECT_NE(before, after);
  EXPECT_EQ(records.all[0].parts.at(RNN_LOG_OPTIMIZER), std::vector<unsigned char>(before.size()));
  EXPECT_EQ(records.all[1].parts.at(RNN_LOG_OPTIMIZER).size(), before.size());
  EXPECT_NE(records.all[1].parts.at(RNN_LOG_OPTIMIZER), std::vector<unsigned char>(before.size()));

  std::vector<unsigned char> states;
  put(states, std::uint64_t{1}, std::uint64_t{0}, std::uint64_t{0}, std::uint64_t{0});
  for (const std::uint64_t word : Random(o.seed).state) put(states, word);
  for (int i = 0; i < 4; ++i) put(states, std::uint64_t{0});
  put(states, std::uint64_t{2 * 3});
  const std::vector<unsigned char>& found = records.all[1].parts.at(RNN_LOG_STATES);
  ASSERT_EQ(found.size(), states.size() + 2 * 3 * sizeof(float));
  EXPECT_TRUE(std::equal(states.begin(), states.end(), found.begin()));
}

// The records' hash is the same on every instruction set: this test is run on each.
TEST(LogTest, IsTheSameForEveryNumberOfThreadsAndInstructionSet) {
  const Job job;
  const Records one = job.run();
  ASSERT_GT(one.all.size(), 10u);
  std::uint64_t hash = 0;
  for (const Record& record : one.all)
    for (const auto& [part, bytes] : record.parts)
      hash = (hash ^ static_cast<std::uint64_t>(part) ^ rnn::hash(bytes)) * 0x100000001b3;
  EXPECT_EQ(hash, 0xe430e0b49e64ff7f) << std::hex << hash;
  for (const std::int32_t threads : {2, 3, 8}) {
    Job more = job;
    more.o.threads = threads;
    expect_same(more.run(), one);
  }
}

// What ends a run, or is reported of it, changes no record.
TEST(LogTest, IsTheSameWithValidation) {
  const Job job;
  Job validated = job;
  const Data other = make_data(job.c, ragged_lengths(5), {}, 2);
  const rnn_sequences_t validation = other.get();
  validated.o.validation = &validation;
  validated.o.validate_every = 3;
  validated.o.restore_best = 1;
  validated.o.report_every = 5;
  validated.o.epochs = 4;
  Records longer = validated.run();
  const Records records = job.run();
  ASSERT_GT(longer.all.size(), records.all.size());
  longer.all.resize(records.all.size());
  expect_same(longer, records);
}

TEST(LogTest, TellsWhatWasChangedAndWhere) {
  const Job job;
  const Records honest = job.run();
  const std::size_t records = honest.all.size();
  // The first record that differs, and in what.
  const auto expect = [&](const Job& changed, std::size_t record, const std::vector<std::int32_t>& parts) {
    const Records found = changed.run();
    ASSERT_EQ(found.all.size(), records);
    std::size_t first = 0;
    while (first < records && differences(found.all[first], honest.all[first]).empty()) ++first;
    EXPECT_EQ(first, record);
    EXPECT_EQ(differences(found.all[record], honest.all[record]), parts);
  };
  Job option = job;
  option.o.weight_decay = 0.02f;
  expect(option, 0, {RNN_LOG_OPTIONS});
  Job seed = job;
  seed.o.seed = 4;
  expect(seed, 0, {RNN_LOG_OPTIONS, RNN_LOG_STATES});
  Job network = job;
  network.c.seed = 4;  // not an option of what is trained: the weights are others
  expect(network, 0, {RNN_LOG_WEIGHTS});
  // A datum is read where its sequence is; what it changes are gradients, and states that are carried on.
  Job datum = job;
  datum.data.inputs[7] += 0.5f;
  const Records found = datum.run();
  std::size_t first = 0;
  while (differences(found.all[first], honest.all[first]).empty()) ++first;
  const std::vector<std::int32_t> parts = differences(found.all[first], honest.all[first]);
  EXPECT_GT(first, 0u);
  EXPECT_EQ(parts.front(), RNN_LOG_DATA);
  EXPECT_NE(std::find(parts.begin(), parts.end(), RNN_LOG_WEIGHTS), parts.end());
  EXPECT_EQ(std::find(parts.begin(), parts.end(), RNN_LOG_OPTIONS), parts.end());
}

// Every record of the run that goes on is that of the run that was not stopped; the first one has the state of the
// checkpoint, and no data.
TEST(LogTest, GoesOnFromACheckpoint) {
  const Job job;
  const Records whole = job.run(1);
  const std::string path = testing::TempDir() + "log_" + std::to_string(getpid());
  const rnn_sequences_t in = job.data.get();
  for (const int at : {1, 4, 7}) {
    TrainerHandle first;
    Saver saver{&first, path.c_str(), 0, at, true};
    rnn_train_options_t o = job.o;
    o.progress = &Saver::save;
    o.user = &saver;
    first = create_trainer(create(job.c), o);
    ASSERT_EQ(rnn_trainer_run(first.get(), &in), RNN_OK) << rnn_last_error();

    o = job.o;
    o.threads = 3;
    const TrainerHandle second = create_trainer(create(job.c), o);
    ASSERT_EQ(rnn_trainer_load(second.get(), path.c_str()), RNN_OK) << rnn_last_error();
    Records records;
    records.start(second, 1);
    ASSERT_EQ(rnn_trainer_run(second.get(), &in), RNN_OK) << rnn_last_error();
    const auto updates = static_cast<std::size_t>(at);
    ASSERT_EQ(records.all.size(), whole.all.size() - updates);
    EXPECT_EQ(differences(records.all[0], whole.all[updates]), (std::vector<std::int32_t>{RNN_LOG_DATA}));
    for (std::size_t i = 1; i < records.all.size(); ++i)
      EXPECT_TRUE(differences(records.all[i], whole.all[updates + i]).empty()) << at << ", " << i;
  }
  std::remove(path.c_str());
}

// From the progress function, at updates that the host chooses.
TEST(LogTest, HasARecordWhereTheHostAsksForOne) {
  const Job job;
  struct Host {
    Records records;
    rnn_trainer_t* trainer = nullptr;
  } host;
  rnn_train_options_t o = job.o;
  o.progress = [](const rnn_progress_t* progress, void* user) -> std::int32_t {
    Host& self = *static_cast<Host*>(user);
    if (progress->update % 2 != 0) return 0;
    const rnn_log_t log = self.records.log(0);
    EXPECT_EQ(rnn_trainer_log(self.trainer, &log), RNN_OK) << rnn_last_error();
    return 0;
  };
  o.user = &host;
  const TrainerHandle trainer = create_trainer(create(job.c), o);
  host.trainer = trainer.get();
  host.records.start(trainer, 0);
  const rnn_sequences_t in = job.data.get();
  ASSERT_EQ(rnn_trainer_run(trainer.get(), &in), RNN_OK) << rnn_last_error();
  expect_same(host.records, job.run(2));

  ASSERT_EQ(rnn_trainer_log(trainer.get(), nullptr), RNN_OK);
  const std::size_t before = host.records.all.size();
  host.records.parts.clear();
  ASSERT_EQ(rnn_trainer_update(trainer.get(), &in, nullptr), RNN_OK) << rnn_last_error();
  EXPECT_TRUE(host.records.parts.empty());
  EXPECT_EQ(host.records.all.size(), before);
}

// An update that is skipped has read its data, and is none.
TEST(LogTest, HasTheDataOfUpdatesThatAreSkipped) {
  const rnn_config_t c = config(2, 3, 2);
  const Data data = make_data(c, {3, 4}, kSquared);
  Data huge = data;
  huge.targets[0] = kHuge;
  auto o = sized<rnn_train_options_t>();
  o.skip_not_finite = 1;
  const TrainerHandle trainer = create_trainer(create(c), o);
  Records records;
  records.start(trainer, 1);
  const rnn_sequences_t good = data.get(), bad = huge.get();
  ASSERT_EQ(rnn_trainer_update(trainer.get(), &bad, nullptr), RNN_OK) << rnn_last_error();
  EXPECT_EQ(records.all.size(), 1u);
  const std::size_t skipped = records.parts[RNN_LOG_DATA].size();
  ASSERT_EQ(rnn_trainer_update(trainer.get(), &good, nullptr), RNN_OK) << rnn_last_error();
  ASSERT_EQ(records.updates(), (std::vector<std::uint64_t>{0, 1}));
  EXPECT_GT(skipped, 0u);
  EXPECT_EQ(records.all[1].parts[RNN_LOG_DATA].size(), 2 * skipped);
}

TEST(LogTest, HasTheGradientsOfATape) {
  const rnn_config_t c = config(2, 3, 2);
  const NetworkHandle network = create(c);
  const TrainerHandle trainer = create_trainer(network, sgd(0.5f));
  const Data data = make_data(c, {3, 4}, kSquared);
  const rnn_sequences_t in = data.get();
  rnn_tape_t* made = nullptr;
  ASSERT_EQ(rnn_tape_create(network.get(), 1, &made), RNN_OK);
  const TapeHandle tape(made);
  const std::vector<float> d_outputs(7 * 2, 0.5f);
  ASSERT_EQ(rnn_tape_forward(made, network.get(), &in, nullptr, nullptr, nullptr), RNN_OK);
  ASSERT_EQ(rnn_tape_backward(made, d_outputs.data(), nullptr, nullptr, nullptr), RNN_OK);
  Records records;
  records.start(trainer, 1);
  ASSERT_EQ(rnn_trainer_apply(trainer.get(), made, nullptr), RNN_OK) << rnn_last_error();
  ASSERT_EQ(records.all.size(), 2u);
  std::vector<unsigned char> expected;
  put(expected, 0.0, std::uint64_t{0});
  std::size_t count = 0;
  ASSERT_EQ(rnn_parameter_count(network.get(), &count), RNN_OK);
  for (std::size_t i = 0; i < count; ++i) {
    auto info = sized<rnn_parameter_t>();
    ASSERT_EQ(rnn_parameter_info(network.get(), i, &info), RNN_OK);
    std::vector<float> values(info.rows * info.columns);
    ASSERT_EQ(rnn_tape_gradient(made, info.name, values.data(), values.size()), RNN_OK);
    for (const float value : values) put(expected, value);
  }
  EXPECT_EQ(records.all[1].parts[RNN_LOG_DATA], expected);
}

TEST(LogTest, IsOfOneProcess) {
  ThreadRanks(2).run([](const rnn_collective_t& collective) {
    Job job;
    job.o.collective = &collective;
    const TrainerHandle trainer = create_trainer(create(job.c), job.o);
    const rnn_log_t log = Records().log(1);
    const std::string message = message_of(rnn_trainer_log(trainer.get(), &log), RNN_UNSUPPORTED);
    EXPECT_NE(message.find("options.collective has 2 ranks"), std::string::npos) << message;
  });
}

}  // namespace
}  // namespace rnn::training_test
