#include "lib/formats/checkpoint.h"

#include <algorithm>
#include <charconv>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <iterator>
#include <set>
#include <string>
#include <utility>

#include "lib/formats/container.h"
#include "lib/formats/file.h"
#include "lib/formats/network_file.h"
#include "lib/formats/unread.h"
#include "lib/network/error.h"
#include "lib/network/little_endian.h"

namespace rnn {
namespace {

using formats::Contents;
using formats::quote;
using formats::Type;
using formats::Writer;

class StateWriter final : public StateVisitor {
 public:
  explicit StateWriter(Writer& writer) : writer_(writer) {}

  void integer(const char* name, std::uint64_t& value) override {
    writer_.metadata(std::string(kTrainerMetadata) + name, std::to_string(value));
  }
  // Its bits: NaN and infinity have no other exact form.
  void real(const char* name, double& value) override {
    std::uint64_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    char text[17];
    std::snprintf(text, sizeof text, "%016" PRIx64, bits);
    writer_.metadata(std::string(kTrainerMetadata) + name, text);
  }
  void optional_integer(const char* name, std::uint64_t& value) override {
    if (value != 0) integer(name, value);
  }
  void optional_real(const char* name, double& value) override {
    if (value != 0.0) real(name, value);
  }
  void floats(const char* name, Buffer<float>& values) override { add(name, Type::f32, values); }
  void integers(const char* name, Buffer<std::uint64_t>& values) override { add(name, Type::u64, values); }

 private:
  template <class T>
  void add(const char* name, Type type, const Buffer<T>& values) {
    writer_.add(std::string(kTrainerTensors) + name, type, {values.size()},
                [&values](unsigned char* out) { write_little_endian(values.data(), values.size(), out); });
  }

  Writer& writer_;
};

class StateReader final : public StateVisitor {
 public:
  StateReader(const Contents& contents, const Allocator& allocator)
      : contents_(contents), allocator_(allocator) {}

  void integer(const char* name, std::uint64_t& value) override { value = number(name, 10); }
  void real(const char* name, double& value) override {
    const std::uint64_t bits = number(name, 16);
    std::memcpy(&value, &bits, sizeof value);
  }
  void optional_integer(const char* name, std::uint64_t& value) override {
    if (has(name)) integer(name, value);
  }
  void optional_real(const char* name, double& value) override {
    if (has(name)) real(name, value);
  }
  void floats(const char* name, Buffer<float>& values) override { read(name, values); }
  void integers(const char* name, Buffer<std::uint64_t>& values) override { read(name, values); }

  // What no field has asked for.
  void check_leftovers() const {
    check_leftovers("metadata", kTrainerMetadata, contents_.metadata);
    check_leftovers("tensor", kTrainerTensors, contents_.tensors);
  }

 private:
  bool has(const char* name) const {
    return contents_.metadata.count(kTrainerMetadata + std::string(name)) != 0;
  }

  std::uint64_t number(const char* name, int base) {
    const std::string key = kTrainerMetadata + std::string(name);
    const auto found = contents_.metadata.find(key);
    if (found == contents_.metadata.end()) throw Error(RNN_BAD_FORMAT, "metadata %s is missing", key.c_str());
    seen_.insert(key);
    const std::string& text = found->second;
    std::uint64_t value = 0;
    const std::from_chars_result result =
        std::from_chars(text.data(), text.data() + text.size(), value, base);
    if (result.ec != std::errc() || result.ptr != text.data() + text.size())
      throw Error(RNN_BAD_FORMAT, "metadata %s is %s; it must be a number to base %d, less than 2^64",
                  key.c_str(), quote(text).c_str(), base);
    return value;
  }

