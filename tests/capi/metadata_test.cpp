// Text that belongs to the weights: who sees it, and how it gets into files and back.
#include <string>
#include <vector>

#include "common.h"
#include "scratch.h"

namespace {

std::string get(const rnn_t* rnn, const char* key) {
  size_t size = 0;
  if (rnn_get_metadata(rnn, key, nullptr, 0, &size) != RNN_OK) return "none";
  std::string value(size, '?');
  EXPECT_EQ(rnn_get_metadata(rnn, key, value.data(), size, &size), RNN_OK) << rnn_last_error();
  EXPECT_EQ(value.back(), '\0');
  value.pop_back();
  return value;
}

std::vector<std::string> keys(const rnn_t* rnn) {
  size_t count = 0;
  EXPECT_EQ(rnn_metadata_count(rnn, &count), RNN_OK);
  std::vector<std::string> keys;
  for (size_t i = 0; i < count; ++i) {
    const char* key = nullptr;
    EXPECT_EQ(rnn_metadata_key(rnn, i, &key), RNN_OK) << rnn_last_error();
    keys.push_back(key);
  }
  return keys;
}

using Keys = std::vector<std::string>;

TEST(Metadata, SetGetRemove) {
  const Network network = create(config(3, 4, 2));
  rnn_t* rnn = network.get();
  EXPECT_EQ(keys(rnn), Keys());
  EXPECT_EQ(get(rnn, "a"), "none");
  for (const char* key : {"m", "a", "z", "b"})
    ASSERT_EQ(rnn_set_metadata(rnn, key, key), RNN_OK) << rnn_last_error();
  EXPECT_EQ(keys(rnn), (Keys{"a", "b", "m", "z"}));
  ASSERT_EQ(rnn_set_metadata(rnn, "m", "grown \xe2\x82\xac \xf0\x9f\x8e\xb5"), RNN_OK) << rnn_last_error();
  ASSERT_EQ(rnn_set_metadata(rnn, "z", ""), RNN_OK);
  EXPECT_EQ(get(rnn, "m"), "grown \xe2\x82\xac \xf0\x9f\x8e\xb5");
  EXPECT_EQ(get(rnn, "z"), "");
  EXPECT_EQ(get(rnn, "a"), "a");
  ASSERT_EQ(rnn_set_metadata(rnn, "a", nullptr), RNN_OK);
  ASSERT_EQ(rnn_set_metadata(rnn, "never", nullptr), RNN_OK);
  EXPECT_EQ(keys(rnn), (Keys{"b", "m", "z"}));
  EXPECT_EQ(get(rnn, "a"), "none");

  const std::string large(1 << 20, 'x');
  ASSERT_EQ(rnn_set_metadata(rnn, "vocabulary", large.c_str()), RNN_OK);
  EXPECT_EQ(get(rnn, "vocabulary"), large);
}

TEST(Metadata, BelongToTheWeights) {
  const Network network = create(config(3, 4, 2));
  ASSERT_EQ(rnn_set_metadata(network.get(), "k", "1"), RNN_OK);
  const Network forked = fork(network), cloned = clone(network);
  rnn_t* out = nullptr;
  ASSERT_EQ(rnn_convert(network.get(), RNN_COMPUTE_INT8, &out), RNN_OK);
  const Network converted(out);
  for (const Network* n : {&forked, &cloned, &converted}) EXPECT_EQ(get(n->get(), "k"), "1");

  ASSERT_EQ(rnn_set_metadata(network.get(), "k", "2"), RNN_OK);
  EXPECT_EQ(get(network.get(), "k"), "2");
  for (const Network* n : {&forked, &cloned, &converted})
    EXPECT_EQ(get(n->get(), "k"), "1") << "copied first";
  ASSERT_EQ(rnn_sync(forked.get(), network.get()), RNN_OK);
  EXPECT_EQ(get(forked.get(), "k"), "2");
}

// Where there is nothing to remove, the weights stay shared: streams that do not share them do not step together.
TEST(Metadata, RemovingNothingKeepsWeightsShared) {
  const Network network = create(config(3, 4, 2));
  const Network forked = fork(network);
  ASSERT_EQ(rnn_set_metadata(forked.get(), "never", nullptr), RNN_OK);
  rnn_t* streams[] = {network.get(), forked.get()};
  const float x[6] = {};
  float y[4];
  EXPECT_EQ(rnn_step_many(streams, 2, x, y), RNN_OK) << rnn_last_error();
  ASSERT_EQ(rnn_set_metadata(forked.get(), "k", "1"), RNN_OK);
  EXPECT_EQ(rnn_step_many(streams, 2, x, y), RNN_MISMATCH);
}

// A key that the handle itself has given, of weights that it leaves.
TEST(Metadata, KeyOfTheWeightsThatAreLeft) {
  const Network network = create(config(3, 4, 2));
  ASSERT_EQ(rnn_set_metadata(network.get(), "k", "1"), RNN_OK);
  Network forked = fork(network);
  const char* key = nullptr;
  ASSERT_EQ(rnn_metadata_key(forked.get(), 0, &key), RNN_OK);
  ASSERT_EQ(rnn_set_metadata(forked.get(), key, "2"), RNN_OK);
  EXPECT_EQ(get(forked.get(), "k"), "2");
  EXPECT_EQ(get(network.get(), "k"), "1");
}

TEST(Metadata, InFiles) {
  const Network network = create(config(3, 4, 2));
  ASSERT_EQ(rnn_set_metadata(network.get(), "labels", "[\"a\", \"b\"]\n\\"), RNN_OK);
  ASSERT_EQ(rnn_set_metadata(network.get(), "format", "pt"), RNN_OK);
  for (const int32_t format : {RNN_FORMAT_SAFETENSORS, RNN_FORMAT_BINARY}) {
    auto options = sized<rnn_save_options_t>();
    options.format = format;
    size_t size = 0;
    ASSERT_EQ(rnn_save_memory_as(network.get(), &options, nullptr, 0, &size), RNN_OK) << rnn_last_error();
    std::string file(size, '?');
    ASSERT_EQ(rnn_save_memory_as(network.get(), &options, file.data(), size, &size), RNN_OK);
    rnn_t* out = nullptr;
    ASSERT_EQ(rnn_load_memory(file.data(), size, nullptr, &out), RNN_OK) << rnn_last_error();
    const Network loaded(out);
    EXPECT_EQ(keys(loaded.get()), (Keys{"format", "labels"}));
    EXPECT_EQ(get(loaded.get(), "labels"), "[\"a\", \"b\"]\n\\");
  }
}

#if RNN_TRAINING
TEST(Metadata, SurviveTraining) {
  const Network network = create(config(3, 4, 2));
  ASSERT_EQ(rnn_set_metadata(network.get(), "k", "1"), RNN_OK);
  Data data = float_data({4, 4}, 3);
  const std::vector<int32_t> classes = {0, 1, 0, 1, 1, 0, 1, 0};
  rnn_sequences_t sequences = data.get();
  sequences.classes = classes.data();
  auto options = sized<rnn_train_options_t>();
  options.average = 0.5f;
  rnn_trainer_t* trainer = nullptr;
  ASSERT_EQ(rnn_trainer_create(network.get(), &options, &trainer), RNN_OK) << rnn_last_error();
  ASSERT_EQ(rnn_trainer_update(trainer, &sequences, nullptr), RNN_OK) << rnn_last_error();
  const std::string path = scratch_path("metadata_checkpoint");
  ASSERT_EQ(rnn_trainer_save(trainer, path.c_str()), RNN_OK) << rnn_last_error();
  rnn_trainer_t* other = nullptr;
  ASSERT_EQ(rnn_trainer_create(create(config(3, 4, 2)).get(), &options, &other), RNN_OK);
  rnn_t* before = nullptr;
  ASSERT_EQ(rnn_trainer_network(other, &before), RNN_OK);
  EXPECT_EQ(get(Network(before).get(), "k"), "none");
  ASSERT_EQ(rnn_trainer_load(other, path.c_str()), RNN_OK) << rnn_last_error();
  std::remove(path.c_str());
  for (const rnn_trainer_t* t : {trainer, other}) {
    rnn_t* out = nullptr;
    ASSERT_EQ(rnn_trainer_network(t, &out), RNN_OK);
    EXPECT_EQ(get(Network(out).get(), "k"), "1");
  }
  rnn_trainer_destroy(trainer);
  rnn_trainer_destroy(other);
  ASSERT_EQ(rnn_train(network.get(), &sequences, nullptr), RNN_OK) << rnn_last_error();
  EXPECT_EQ(get(network.get(), "k"), "1");
}
#endif

TEST(Metadata, Refused) {
  const Network network = create(config(3, 4, 2));
  rnn_t* rnn = network.get();
  ASSERT_EQ(rnn_set_metadata(rnn, "k", "value"), RNN_OK);
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "rnn is NULL", rnn_set_metadata(nullptr, "k", "v"));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "key is NULL", rnn_set_metadata(rnn, nullptr, "v"));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "key is empty", rnn_set_metadata(rnn, "", "v"));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "key begins with \"rnn.\"; such keys are the library's own",
               rnn_set_metadata(rnn, "rnn.cell", "v"));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "key is not UTF-8 text: byte 1 is 0xff",
               rnn_set_metadata(rnn, "a\xff", "v"));
  for (const char* bad : {"ab\xc0\x80", "ab\xc3", "ab\xe0\x9f\xbf", "ab\xed\xa0\x80", "ab\xf0\x8f\xbf\xbf",
                          "ab\xf4\x90\x80\x80", "ab\xf8\x88\x80\x80", "ab\x80", "ab\xe2\x82"})
    EXPECT_FAILS(RNN_INVALID_ARGUMENT, "value is not UTF-8 text: byte 2 is 0x",
                 rnn_set_metadata(rnn, "k", bad));
  EXPECT_EQ(get(rnn, "k"), "value");

  size_t size = 42;
  char value[6] = "?????";
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "rnn is NULL", rnn_get_metadata(nullptr, "k", value, 6, &size));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "key is NULL", rnn_get_metadata(rnn, nullptr, value, 6, &size));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "size is NULL", rnn_get_metadata(rnn, "k", value, 6, nullptr));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "value is NULL", rnn_get_metadata(rnn, "k", nullptr, 6, &size));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "capacity is 5; the value needs 6 bytes",
               rnn_get_metadata(rnn, "k", value, 5, &size));
  EXPECT_FAILS(RNN_NOT_FOUND, "no metadata has the key \"x\"", rnn_get_metadata(rnn, "x", value, 6, &size));
  EXPECT_EQ(size, 42u);
  EXPECT_STREQ(value, "?????");

  const char* key = nullptr;
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "rnn is NULL", rnn_metadata_count(nullptr, &size));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "count is NULL", rnn_metadata_count(rnn, nullptr));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "rnn is NULL", rnn_metadata_key(nullptr, 0, &key));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "key is NULL", rnn_metadata_key(rnn, 0, nullptr));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "index is 1; this network has 1 texts", rnn_metadata_key(rnn, 1, &key));
  EXPECT_EQ(key, nullptr);
}

