#include "tests/fuzz/abi_model.h"

#include <atomic>
#include <cfenv>
#include <cstdlib>
#include <cstring>
#include <set>

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

namespace fuzz {

void fail(const char* condition, const char* file, int line) {
  throw Failure(std::string(file) + ":" + std::to_string(line) + ": " + condition +
                "; last message: " + rnn_last_error());
}

// ---- Random choices ----

std::uint64_t Random::bits() {
  std::uint64_t z = state_ += 0x9e3779b97f4a7c15u;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return z ^ z >> 31;
}

Floats Random::reals(std::size_t n) {
  Floats values(n);
  for (float& value : values) value = real();
  return values;
}

std::vector<std::int32_t> Random::indices(std::size_t n, std::int32_t limit) {
  std::vector<std::int32_t> values(n);
  for (std::int32_t& value : values) value = within(0, limit - 1);
  return values;
}

// ---- Memory ----

namespace {

std::atomic<long> left{-1};
std::atomic<bool> refused{false};
std::atomic<std::size_t> out{0};

void* allocate(std::size_t size, std::size_t alignment, void*) {
  if (left.load() == 0) {
    refused = true;
    return nullptr;
  }
  if (left.load() > 0) --left;
  if (alignment < sizeof(void*)) alignment = sizeof(void*);
  ++out;
  return std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
}

void deallocate(void* memory, std::size_t, std::size_t, void*) {
  --out;
  std::free(memory);
}

}  // namespace

const rnn_allocator_t* Heap::functions() {
  static const rnn_allocator_t functions = {sizeof functions, &allocate, &deallocate, nullptr};
  return &functions;
}

void Heap::fail_after(long allocations) {
  left = allocations;
  if (allocations >= 0) refused = false;
}

bool Heap::failed() { return refused; }

std::size_t Heap::blocks() { return out; }

// ---- The floating-point mode ----

namespace {

constexpr int kRounding[] = {FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};

#if defined(__SSE2__)
constexpr unsigned kNoSubnormals = 0x8040;  // flush to zero, and denormals are zero
#endif

bool flushes() {
#if defined(__SSE2__)
  return (_mm_getcsr() & kNoSubnormals) == kNoSubnormals;
#else
  return false;
#endif
}

void flush([[maybe_unused]] bool on) {
#if defined(__SSE2__)
  _mm_setcsr((_mm_getcsr() & ~kNoSubnormals) | (on ? kNoSubnormals : 0));
#endif
}

}  // namespace

Mode::Mode(std::size_t number) : number_(number) {
  std::fesetround(kRounding[number % 4]);
  flush(number >= 4);
}

Mode::~Mode() {
#if defined(__SSE2__)
  const bool kept = std::fegetround() == kRounding[number_ % 4] && flushes() == (number_ >= 4);
#else
  const bool kept = std::fegetround() == kRounding[number_ % 4];
#endif
  std::fesetround(FE_TONEAREST);
  flush(false);
  if (!kept) std::abort();
}

const char* Mode::name(std::size_t number) {
  constexpr const char* kNames[] = {
      "",          " upward",           " downward",           " toward zero",
      " flushing", " upward, flushing", " downward, flushing", " toward zero, flushing"};
  return kNames[number];
}

// ---- What the library says ----

namespace {

// The same list wherever it comes from, for as long as the program runs.
const rnn_layer_t* keep(const rnn_layer_t* layers, std::size_t count) {
  if (layers == nullptr) return nullptr;
  static std::set<std::vector<rnn_layer_t>,
                  bool (*)(const std::vector<rnn_layer_t>&, const std::vector<rnn_layer_t>&)>
      all([](const auto& a, const auto& b) {
        if (a.size() != b.size()) return a.size() < b.size();
        return std::memcmp(a.data(), b.data(), a.size() * sizeof(rnn_layer_t)) < 0;
      });
  return all.insert(std::vector<rnn_layer_t>(layers, layers + count)).first->data();
}

}  // namespace

Weights read_weights(const rnn_t* rnn) {
  Weights w;
  w.config.struct_size = sizeof w.config;
  REQUIRE(rnn_get_config(rnn, &w.config) == RNN_OK);
  w.config.layers = keep(w.config.layers, w.config.layer_count);
  std::size_t count = 0;
  REQUIRE(rnn_parameter_count(rnn, &count) == RNN_OK);
  for (std::size_t i = 0; i < count; ++i) {
    rnn_parameter_t info{};
    info.struct_size = sizeof info;
    REQUIRE(rnn_parameter_info(rnn, i, &info) == RNN_OK);
    w.names.emplace_back(info.name);
    w.parameters.emplace_back(info.rows * info.columns);
    REQUIRE(rnn_get_parameter(rnn, info.name, w.parameters.back().data(), w.parameters.back().size()) ==
            RNN_OK);
  }
  REQUIRE(rnn_metadata_count(rnn, &count) == RNN_OK);
  for (std::size_t i = 0; i < count; ++i) {
    const char* key = nullptr;
    std::size_t size = 0;
    REQUIRE(rnn_metadata_key(rnn, i, &key) == RNN_OK);
    REQUIRE(rnn_get_metadata(rnn, key, nullptr, 0, &size) == RNN_OK);
    std::string value(size, '?');
    REQUIRE(rnn_get_metadata(rnn, key, value.data(), size, &size) == RNN_OK);
    value.pop_back();
    w.texts[key] = value;
  }
  REQUIRE(w.texts.size() == count);
  return w;
}

void Stream::advance(std::vector<Floats> before, Floats after) {
  const std::size_t count = before.size() < history ? before.size() : history;
  past.assign(before.end() - static_cast<std::ptrdiff_t>(count), before.end());
  state = std::move(after);
}

Floats read_state(const rnn_t* rnn) {
  std::size_t size = 0;
  REQUIRE(rnn_state_size(rnn, &size) == RNN_OK);
  Floats state(size);
  REQUIRE(rnn_get_state(rnn, state.data(), size) == RNN_OK);
  return state;
}

bool same_bits(const Floats& a, const Floats& b) {
  return a.size() == b.size() &&
         (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0);
}

bool same_weights(const Weights& a, const Weights& b) {
  if (a.names != b.names || a.texts != b.texts || a.parameters.size() != b.parameters.size()) return false;
  for (std::size_t i = 0; i < a.parameters.size(); ++i)
    if (!same_bits(a.parameters[i], b.parameters[i])) return false;
  return true;
}

// What stops the call before it changes anything: either that they do not share weights, or, after that, that
// x and y are the same or that the network reads no vectors.
bool share_weights(const rnn_t* a, const rnn_t* b) {
  static float values[1024];
  rnn_t* const streams[] = {const_cast<rnn_t*>(a), const_cast<rnn_t*>(b)};
  const rnn_status_t status = rnn_step_many(streams, 2, values, values);
  REQUIRE(status == RNN_INVALID_ARGUMENT || status == RNN_MISMATCH);
  return status == RNN_INVALID_ARGUMENT;
}

bool same_architecture(const rnn_config_t& a, const rnn_config_t& b) {
  return a.cell == b.cell && a.input_size == b.input_size && a.hidden_size == b.hidden_size &&
         a.output_size == b.output_size && a.num_layers == b.num_layers &&
         a.projection_size == b.projection_size && a.embedding_size == b.embedding_size && a.skip == b.skip &&
         a.compute == b.compute && a.flags == b.flags && (a.initial_state == 0) == (b.initial_state == 0) &&
         a.layers == b.layers;
}

bool is_utf8(const std::string& text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const std::size_t length = lead < 0x80 ? 1 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc2 ? 2 : 0;
    if (length == 0 || i + length > text.size()) return false;
    for (std::size_t k = 1; k < length; ++k)
      if ((static_cast<unsigned char>(text[i + k]) & 0xc0) != 0x80) return false;
    i += length;
  }
  return true;
}

std::size_t Data::frames() const {
  std::size_t sum = 0;
  for (const std::size_t length : lengths) sum += length;
  return sum;
}

rnn_sequences_t Data::get() const {
  const auto unless_empty = [](const auto& values) { return values.empty() ? nullptr : values.data(); };
  rnn_sequences_t s{};
  s.struct_size = sizeof s;
  s.count = lengths.size();
  s.frames = frames();
  s.lengths = lengths.data();
  s.inputs = unless_empty(inputs);
  s.indices = unless_empty(indices);
  s.targets = unless_empty(targets);
  s.classes = unless_empty(classes);
  s.weights = unless_empty(weights);
  s.resets = unless_empty(resets);
  s.pooling = pooling;
  return s;
}

}  // namespace fuzz
