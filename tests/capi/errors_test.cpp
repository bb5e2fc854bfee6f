// Arguments that are refused: the status, a message with the argument and its value, and nothing written.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <new>
#include <thread>

#include "common.h"

namespace {

const float kNan = std::numeric_limits<float>::quiet_NaN();
const float kInfinity = std::numeric_limits<float>::infinity();
rnn_t* const kUntouched = reinterpret_cast<rnn_t*>(8);

TEST(Status, HasAName) {
  EXPECT_STREQ(rnn_status_string(RNN_OK), "RNN_OK");
  EXPECT_STREQ(rnn_status_string(RNN_INVALID_ARGUMENT), "RNN_INVALID_ARGUMENT");
  EXPECT_STREQ(rnn_status_string(RNN_NOT_FOUND), "RNN_NOT_FOUND");
  EXPECT_STREQ(rnn_status_string(RNN_MISMATCH), "RNN_MISMATCH");
  EXPECT_STREQ(rnn_status_string(RNN_NOT_FINITE), "RNN_NOT_FINITE");
  EXPECT_STREQ(rnn_status_string(RNN_OUT_OF_MEMORY), "RNN_OUT_OF_MEMORY");
  EXPECT_STREQ(rnn_status_string(RNN_FILE_ERROR), "RNN_FILE_ERROR");
  EXPECT_STREQ(rnn_status_string(RNN_BAD_FORMAT), "RNN_BAD_FORMAT");
  EXPECT_STREQ(rnn_status_string(RNN_UNSUPPORTED), "RNN_UNSUPPORTED");
  EXPECT_STREQ(rnn_status_string(RNN_INTERNAL), "RNN_INTERNAL");
  EXPECT_STREQ(rnn_status_string(-1), "unknown status");
  EXPECT_STREQ(rnn_status_string(3), "unknown status");
}

TEST(LastError, IsEmptyFirstKeptOnSuccessAndPerThread) {
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "rnn is NULL", rnn_reset(nullptr));
  const std::string before = rnn_last_error();
  const Network network = create(config(2, 3, 1));
  EXPECT_EQ(rnn_reset(network.get()), RNN_OK);
  EXPECT_EQ(rnn_last_error(), before);
  std::thread([] {
    EXPECT_STREQ(rnn_last_error(), "");
    EXPECT_FAILS(RNN_INVALID_ARGUMENT, "out is NULL", rnn_load("x", nullptr, nullptr));
  }).join();
  EXPECT_EQ(rnn_last_error(), before);
}

TEST(LastError, IsCutAtItsBuffer) {
  const Network network = create(config(2, 3, 1));
  const std::string path(5000, 'x');
  EXPECT_NE(rnn_save(network.get(), path.c_str()), RNN_OK);
  const std::string message = rnn_last_error();
  EXPECT_GT(message.size(), 100u);
  EXPECT_LT(message.size(), 5000u);
}

// The reason, which stands behind the path, is not what is left out.
TEST(LastError, IsNotCutInsideACharacter) {
  std::string path;
  for (int i = 0; i < 700; ++i) path += "\xc3\xbc";
  rnn_t* out = kUntouched;
  for (int more = 0; more < 3; ++more, path.insert(0, "x")) {
    EXPECT_FAILS(RNN_FILE_ERROR, "\xc3\xbc...\xc3\xbc", rnn_load(path.c_str(), nullptr, &out));
    const std::string message = rnn_last_error();
    EXPECT_EQ(message.find("\\x"), std::string::npos) << message;
    EXPECT_NE(message.rfind(": "), std::string::npos);
    EXPECT_GT(message.rfind(": "), message.rfind("\xc3\xbc")) << message;
  }
  EXPECT_EQ(out, kUntouched);
}

TEST(LastError, EscapesWhatIsNoTextOrControlsIt) {
  const Network network = create(config(2, 3, 1));
  rnn_t* out = kUntouched;
  float value;
  size_t size;
  EXPECT_FAILS(RNN_FILE_ERROR, "/none/\\xFF\\x1B[2J\\x0Atwo\\u{202E}\xc3\xbc",
               rnn_load("/none/\xff\x1b[2J\ntwo\xe2\x80\xae\xc3\xbc", nullptr, &out));
  EXPECT_FAILS(RNN_NOT_FOUND, "\"\\x07\\u{2066}\\xC3\"",
               rnn_get_parameter(network.get(), "\a\xe2\x81\xa6\xc3", &value, 1));
  EXPECT_FAILS(RNN_NOT_FOUND, "\"\\u{FEFF}\\u{9B}\"",
               rnn_get_metadata(network.get(), "\xef\xbb\xbf\xc2\x9b", nullptr, 0, &size));
  std::string name(59, 'x');
  EXPECT_FAILS(RNN_NOT_FOUND, "x...\"; this network has",
               rnn_get_parameter(network.get(), (name + "\xc3\xbc").c_str(), &value, 1));
}

