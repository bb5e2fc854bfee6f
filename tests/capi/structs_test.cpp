// Option structs of callers with an older or newer rnn.h, and those who forgot struct_size.
#include <cstdlib>
#include <functional>
#include <new>

#include "common.h"

namespace {

// A struct as a newer caller has it: 24 more bytes.
template <class T>
struct Newer {
  T known;
  unsigned char more[24];
};

template <class T>
Newer<T> newer(const T& known) {
  Newer<T> result = {};
  result.known = known;
  result.known.struct_size = sizeof result;
  return result;
}

// call passes the struct on and returns the status; the struct is valid, apart from its size.
// first: the struct's size when it was first released, where pointers have 64 bits.
template <class T>
void check_read(const T& valid, const char* name, const std::function<rnn_status_t(const T*)>& call,
                size_t first = sizeof(T)) {
  EXPECT_EQ(call(&valid), RNN_OK) << rnn_last_error();
  if (sizeof(void*) != 8) return;
  // An older caller has nothing behind its fields.
  T older = valid;
  older.struct_size = first;
  std::memset(reinterpret_cast<unsigned char*>(&older) + first, 0xff, sizeof(T) - first);
  EXPECT_EQ(call(&older), RNN_OK) << rnn_last_error();
  T wrong = valid;
  for (const size_t size : {size_t{0}, size_t{1}, first - 1, size_t{65537}, ~size_t{0}}) {
    wrong.struct_size = size;
    EXPECT_EQ(call(&wrong), RNN_INVALID_ARGUMENT) << size;
    EXPECT_NE(
        std::string(rnn_last_error()).find(std::string(name) + ".struct_size is " + std::to_string(size)),
        std::string::npos)
        << rnn_last_error();
  }
  Newer<T> larger = newer(valid);
  EXPECT_EQ(call(&larger.known), RNN_OK) << rnn_last_error();
  for (const size_t position : {0, 23}) {
    larger.more[position] = 1;
    EXPECT_EQ(call(&larger.known), RNN_INVALID_ARGUMENT);
    const std::string byte = "byte " + std::to_string(sizeof(T) + position);
    EXPECT_NE(std::string(rnn_last_error()).find(byte), std::string::npos) << rnn_last_error();
    larger.more[position] = 0;
  }
}

// The same for a struct that the call fills: what is beyond the known size stays.
template <class T>
void check_write(const char* name, const std::function<rnn_status_t(T*)>& call, size_t first = sizeof(T)) {
  T out = sized<T>();
  ASSERT_EQ(call(&out), RNN_OK) << rnn_last_error();
  EXPECT_EQ(out.struct_size, sizeof(T));
  if (sizeof(void*) != 8) return;
  T older = {};
  std::memset(static_cast<void*>(&older), 42, sizeof(T));
  older.struct_size = first;
  ASSERT_EQ(call(&older), RNN_OK) << rnn_last_error();
  EXPECT_EQ(older.struct_size, first);
  const auto* bytes = reinterpret_cast<const unsigned char*>(&older);
  for (size_t i = first; i < sizeof(T); ++i) EXPECT_EQ(bytes[i], 42);
  for (const size_t size : {size_t{0}, first - 1, size_t{65537}}) {
    T wrong = {};
    wrong.struct_size = size;
    T before = wrong;
    EXPECT_EQ(call(&wrong), RNN_INVALID_ARGUMENT) << size;
    EXPECT_NE(
        std::string(rnn_last_error()).find(std::string(name) + ".struct_size is " + std::to_string(size)),
        std::string::npos)
        << rnn_last_error();
    EXPECT_EQ(std::memcmp(&wrong, &before, sizeof(T)), 0);
  }
  Newer<T> larger = newer(sized<T>());
  std::memset(larger.more, 42, sizeof larger.more);
  ASSERT_EQ(call(&larger.known), RNN_OK) << rnn_last_error();
  EXPECT_EQ(larger.known.struct_size, sizeof larger);
  for (const unsigned char byte : larger.more) EXPECT_EQ(byte, 42);
}

TEST(Structs, Config) {
  check_read<rnn_config_t>(
      config(2, 3, 1), "config",
      [](const rnn_config_t* config) {
        rnn_t* out = nullptr;
        const rnn_status_t status = rnn_create(config, &out);
        rnn_destroy(out);
        return status;
      },
      72);
  const Network network = create(config(2, 3, 1));
  check_write<rnn_config_t>(
      "out", [&](rnn_config_t* out) { return rnn_get_config(network.get(), out); }, 72);
}

TEST(Structs, Allocator) {
  auto allocator = sized<rnn_allocator_t>();
  allocator.allocate = [](size_t size, size_t alignment, void*) -> void* {
    return ::operator new (size, std::align_val_t{alignment});
  };
  allocator.deallocate = [](void* memory, size_t, size_t alignment, void*) {
    ::operator delete (memory, std::align_val_t{alignment});
  };
  check_read<rnn_allocator_t>(allocator, "config.allocator", [](const rnn_allocator_t* allocator) {
    rnn_config_t c = config(2, 3, 1);
    c.allocator = allocator;
    rnn_t* out = nullptr;
    const rnn_status_t status = rnn_create(&c, &out);
    rnn_destroy(out);
    return status;
  });
}

TEST(Structs, Parameter) {
  const Network network = create(config(2, 3, 1));
  check_write<rnn_parameter_t>(
      "out", [&](rnn_parameter_t* out) { return rnn_parameter_info(network.get(), 0, out); });
}

TEST(Structs, SequencesAndForwardOptions) {
  const Network network = create(config(2, 3, 1));
  const Data data = float_data({2}, 2);
  Floats y(2);
  check_read<rnn_sequences_t>(data.get(), "in", [&](const rnn_sequences_t* in) {
    return rnn_forward(network.get(), in, nullptr, y.data());
  });
  const rnn_sequences_t in = data.get();
  check_read<rnn_forward_options_t>(sized<rnn_forward_options_t>(), "options",
                                    [&](const rnn_forward_options_t* options) {
                                      return rnn_forward(network.get(), &in, options, y.data());
                                    });
}

TEST(Structs, GenerateOptions) {
  const Network network = create(config(2, 3, 2));
  const int32_t prompt[] = {1};
  auto options = sized<rnn_generate_options_t>();
  options.prompt = prompt;
  options.prompt_count = 1;
  check_read<rnn_generate_options_t>(options, "options", [&](const rnn_generate_options_t* options) {
    int32_t out = 0;
    size_t written = 0;
    return rnn_generate(network.get(), options, &out, 1, &written);
  });
}

#if RNN_TRAINING

class TrainingStructs : public testing::Test {
 protected:
  TrainingStructs() {
    data.targets = numbers(3);
    sequences = data.get();
    rnn_trainer_t* out = nullptr;
    EXPECT_EQ(rnn_trainer_create(network.get(), nullptr, &out), RNN_OK) << rnn_last_error();
    trainer.reset(out);
  }

