// The caller's floating-point mode: every function of the C ABI gives the same bits and messages in all
// modes, no trap is sprung, and the mode and its exception flags are afterwards as they were.
#include <cfenv>
#include <cmath>
#include <fstream>
#include <functional>
#include <iterator>
#include <limits>
#include <map>
#include <set>
#include <type_traits>

#include "layers.h"
#include "lib/network/little_endian.h"
#include "scratch.h"

namespace {

// ---- Modes -----------------------------------------------------------------------------------------

#if defined(__x86_64__) || (defined(__i386__) && defined(__SSE2__))

struct Words {
  uint32_t mxcsr;
  uint16_t control, status;  // x87
};

bool operator==(const Words& a, const Words& b) {
  return a.mxcsr == b.mxcsr && a.control == b.control && (a.status & 0x7f) == (b.status & 0x7f);
}

std::ostream& operator<<(std::ostream& out, const Words& words) {
  return out << std::hex << "MXCSR " << words.mxcsr << ", x87 control " << words.control << ", x87 status "
             << words.status << std::dec;
}

Words words() {
  Words now;
  __asm__ volatile("stmxcsr %0\n\tfnstcw %1\n\tfnstsw %2"
                   : "=m"(now.mxcsr), "=m"(now.control), "=m"(now.status));
  return now;
}

void set(const Words& words) {
  uint16_t environment[14];
  __asm__ volatile("fnstenv %0" : "=m"(environment) : : "memory");
  environment[0] = words.control;
  environment[2] = static_cast<uint16_t>((environment[2] & ~0xff) | (words.status & 0x7f));
  __asm__ volatile("fldenv %0\n\tldmxcsr %1" : : "m"(environment), "m"(words.mxcsr) : "memory");
}

// Nearest, up, down, to zero; whether subnormals are flushed; whether all exceptions trap. Where they do not,
// some have been seen.
Words words_of(int rounding, bool flushes, bool traps) {
  constexpr unsigned orders[] = {0, 2, 1, 3};
  const unsigned masks = traps ? 0 : 0x3f, seen = traps ? 0 : 0x0c, order = orders[rounding];
  return {(order << 13) | (flushes ? 0x8040u : 0u) | (masks << 7) | seen,
          static_cast<uint16_t>((order << 10) | 0x340 | masks), static_cast<uint16_t>(seen)};
}

#elif defined(__aarch64__)

struct Words {
  uint64_t fpcr, fpsr;
};

bool operator==(const Words& a, const Words& b) { return a.fpcr == b.fpcr && a.fpsr == b.fpsr; }

std::ostream& operator<<(std::ostream& out, const Words& words) {
  return out << std::hex << "FPCR " << words.fpcr << ", FPSR " << words.fpsr << std::dec;
}

Words words() {
  Words now;
  __asm__ volatile("mrs %0, fpcr\n\tmrs %1, fpsr" : "=r"(now.fpcr), "=r"(now.fpsr));
  return now;
}

void set(const Words& words) {
  __asm__ volatile("msr fpcr, %0\n\tmsr fpsr, %1" : : "r"(words.fpcr), "r"(words.fpsr) : "memory");
}

Words words_of(int rounding, bool flushes, bool traps) {  // which many CPUs never do
  return {(static_cast<uint64_t>(rounding) << 22) | (flushes ? uint64_t{1} << 24 : 0) | (traps ? 0x9f00u : 0),
          traps ? 0u : 0x0cu};
}

#else  // what <cfenv> knows

struct Words {
  int rounding, flags;
};

bool operator==(const Words& a, const Words& b) { return a.rounding == b.rounding && a.flags == b.flags; }

std::ostream& operator<<(std::ostream& out, const Words& words) {
  return out << "rounding " << words.rounding << ", flags " << words.flags;
}

Words words() { return {std::fegetround(), std::fetestexcept(FE_ALL_EXCEPT)}; }

void set(const Words& words) {
  std::fesetround(words.rounding);
  std::feclearexcept(FE_ALL_EXCEPT);
  std::feraiseexcept(words.flags);
}

Words words_of(int rounding, bool, bool) {
  constexpr int orders[] = {FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};
  return {orders[rounding], FE_DIVBYZERO};
}

#endif

struct Mode {
  std::string name;
  Words words;
};

std::vector<Mode> all_modes() {
  constexpr const char* roundings[] = {"to nearest", "upward", "downward", "to zero"};
  std::vector<Mode> modes;
  for (int rounding = 0; rounding < 4; ++rounding)
    for (const bool flushes : {false, true})
      for (const bool traps : {false, true}) {
        const std::string name = std::string("rounding ") + roundings[rounding] +
                                 (flushes ? ", flushing subnormals" : "") + (traps ? ", trapping" : "");
        const Words before = words();
        set(words_of(rounding, flushes, traps));
        modes.push_back({name, words()});  // what the CPU made of it
        set(before);
      }
  return modes;
}

// ---- Calls -----------------------------------------------------------------------------------------

std::set<std::string>& called() {
  static std::set<std::string> names;
  return names;
}

// Makes calls in a mode, and notes all that they give.
class Calls {
 public:
  explicit Calls(const Mode* mode) : mode_(mode) {}