void expect_refused(rnn_config_t config, const char* text) {
  rnn_t* out = kUntouched;
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "rnn_create: config." + std::string(text), rnn_create(&config, &out));
  EXPECT_EQ(out, kUntouched);
}

TEST(Create, RefusesEachField) {
  const rnn_config_t good = config(2, 3, 1);
  rnn_config_t c;
  for (const int32_t size : {-1, 0, 65537}) {
    (c = good).hidden_size = size;
    expect_refused(c, ("hidden_size is " + std::to_string(size)).c_str());
  }
  for (const int32_t size : {-1, 0, 1048577}) {
    const std::string value = std::to_string(size);
    (c = good).input_size = size;
    expect_refused(c, ("input_size is " + value).c_str());
    if (size == 0) continue;
    (c = good).output_size = size;
    expect_refused(c, ("output_size is " + value).c_str());
  }
  (c = good).num_layers = -1;
  expect_refused(c, "num_layers is -1");
  (c = good).num_layers = 65;
  expect_refused(c, "num_layers is 65");
  (c = good).cell = 99;
  expect_refused(c,
                 "cell is 99; it must be 1 (RNN_CELL_VANILLA), 2 (RNN_CELL_GRU), 3 (RNN_CELL_LSTM), 4 "
                 "(RNN_CELL_MIN_GRU) or 5 (RNN_CELL_MIN_LSTM)");
  (c = good).cell = 6;
  expect_refused(c, "cell is 6");
  (c = good).cell = -1;
  expect_refused(c, "cell is -1");
  (c = good).init = 99;
  expect_refused(c, "init is 99");
  (c = good).init = RNN_INIT_ORTHOGONAL;
  expect_refused(c, "init is 7");
  (c = good).init = RNN_INIT_IDENTITY;
  expect_refused(c, "init is 8");
  (c = good).recurrent_init = -1;
  expect_refused(c, "recurrent_init is -1");
  for (const float range : {-1.0f, kNan, kInfinity}) {
    (c = good).init_range = range;
    expect_refused(c, "init_range is");
  }
  (c = good).initial_state = 3;
  expect_refused(c, "initial_state is 3");
  (c = good).compute = 4;
  expect_refused(
      c,
      "compute is 4; it must be 0 (RNN_COMPUTE_F32), 1 (RNN_COMPUTE_BF16), 2 (RNN_COMPUTE_INT8) or 3 "
      "(RNN_COMPUTE_BF16_FAST)");
  (c = good).flags = 512;
  expect_refused(c, "flags is 512; it must be 0 or a sum of RNN_FLAG_NO_BIAS 1");
}