  const Network network = create(config(2, 3, 1));
  Data data = float_data({1, 2}, 2);
  rnn_sequences_t sequences;
  Trainer trainer;
};

TEST_F(TrainingStructs, Options) {
  const auto options = sized<rnn_train_options_t>();
  check_read<rnn_train_options_t>(
      options, "options",
      [&](const rnn_train_options_t* options) { return rnn_train(network.get(), &sequences, options); }, 136);
  check_read<rnn_train_options_t>(
      options, "options",
      [&](const rnn_train_options_t* options) {
        auto out = sized<rnn_evaluation_t>();
        return rnn_evaluate(network.get(), &sequences, options, &out);
      },
      136);
  check_read<rnn_train_options_t>(
      options, "options",
      [&](const rnn_train_options_t* options) {
        rnn_trainer_t* out = nullptr;
        const rnn_status_t status = rnn_trainer_create(network.get(), options, &out);
        rnn_trainer_destroy(out);
        return status;
      },
      136);
}

TEST_F(TrainingStructs, ParameterGroups) {
  const auto create = [&](const void* groups, int32_t count) {
    auto options = sized<rnn_train_options_t>();
    options.groups = static_cast<const rnn_parameter_group_t*>(groups);
    options.group_count = count;
    rnn_trainer_t* out = nullptr;
    const rnn_status_t status = rnn_trainer_create(network.get(), &options, &out);
    rnn_trainer_destroy(out);
    return status;
  };
  auto group = sized<rnn_parameter_group_t>();
  group.pattern = "*";
  check_read<rnn_parameter_group_t>(group, "options.groups[0]",
                                    [&](const rnn_parameter_group_t* groups) { return create(groups, 1); });
  // Elements of a newer caller's array are further apart.
  Newer<rnn_parameter_group_t> array[] = {newer(group), newer(group), newer(group)};
  array[0].known.pattern = "bias_*";
  array[1].known.pattern = "weight_*";
  EXPECT_EQ(create(array, 3), RNN_OK) << rnn_last_error();
  array[2].known.pattern = "nobody";
  EXPECT_EQ(create(array, 3), RNN_INVALID_ARGUMENT);
  EXPECT_NE(std::string(rnn_last_error()).find("groups[2].pattern is \"nobody\""), std::string::npos);
  EXPECT_EQ(create(array, 2), RNN_OK) << rnn_last_error();
  array[1].known.struct_size -= 8;
  EXPECT_EQ(create(array, 2), RNN_INVALID_ARGUMENT);
  EXPECT_NE(std::string(rnn_last_error()).find("options.groups[1].struct_size is "), std::string::npos)
      << rnn_last_error();
}

TEST_F(TrainingStructs, Log) {
  auto log = sized<rnn_log_t>();
  log.write = [](int32_t, const void*, size_t, void*) {};
  log.record = [](uint64_t, void*) {};
  check_read<rnn_log_t>(log, "log",
                        [&](const rnn_log_t* given) { return rnn_trainer_log(trainer.get(), given); });
}

TEST_F(TrainingStructs, Sequences) {
  check_read<rnn_sequences_t>(sequences, "data", [&](const rnn_sequences_t* data) {
    return rnn_train(network.get(), data, nullptr);
  });
  check_read<rnn_sequences_t>(sequences, "data", [&](const rnn_sequences_t* data) {
    auto out = sized<rnn_evaluation_t>();
    return rnn_evaluate(network.get(), data, nullptr, &out);
  });
  check_read<rnn_sequences_t>(sequences, "batch", [&](const rnn_sequences_t* batch) {
    return rnn_trainer_update(trainer.get(), batch, nullptr);
  });
  check_read<rnn_sequences_t>(sequences, "data", [&](const rnn_sequences_t* data) {
    rnn_trainer_t* out = nullptr;
    EXPECT_EQ(rnn_trainer_create(network.get(), nullptr, &out), RNN_OK);
    const rnn_status_t status = rnn_trainer_run(out, data);
    rnn_trainer_destroy(out);
    return status;
  });
  for (const bool run : {false, true}) {
    check_read<rnn_sequences_t>(sequences, "options.validation", [&](const rnn_sequences_t* validation) {
      auto options = sized<rnn_train_options_t>();
      options.validation = validation;
      if (run) return rnn_train(network.get(), &sequences, &options);
      rnn_trainer_t* out = nullptr;
      const rnn_status_t status = rnn_trainer_create(network.get(), &options, &out);
      rnn_trainer_destroy(out);
      return status;
    });
  }
  check_read<rnn_sequences_t>(sequences, "in", [&](const rnn_sequences_t* in) {
    rnn_tape_t* out = nullptr;
    EXPECT_EQ(rnn_tape_create(network.get(), 1, &out), RNN_OK);
    const rnn_status_t status = rnn_tape_forward(out, network.get(), in, nullptr, nullptr, nullptr);
    rnn_tape_destroy(out);
    return status;
  });
}

TEST_F(TrainingStructs, Results) {
  check_write<rnn_evaluation_t>(
      "out", [&](rnn_evaluation_t* out) { return rnn_evaluate(network.get(), &sequences, nullptr, out); });
  check_write<rnn_progress_t>(
      "progress",
      [&](rnn_progress_t* progress) { return rnn_trainer_update(trainer.get(), &sequences, progress); }, 72);
  rnn_tape_t* out = nullptr;
  ASSERT_EQ(rnn_tape_create(network.get(), 1, &out), RNN_OK);
  const Tape tape(out);
  check_write<rnn_progress_t>(
      "progress",
      [&](rnn_progress_t* progress) { return rnn_trainer_apply(trainer.get(), tape.get(), progress); }, 72);
}

#endif

}  // namespace