  template <class T>
  void read(const char* name, Buffer<T>& values) {
    const std::string key = kTrainerTensors + std::string(name);
    const auto found = contents_.tensors.find(key);
    if (found == contents_.tensors.end()) throw Error(RNN_BAD_FORMAT, "tensor %s is missing", key.c_str());
    seen_.insert(key);
    if (found->second.shape.size() != 1)
      throw Error(RNN_BAD_FORMAT, "tensor %s has shape %s; it must be a vector", key.c_str(),
                  formats::to_string(found->second.shape).c_str());
    values = Buffer<T>(allocator_, found->second.count);
    found->second.read(values.data());
  }

  template <class Map>
  void check_leftovers(const char* kind, const std::string& prefix, const Map& map) const {
    for (auto i = map.lower_bound(prefix); i != map.end() && i->first.rfind(prefix, 0) == 0; ++i)
      if (seen_.count(i->first) == 0)
        throw Error(RNN_BAD_FORMAT, "%s %s is not part of a trainer", kind, quote(i->first).c_str());
  }

  const Contents& contents_;
  const Allocator& allocator_;
  std::set<std::string> seen_;
};

// From all zeros the generator yields nothing else, and what draws until a value fits would never end.
void check_random(const Random& random) {
  if (std::all_of(std::begin(random.state), std::end(random.state),
                  [](std::uint64_t word) { return word == 0; }))
    throw Error(RNN_BAD_FORMAT, "the saved random stream is all 0; one word must differ");
}

constexpr char kInTraining[] = "weights";

Contents read_checkpoint(const Source& source) {
  const ByteRange head = formats::head_of(source);
  const std::int32_t container = formats::recognise(head.data(), head.size());
  if (container == 0 && !is_other_model(source, head)) refuse_unread(source, head);
  if (container != 0) {
    Contents contents = formats::read(source, container);
    if (is_checkpoint(contents)) return contents;
  }
  throw Error(RNN_BAD_FORMAT,
              "the file is a network, which rnn_load reads; it must be a run that rnn_trainer_save saved");
}

// What is handed out is the network, so that it can be loaded alone; if that is an average, the weights in
// training stand beside it, padded as in memory.
void write_checkpoint(const Trainer& trainer, const char* path) {
  Writer writer;
  add_network(trainer.result(), {}, writer);
  StateWriter state(writer);
  const_cast<TrainerState&>(trainer.state()).visit(state);  // which only reads
  const Weights& weights = *trainer.weights_ref();
  const std::size_t count = trainer.state().average.size();
  writer.add(kTrainerTensors + std::string(kInTraining), Type::f32, {count},
             [&](unsigned char* out) { write_little_endian(weights.values(), count, out); });
  formats::save(writer, path);
}

void restore_checkpoint(Trainer& trainer, const Source& source) {
  const Contents contents = read_checkpoint(source);
  rnn_load_options_t options{};
  options.without_probe = 1;  // what another instruction set gives may differ by more, and a run shall go on
  WeightsRef weights = extract_network(contents, options, trainer.allocator());
  TrainerState state;
  StateReader reader(contents, trainer.allocator());
  state.visit(reader);
  Buffer<float> in_training;
  reader.floats(kInTraining, in_training);
  reader.check_leftovers();
  check_random(state.random);
  trainer.restore(std::move(weights), in_training, std::move(state));
}

}  // namespace

void save_checkpoint(const Trainer& trainer, const char* path) {
  trainer.save([&] { write_checkpoint(trainer, path); });
}

// Of several ranks, only rank 0 needs the file.
void load_checkpoint(Trainer& trainer, const char* path) {
  try {
    if (trainer.alone()) return restore_checkpoint(trainer, FileSource(path));
    const Buffer<unsigned char> bytes = trainer.load([&] {
      const FileSource file(path);
      Buffer<unsigned char> read(trainer.allocator(), file.size());
      file.read(0, file.size(), read.data());
      return read;
    });
    restore_checkpoint(trainer, MemorySource(bytes.data(), bytes.size()));
  } catch (const Error& error) {
    throw Error(error.status(), "%s: %s", path, error.what());
  }
}

}  // namespace rnn