TEST(Create, RefusesWhatContradicts) {
  const rnn_config_t good = config(2, 3, 1);
  rnn_config_t lstm = good, gru = good, c;
  lstm.cell = RNN_CELL_LSTM;
  gru.cell = RNN_CELL_GRU;
  for (const rnn_config_t& cell : {gru, lstm}) {
    (c = cell).flags = RNN_FLAG_RELU;
    expect_refused(c, ("flags has RNN_FLAG_RELU and cell is " + std::to_string(c.cell) +
                       "; cell must then be 1 (RNN_CELL_VANILLA)")
                          .c_str());
  }
  for (const rnn_config_t& cell : {good, lstm}) {
    (c = cell).flags = RNN_FLAG_RESET_BEFORE;
    expect_refused(c, "flags has RNN_FLAG_RESET_BEFORE");
  }
  for (const rnn_config_t& cell : {good, gru}) {
    (c = cell).flags = RNN_FLAG_PEEPHOLES;
    expect_refused(c, ("flags has RNN_FLAG_PEEPHOLES and cell is " + std::to_string(std::max(c.cell, 1)) +
                       "; cell must then be 3 (RNN_CELL_LSTM)")
                          .c_str());
    (c = cell).flags = RNN_FLAG_COUPLED_GATES;
    expect_refused(c, "flags has RNN_FLAG_COUPLED_GATES");
  }
  (c = lstm).flags = RNN_FLAG_COUPLED_GATES;
  c.forget_bias = 1;
  expect_refused(c, "forget_bias is 1; it must be 0 with RNN_FLAG_COUPLED_GATES");
  (c = gru).flags = RNN_FLAG_RESET_BEFORE + RNN_FLAG_LAYER_NORM;
  expect_refused(c, "flags has both RNN_FLAG_RESET_BEFORE and RNN_FLAG_LAYER_NORM");
  for (const rnn_config_t& cell : {good, gru}) {
    (c = cell).projection_size = 2;
    expect_refused(c, ("projection_size is 2 and cell is " + std::to_string(std::max(c.cell, 1)) +
                       "; it must be 0 unless cell is 3 (RNN_CELL_LSTM)")
                          .c_str());
    (c = cell).forget_bias = 1;
    expect_refused(c, "forget_bias is 1");
  }
  (c = good).cell = RNN_CELL_MIN_GRU;
  c.flags = RNN_FLAG_LAYER_NORM;
  expect_refused(c,
                 "flags has RNN_FLAG_LAYER_NORM and cell is 4 (RNN_CELL_MIN_GRU), which has no weight_hh; "
                 "cell must then be 1 (RNN_CELL_VANILLA), 2 (RNN_CELL_GRU) or 3 (RNN_CELL_LSTM)");
  c.flags = 0;
  c.recurrent_init = RNN_INIT_IDENTITY;
  expect_refused(c, "recurrent_init is 8 and no layer has a weight_hh; it must be 0 or as init");
  for (const int32_t size : {-1, 3, 4}) {
    (c = lstm).projection_size = size;
    expect_refused(c, ("projection_size is " + std::to_string(size) + "; it must be 0..2").c_str());
  }
  for (const float bias : {kNan, kInfinity}) {
    (c = lstm).forget_bias = bias;
    expect_refused(c, "forget_bias is");
  }
  (c = lstm).forget_bias = 1;
  c.flags = RNN_FLAG_NO_BIAS;
  expect_refused(c, "forget_bias is 1");
  (c = good).reserved = 1;
  expect_refused(c, "reserved is 1; it must be 0");
  for (const int32_t skip : {-1, 2}) {
    (c = good).skip = skip;
    expect_refused(
        c, ("skip is " + std::to_string(skip) + "; it must be 0..1, the lesser of 2 (inputs) and 1 (outputs)")
               .c_str());
  }
  (c = config(2, 3, 0)).skip = 3;
  expect_refused(c, "skip is 3; it must be 0..2, the lesser of 2 (inputs) and 3 (outputs)");
  (c = good).skip = 1;
  c.embedding_size = 4;
  expect_refused(c, "skip is 1 and embedding_size is 4; one of them must be 0");
  for (const int32_t size : {-1, 65537}) {
    (c = good).embedding_size = size;
    expect_refused(c, ("embedding_size is " + std::to_string(size)).c_str());
  }
  (c = config(2, 3, 2)).flags = RNN_FLAG_TIED_HEAD;
  expect_refused(c, "embedding_size is 0; with RNN_FLAG_TIED_HEAD it must be 3");
  c.embedding_size = 2;
  expect_refused(c, "embedding_size is 2; with RNN_FLAG_TIED_HEAD it must be 3");
  c.embedding_size = 3;
  c.flags += RNN_FLAG_BIDIRECTIONAL;
  expect_refused(c, "embedding_size is 3; with RNN_FLAG_TIED_HEAD it must be 6");
  (c = config(2, 3, 3)).flags = RNN_FLAG_TIED_HEAD;
  c.embedding_size = 3;
  expect_refused(c, "output_size is 3; with RNN_FLAG_TIED_HEAD it must be 2");
}

TEST(Create, RefusesNullAndBrokenAllocators) {
  rnn_config_t c = config(2, 3, 1);
  rnn_t* out = kUntouched;
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "config is NULL", rnn_create(nullptr, &out));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "out is NULL", rnn_create(&c, nullptr));
  auto allocator = sized<rnn_allocator_t>();
  allocator.deallocate = [](void*, size_t, size_t, void*) {};
  c.allocator = &allocator;
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "config.allocator.allocate is NULL", rnn_create(&c, &out));
  allocator.allocate = [](size_t, size_t, void*) -> void* { return nullptr; };
  allocator.deallocate = nullptr;
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "config.allocator.deallocate is NULL", rnn_create(&c, &out));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "allocator.deallocate is NULL", rnn_load("x", &allocator, &out));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "allocator.deallocate is NULL",
               rnn_load_memory("x", 1, &allocator, &out));
  EXPECT_EQ(out, kUntouched);
}

TEST(Create, RefusesWhatNoMemoryHolds) {
  rnn_t* out = kUntouched;
  rnn_config_t c = config(65536, 65536, 65536, 64);
  // As on a machine that has less than the terabyte it takes.
  auto allocator = sized<rnn_allocator_t>();
  allocator.allocate = [](size_t size, size_t alignment, void*) -> void* {
    return size > (size_t{1} << 30) ? nullptr : ::operator new (size, std::align_val_t{alignment});
  };
  allocator.deallocate = [](void* memory, size_t, size_t alignment, void*) {
    ::operator delete (memory, std::align_val_t{alignment});
  };
  c.allocator = &allocator;
  EXPECT_FAILS(RNN_OUT_OF_MEMORY, "memory", rnn_create(&c, &out));
  EXPECT_EQ(out, kUntouched);
}

