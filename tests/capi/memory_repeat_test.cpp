// Each allocation of each function fails in turn: a call that failed has changed nothing, and when it is
// repeated, gives what it gives where nothing failed.
#include <cstdio>
#include <tuple>

#include "memory.h"
#include "scratch.h"
#include "tests/reference/lists.h"

namespace {

// The network of all calls: a stack, or a list of layers.
bool is_list = false;

rnn_config_t make_stack() {
  rnn_config_t c = config(5, 6, 5);
  c.cell = RNN_CELL_LSTM;
  c.num_layers = 2;
  c.recurrent_init = RNN_INIT_ORTHOGONAL;
  return c;
}

rnn_config_t make_list() {
  using rnn::reference::cell_layer;
  using rnn::reference::dense_layer;
  rnn_config_t c = config(5, 0, 0, 0);
  c.recurrent_init = RNN_INIT_ORTHOGONAL;
  return rnn::reference::with_layers(c, {dense_layer(4, RNN_ACTIVATION_PRELU), cell_layer(RNN_CELL_LSTM, 6),
                                         cell_layer(RNN_CELL_GRU, 6, RNN_FLAG_RESIDUAL), dense_layer(5)});
}

rnn_config_t small() {
  static const rnn_config_t stack = make_stack(), list = make_list();
  return is_list ? list : stack;
}

// A matrix of [24, 6] and a vector of 5.
const char* recurrent() { return is_list ? "layers.1.weight_hh" : "weight_hh_l0"; }
const char* bias() { return is_list ? "layers.3.bias" : "head.bias"; }

const std::string kSaved = scratch_path("repeat.safetensors"), kScratch = scratch_path("repeat.scratch"),
                  kCheckpoint = scratch_path("repeat.checkpoint");

// What calls work on: a network, of which `other` is a fork, and whatever they write to.
struct World {
  explicit World(const Hooks& hooks) : allocator(hooks.get()), network(create(hooks, small())) {
    set_metadata(network);
    other = fork(network);
    const Floats x = numbers(5);
    EXPECT_EQ(rnn_step(network.get(), x.data(), nullptr), RNN_OK);
    third = create(hooks, small());
    set_metadata(third);
    EXPECT_EQ(rnn_set_metadata(third.get(), "third", "1"), RNN_OK);
    data.classes = indices(data.frames(), 5, 3);
    sequences = data.get();
#if RNN_TRAINING
    options.threads = 1;
    options.batch_size = 2;
    options.window = 2;
    options.average = 0.5f;
    options.dropout = options.output_dropout = options.recurrent_dropout = 0.1f;
    options.optimizer = RNN_OPTIMIZER_SGD;
    options.momentum = 0.5f;
    rnn_trainer_t* made = nullptr;
    EXPECT_EQ(rnn_trainer_create(network.get(), &options, &made), RNN_OK) << rnn_last_error();
    trainer.reset(made);
    EXPECT_EQ(rnn_trainer_update(made, &sequences, nullptr), RNN_OK) << rnn_last_error();
    rnn_tape_t* recorded = nullptr;
    EXPECT_EQ(rnn_tape_create(network.get(), 1, &recorded), RNN_OK) << rnn_last_error();
    tape.reset(recorded);
    EXPECT_EQ(rnn_tape_forward(recorded, network.get(), &sequences, nullptr, nullptr, nullptr), RNN_OK);
#endif
  }
  ~World() { rnn_destroy(out); }

  static void set_metadata(const Network& n) {
    for (const char* key : {"k", "other"}) EXPECT_EQ(rnn_set_metadata(n.get(), key, "value"), RNN_OK);
  }

  void add(const rnn_t* n) {
    for (const Floats& part : {weights(n), state(n)}) seen.insert(seen.end(), part.begin(), part.end());
    float delay = 0;
    EXPECT_EQ(rnn_get_delay(n, &delay), RNN_OK);
    seen.push_back(delay);
    size_t count = 0;
    EXPECT_EQ(rnn_metadata_count(n, &count), RNN_OK);
    for (size_t i = 0; i < count; ++i) {
      const char* key = nullptr;
      char text[64] = {};
      size_t size = 0;
      EXPECT_EQ(rnn_metadata_key(n, i, &key), RNN_OK);
      EXPECT_EQ(rnn_get_metadata(n, key, text, sizeof text, &size), RNN_OK);
      seen.insert(seen.end(), key, key + std::strlen(key));
      seen.insert(seen.end(), text, text + size);
    }
  }

