// librnn for C++17: the handles of rnn.h as classes, its statuses as exceptions, and nothing of its own. What
// each function does, and the shape of what a pointer points to, stands in rnn.h.
//
//   auto config = rnn::sized<rnn_config_t>();
//   config.input_size = 3;
//   config.hidden_size = 16;
//   config.output_size = 2;
//   rnn::Network network(config);
//   const float x[3] = {0.1f, 0.2f, 0.3f};
//   float y[2];
//   network.step(x, y);
#ifndef RNN_RNN_HPP
#define RNN_RNN_HPP

#include <rnn/rnn.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace rnn {
inline namespace cxx {  // apart from the names inside the library, which a static archive shows to the linker

// A failed call: its status, and the message of rnn_last_error.
class exception : public std::runtime_error {
 public:
  explicit exception(rnn_status_t status) : std::runtime_error(rnn_last_error()), status_(status) {}
  rnn_status_t status() const noexcept { return status_; }

 private:
  rnn_status_t status_;
};

inline void check(rnn_status_t status) {
  if (status != RNN_OK) throw exception(status);
}

// An option struct with its struct_size set and all else zero, the defaults.
template <class T>
T sized() {
  T result = {};
  result.struct_size = sizeof(T);
  return result;
}

// A pointer and a number of elements; made from anything that has data() and size(), and from arrays.
template <class T>
class span {
 public:
  constexpr span() = default;
  constexpr span(T* data, std::size_t size) : data_(data), size_(size) {}
  template <std::size_t n>
  constexpr span(T (&array)[n]) : data_(array), size_(n) {}
  template <class Container,
            class = std::enable_if_t<std::is_convertible_v<decltype(std::declval<Container&>().data()), T*>>>
  constexpr span(Container&& container) : data_(container.data()), size_(container.size()) {}

  constexpr T* data() const { return data_; }
  constexpr std::size_t size() const { return size_; }

 private:
  T* data_ = nullptr;
  std::size_t size_ = 0;
};

// One stream. Copies are made by fork() or clone() only; an object moved from may only be assigned or
// destroyed.
class Network {
 public:
  explicit Network(const rnn_config_t& config) {
    rnn_t* handle = nullptr;
    check(rnn_create(&config, &handle));
    handle_.reset(handle);
  }
  explicit Network(rnn_t* owned) noexcept : handle_(owned) {}

  static Network load(const std::string& path, const rnn_allocator_t* allocator = nullptr) {
    rnn_t* handle = nullptr;
    check(rnn_load(path.c_str(), allocator, &handle));
    return Network(handle);
  }
  static Network load_memory(const void* memory, std::size_t size,
                             const rnn_allocator_t* allocator = nullptr) {
    rnn_t* handle = nullptr;
    check(rnn_load_memory(memory, size, allocator, &handle));
    return Network(handle);
  }
  static Network load_as(const std::string& path, const rnn_load_options_t& options,
                         const rnn_allocator_t* allocator = nullptr) {
    rnn_t* handle = nullptr;
    check(rnn_load_as(path.c_str(), &options, allocator, &handle));
    return Network(handle);
  }
  static Network load_memory_as(const void* memory, std::size_t size, const rnn_load_options_t& options,
                                const rnn_allocator_t* allocator = nullptr) {
    rnn_t* handle = nullptr;
    check(rnn_load_memory_as(memory, size, &options, allocator, &handle));
    return Network(handle);
  }
  void save(const std::string& path) const { check(rnn_save(get(), path.c_str())); }
  void save_as(const std::string& path, const rnn_save_options_t* options = nullptr) const {
    check(rnn_save_as(get(), path.c_str(), options));
  }
  std::vector<unsigned char> save_memory() const { return save_memory_as(nullptr); }
  std::vector<unsigned char> save_memory_as(const rnn_save_options_t* options) const {
    std::size_t size = 0;
    check(rnn_save_memory_as(get(), options, nullptr, 0, &size));
    std::vector<unsigned char> file(size);
    check(rnn_save_memory_as(get(), options, file.data(), size, &size));
    return file;
  }

  void set_metadata(const char* key, const char* value) { check(rnn_set_metadata(get(), key, value)); }
  std::string get_metadata(const char* key) const {
    std::size_t size = 0;
    check(rnn_get_metadata(get(), key, nullptr, 0, &size));
    std::string value(size, '\0');
    check(rnn_get_metadata(get(), key, value.data(), size, &size));
    value.pop_back();
    return value;
  }
  std::vector<std::string> metadata_keys() const {
    std::size_t count = 0;
    check(rnn_metadata_count(get(), &count));
    std::vector<std::string> keys;
    for (std::size_t i = 0; i < count; ++i) {
      const char* key = nullptr;
      check(rnn_metadata_key(get(), i, &key));
      keys.push_back(key);
    }
    return keys;
  }

  Network fork() const {
    rnn_t* handle = nullptr;
    check(rnn_fork(get(), &handle));
    return Network(handle);
  }
  Network clone() const {
    rnn_t* handle = nullptr;
    check(rnn_clone(get(), &handle));
    return Network(handle);
  }
  Network convert(std::int32_t compute) const {
    rnn_t* handle = nullptr;
    check(rnn_convert(get(), compute, &handle));
    return Network(handle);
  }
  void sync(const Network& source) { check(rnn_sync(get(), source.get())); }

  void step(const float* x, float* y) { check(rnn_step(get(), x, y)); }
  void step(std::int32_t index, float* y) { check(rnn_step_index(get(), index, y)); }
  void step_block(const float* x, std::size_t steps, float* y) { check(rnn_step_block(get(), x, steps, y)); }
  void step_block(span<const std::int32_t> indices, float* y) {
    check(rnn_step_block_index(get(), indices.data(), indices.size(), y));
  }
  void reserve_block(std::size_t steps) { check(rnn_reserve_block(get(), steps)); }
  static void step_many(span<rnn_t* const> streams, const float* x, float* y) {
    check(rnn_step_many(streams.data(), streams.size(), x, y));
  }
  static void step_many(span<rnn_t* const> streams, const std::int32_t* indices, float* y) {
    check(rnn_step_many_index(streams.data(), streams.size(), indices, y));
  }

  std::size_t output_size() const {
    std::size_t size = 0;
    check(rnn_output_size(get(), &size));
    return size;
  }
  void reset() { check(rnn_reset(get())); }
  std::size_t state_size() const {
    std::size_t size = 0;
    check(rnn_state_size(get(), &size));
    return size;
  }
  void get_state(span<float> state) const { check(rnn_get_state(get(), state.data(), state.size())); }
  void set_state(span<const float> state) { check(rnn_set_state(get(), state.data(), state.size())); }
  void set_delay(float delay) { check(rnn_set_delay(get(), delay)); }
  float delay() const {
    float delay = 0;
    check(rnn_get_delay(get(), &delay));
    return delay;
  }
  void history(std::size_t steps) { check(rnn_history(get(), steps)); }
  void rewind(std::size_t steps) { check(rnn_rewind(get(), steps)); }

  std::size_t parameter_count() const {
    std::size_t count = 0;
    check(rnn_parameter_count(get(), &count));
    return count;
  }
  rnn_parameter_t parameter(std::size_t index) const {
    auto parameter = sized<rnn_parameter_t>();
    check(rnn_parameter_info(get(), index, &parameter));
    return parameter;
  }
  void get_parameter(const char* name, span<float> values) const {
    check(rnn_get_parameter(get(), name, values.data(), values.size()));
  }
  void set_parameter(const char* name, span<const float> values) {
    check(rnn_set_parameter(get(), name, values.data(), values.size()));
  }

  void forward(const rnn_sequences_t& in, float* outputs, const rnn_forward_options_t* options = nullptr) {
    check(rnn_forward(get(), &in, options, outputs));
  }
  std::vector<std::int32_t> generate(const rnn_generate_options_t& options, std::size_t capacity) {
    std::vector<std::int32_t> out(capacity);
    check(rnn_generate(get(), &options, out.data(), capacity, &capacity));
    out.resize(capacity);
    return out;
  }
  void rollout(const float* x, std::size_t steps, float* y) { check(rnn_rollout(get(), x, steps, y)); }

  void train(const rnn_sequences_t& data, const rnn_train_options_t* options = nullptr) {
    check(rnn_train(get(), &data, options));
  }
  rnn_evaluation_t evaluate(const rnn_sequences_t& data, const rnn_train_options_t* options = nullptr) const {
    auto evaluation = sized<rnn_evaluation_t>();
    check(rnn_evaluate(get(), &data, options, &evaluation));
    return evaluation;
  }

  rnn_config_t config() const {
    auto config = sized<rnn_config_t>();
    check(rnn_get_config(get(), &config));
    return config;
  }
  rnn_t* get() const noexcept { return handle_.get(); }
  rnn_t* release() noexcept { return handle_.release(); }

 private:
  struct Destroy {
    void operator()(rnn_t* handle) const noexcept { rnn_destroy(handle); }
  };
  std::unique_ptr<rnn_t, Destroy> handle_;
};

// A forward pass on record, and gradients.
class Tape {
 public:
  explicit Tape(const Network& network, std::int32_t threads = 0) {
    rnn_tape_t* handle = nullptr;
    check(rnn_tape_create(network.get(), threads, &handle));
    handle_.reset(handle);
  }

  void forward(const Network& network, const rnn_sequences_t& in, const float* initial_states, float* outputs,
               float* final_states) {
    check(rnn_tape_forward(get(), network.get(), &in, initial_states, outputs, final_states));
  }
  void backward(const float* d_outputs, const float* d_final_states, float* d_inputs,
                float* d_initial_states) {
    check(rnn_tape_backward(get(), d_outputs, d_final_states, d_inputs, d_initial_states));
  }
  void set_dropout(float rate, std::uint64_t seed) { check(rnn_tape_set_dropout(get(), rate, seed)); }
  void set_dropout(const rnn_dropout_rates_t& rates, std::uint64_t seed) {
    check(rnn_tape_set_dropout_rates(get(), &rates, seed));
  }
  void get_gradient(const char* name, span<float> values) const {
    check(rnn_tape_gradient(get(), name, values.data(), values.size()));
  }
  void zero_gradients() { check(rnn_tape_zero_gradients(get())); }
  rnn_tape_t* get() const noexcept { return handle_.get(); }

 private:
  struct Destroy {
    void operator()(rnn_tape_t* handle) const noexcept { rnn_tape_destroy(handle); }
  };
  std::unique_ptr<rnn_tape_t, Destroy> handle_;
};

// Weights in training.
class Trainer {
 public:
  explicit Trainer(const Network& network, const rnn_train_options_t* options = nullptr) {
    rnn_trainer_t* handle = nullptr;
    check(rnn_trainer_create(network.get(), options, &handle));
    handle_.reset(handle);
  }

  rnn_progress_t update(const rnn_sequences_t& batch) {
    auto progress = sized<rnn_progress_t>();
    check(rnn_trainer_update(get(), &batch, &progress));
    return progress;
  }
  rnn_progress_t apply(const Tape& tape) {
    auto progress = sized<rnn_progress_t>();
    check(rnn_trainer_apply(get(), tape.get(), &progress));
    return progress;
  }
  void reset() { check(rnn_trainer_reset(get())); }
  void set_learning_rate(float rate) { check(rnn_trainer_set_learning_rate(get(), rate)); }
  void run(const rnn_sequences_t& data) { check(rnn_trainer_run(get(), &data)); }
  Network network() const {
    rnn_t* handle = nullptr;
    check(rnn_trainer_network(get(), &handle));
    return Network(handle);
  }
  void sync(Network& stream) const { check(rnn_trainer_sync(get(), stream.get())); }
  void save(const std::string& path) const { check(rnn_trainer_save(get(), path.c_str())); }
  void load(const std::string& path) { check(rnn_trainer_load(get(), path.c_str())); }
  std::size_t optimizer_bytes() const {
    std::size_t bytes = 0;
    check(rnn_trainer_optimizer_bytes(get(), &bytes));
    return bytes;
  }
  // log: null ends it.
  void log(const rnn_log_t* log) { check(rnn_trainer_log(get(), log)); }
  rnn_trainer_t* get() const noexcept { return handle_.get(); }

 private:
  struct Destroy {
    void operator()(rnn_trainer_t* handle) const noexcept { rnn_trainer_destroy(handle); }
  };
  std::unique_ptr<rnn_trainer_t, Destroy> handle_;
};

}  // namespace cxx
}  // namespace rnn

#endif