TEST(Destroy, IgnoresNull) {
  rnn_destroy(nullptr);
  rnn_trainer_destroy(nullptr);
  rnn_tape_destroy(nullptr);
}

class Refused : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(rnn_step(rnn, numbers(3).data(), nullptr), RNN_OK);
    before_state = state(network);
    before_weights = weights(network);
  }
  // Every test of this class fails each call, so nothing may have moved.
  void TearDown() override {
    EXPECT_TRUE(same_bits(state(network), before_state));
    EXPECT_TRUE(same_bits(weights(network), before_weights));
    EXPECT_EQ(out, kUntouched);
    for (const float value : y) EXPECT_EQ(value, 42.0f);
    EXPECT_EQ(size, 42u);
  }

  const Network network = create(config(3, 4, 3, 2));
  rnn_t* const rnn = network.get();
  Floats before_state, before_weights;
  rnn_t* out = kUntouched;
  Floats x = numbers(64);
  Floats y = Floats(64, 42.0f);
  size_t size = 42;
};

TEST_F(Refused, ForkCloneSync) {
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "rnn is NULL", rnn_fork(nullptr, &out));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "out is NULL", rnn_fork(rnn, nullptr));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "rnn is NULL", rnn_clone(nullptr, &out));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "out is NULL", rnn_clone(rnn, nullptr));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "stream is NULL", rnn_sync(nullptr, rnn));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "source is NULL", rnn_sync(rnn, nullptr));
}

TEST_F(Refused, SyncOfAnotherArchitecture) {
  EXPECT_FAILS(RNN_MISMATCH, "input_size of stream is 3, and of source 2",
               rnn_sync(rnn, create(config(2, 4, 3, 2)).get()));
  EXPECT_FAILS(RNN_MISMATCH, "hidden_size", rnn_sync(rnn, create(config(3, 5, 3, 2)).get()));
  EXPECT_FAILS(RNN_MISMATCH, "output_size", rnn_sync(rnn, create(config(3, 4, 2, 2)).get()));
  EXPECT_FAILS(RNN_MISMATCH, "output_size", rnn_sync(rnn, create(config(3, 4, 0, 2)).get()));
  EXPECT_FAILS(RNN_MISMATCH, "num_layers", rnn_sync(rnn, create(config(3, 4, 3, 1)).get()));
  rnn_config_t c = config(3, 4, 3, 2);
  c.flags = RNN_FLAG_NO_BIAS;
  EXPECT_FAILS(RNN_MISMATCH, "RNN_FLAG_NO_BIAS", rnn_sync(rnn, create(c).get()));
  for (const uint32_t flag :
       {RNN_FLAG_RELU, RNN_FLAG_BIDIRECTIONAL, RNN_FLAG_RESIDUAL, RNN_FLAG_LAYER_NORM}) {
    c.flags = flag;
    EXPECT_FAILS(RNN_MISMATCH, "RNN_", rnn_sync(rnn, create(c).get()));
  }
  for (const int32_t cell : {RNN_CELL_GRU, RNN_CELL_LSTM, RNN_CELL_MIN_GRU, RNN_CELL_MIN_LSTM}) {
    c = config(3, 4, 3, 2);
    c.cell = cell;
    EXPECT_FAILS(RNN_MISMATCH, "cell of stream is 1, and of source " + std::to_string(cell),
                 rnn_sync(rnn, create(c).get()));
  }
  c = config(3, 4, 3, 2);
  c.embedding_size = 2;
  EXPECT_FAILS(RNN_MISMATCH, "embedding_size of stream is 0, and of source 2",
               rnn_sync(rnn, create(c).get()));
  c.embedding_size = 0;
  c.cell = RNN_CELL_LSTM;
  const Network plain = create(c);
  for (const uint32_t flag : {RNN_FLAG_PEEPHOLES, RNN_FLAG_COUPLED_GATES}) {
    c.flags = flag;
    EXPECT_FAILS(RNN_MISMATCH, flag == RNN_FLAG_PEEPHOLES ? "PEEPHOLES" : "COUPLED",
                 rnn_sync(plain.get(), create(c).get()));
  }
  c.flags = 0;
  c.projection_size = 2;
  EXPECT_FAILS(RNN_MISMATCH, "projection_size", rnn_sync(plain.get(), create(c).get()));
  c = config(3, 4, 3, 2);
  c.skip = 2;
  EXPECT_FAILS(RNN_MISMATCH, "skip of stream is 0, and of source 2", rnn_sync(rnn, create(c).get()));
  c = config(3, 4, 3, 2);
  c.initial_state = RNN_INITIAL_FIXED;
  EXPECT_FAILS(RNN_MISMATCH, "initial_state", rnn_sync(rnn, create(c).get()));
}