  // All that can be seen of it.
  Floats look() {
    seen.clear();
    for (const Network* n : {&network, &other, &third}) add(n->get());
    seen.push_back(sharing(network.get(), other.get()));
    seen.push_back(sharing(network.get(), third.get()));
    if (out != nullptr) {
      add(out);
      if (config_of(out).compute == RNN_COMPUTE_F32) seen.push_back(sharing(network.get(), out));
    }
    for (const Floats* part : {&values, &states}) seen.insert(seen.end(), part->begin(), part->end());
    seen.insert(seen.end(), file.begin(), file.end());
    seen.push_back(static_cast<float>(size));
    for (const int32_t index : drawn) seen.push_back(static_cast<float>(index));
#if RNN_TRAINING
    rnn_t* trained = nullptr;
    EXPECT_EQ(rnn_trainer_network(trainer.get(), &trained), RNN_OK) << rnn_last_error();
    add(trained);
    seen.push_back(sharing(network.get(), trained));
    rnn_destroy(trained);
    Floats gradient(4 * 6 * 6);
    EXPECT_EQ(rnn_tape_gradient(tape.get(), recurrent(), gradient.data(), gradient.size()), RNN_OK);
    seen.insert(seen.end(), gradient.begin(), gradient.end());
    seen.push_back(static_cast<float>(evaluation.loss));
#endif
    return seen;
  }

