// Training runs as files, through the C ABI: a resumed run is the run that was never stopped.
#include <cstdint>
#include <stdexcept>

#include "tests/formats/formats_test.h"
#include "tests/formats/zip_by_hand.h"

namespace {

using Trainer = std::unique_ptr<rnn_trainer_t, void (*)(rnn_trainer_t*)>;

// Eight sequences of five steps with classes.
struct Data {
  std::vector<std::size_t> lengths = std::vector<std::size_t>(8, 5);
  std::vector<float> inputs = std::vector<float>(8 * 5 * 3);
  std::vector<std::int32_t> classes = std::vector<std::int32_t>(8 * 5);
  rnn_sequences_t sequences{};

  Data() {
    for (std::size_t i = 0; i < inputs.size(); ++i) inputs[i] = static_cast<float>(i * 37 % 101) / 101 - 0.5f;
    for (std::size_t i = 0; i < classes.size(); ++i) classes[i] = inputs[3 * i] > inputs[3 * i + 1];
    sequences.struct_size = sizeof sequences;
    sequences.count = lengths.size();
    sequences.lengths = lengths.data();
    sequences.frames = classes.size();
    sequences.inputs = inputs.data();
    sequences.classes = classes.data();
  }
};

const Data& data() {
  static const Data data;
  return data;
}

using Change = std::function<void(rnn_train_options_t&)>;

rnn_train_options_t options(const Change& change = {}) {
  rnn_train_options_t options{};
  options.struct_size = sizeof options;
  options.learning_rate = 0.01f;
  options.epochs = 3;
  options.batch_size = 3;
  options.window = 2;
  options.seed = 5;
  if (change) change(options);
  return options;
}

Trainer make_trainer(const rnn_t* rnn, const rnn_train_options_t& options) {
  rnn_trainer_t* trainer = nullptr;
  EXPECT_EQ(rnn_trainer_create(rnn, &options, &trainer), RNN_OK) << rnn_last_error();
  return {trainer, &rnn_trainer_destroy};
}

std::string saved(const rnn_trainer_t* trainer) {
  const Folder folder;
  EXPECT_EQ(rnn_trainer_save(trainer, (folder / "run").c_str()), RNN_OK) << rnn_last_error();
  EXPECT_EQ(folder.names(), std::vector<std::string>{"run"});
  return contents(folder / "run");
}

rnn_status_t load(rnn_trainer_t* trainer, const std::string& file) {
  const Folder folder;
  put(folder / "run", file);
  return rnn_trainer_load(trainer, (folder / "run").c_str());
}

// Runs until `updates` are done.
int32_t stop(const rnn_progress_t* progress, void* user) {
  return progress->event == RNN_EVENT_UPDATE && progress->update == *static_cast<const std::uint64_t*>(user);
}

Trainer stopped_run(const rnn_t* rnn, std::uint64_t& updates, const Change& change = {}) {
  rnn_train_options_t stopping = options(change);
  stopping.progress = &stop;
  stopping.user = &updates;
  Trainer trainer = make_trainer(rnn, stopping);
  EXPECT_EQ(rnn_trainer_run(trainer.get(), &data().sequences), RNN_OK) << rnn_last_error();
  return trainer;
}

TEST(Checkpoint, ResumesAnywhere) {
  const Rnn rnn = create([](rnn_config_t& c) { c.initial_state = RNN_INITIAL_TRAINED; });
  for (const int32_t optimizer : {RNN_OPTIMIZER_ADAM, RNN_OPTIMIZER_SGD, RNN_OPTIMIZER_RMSPROP}) {
    const Change change = [&](rnn_train_options_t& o) {
      o.optimizer = optimizer;
      o.momentum = optimizer == RNN_OPTIMIZER_ADAM ? 0.0f : 0.9f;
    };
    const Trainer whole = make_trainer(rnn.get(), options(change));
    ASSERT_EQ(rnn_trainer_run(whole.get(), &data().sequences), RNN_OK) << rnn_last_error();
    const std::string result = saved(whole.get());

    for (std::uint64_t updates : {1, 2, 3, 8, 9, 10, 26}) {
      const std::string file = saved(stopped_run(rnn.get(), updates, change).get());
      const Trainer resumed = make_trainer(create([](rnn_config_t& c) {
                                             c.initial_state = RNN_INITIAL_TRAINED;
                                             c.seed = 99;
                                           }).get(),
                                           options(change));
      ASSERT_EQ(load(resumed.get(), file), RNN_OK) << rnn_last_error();
      EXPECT_EQ(saved(resumed.get()), file) << "a value that can be saved and restored";
      ASSERT_EQ(rnn_trainer_run(resumed.get(), &data().sequences), RNN_OK) << rnn_last_error();
      EXPECT_EQ(saved(resumed.get()), result) << "optimizer " << optimizer << " stopped at " << updates;
    }
  }
}

TEST(Checkpoint, BeforeTheFirstUpdate) {
  const Rnn rnn = create();
  const Trainer trainer = make_trainer(rnn.get(), options());
  const std::string file = saved(trainer.get());
  const Trainer other = make_trainer(create([](rnn_config_t& c) { c.seed = 8; }).get(), options());
  ASSERT_EQ(load(other.get(), file), RNN_OK) << rnn_last_error();
  EXPECT_EQ(saved(other.get()), file);
}

TEST(Checkpoint, IsANetworkToo) {
  std::uint64_t updates = 4;
  const Trainer trainer = stopped_run(create().get(), updates);
  rnn_t* present = nullptr;
  ASSERT_EQ(rnn_trainer_network(trainer.get(), &present), RNN_OK);
  const Rnn network(present, &rnn_destroy);
  expect_equal(load_memory(saved(trainer.get())).get(), network.get());
}

// What was refused has changed nothing.
void expect_refusal(rnn_trainer_t* trainer, const std::string& file, rnn_status_t status,
                    const std::string& message) {
  const std::string before = saved(trainer);
  EXPECT_EQ(load(trainer, file), status) << message;
  EXPECT_MESSAGE(message);
  EXPECT_EQ(saved(trainer), before) << message;
}

TEST(Checkpoint, RefusesOtherFiles) {
  constexpr char kNetwork[] =
      "the file is a network, which rnn_load reads; it must be a run that rnn_trainer_save";
  const Rnn rnn = create();
  std::uint64_t updates = 4;
  const Trainer trainer = stopped_run(rnn.get(), updates);
  expect_refusal(trainer.get(), save_memory(rnn.get()), RNN_BAD_FORMAT, kNetwork);
  expect_refusal(trainer.get(), save_as(rnn.get(), RNN_FORMAT_BINARY), RNN_BAD_FORMAT, kNetwork);
  expect_refusal(trainer.get(), "{\"layers\": []}", RNN_BAD_FORMAT, kNetwork);
  expect_refusal(trainer.get(), zip({{"model/data.pkl", "\x80\2}."}}), RNN_BAD_FORMAT, kNetwork);
  expect_refusal(trainer.get(), "text", RNN_BAD_FORMAT, "is none of those that this library reads");
  expect_refusal(trainer.get(), std::string("\x80\x04\x95 ", 4), RNN_UNSUPPORTED,
                 "the file is a pickle of Python");
  const std::string missing = Folder() / "run";
  EXPECT_EQ(rnn_trainer_load(trainer.get(), missing.c_str()), RNN_FILE_ERROR);
  EXPECT_MESSAGE("cannot read " + missing);

  const std::string other =
      saved(make_trainer(create([](rnn_config_t& c) { c.hidden_size = 5; }).get(), options()).get());
  expect_refusal(trainer.get(), other, RNN_MISMATCH, "");
  for (const Change& change : {Change([](rnn_train_options_t& o) { o.optimizer = RNN_OPTIMIZER_SGD; }),
                               Change([](rnn_train_options_t& o) { o.batch_size = 4; }),
                               Change([](rnn_train_options_t& o) { o.window = 3; })})
    expect_refusal(trainer.get(), saved(make_trainer(rnn.get(), options(change)).get()), RNN_MISMATCH, "");
}

// `file` with `from` in its header replaced.
std::string replaced(std::string file, const std::string& from, const std::string& to) {
  const std::size_t at = file.find(from);
  if (at == std::string::npos) throw std::out_of_range(from);
  file.replace(at, from.size(), to);
  auto length = rnn::read_little_endian<std::uint64_t>(file.data());
  length += to.size() - from.size();
  put(file, 0, length);
  return file;
}

TEST(Checkpoint, RefusesSpoiltFields) {
  const Rnn rnn = create();
  std::uint64_t updates = 4;
  const Trainer trainer = stopped_run(rnn.get(), updates);
  const std::string file = saved(trainer.get());
  struct Case {
    std::string from, to, message;
  };
  const Case cases[] = {
      {"\"rnn.trainer.update\":\"4\"", "\"rnn.trainer.update\":\"x\"",
       "metadata rnn.trainer.update is \"x\"; it must be a number to base 10, less than 2^64"},
      {"\"rnn.trainer.update\":\"4\"", "\"rnn.trainer.update\":\"18446744073709551616\"",
       "it must be a number to base 10, less than 2^64"},
      {"\"rnn.trainer.best_loss\":\"", "\"rnn.trainer.best_loss\":\"g",
       "it must be a number to base 16, less than 2^64"},
      {"\"rnn.trainer.update\"", "\"rnn.trainer.updates\"", "metadata rnn.trainer.update is missing"},
      {"\"rnn.seed\"", "\"rnn.trainer.x\":\"\",\"rnn.seed\"",
       "metadata \"rnn.trainer.x\" is not part of a trainer"},
      {"\"trainer.order\"", "\"trainer.orders\"", "tensor trainer.order is missing"},
      {"\"trainer.order\"", "\"order\"", "tensor \"order\" is not part of this network"},
      {"\"trainer.order\"",
       "\"trainer.x\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]},\"trainer.order\"",
       "tensor \"trainer.x\" is not part of a trainer"},
      {"\"trainer.order\":{\"dtype\":\"U64\"", "\"trainer.order\":{\"dtype\":\"F64\"",
       "tensor \"trainer.order\" has dtype F64; it must be U64"},
      {"\"trainer.order\":{\"dtype\":\"U64\",\"shape\":[8]",
       "\"trainer.order\":{\"dtype\":\"U64\",\"shape\":[2,4]",
       "tensor trainer.order has shape [2, 4]; it must be a vector"},
  };
  for (const Case& c : cases)
    expect_refusal(trainer.get(), replaced(file, c.from, c.to), RNN_BAD_FORMAT, c.message);
}

// Whatever a file says, a trainer that accepts it can go on.
rnn_status_t load_and_run(const rnn_t* rnn, const std::string& file) {
  const Trainer trainer = make_trainer(rnn, options([](rnn_train_options_t& o) { o.threads = 1; }));
  const rnn_status_t status = load(trainer.get(), file);
  EXPECT_TRUE(status == RNN_OK || status == RNN_BAD_FORMAT || status == RNN_MISMATCH)
      << status << " " << rnn_last_error();
  if (status == RNN_OK) {
    const rnn_status_t end = rnn_trainer_run(trainer.get(), &data().sequences);
    EXPECT_TRUE(end == RNN_OK || end == RNN_MISMATCH || end == RNN_NOT_FINITE)
        << end << " " << rnn_last_error();
  }
  return status;
}

TEST(Checkpoint, AnyNumberIsRefusedOrHarmless) {
  std::uint64_t updates = 4;
  const Rnn rnn = create([](rnn_config_t& c) { c.hidden_size = 2; });
  const std::string file = saved(stopped_run(rnn.get(), updates).get());
  const std::string prefix = "\"rnn.trainer.";
  std::string zero_random = file;
  int fields = 0;
  for (std::size_t at = file.find(prefix); at != std::string::npos;
       at = file.find(prefix, at + 1), ++fields) {
    const std::size_t value = file.find(':', at) + 2;
    const std::string key = file.substr(at, value - at);
    const std::string whole = key + file.substr(value, file.find('"', value) - value) + "\"";
    if (key.find("random") != std::string::npos) zero_random = replaced(zero_random, whole, key + "0\"");
    for (const char* number : {"0", "1", "2", "3", "5", "8", "40", "4294967295", "4294967296",
                               "9223372036854775807", "9223372036854775808", "18446744073709551615"}) {
      const rnn_status_t status = load_and_run(rnn.get(), replaced(file, whole, key + number + "\""));
      ASSERT_FALSE(HasFailure()) << key << number << " " << status;
    }
  }
  EXPECT_GE(fields, 10);
  EXPECT_EQ(load_and_run(rnn.get(), zero_random), RNN_BAD_FORMAT);
  EXPECT_MESSAGE("the saved random stream is all 0");
}

TEST(Checkpoint, AnyDamageIsRefusedOrHarmless) {
  std::uint64_t updates = 4;
  const Rnn rnn = create([](rnn_config_t& c) { c.hidden_size = 2; });
  const std::string file = saved(stopped_run(rnn.get(), updates).get());
  for (std::size_t size = 0; size < file.size(); size += 7)
    EXPECT_EQ(load_and_run(rnn.get(), file.substr(0, size)), RNN_BAD_FORMAT) << size;
  for (std::size_t i = 0; i < file.size() && !HasFailure(); ++i) {
    std::string damaged = file;
    damaged[i] = static_cast<char>(damaged[i] ^ 1 << i % 8);
    load_and_run(rnn.get(), damaged);
  }
}

}  // namespace