TEST_F(Refused, Step) {
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "rnn is NULL", rnn_step(nullptr, x.data(), y.data()));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "x is NULL", rnn_step(rnn, nullptr, y.data()));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "overlap", rnn_step(rnn, y.data(), y.data()));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "overlap", rnn_step(rnn, y.data() + 2, y.data()));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "overlap", rnn_step(rnn, y.data(), y.data() + 2));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "rnn is NULL", rnn_step_index(nullptr, 0, y.data()));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "index is -1; it must be 0..2", rnn_step_index(rnn, -1, y.data()));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "index is 3; it must be 0..2", rnn_step_index(rnn, 3, y.data()));
}

TEST_F(Refused, StepBlock) {
  const int32_t good[] = {0, 2};
  const int32_t bad[] = {0, 3};
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "rnn is NULL", rnn_reserve_block(nullptr, 2));
  EXPECT_EQ(rnn_reserve_block(rnn, SIZE_MAX), RNN_OK) << rnn_last_error();
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "rnn is NULL", rnn_step_block(nullptr, x.data(), 2, y.data()));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "rnn is NULL", rnn_step_block(nullptr, nullptr, 0, nullptr));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "x is NULL", rnn_step_block(rnn, nullptr, 2, y.data()));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "overlap", rnn_step_block(rnn, y.data(), 1, y.data()));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "overlap", rnn_step_block(rnn, y.data() + 5, 2, y.data()));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "overlap", rnn_step_block(rnn, y.data(), 2, y.data() + 5));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "rnn is NULL", rnn_step_block_index(nullptr, good, 2, y.data()));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "indices is NULL", rnn_step_block_index(rnn, nullptr, 2, y.data()));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "indices[1] is 3; it must be 0..2",
               rnn_step_block_index(rnn, bad, 2, y.data()));
  EXPECT_EQ(rnn_step_block(rnn, nullptr, 0, nullptr), RNN_OK);
  EXPECT_EQ(rnn_step_block_index(rnn, nullptr, 0, nullptr), RNN_OK);
}

TEST_F(Refused, StepMany) {
  const Network second = fork(network);
  const Network stranger = create(config(3, 4, 3, 2));
  rnn_t* streams[] = {rnn, second.get()};
  const int32_t good[] = {0, 2};
  const int32_t bad[] = {0, 3};
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "streams is NULL", rnn_step_many(nullptr, 2, x.data(), y.data()));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "x is NULL", rnn_step_many(streams, 2, nullptr, y.data()));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "overlap", rnn_step_many(streams, 2, y.data() + 5, y.data()));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "streams is NULL", rnn_step_many_index(nullptr, 2, good, y.data()));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "indices is NULL", rnn_step_many_index(streams, 2, nullptr, y.data()));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "indices[1] is 3; it must be 0..2",
               rnn_step_many_index(streams, 2, bad, y.data()));
  rnn_t* missing[] = {rnn, nullptr};
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "streams[1] is NULL", rnn_step_many(missing, 2, x.data(), y.data()));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "streams[1] is NULL", rnn_step_many_index(missing, 2, good, y.data()));
  rnn_t* none[] = {nullptr, rnn};
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "streams[0] is NULL", rnn_step_many(none, 2, x.data(), y.data()));
  rnn_t* twice[] = {second.get(), rnn, second.get()};
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "streams[2] occurs twice", rnn_step_many(twice, 3, x.data(), y.data()));
  rnn_t* strange[] = {rnn, second.get(), stranger.get()};
  EXPECT_FAILS(RNN_MISMATCH, "streams[2] does not share the weights of streams[0]",
               rnn_step_many(strange, 3, x.data(), y.data()));
  // No refusal leaves a mark behind.
  const Floats saved = state(network);
  Floats z(6);
  EXPECT_EQ(rnn_step_many(streams, 2, x.data(), z.data()), RNN_OK) << rnn_last_error();
  EXPECT_EQ(rnn_step_many(nullptr, 0, nullptr, nullptr), RNN_OK);
  EXPECT_EQ(rnn_step_many_index(nullptr, 0, nullptr, nullptr), RNN_OK);
  EXPECT_EQ(rnn_set_state(rnn, saved.data(), saved.size()), RNN_OK);
}