TEST(Metadata, FilesWithOptionsRefused) {
  const Network network = create(config(3, 4, 2));
  rnn_t* out = nullptr;
  size_t size = 0;
  auto save = sized<rnn_save_options_t>();
  auto load = sized<rnn_load_options_t>();
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "rnn is NULL", rnn_save_as(nullptr, "x.rnn", nullptr));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "path is NULL", rnn_save_as(network.get(), nullptr, nullptr));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "rnn is NULL", rnn_save_memory_as(nullptr, &save, nullptr, 0, &size));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "size is NULL",
               rnn_save_memory_as(network.get(), &save, nullptr, 0, nullptr));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "memory is NULL",
               rnn_save_memory_as(network.get(), &save, nullptr, 1, &size));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "path is NULL", rnn_load_as(nullptr, &load, nullptr, &out));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "out is NULL", rnn_load_as("x.rnn", &load, nullptr, nullptr));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "memory is NULL", rnn_load_memory_as(nullptr, 1, &load, nullptr, &out));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "out is NULL", rnn_load_memory_as("x", 1, &load, nullptr, nullptr));
  load.without_probe = 2;
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "options.without_probe is 2; it must be 0 or 1",
               rnn_load_memory_as("x", 1, &load, nullptr, &out));
  load = sized<rnn_load_options_t>();
  load.flags = RNN_FLAG_NO_BIAS;
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "options.flags is 1; it must be 0 or RNN_FLAG_RELU",
               rnn_load_memory_as("x", 1, &load, nullptr, &out));
  save.struct_size = 4;
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "options.struct_size is 4",
               rnn_save_memory_as(network.get(), &save, nullptr, 0, &size));
  load.struct_size = 4;
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "options.struct_size is 4",
               rnn_load_memory_as("x", 1, &load, nullptr, &out));
}

}  // namespace