  // The result of a function, called in the mode; of one that returns nothing, RNN_OK.
  template <class Function>
  auto call(const char* name, const Function& function) {
    using Result = std::invoke_result_t<Function>;
    std::conditional_t<std::is_void_v<Result>, rnn_status_t, Result> result{};
    const std::function<void()> body = [&] {
      if constexpr (std::is_void_v<Result>)
        function();
      else
        result = function();
    };
    const Words before = words();
    if (mode_ != nullptr) set(mode_->words);
    const Words given = words();
    body();
    const Words left = words();
    set(before);
    EXPECT_EQ(left, given) << name << ", " << (mode_ != nullptr ? mode_->name : "the default mode");
    called().insert(name);
    note(&result, sizeof result);
    if constexpr (std::is_same_v<Result, rnn_status_t>)
      if (result != RNN_OK) note(rnn_last_error(), std::strlen(rnn_last_error()));
    return result;
  }

  void note(const void* data, size_t size) { seen_.append(static_cast<const char*>(data), size); }
  void note(const Floats& values) { note(values.data(), values.size() * sizeof(float)); }
  const std::string& seen() const { return seen_; }
  const Mode* mode() const { return mode_; }

 private:
  const Mode* mode_;
  std::string seen_;
};

#define CALL(function, ...) calls.call(#function, [&] { return function(__VA_ARGS__); })
#define OK(...) EXPECT_EQ(CALL(__VA_ARGS__), RNN_OK) << rnn_last_error()
#define FAILS(status, ...) EXPECT_EQ(CALL(__VA_ARGS__), status)
// Of a function that needs training.
#define TRAINS(...) EXPECT_EQ(CALL(__VA_ARGS__), RNN_TRAINING ? RNN_OK : RNN_UNSUPPORTED) << rnn_last_error()
#define TRAIN_FAILS(status, ...) EXPECT_EQ(CALL(__VA_ARGS__), RNN_TRAINING ? status : RNN_UNSUPPORTED)

// Runs the scenario in the default mode and in all others, and compares what was noted.
void in_all_modes(const char* name, const std::function<void(Calls&)>& scenario) {
  Calls expected(nullptr);
  scenario(expected);
  for (const Mode& mode : all_modes()) {
    Calls calls(&mode);
    scenario(calls);
    EXPECT_TRUE(calls.seen() == expected.seen()) << name << " depends on the mode: " << mode.name;
  }
}

float of_bits(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();
const uint32_t kSignalling =
    0x7f800001;  // the bits of a signalling NaN; as a float it would become a quiet one

// values, but for one that is replaced by these bits.
Floats with_bits(Floats values, size_t at, uint32_t bits) {
  std::memcpy(&values[at], &bits, sizeof bits);
  return values;
}

// ---- Scenarios -------------------------------------------------------------------------------------

void versions(Calls& calls) {
  EXPECT_NE(calls.call("rnn_version", rnn_version), nullptr);
  EXPECT_NE(calls.call("rnn_isa", rnn_isa), nullptr);
  EXPECT_NE(calls.call("rnn_last_error", rnn_last_error), nullptr);
  EXPECT_NE(CALL(rnn_status_string, RNN_OK), nullptr);
}

void note_parameters(Calls& calls, const rnn_t* network) {
  size_t count = 0;
  OK(rnn_parameter_count, network, &count);
  for (size_t i = 0; i < count; ++i) {
    auto info = sized<rnn_parameter_t>();
    OK(rnn_parameter_info, network, i, &info);
    Floats values(info.rows * info.columns);
    OK(rnn_get_parameter, network, info.name, values.data(), values.size());
    calls.note(values);
  }
}

void note_state(Calls& calls, const rnn_t* network) {
  size_t outputs = 0, size = 0;
  OK(rnn_output_size, network, &outputs);
  OK(rnn_state_size, network, &size);
  Floats values(size);
  OK(rnn_get_state, network, values.data(), size);
  calls.note(values);
}

void creation(Calls& calls) {
  for (int32_t init = RNN_INIT_PYTORCH; init <= RNN_INIT_IDENTITY; ++init) {
    rnn_config_t c = config(5, 20, 5, 2);
    c.cell = RNN_CELL_LSTM;
    c.recurrent_init = init;
    if (init < RNN_INIT_ORTHOGONAL) c.init = init;
    if (init == RNN_INIT_UNIFORM) c.init_range = of_bits(0x00012345);  // subnormal
    c.forget_bias = 0.1f;
    rnn_t* network = nullptr;
    OK(rnn_create, &c, &network);
    note_parameters(calls, network);
    auto out = sized<rnn_config_t>();
    OK(rnn_get_config, network, &out);
    CALL(rnn_destroy, network);
  }
  for (const uint32_t bits : {0x7fc00000u, 0x7f800001u, 0x7f800000u, 0xbdcccccdu}) {  // NaNs, infinity, -0.1
    rnn_config_t c = config(5, 20, 5);
    std::memcpy(&c.init_range, &bits, sizeof bits);
    rnn_t* network = nullptr;
    FAILS(RNN_INVALID_ARGUMENT, rnn_create, &c, &network);
  }
}

void steps(Calls& calls) {
  const struct {
    int32_t cell;
    uint32_t flags;
  } kinds[] = {{RNN_CELL_VANILLA, 0}, {RNN_CELL_GRU, 0},      {RNN_CELL_LSTM, 0},
               {RNN_CELL_MIN_GRU, 0}, {RNN_CELL_MIN_LSTM, 0}, {RNN_CELL_LSTM, RNN_FLAG_PEEPHOLES}};
  for (const auto& kind : kinds)
    for (const int32_t compute :
         {RNN_COMPUTE_F32, RNN_COMPUTE_BF16, RNN_COMPUTE_INT8, RNN_COMPUTE_BF16_FAST}) {
      rnn_config_t c = config(5, 20, 5, 2);
      c.cell = kind.cell;
      c.flags = kind.flags;
      const Network source = create(c);
      rnn_t *network = nullptr, *other = nullptr, *copy = nullptr;
      OK(rnn_convert, source.get(), compute, &network);
      OK(rnn_fork, network, &other);
      OK(rnn_clone, network, &copy);
      OK(rnn_sync, other, network);
      Floats y(10), x = numbers(10);
      const auto note = [&] {
        calls.note(y);
        note_state(calls, network);
      };
      OK(rnn_step, network, x.data(), y.data());
      note();
      OK(rnn_step_index, network, 2, y.data());
      note();
      for (const float value :
           {1e-42f, 3e38f, kInfinity, kNaN}) {  // what follows shows what the state has kept
        const Floats unusual(5, value);
        OK(rnn_step, copy, unusual.data(), y.data());
        calls.note(y);
        OK(rnn_step, copy, x.data(), y.data());
        calls.note(y);
        OK(rnn_reset, copy);
      }
      const Floats signalling = with_bits(Floats(5, 0.5f), 3, kSignalling);
      OK(rnn_step, copy, signalling.data(), y.data());
      rnn_t* const streams[] = {network, other};
      const int32_t indices[] = {1, 4};
      OK(rnn_step_many, streams, 2, x.data(), y.data());
      note();
      OK(rnn_step_many_index, streams, 2, indices, y.data());
      note();
      OK(rnn_rollout, network, x.data(), 2, y.data());
      note();
      constexpr size_t kSteps = 12;
      const Floats block = with_bits(numbers(kSteps * 5), 3, 1);
      Floats outputs(kSteps * 5);
      for (const size_t room : {size_t{0}, kSteps}) {
        OK(rnn_reserve_block, network, room);
        OK(rnn_step_block, network, block.data(), kSteps, outputs.data());
        calls.note(outputs);
        OK(rnn_step_block_index, network, indices, 2, y.data());
        note();
      }
      for (rnn_t* const handle : {network, other, copy}) CALL(rnn_destroy, handle);
    }
}

void states_and_parameters(Calls& calls) {
  const Network network = create(config(5, 20, 5));
  const Floats subnormal(20, 1e-42f);
  OK(rnn_set_state, network.get(), subnormal.data(), 20);
  note_state(calls, network.get());
  const Floats bias = {1e-42f, 1e-45f, 3e38f, -0.0f, 0.1f};
  OK(rnn_set_parameter, network.get(), "head.bias", bias.data(), 5);
  note_parameters(calls, network.get());
  for (const uint32_t bits : {0x7fc00000u, kSignalling, 0x7f800000u}) {
    const Floats state = with_bits(Floats(20, 0.1f), 3, bits), values = with_bits(bias, 4, bits);
    FAILS(RNN_INVALID_ARGUMENT, rnn_set_state, network.get(), state.data(), 20);
    FAILS(RNN_INVALID_ARGUMENT, rnn_set_parameter, network.get(), "head.bias", values.data(), 5);
  }
  note_state(calls, network.get());
  note_parameters(calls, network.get());
}

void delays(Calls& calls) {
  rnn_layer_t convolution = dense_layer(5, RNN_ACTIVATION_TANH);
  convolution.kind = RNN_LAYER_CONV1D;
  convolution.kernel_size = 4;
  convolution.dilation = 3;
  const Network network =
      create(with_layers(config(5, 0, 0, 0), {convolution, cell_layer(RNN_CELL_LSTM, 20), dense_layer(5)}));
  const Floats x = numbers(5 * 30), given = numbers(state(network).size(), 5);
  for (const float delay : {1.0884354f, 1.3f, 2.9f, 3.0f}) {
    OK(rnn_set_delay, network.get(), delay);
    float now = 0;
    OK(rnn_get_delay, network.get(), &now);
    EXPECT_EQ(now, delay);
    OK(rnn_history, network.get(), 9);
    OK(rnn_set_state, network.get(), given.data(), given.size());
    Floats y(5);
    for (size_t t = 0; t < 30; ++t) {
      OK(rnn_step, network.get(), x.data() + 5 * t, y.data());
      calls.note(y);
      note_state(calls, network.get());
    }
    OK(rnn_rewind, network.get(), 7);
    note_state(calls, network.get());
    FAILS(RNN_INVALID_ARGUMENT, rnn_rewind, network.get(), 3);
  }
  for (const uint32_t bits : {0x7fc00000u, kSignalling, 0x7f800000u, 0x3f7fffffu})
    FAILS(RNN_INVALID_ARGUMENT, rnn_set_delay, network.get(), of_bits(bits));
}

void whole_sequences(Calls& calls) {
  for (const int32_t layers : {1, 2}) {
    const Network network = create(config(5, 20, 5, layers));
    Data data = float_data({3, 1, 6}, 5);
    data.inputs[7] = kNaN;
    data.inputs[8] = kInfinity;
    const rnn_sequences_t in = data.get();
    for (const int32_t pooling : {RNN_POOLING_NONE, RNN_POOLING_MEAN, RNN_POOLING_MAX}) {
      auto options = sized<rnn_forward_options_t>();
      options.pooling = pooling;
      Floats y(50);
      OK(rnn_forward, network.get(), &in, &options, y.data());
      calls.note(y);
    }
  }
}

void generation(Calls& calls) {
  const Network network = create(config(5, 20, 5));
  const int32_t prompt[] = {1};
  std::vector<int32_t> out(50);
  auto options = sized<rnn_generate_options_t>();
  options.prompt = prompt;
  options.prompt_count = 1;
  options.top_p = 0.7f;
  size_t written = 0;
  for (const float temperature : {0.8f, 1e-30f, 1e30f, 1e-45f}) {
    options.temperature = temperature;
    OK(rnn_generate, network.get(), &options, out.data(), out.size(), &written);
    calls.note(out.data(), out.size() * sizeof out[0]);
  }
  for (const uint32_t bits : {0x7fc00000u, kSignalling, 0x7f800000u, 0xbdcccccdu}) {
    std::memcpy(&options.temperature, &bits, sizeof bits);
    FAILS(RNN_INVALID_ARGUMENT, rnn_generate, network.get(), &options, out.data(), out.size(), &written);
  }
}

void metadata(Calls& calls) {
  const Network network = create(config(5, 20, 5));
  OK(rnn_set_metadata, network.get(), "key", "value");
  size_t count = 0, size = 0;
  OK(rnn_metadata_count, network.get(), &count);
  const char* key = nullptr;
  OK(rnn_metadata_key, network.get(), 0, &key);
  char value[8];
  OK(rnn_get_metadata, network.get(), "key", value, sizeof value, &size);
}

void note_file(Calls& calls, const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string contents((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  calls.note(contents.data(), contents.size());
}

// Each network is saved, and its file read, in the same mode: the probe must hold.
void files(Calls& calls) {
  const std::string path = scratch_path("float_mode.rnn");
  for (const int32_t compute : {RNN_COMPUTE_F32, RNN_COMPUTE_BF16, RNN_COMPUTE_INT8, RNN_COMPUTE_BF16_FAST}) {
    rnn_config_t c = config(5, 20, 5);
    c.cell = RNN_CELL_LSTM;
    c.init = RNN_INIT_UNIFORM;
    c.init_range = 0.1f;
    c.forget_bias = 1.1f;
    c.compute = compute;
    const Network network = create(c);
    auto options = sized<rnn_save_options_t>();
    for (const int32_t format : {RNN_FORMAT_SAFETENSORS, RNN_FORMAT_BINARY, RNN_FORMAT_C}) {
      options.format = format;
      size_t size = 0;
      OK(rnn_save_memory_as, network.get(), &options, nullptr, 0, &size);
      std::string file(size, '\0');
      OK(rnn_save_memory_as, network.get(), &options, file.data(), size, &size);
      calls.note(file.data(), size);
      rnn_t* loaded = nullptr;
      if (format == RNN_FORMAT_C) continue;
      OK(rnn_load_memory_as, file.data(), size, nullptr, nullptr, &loaded);
      note_parameters(calls, loaded);
      CALL(rnn_destroy, loaded);
    }
    size_t size = 0;
    OK(rnn_save_memory, network.get(), nullptr, 0, &size);
    OK(rnn_save, network.get(), path.c_str());
    note_file(calls, path);
    rnn_t* loaded = nullptr;
    OK(rnn_load, path.c_str(), nullptr, &loaded);
    CALL(rnn_destroy, loaded);
    OK(rnn_save_as, network.get(), path.c_str(), &options);
    note_file(calls, path);
  }
  auto load = sized<rnn_load_options_t>();
  rnn_t* loaded = nullptr;
  FAILS(RNN_UNSUPPORTED, rnn_load_as, path.c_str(), &load, nullptr, &loaded);  // C
  std::remove(path.c_str());
}

std::string model_in_json(const std::string& number) {
  std::string weights = number;
  for (int i = 1; i < 70; ++i) weights += ",0.123456789";
  return R"({"architecture":"LSTM","config":{"input_size":1,"hidden_size":3,"num_layers":1},"weights":[)" +
         weights + "]}";
}

template <class T>
std::string state_dict(const char* type, const std::vector<T>& values) {
  size_t place = 0;
  const auto tensor = [&](const char* name, const char* shape, size_t count) {
    const size_t first = place * sizeof(T), last = (place += count) * sizeof(T);
    return std::string(place > 3 ? "," : "") + "\"" + name + "\":{\"dtype\":\"" + type +
           "\",\"shape\":" + shape + ",\"data_offsets\":[" + std::to_string(first) + "," +
           std::to_string(last) + "]}";
  };
  const std::string header = "{" + tensor("weight_ih_l0", "[3,1]", 3) + tensor("weight_hh_l0", "[3,3]", 9) +
                             tensor("bias_ih_l0", "[3]", 3) + tensor("bias_hh_l0", "[3]", 3) + "}";
  std::string file(8, '\0');
  for (int i = 0; i < 8; ++i)
    file[static_cast<size_t>(i)] = static_cast<char>((header.size() >> (8 * i)) & 255);
  std::string data(values.size() * sizeof(T), '\0');
  rnn::write_little_endian(values.data(), values.size(), data.data());
  return file + header + data;
}

// What others write, hostile or not.
void foreign_files(Calls& calls) {
  std::vector<std::string> contents;
  for (const char* number :
       {"0.1", "16777217", "1e-42", "1e-300", "3.4028235677973366e38", "1e39", "1e300", "1e999"})
    contents.push_back(model_in_json(number));
  for (const uint64_t bits :
       {0x3fb999999999999aull, 0x7e37e43c8800759cull, 0x01a56e1fc2f8f359ull,  // 0.1, 1e+-300
        0x37cb8cbb5f2c6d00ull, 0x7ff8000000000000ull, 0x7ff0000000000001ull}) {
    std::vector<uint64_t> values(18, 0x3fb999999999999aull);
    values[2] = bits;
    contents.push_back(state_dict("F64", values));
  }
  for (const unsigned bits : {0x2e66u, 0x0001u, 0x7c00u, 0x7c01u, 0x7e00u}) {  // the fourth a signalling NaN
    std::vector<uint16_t> values(18, 0x2e66);
    values[2] = static_cast<uint16_t>(bits);
    contents.push_back(state_dict("F16", values));
  }
  for (const uint32_t bits : {0x3dcccccdu, 0x00000001u, kSignalling}) {
    std::vector<uint32_t> values(18, 0x3dcccccd);
    values[2] = bits;
    contents.push_back(state_dict("F32", values));
  }
  for (const std::string& file : contents) {
    rnn_t* loaded = nullptr;
    if (CALL(rnn_load_memory, file.data(), file.size(), nullptr, &loaded) == RNN_OK)
      note_parameters(calls, loaded);
    CALL(rnn_destroy, loaded);
  }
}

struct Seen {
  Calls* calls;
  int reports = 0;
};

int32_t look(const rnn_progress_t* progress, void* user) {
  const Words now = words();
  auto& seen = *static_cast<Seen*>(user);
  ++seen.reports;
  const Mode* const mode = seen.calls->mode();
  set(words_of(0, false, false));  // for what a failure prints
  if (mode != nullptr) {
    EXPECT_EQ(now, mode->words) << "in the progress function, " << mode->name;
  }
  seen.calls->note(&progress->loss, sizeof progress->loss);
  seen.calls->note(&progress->learning_rate, sizeof progress->learning_rate);
  set(now);
  return 0;
}

void training(Calls& calls) {
  const Network network = create(config(5, 20, 5, 2));
  Data data = index_data({3, 1, 6}, 5);
  data.classes = indices(data.frames(), 5, 3);
  const rnn_sequences_t in = data.get();
  for (const int32_t optimizer : {RNN_OPTIMIZER_ADAM, RNN_OPTIMIZER_ADAMW, RNN_OPTIMIZER_SGD,
                                  RNN_OPTIMIZER_ADAGRAD, RNN_OPTIMIZER_RMSPROP})
    for (const int32_t threads : {1, 2}) {
      Seen seen{&calls};
      auto options = sized<rnn_train_options_t>();
      options.optimizer = optimizer;
      options.epochs = 3;
      options.batch_size = 2;
      options.threads = threads;
      options.clip_norm = 0.1f;
      options.schedule = RNN_SCHEDULE_EXPONENTIAL;
      options.schedule_updates = 7;
      options.weight_decay = 0.01f;
      options.dropout = options.output_dropout = options.recurrent_dropout = 0.3f;
      options.average = 0.9f;
      options.validation = &in;
      options.progress = look;
      options.user = &seen;
      const Network stream = fork(network);
      TRAINS(rnn_train, stream.get(), &in, &options);
      EXPECT_EQ(seen.reports, RNN_TRAINING ? 9 : 0);  // three epochs of two updates and a validation
      note_parameters(calls, stream.get());
      auto out = sized<rnn_evaluation_t>();
      TRAINS(rnn_evaluate, stream.get(), &in, &options, &out);
      calls.note(&out, sizeof out);
    }

  Data hostile = index_data({3, 1, 6}, 5);
  for (const uint32_t bits : {0x7fc00000u, kSignalling, 0x7f800000u}) {
    hostile.targets = with_bits(Floats(50), 7, bits);
    const rnn_sequences_t targets = hostile.get();
    TRAIN_FAILS(RNN_INVALID_ARGUMENT, rnn_train, network.get(), &targets, nullptr);
    hostile.targets.clear();
    hostile.classes = data.classes;
    hostile.weights = with_bits(Floats(10, 1.0f), 4, bits);
    const rnn_sequences_t weights = hostile.get();
    TRAIN_FAILS(RNN_INVALID_ARGUMENT, rnn_train, network.get(), &weights, nullptr);
    hostile.classes.clear();
    hostile.weights.clear();
    auto options = sized<rnn_train_options_t>();
    std::memcpy(&options.learning_rate, &bits, sizeof bits);
    TRAIN_FAILS(RNN_INVALID_ARGUMENT, rnn_train, network.get(), &in, &options);
  }
  auto explodes = sized<rnn_train_options_t>();
  explodes.optimizer = RNN_OPTIMIZER_SGD;
  explodes.learning_rate = 3e38f;
  explodes.epochs = 30;
  const Network stream = fork(network);
  TRAIN_FAILS(RNN_NOT_FINITE, rnn_train, stream.get(), &in, &explodes);
}

void trainer(Calls& calls) {
  const Network network = create(config(5, 20, 5, 2));
  const Network stream = fork(network);
  Data data = index_data({3, 1, 6}, 5);
  data.classes = indices(data.frames(), 5, 3);
  const rnn_sequences_t in = data.get();
  auto options = sized<rnn_train_options_t>();
  options.threads = 1;
  const std::string path = scratch_path("float_mode.trainer");
  rnn_trainer_t* trainer = nullptr;
  TRAINS(rnn_trainer_create, network.get(), &options, &trainer);
  auto log = sized<rnn_log_t>();
  log.every = 1;
  log.write = [](int32_t, const void* bytes, size_t size, void* user) {
    static_cast<Calls*>(user)->note(bytes, size);
  };
  log.record = [](uint64_t update, void* user) { static_cast<Calls*>(user)->note(&update, sizeof update); };
  log.user = &calls;
  TRAINS(rnn_trainer_log, trainer, &log);
  auto progress = sized<rnn_progress_t>();
  TRAINS(rnn_trainer_update, trainer, &in, &progress);
  calls.note(&progress.gradient_norm, sizeof progress.gradient_norm);
  TRAINS(rnn_trainer_save, trainer, path.c_str());
  note_file(calls, path);
  TRAINS(rnn_trainer_load, trainer, path.c_str());
  TRAINS(rnn_trainer_reset, trainer);
  TRAINS(rnn_trainer_set_learning_rate, trainer, 0.01f);
  EXPECT_EQ(CALL(rnn_lane_of, 16, 8), 0);
  EXPECT_EQ(CALL(rnn_rank_of, 3, 8, 2), 0);
  std::size_t optimizer_bytes = 0;
  TRAINS(rnn_trainer_optimizer_bytes, trainer, &optimizer_bytes);
  TRAINS(rnn_trainer_run, trainer, &in);
  rnn_tape_t* tape = nullptr;
  TRAINS(rnn_tape_create, network.get(), 1, &tape);
  TRAINS(rnn_tape_set_dropout, tape, 0.1f, 7);
  TRAIN_FAILS(RNN_INVALID_ARGUMENT, rnn_tape_set_dropout, tape, kNaN, 7);
  auto rates = sized<rnn_dropout_rates_t>();
  rates.layers = rates.output = rates.recurrent = 0.1f;
  TRAINS(rnn_tape_set_dropout_rates, tape, &rates, 7);
  Floats y(50), gradient(400);
  TRAINS(rnn_tape_forward, tape, network.get(), &in, nullptr, y.data(), nullptr);
  calls.note(y);
  TRAINS(rnn_tape_backward, tape, y.data(), nullptr, nullptr, nullptr);
  TRAINS(rnn_tape_gradient, tape, "weight_hh_l0", gradient.data(), gradient.size());
  calls.note(gradient);
  TRAINS(rnn_trainer_apply, trainer, tape, nullptr);
  y[3] = kNaN;
  y[9] = kInfinity;
  TRAINS(rnn_tape_forward, tape, network.get(), &in, nullptr, nullptr, nullptr);
  TRAINS(rnn_tape_backward, tape, y.data(), nullptr, nullptr, nullptr);
  TRAIN_FAILS(RNN_NOT_FINITE, rnn_trainer_apply, trainer, tape, nullptr);
  TRAINS(rnn_tape_zero_gradients, tape);
  TRAINS(rnn_trainer_sync, trainer, stream.get());
  rnn_t* result = nullptr;
  TRAINS(rnn_trainer_network, trainer, &result);
  note_parameters(calls, result != nullptr ? result : network.get());
  CALL(rnn_destroy, result);
  CALL(rnn_tape_destroy, tape);
  CALL(rnn_trainer_destroy, trainer);
  std::remove(path.c_str());
}

TEST(FloatMode, OfAllFunctions) {
  const std::map<const char*, void (*)(Calls&)> scenarios = {
      {"versions", versions},     {"creation", creation},
      {"steps", steps},           {"states and parameters", states_and_parameters},
      {"delays", delays},         {"sequences", whole_sequences},
      {"generation", generation}, {"metadata", metadata},
      {"files", files},           {"foreign files", foreign_files},
      {"training", training},     {"trainer", trainer}};
  for (const auto& [name, scenario] : scenarios) in_all_modes(name, scenario);

  std::ifstream list(RNN_SYMBOLS);
  const std::set<std::string> symbols{std::istream_iterator<std::string>(list),
                                      std::istream_iterator<std::string>()};
  EXPECT_FALSE(symbols.empty()) << RNN_SYMBOLS;
  for (const std::string& symbol : symbols)
    EXPECT_EQ(called().count(symbol), 1u) << symbol << " is in no scenario: add it to one in " << __FILE__;
}

#if RNN_TRAINING

// What the caller's own function does to the mode is the caller's.
TEST(FloatMode, SetByTheProgressFunctionStays) {
  const Network network = create(config(5, 20, 5));
  Data data = index_data({3, 1, 6}, 5);
  data.classes = indices(data.frames(), 5, 3);
  const rnn_sequences_t in = data.get();
  auto options = sized<rnn_train_options_t>();
  options.progress = [](const rnn_progress_t*, void*) { return std::fesetround(FE_DOWNWARD); };
  const int before = std::fegetround();
  EXPECT_EQ(rnn_train(network.get(), &in, &options), RNN_OK);
  const int after = std::fegetround();
  std::fesetround(before);
  EXPECT_EQ(after, FE_DOWNWARD);
}

#endif

}  // namespace