// Both directions of a whole sequence are needed, so there is no step; an embedding reads no vectors.
TEST_F(Refused, StepsOfWhatHasNone) {
  const std::vector<int32_t> prompt = {0, 1};
  auto generate = sized<rnn_generate_options_t>();
  generate.prompt = prompt.data();
  generate.prompt_count = 2;
  std::vector<int32_t> drawn(4, 42);
  rnn_config_t c = config(3, 4, 3, 2);
  for (const bool embedding : {false, true}) {
    c.flags = RNN_FLAG_BIDIRECTIONAL;
    c.embedding_size = embedding ? 2 : 0;
    const Network both = create(c);
    rnn_t* streams[] = {both.get()};
    const char* text = "reads whole sequences; use rnn_forward";
    EXPECT_FAILS(RNN_INVALID_ARGUMENT, text, rnn_step(both.get(), x.data(), y.data()));
    EXPECT_FAILS(RNN_INVALID_ARGUMENT, text, rnn_step(both.get(), x.data(), nullptr));
    EXPECT_FAILS(RNN_INVALID_ARGUMENT, text, rnn_step_index(both.get(), 1, y.data()));
    EXPECT_FAILS(RNN_INVALID_ARGUMENT, text, rnn_step_block(both.get(), x.data(), 2, y.data()));
    EXPECT_FAILS(RNN_INVALID_ARGUMENT, text, rnn_step_block_index(both.get(), prompt.data(), 2, y.data()));
    EXPECT_FAILS(RNN_INVALID_ARGUMENT, text, rnn_step_many(streams, 1, x.data(), y.data()));
    EXPECT_FAILS(RNN_INVALID_ARGUMENT, text, rnn_step_many_index(streams, 1, prompt.data(), y.data()));
    EXPECT_FAILS(RNN_INVALID_ARGUMENT, text, rnn_generate(both.get(), &generate, drawn.data(), 4, &size));
    EXPECT_FAILS(RNN_INVALID_ARGUMENT, text, rnn_rollout(both.get(), x.data(), 2, y.data()));
    const Data data = index_data({5}, 3);
    const rnn_sequences_t in = data.get();
    auto options = sized<rnn_forward_options_t>();
    options.stateful = 1;
    EXPECT_FAILS(RNN_INVALID_ARGUMENT, "options.stateful is 1; the network has a reverse direction",
                 rnn_forward(both.get(), &in, &options, y.data()));
  }
  c.flags = 0;
  const Network embedding = create(c);
  rnn_t* streams[] = {embedding.get()};
  const char* text = "the network has an embedding of 3 indices and reads no vectors; give indices";
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, text, rnn_step(embedding.get(), x.data(), y.data()));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, text, rnn_step_many(streams, 1, x.data(), y.data()));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, text, rnn_step_block(embedding.get(), x.data(), 2, y.data()));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, text, rnn_rollout(embedding.get(), x.data(), 2, y.data()));
  const Data data = float_data({5}, 3);
  const rnn_sequences_t in = data.get();
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "embedding", rnn_forward(embedding.get(), &in, nullptr, y.data()));
  EXPECT_EQ(drawn, std::vector<int32_t>(4, 42));
}

TEST_F(Refused, State) {
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "rnn is NULL", rnn_state_size(nullptr, &size));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "size is NULL", rnn_state_size(rnn, nullptr));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "rnn is NULL", rnn_output_size(nullptr, &size));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "size is NULL", rnn_output_size(rnn, nullptr));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "rnn is NULL", rnn_reset(nullptr));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "rnn is NULL", rnn_get_state(nullptr, y.data(), 8));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "state is NULL", rnn_get_state(rnn, nullptr, 8));
  EXPECT_FAILS(RNN_MISMATCH, "count is 9; a state of this network has 8 values",
               rnn_get_state(rnn, y.data(), 9));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "rnn is NULL", rnn_set_state(nullptr, x.data(), 8));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "state is NULL", rnn_set_state(rnn, nullptr, 8));
  EXPECT_FAILS(RNN_MISMATCH, "count is 7; a state of this network has 8 values",
               rnn_set_state(rnn, x.data(), 7));
  x[5] = kNan;
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "state[5] is", rnn_set_state(rnn, x.data(), 8));
  x[2] = -kInfinity;
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "state[2] is -inf", rnn_set_state(rnn, x.data(), 8));
}