  const rnn_allocator_t* allocator;
  Network network, other, third;
  Data data = index_data({2, 3, 1, 4}, 5);
  rnn_sequences_t sequences;
  rnn_t* out = nullptr;
  Floats values = Floats(50, 42.0f), states = Floats(4 * 24, 42.0f), seen;
  std::vector<unsigned char> file = std::vector<unsigned char>(65536, 42);
  size_t size = 42;
  std::vector<int32_t> drawn = std::vector<int32_t>(6, 42);
#if RNN_TRAINING
  rnn_train_options_t options = sized<rnn_train_options_t>();
  Trainer trainer;
  Tape tape;
  rnn_evaluation_t evaluation = sized<rnn_evaluation_t>();
#endif
};

struct Call {
  const char* name;
  rnn_status_t (*call)(World& w);
  bool in_parts = false;  // what was done before the failure stays
};

rnn_status_t save_memory(World& w, int32_t format) {
  auto options = sized<rnn_save_options_t>();
  options.format = format;
  return rnn_save_memory_as(w.network.get(), &options, w.file.data(), w.file.size(), &w.size);
}

rnn_status_t load_memory(World& w, int32_t format) {
  auto options = sized<rnn_save_options_t>();
  options.format = format;
  static std::vector<unsigned char> files[2][8];
  std::vector<unsigned char>& file = files[is_list][format];
  if (file.empty()) {
    size_t size = 0;
    const rnn_status_t status = rnn_save_memory_as(w.third.get(), &options, nullptr, 0, &size);
    if (status != RNN_OK) return status;
    file.resize(size);
    EXPECT_EQ(rnn_save_memory_as(w.third.get(), &options, file.data(), size, &size), RNN_OK);
  }
  return rnn_load_memory(file.data(), file.size(), w.allocator, &w.out);
}

const Call kCalls[] = {
    {"Create",
     [](World& w) {
       rnn_config_t c = small();
       c.allocator = w.allocator;
       return rnn_create(&c, &w.out);
     }},
    {"Fork", [](World& w) { return rnn_fork(w.network.get(), &w.out); }},
    {"Clone", [](World& w) { return rnn_clone(w.network.get(), &w.out); }},
    {"Convert", [](World& w) { return rnn_convert(w.network.get(), RNN_COMPUTE_INT8, &w.out); }},
    {"Sync", [](World& w) { return rnn_sync(w.network.get(), w.third.get()); }},
    {"SetParameter",
     [](World& w) {
       static const Floats values = numbers(144, 9);
       return rnn_set_parameter(w.network.get(), recurrent(), values.data(), 144);
     }},
    {"SetOwnParameter",
     [](World& w) {
       static const Floats values = numbers(5, 9);
       return rnn_set_parameter(w.third.get(), bias(), values.data(), 5);
     }},
    {"SetDelay", [](World& w) { return rnn_set_delay(w.network.get(), 3.5f); }},
    {"History", [](World& w) { return rnn_history(w.network.get(), 5); }},
    {"AddMetadata", [](World& w) { return rnn_set_metadata(w.network.get(), "new", "text"); }},
    {"ReplaceMetadata", [](World& w) { return rnn_set_metadata(w.network.get(), "k", "text"); }},
    {"RemoveMetadata", [](World& w) { return rnn_set_metadata(w.network.get(), "k", nullptr); }},
    {"ReplaceOwnMetadata", [](World& w) { return rnn_set_metadata(w.third.get(), "k", "text"); }},
    {"RemoveOwnMetadata", [](World& w) { return rnn_set_metadata(w.third.get(), "k", nullptr); }},
    {"Forward",
     [](World& w) {
       auto options = sized<rnn_forward_options_t>();
       options.final_states = w.states.data();
       return rnn_forward(w.network.get(), &w.sequences, &options, w.values.data());
     }},
    {"Generate",
     [](World& w) {
       static const int32_t prompt[] = {1, 2};
       auto options = sized<rnn_generate_options_t>();
       options.prompt = prompt;
       options.prompt_count = 2;
       options.top_p = 0.9f;
       return rnn_generate(w.network.get(), &options, w.drawn.data(), w.drawn.size(), &w.size);
     }},
    {"Save", [](World& w) { return rnn_save(w.network.get(), kScratch.c_str()); }},
    {"SaveSafetensors", [](World& w) { return save_memory(w, RNN_FORMAT_SAFETENSORS); }},
    {"SaveOnnx", [](World& w) { return save_memory(w, RNN_FORMAT_ONNX); }},
    {"SaveBinary", [](World& w) { return save_memory(w, RNN_FORMAT_BINARY); }},
    {"SaveC", [](World& w) { return save_memory(w, RNN_FORMAT_C); }},
    {"Load", [](World& w) { return rnn_load(kSaved.c_str(), w.allocator, &w.out); }},
    {"LoadSafetensors", [](World& w) { return load_memory(w, RNN_FORMAT_SAFETENSORS); }},
    {"LoadOnnx", [](World& w) { return load_memory(w, RNN_FORMAT_ONNX); }},
    {"LoadBinary", [](World& w) { return load_memory(w, RNN_FORMAT_BINARY); }},
#if RNN_TRAINING
    {"Train", [](World& w) { return rnn_train(w.network.get(), &w.sequences, &w.options); }},
    {"Evaluate",
     [](World& w) { return rnn_evaluate(w.network.get(), &w.sequences, &w.options, &w.evaluation); }},
    {"TrainerCreate",
     [](World& w) {
       rnn_trainer_t* made = nullptr;
       const rnn_status_t status = rnn_trainer_create(w.third.get(), &w.options, &made);
       if (status == RNN_OK) w.trainer.reset(made);
       return status;
     }},
    {"TrainerUpdate", [](World& w) { return rnn_trainer_update(w.trainer.get(), &w.sequences, nullptr); }},
    {"TrainerReset", [](World& w) { return rnn_trainer_reset(w.trainer.get()); }},
    {"TrainerSetLearningRate", [](World& w) { return rnn_trainer_set_learning_rate(w.trainer.get(), 0.1f); }},
    {"TrainerRun", [](World& w) { return rnn_trainer_run(w.trainer.get(), &w.sequences); }, true},
    {"TrainerNetwork", [](World& w) { return rnn_trainer_network(w.trainer.get(), &w.out); }},
    {"TrainerSync", [](World& w) { return rnn_trainer_sync(w.trainer.get(), w.network.get()); }},
    {"TrainerSave", [](World& w) { return rnn_trainer_save(w.trainer.get(), kScratch.c_str()); }},
    {"TrainerLoad", [](World& w) { return rnn_trainer_load(w.trainer.get(), kCheckpoint.c_str()); }},
    {"TapeCreate",
     [](World& w) {
       rnn_tape_t* made = nullptr;
       const rnn_status_t status = rnn_tape_create(w.third.get(), 1, &made);
       if (status == RNN_OK) w.tape.reset(made);
       return status;
     }},
    {"ForwardTape",
     [](World& w) {
       return rnn_tape_forward(w.tape.get(), w.third.get(), &w.sequences, nullptr, w.values.data(),
                               w.states.data());
     }},
    {"Backward",
     [](World& w) {
       static const Floats d = numbers(50, 4);
       return rnn_tape_backward(w.tape.get(), d.data(), nullptr, nullptr, w.states.data());
     }},
    {"TapeSetDropout", [](World& w) { return rnn_tape_set_dropout(w.tape.get(), 0.5f, 3); }},
    {"TapeSetDropoutRates",
     [](World& w) {
       auto rates = sized<rnn_dropout_rates_t>();
       rates.layers = rates.output = rates.recurrent = 0.5f;
       return rnn_tape_set_dropout_rates(w.tape.get(), &rates, 3);
     }},
    {"ZeroGradients", [](World& w) { return rnn_tape_zero_gradients(w.tape.get()); }},
    {"TrainerApply", [](World& w) { return rnn_trainer_apply(w.trainer.get(), w.tape.get(), nullptr); }},
#endif
};

class Repeat : public testing::TestWithParam<std::tuple<Call, bool>> {
 protected:
  void SetUp() override {
    is_list = std::get<1>(GetParam());
    const World w(hooks_);
    ASSERT_EQ(rnn_save(w.third.get(), kSaved.c_str()), RNN_OK) << rnn_last_error();
#if RNN_TRAINING
    ASSERT_EQ(rnn_trainer_update(w.trainer.get(), &w.sequences, nullptr), RNN_OK) << rnn_last_error();
    ASSERT_EQ(rnn_trainer_save(w.trainer.get(), kCheckpoint.c_str()), RNN_OK) << rnn_last_error();
#endif
  }
  void TearDown() override {
    for (const std::string& path : {kSaved, kScratch, kCheckpoint}) std::remove(path.c_str());
  }

