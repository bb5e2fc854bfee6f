// Handles of the C ABI beside a model of them, and the calls that change both.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/fuzz/abi_model.h"

namespace fuzz {

class World {
 public:
  explicit World(std::vector<std::string>& trace) : trace_(trace) {}
  ~World();

  // A call that follows from the seed and what is there.
  void call(std::uint64_t seed);
  // All handles are what the model says.
  void check() const;

 private:
  struct Training {
    rnn_trainer_t* handle = nullptr;
    rnn_trainer_t* shadow = nullptr;  // the same calls, undisturbed, on another number of threads
    rnn_config_t config{};
    std::size_t outputs = 0;
    // What their logs have written, which is the same.
    std::shared_ptr<std::vector<unsigned char>> log = std::make_shared<std::vector<unsigned char>>();
    std::shared_ptr<std::vector<unsigned char>> shadow_log = std::make_shared<std::vector<unsigned char>>();
  };
  struct Record {
    rnn_tape_t* handle = nullptr;
    rnn_tape_t* shadow = nullptr;
    rnn_config_t config{};
    rnn_t* network = nullptr;  // of that architecture
    bool recorded = false;
    Data data;  // of the record
    std::size_t outputs = 0, states = 0;
  };
  using Call = std::function<rnn_status_t()>;

  // Calls in a random floating-point mode. Memory may run out at one allocation, then at a later one, and so
  // on: that has changed nothing, and the call is repeated. True if it succeeded, as expected.
  bool invoke(const char* function, rnn_status_t expected, const Call& call);
  void refuse(const char* function, rnn_status_t expected, const Call& call);  // expected to fail
  void say(const std::string& text) { trace_.back() += text; }
  bool invalid() { return random_.once_in(6); }

  Stream& any() { return streams_[random_.below(streams_.size())]; }
  void add(rnn_t* handle);                                                        // the model of a new one
  void add(rnn_t* handle, const Stream& from, std::shared_ptr<Weights> weights);  // a copy
  void change(Stream& stream);  // its weights become its own
  void remove(std::size_t index);
  static void destroy(const Training& t);
  static void destroy(const Record& t);
  void limit();
  rnn_config_t random_config();
  rnn_config_t random_list();
  Data random_data(const rnn_config_t& config, std::size_t outputs, bool targets);
  rnn_train_options_t random_options(const rnn_config_t& config);
  // What a fork of the stream gives, step by step.
  Floats step_by_step(const Stream& stream, const Data& data, std::size_t first, std::size_t length,
                      bool fresh, Floats* state, std::vector<Floats>* past = nullptr) const;

  void create();
  void copy();
  void sync();
  void step();
  void step_block();
  void step_many();
  void set_state();
  void set_delay();
  void history();
  void rewind();
  void set_parameter();
  void set_metadata();
  void forward();
  void generate();
  void rollout();
  void file();
  void train();
  void evaluate();
  void make_trainer();
  void use_trainer();
  void make_tape();
  void use_tape();
  void record(Record& t, const Stream& s);
  void propagate(Record& t);
  void apply(Record& t);
  void null();

  void check_trainers() const;
  void check_tapes() const;

  std::vector<std::string>& trace_;
  Random random_{0};
  std::vector<Stream> streams_;
  std::vector<Training> trainers_;
  std::vector<Record> tapes_;
  // During a call whose shadow has made it already: what is not compared, and what is instead where it
  // failed.
  const Training* busy_trainer_ = nullptr;
  const Record* busy_tape_ = nullptr;
  std::function<void()> unchanged_;
};

}  // namespace fuzz