TEST_F(Refused, Parameters) {
  auto info = sized<rnn_parameter_t>();
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "rnn is NULL", rnn_parameter_count(nullptr, &size));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "count is NULL", rnn_parameter_count(rnn, nullptr));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "rnn is NULL", rnn_parameter_info(nullptr, 0, &info));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "out is NULL", rnn_parameter_info(rnn, 0, nullptr));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "index is 8; it must be 0..7", rnn_parameter_info(rnn, 8, &info));
  EXPECT_EQ(info.name, nullptr);
  EXPECT_EQ(info.rows, 0u);

  const char* name = "weight_ih_l0";
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "rnn is NULL", rnn_get_parameter(nullptr, name, y.data(), 12));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "name is NULL", rnn_get_parameter(rnn, nullptr, y.data(), 12));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "values is NULL", rnn_get_parameter(rnn, name, nullptr, 12));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "count is 11; weight_ih_l0 is [4, 3], 12 values",
               rnn_get_parameter(rnn, name, y.data(), 11));
  EXPECT_FAILS(RNN_NOT_FOUND, "\"weight_ih_l2\"", rnn_get_parameter(rnn, "weight_ih_l2", y.data(), 12));
  EXPECT_FAILS(RNN_NOT_FOUND, "\"\"", rnn_get_parameter(rnn, "", y.data(), 12));
  EXPECT_FAILS(RNN_NOT_FOUND, "weight_ih", rnn_get_parameter(rnn, "weight_ih", y.data(), 12));

  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "rnn is NULL", rnn_set_parameter(nullptr, name, x.data(), 12));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "name is NULL", rnn_set_parameter(rnn, nullptr, x.data(), 12));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "values is NULL", rnn_set_parameter(rnn, name, nullptr, 12));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "count is 13; weight_ih_l0 is [4, 3], 12 values",
               rnn_set_parameter(rnn, name, x.data(), 13));
  EXPECT_FAILS(RNN_NOT_FOUND, "\"nobody\"", rnn_set_parameter(rnn, "nobody", x.data(), 12));
  x[11] = kInfinity;
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "values[11] is inf", rnn_set_parameter(rnn, name, x.data(), 12));
  x[0] = kNan;
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "values[0] is", rnn_set_parameter(rnn, name, x.data(), 12));
}

TEST_F(Refused, ForwardPointersAndFlags) {
  const Data data = float_data({2, 3}, 3);
  rnn_sequences_t in = data.get();
  auto options = sized<rnn_forward_options_t>();
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "rnn is NULL", rnn_forward(nullptr, &in, nullptr, y.data()));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "in is NULL", rnn_forward(rnn, nullptr, nullptr, y.data()));
  for (const int32_t pooling : {-1, 4}) {
    options.pooling = pooling;
    EXPECT_FAILS(RNN_INVALID_ARGUMENT, "options.pooling is " + std::to_string(pooling) + "; it must be 0..3",
                 rnn_forward(rnn, &in, &options, y.data()));
  }
  options = sized<rnn_forward_options_t>();
  options.stateful = -1;
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "options.stateful is -1", rnn_forward(rnn, &in, &options, y.data()));
  options.stateful = 1;
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "in.count is 2", rnn_forward(rnn, &in, &options, y.data()));
  const Data one = float_data({5}, 3);
  in = one.get();
  options.initial_states = x.data();
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "options.initial_states is given; it must be NULL with stateful",
               rnn_forward(rnn, &in, &options, y.data()));
}

TEST_F(Refused, Sequences) {
  const Data data = float_data({2, 3}, 3);
  Data by_index = index_data({2, 3}, 3);
  const rnn_sequences_t good = data.get();
  rnn_sequences_t in;
  const auto refused = [&](const char* text) {
    EXPECT_FAILS(RNN_INVALID_ARGUMENT, text, rnn_forward(rnn, &in, nullptr, y.data()));
  };
  (in = good).count = 0;
  refused("in.count is 0");
  (in = good).lengths = nullptr;
  refused("in.lengths");
  (in = good).frames = 6;
  refused("in.frames is 6; it must be the sum of lengths, which is 5");
  (in = good).frames = 4;
  refused("in.lengths up to [1] add up to more than frames, which is 4");
  (in = good).inputs = nullptr;
  refused("in.inputs and indices are both NULL");
  (in = good).indices = by_index.indices.data();
  refused("in.inputs and indices are both given");
  (in = good).reserved = 1;
  refused("in.reserved is 1");
  (in = good).pooling = 4;
  refused("in.pooling is 4; it must be 0..3");
  const size_t empty[] = {5, 0};
  (in = good).lengths = empty;
  refused("in.lengths[1] is 0");
  const size_t huge[] = {std::numeric_limits<size_t>::max(), 6};  // their sum wraps around to 5
  (in = good).lengths = huge;
  refused("in.lengths");
  const uint8_t resets[] = {0, 1, 2, 0, 0};
  (in = good).resets = resets;
  refused("in.resets[2] is 2");
  by_index.indices[4] = 3;
  in = by_index.get();
  refused("in.indices[4] is 3");
  by_index.indices[3] = -1;
  refused("in.indices[3] is -1");
}