  // With the n-th allocation refused.
  rnn_status_t call(World& w, bool by_malloc, long n) {
    if (by_malloc) {
      const Watching fail(n);
      return call_.call(w);
    }
    hooks_.fail_after(n);
    const rnn_status_t status = call_.call(w);
    hooks_.fail_after(-1);
    return status;
  }

  const Call call_ = std::get<0>(GetParam());
  Hooks hooks_;
};

TEST_P(Repeat, GivesWhatItGivesWithoutFailure) {
  World right(hooks_);
  const rnn_status_t status = call_.call(right);
  if (status == RNN_UNSUPPORTED) GTEST_SKIP() << rnn_last_error();
  ASSERT_EQ(status, RNN_OK) << rnn_last_error();
  const Floats expected = right.look();
  for (const bool by_malloc : {false, true}) {
#if !RNN_REPLACES_MALLOC
    if (by_malloc) break;
#endif
    for (long n = 0;; ++n) {
      ASSERT_LT(n, 10000);
      SCOPED_TRACE("allocation " + std::to_string(n) + (by_malloc ? " of malloc" : ""));
      World w(hooks_);
      const Floats before = w.look();
      const rnn_status_t failed = call(w, by_malloc, n);
      if (failed != RNN_OK) {
        ASSERT_EQ(failed, RNN_OUT_OF_MEMORY) << rnn_last_error();
        ASSERT_TRUE(call_.in_parts || same_bits(w.look(), before));
        ASSERT_EQ(call_.call(w), RNN_OK) << rnn_last_error();
      }
      ASSERT_TRUE(same_bits(w.look(), expected));
      if (failed == RNN_OK) break;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, Repeat, testing::Combine(testing::ValuesIn(kCalls), testing::Bool()),
                         [](const auto& info) {
                           const bool list = std::get<1>(info.param);
                           return std::string(std::get<0>(info.param).name) + (list ? "OfAList" : "");
                         });

}  // namespace