TEST_F(Refused, Generate) {
  const std::vector<int32_t> prompt = {0, 1, 2};
  auto good = sized<rnn_generate_options_t>();
  good.prompt = prompt.data();
  good.prompt_count = 3;
  rnn_generate_options_t o = good;
  std::vector<int32_t> drawn(4, 42);
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "rnn is NULL", rnn_generate(nullptr, &o, drawn.data(), 4, &size));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "options is NULL", rnn_generate(rnn, nullptr, drawn.data(), 4, &size));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "out is NULL", rnn_generate(rnn, &o, nullptr, 4, &size));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "written is NULL", rnn_generate(rnn, &o, drawn.data(), 4, nullptr));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "capacity is 0", rnn_generate(rnn, &o, drawn.data(), 0, &size));
  const auto refused = [&](const char* text) {
    EXPECT_FAILS(RNN_INVALID_ARGUMENT, text, rnn_generate(rnn, &o, drawn.data(), 4, &size));
  };
  (o = good).prompt = nullptr;
  refused("options.prompt is NULL");
  (o = good).prompt_count = 0;
  refused("options.prompt_count is 0");
  const std::vector<int32_t> bad = {0, 3, -1};
  (o = good).prompt = bad.data();
  refused("options.prompt[1] is 3; it must be 0..2");
  for (const float temperature : {-1.0f, kInfinity, kNan}) {
    (o = good).temperature = temperature;
    refused("options.temperature is");
  }
  for (const float top_p : {-0.5f, 1.5f, kNan}) {
    (o = good).top_p = top_p;
    refused("options.top_p is");
  }
  (o = good).top_p = std::nextafter(1.0f, 2.0f);
  refused("options.top_p is 1.00000012; it must be 0..1");
  (o = good).top_k = -1;
  refused("options.top_k is -1");
  (o = good).greedy = 2;
  refused("options.greedy is 2");
  (o = good).stop = 2;
  refused("options.stop is 2");
  o.stop = 1;
  o.stop_index = 3;
  refused("options.stop_index is 3; it must be 0..2");
  EXPECT_EQ(drawn, std::vector<int32_t>(4, 42));

  const Network other = create(config(3, 4, 2));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "2 outputs and 3 inputs",
               rnn_generate(other.get(), &good, drawn.data(), 4, &size));
}

TEST_F(Refused, Rollout) {
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "rnn is NULL", rnn_rollout(nullptr, x.data(), 4, y.data()));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "x is NULL", rnn_rollout(rnn, nullptr, 4, y.data()));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "y is NULL", rnn_rollout(rnn, x.data(), 4, nullptr));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "overlap", rnn_rollout(rnn, y.data() + 11, 4, y.data()));
  const Network other = create(config(3, 4, 2));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "2 outputs and 3 inputs",
               rnn_rollout(other.get(), x.data(), 4, y.data()));
  EXPECT_EQ(rnn_rollout(rnn, x.data(), 0, y.data()), RNN_OK);
}

TEST_F(Refused, Files) {
  const char* nowhere = "/nonexistent/directory/network.safetensors";
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "rnn is NULL", rnn_save(nullptr, nowhere));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "path is NULL", rnn_save(rnn, nullptr));
  EXPECT_FAILS(RNN_FILE_ERROR, nowhere, rnn_save(rnn, nowhere));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "path is NULL", rnn_load(nullptr, nullptr, &out));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "out is NULL", rnn_load(nowhere, nullptr, nullptr));
  EXPECT_FAILS(RNN_FILE_ERROR, nowhere, rnn_load(nowhere, nullptr, &out));
  EXPECT_FAILS(RNN_FILE_ERROR, "", rnn_load("", nullptr, &out));

  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "rnn is NULL", rnn_save_memory(nullptr, nullptr, 0, &size));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "size is NULL", rnn_save_memory(rnn, nullptr, 0, nullptr));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "memory is NULL", rnn_save_memory(rnn, nullptr, 1, &size));
  size_t needed = 0;
  ASSERT_EQ(rnn_save_memory(rnn, nullptr, 0, &needed), RNN_OK);
  std::vector<unsigned char> memory(needed, 42);
  EXPECT_FAILS(RNN_INVALID_ARGUMENT,
               "capacity is " + std::to_string(needed - 1) + "; the file needs " + std::to_string(needed),
               rnn_save_memory(rnn, memory.data(), needed - 1, &size));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "capacity is 0", rnn_save_memory(rnn, memory.data(), 0, &size));
  EXPECT_EQ(memory, std::vector<unsigned char>(needed, 42));

  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "memory is NULL", rnn_load_memory(nullptr, 8, nullptr, &out));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "out is NULL", rnn_load_memory(memory.data(), 8, nullptr, nullptr));
  EXPECT_FAILS(RNN_BAD_FORMAT, "", rnn_load_memory(memory.data(), 0, nullptr, &out));
  EXPECT_FAILS(RNN_BAD_FORMAT, "", rnn_load_memory(memory.data(), memory.size(), nullptr, &out));
}

TEST_F(Refused, Config) {
  auto c = sized<rnn_config_t>();
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "rnn is NULL", rnn_get_config(nullptr, &c));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "out is NULL", rnn_get_config(rnn, nullptr));
  EXPECT_EQ(c.hidden_size, 0);
}

}  // namespace
