#include "lib/formats/network_file.h"

#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "lib/cells/cell.h"
#include "lib/formats/file.h"
#include "lib/network/error.h"

namespace rnn {
namespace {

using safetensors::Contents;
using safetensors::quote;
using safetensors::Tensor;
using safetensors::Type;
using safetensors::Writer;

// ---- Configuration <-> metadata ----

constexpr char kFormatKey[] = "rnn.format";
constexpr char kFormat[] = "1";

struct Name {
  std::int32_t value;
  const char* name;
};

constexpr Name kInits[] = {{RNN_INIT_PYTORCH, "pytorch"},
                           {RNN_INIT_XAVIER_UNIFORM, "xavier_uniform"},
                           {RNN_INIT_XAVIER_NORMAL, "xavier_normal"},
                           {RNN_INIT_KAIMING_UNIFORM, "kaiming_uniform"},
                           {RNN_INIT_KAIMING_NORMAL, "kaiming_normal"},
                           {RNN_INIT_UNIFORM, "uniform"},
                           {RNN_INIT_ORTHOGONAL, "orthogonal"},
                           {RNN_INIT_IDENTITY, "identity"}};
constexpr Name kInitialStates[] = {
    {RNN_INITIAL_ZERO, "zero"}, {RNN_INITIAL_FIXED, "fixed"}, {RNN_INITIAL_TRAINED, "trained"}};
constexpr Name kComputes[] = {{RNN_COMPUTE_F32, "f32"}};
constexpr Name kBiases[] = {{0, "true"}, {RNN_NO_BIAS, "false"}};

// Visits the fields of a configuration in the order in which they stand in the file.
template <class Visitor, class Config>
void visit(Visitor& visitor, Config& config) {
  visitor.cell("rnn.cell", config.cell);
  visitor.number("rnn.input_size", config.input_size);
  visitor.number("rnn.hidden_size", config.hidden_size);
  visitor.number("rnn.output_size", config.output_size);
  visitor.number("rnn.num_layers", config.num_layers);
  visitor.choice("rnn.bias", config.flags, kBiases);
  visitor.choice("rnn.initial_state", config.initial_state, kInitialStates);
  visitor.choice("rnn.init", config.init, kInits);
  visitor.choice("rnn.recurrent_init", config.recurrent_init, kInits);
  visitor.number("rnn.init_range", config.init_range);
  visitor.number("rnn.seed", config.seed);
  visitor.choice("rnn.compute", config.compute, kComputes);
}

struct ConfigWriter {
  Writer& writer;

  void cell(const char* key, std::int32_t id) { writer.metadata(key, cells::find(id)->name); }

  template <class T>
  void number(const char* key, T value) {
    char text[32];  // the shortest that reads back as the same number, whatever the locale
    const std::to_chars_result result = std::to_chars(text, text + sizeof text, value);
    writer.metadata(key, std::string(text, result.ptr));
  }

  template <class T, std::size_t n>
  void choice(const char* key, T value, const Name (&names)[n]) {
    for (const Name& name : names)
      if (static_cast<T>(name.value) == value) return writer.metadata(key, name.name);
  }
};

struct ConfigReader {
  const Contents& contents;

  const std::string& text(const char* key) {
    const auto found = contents.metadata.find(key);
    if (found == contents.metadata.end()) throw Error(RNN_BAD_FORMAT, "metadata %s is missing", key);
    return found->second;
  }

  void cell(const char* key, std::int32_t& id) {
    const std::string& name = text(key);
    const cells::Cell* cell = cells::find(name.c_str());
    if (cell == nullptr || name != cell->name)  // a zero byte may hide more
      throw Error(RNN_BAD_FORMAT, "metadata %s is %s; no such cell", key, quote(name).c_str());
    id = cell->id;
  }

  template <class T>
  void number(const char* key, T& value) {
    const std::string& s = text(key);
    const std::from_chars_result result = std::from_chars(s.data(), s.data() + s.size(), value);
    if (result.ec != std::errc() || result.ptr != s.data() + s.size())
      throw Error(RNN_BAD_FORMAT, "metadata %s is %s; it must be a number in range", key, quote(s).c_str());
  }

  template <class T, std::size_t n>
  void choice(const char* key, T& value, const Name (&names)[n]) {
    const std::string& s = text(key);
    std::string all;
    for (const Name& name : names) {
      if (s == name.name) {
        value = static_cast<T>(name.value);
        return;
      }
      all += (all.empty() ? "" : ", ") + std::string(name.name);
    }
    throw Error(RNN_BAD_FORMAT, "metadata %s is %s; it must be one of %s", key, quote(s).c_str(),
                all.c_str());
  }
};

rnn_config_t read_config(const Contents& contents) {
  ConfigReader reader{contents};
  if (const std::string& format = reader.text(kFormatKey); format != kFormat)
    throw Error(RNN_BAD_FORMAT, "metadata %s is %s; this library reads %s", kFormatKey, quote(format).c_str(),
                kFormat);
  rnn_config_t config{};
  visit(reader, config);
  return config;
}

// ---- Shapes ----

std::string layer_name(const char* name, std::size_t layer) { return name + std::to_string(layer); }

const Tensor* find(const Contents& contents, const std::string& name) {
  const auto found = contents.tensors.find(name);
  return found == contents.tensors.end() ? nullptr : &found->second;
}

using Shape = std::vector<std::uint64_t>;

const Tensor& expect(const Contents& contents, const std::string& name, const Shape& shape) {
  const Tensor* tensor = find(contents, name);
  if (tensor == nullptr)
    throw Error(RNN_BAD_FORMAT, "tensor %s is missing; its shape would be %s", name.c_str(),
                safetensors::to_string(shape).c_str());
  if (tensor->shape != shape)
    throw Error(RNN_BAD_FORMAT, "tensor %s has shape %s; it must be %s", name.c_str(),
                safetensors::to_string(tensor->shape).c_str(), safetensors::to_string(shape).c_str());
  return *tensor;
}

Shape shape_of(const Parameter& parameter) {
  using Kind = Parameter::Kind;
  const bool matrix =
      parameter.kind == Kind::input || parameter.kind == Kind::recurrent || parameter.kind == Kind::head;
  return matrix ? Shape{parameter.rows, parameter.columns} : Shape{parameter.rows};
}

// PyTorch has a second bias, of which librnn keeps the sum with the first.
std::string second_bias(const Parameter& parameter) { return layer_name("bias_hh_l", parameter.layer); }

// The sizes of a state dict that does not state them.
rnn_config_t infer_config(const Contents& contents) {
  const Tensor* input = find(contents, "weight_ih_l0");
  const Tensor* recurrent = find(contents, "weight_hh_l0");
  const Tensor* head = find(contents, "head.weight");
  if (input == nullptr || recurrent == nullptr)
    throw Error(RNN_BAD_FORMAT, "metadata %s is missing, and so is tensor %s", kFormatKey,
                input == nullptr ? "weight_ih_l0" : "weight_hh_l0");
  for (const Tensor* tensor : {input, recurrent, head})
    if (tensor != nullptr && tensor->shape.size() != 2)
      throw Error(RNN_BAD_FORMAT, "tensor %s has shape %s; it must be a matrix", tensor->name.c_str(),
                  safetensors::to_string(tensor->shape).c_str());
  const std::uint64_t hidden_size = recurrent->shape[1];
  if (recurrent->shape[0] == 3 * hidden_size || recurrent->shape[0] == 4 * hidden_size)
    throw Error(RNN_BAD_FORMAT,
                "tensor weight_hh_l0 has shape %s, as in a GRU or LSTM; only the vanilla cell is known",
                safetensors::to_string(recurrent->shape).c_str());

  std::size_t num_layers = 1;
  while (find(contents, layer_name("weight_ih_l", num_layers)) != nullptr) ++num_layers;
  const auto narrow = [](const char* name, std::uint64_t size) {
    if (size > 65536)
      throw Error(RNN_BAD_FORMAT, "%s is %ju; it must be 1..65536", name, std::uintmax_t{size});
    return static_cast<std::int32_t>(size);
  };
  rnn_config_t config{};
  config.input_size = narrow("input_size", input->shape[1]);
  config.hidden_size = narrow("hidden_size", hidden_size);
  config.output_size = head == nullptr ? 0 : narrow("output_size", head->shape[0]);
  config.num_layers = static_cast<std::int32_t>(num_layers);  // as many as the header has room for
  if (find(contents, "bias_ih_l0") == nullptr) config.flags = RNN_NO_BIAS;
  return config;
}

// Resolve the configuration and make sure that the file holds the matrices that it asks for, so that the
// network takes no more memory than a small multiple of the file.
rnn_config_t check_config(const rnn_config_t& stated, const Contents& contents) {
  rnn_config_t config{};
  try {
    config = stated;
    config.struct_size = sizeof config;
    config = resolve(config);
  } catch (const Error& error) {
    throw Error(error.status() == RNN_INVALID_ARGUMENT ? RNN_BAD_FORMAT : error.status(), "configuration: %s",
                error.what());
  }
  const std::uint64_t hidden_size = static_cast<std::uint64_t>(config.hidden_size);
  const std::uint64_t rows = cells::find(config.cell)->gates * hidden_size;
  std::uint64_t columns = static_cast<std::uint64_t>(config.input_size);
  for (std::size_t layer = 0; layer < static_cast<std::size_t>(config.num_layers); ++layer) {
    expect(contents, layer_name("weight_ih_l", layer), {rows, columns});
    expect(contents, layer_name("weight_hh_l", layer), {rows, hidden_size});
    columns = hidden_size;
  }
  if (config.output_size > 0)
    expect(contents, "head.weight", {static_cast<std::uint64_t>(config.output_size), hidden_size});
  return config;
}

bool begins_with(const std::string& text, const char* prefix) { return text.rfind(prefix, 0) == 0; }

// Nothing in the file may be left over: it could be a layer that would silently be dropped.
void check_leftovers(const Weights& weights, const Contents& contents) {
  const auto trainer = contents.metadata.lower_bound(kTrainerMetadata);
  const bool checkpoint = trainer != contents.metadata.end() && begins_with(trainer->first, kTrainerMetadata);
  for (const auto& entry : contents.tensors) {
    const std::string& name = entry.first;
    const Parameter* parameter = weights.find(name.c_str());  // which stops at a zero byte
    bool known = (parameter != nullptr && name == parameter->name) ||
                 (checkpoint && begins_with(name, kTrainerTensors));
    for (std::size_t i = 0; i < weights.parameter_count() && !known; ++i)
      known = weights.parameter(i).kind == Parameter::Kind::bias && name == second_bias(weights.parameter(i));
    if (!known) throw Error(RNN_BAD_FORMAT, "tensor %s is not part of this network", quote(name).c_str());
  }
}

// ---- Values ----

void check_finite(const std::string& name, const std::vector<float>& values) {
  for (std::size_t i = 0; i < values.size(); ++i)
    if (!std::isfinite(values[i]))
      throw Error(RNN_BAD_FORMAT, "tensor %s: value %zu is %g as a float; it must be finite", name.c_str(), i,
                  static_cast<double>(values[i]));
}

std::vector<float> read_parameter(const Contents& contents, const Parameter& parameter) {
  std::vector<float> values(parameter.count());
  expect(contents, parameter.name, shape_of(parameter)).read(values.data());
  if (parameter.kind == Parameter::Kind::bias && find(contents, second_bias(parameter)) != nullptr) {
    std::vector<float> second(values.size());
    expect(contents, second_bias(parameter), shape_of(parameter)).read(second.data());
    check_finite(second_bias(parameter), second);
    for (std::size_t i = 0; i < values.size(); ++i)
      if (second[i] != 0) values[i] += second[i];  // our own files come back to the bit, -0 too
  }
  check_finite(parameter.name, values);
  return values;
}

}  // namespace

void add_network(const Weights& weights, Writer& writer) {
  writer.metadata(kFormatKey, kFormat);
  ConfigWriter config{writer};
  visit(config, weights.config());

  for (std::size_t i = 0; i < weights.parameter_count(); ++i) {
    const Parameter& parameter = weights.parameter(i);
    writer.add(parameter.name, Type::f32, shape_of(parameter), [&weights, &parameter](unsigned char* out) {
      std::vector<float> values(parameter.count());  // `out` may not be aligned
      weights.get(parameter, values.data());
      std::memcpy(out, values.data(), values.size() * sizeof(float));
    });
    if (parameter.kind == Parameter::Kind::bias)
      writer.add(second_bias(parameter), Type::f32, shape_of(parameter), [&parameter](unsigned char* out) {
        std::memset(out, 0, parameter.count() * sizeof(float));
      });
  }
}

WeightsRef extract_network(const Contents& contents, const Allocator& allocator) {
  const bool ours = contents.metadata.find(kFormatKey) != contents.metadata.end();
  const rnn_config_t config = check_config(ours ? read_config(contents) : infer_config(contents), contents);
  WeightsRef ref = WeightsRef::make(config, allocator);
  Weights& weights = ref.mutate();
  check_leftovers(weights, contents);
  for (std::size_t i = 0; i < weights.parameter_count(); ++i)
    weights.set(weights.parameter(i), read_parameter(contents, weights.parameter(i)).data());
  weights.pack();
  return ref;
}

void save(const Writer& writer, const char* path) {
  Bytes bytes(writer.size());
  writer.write(bytes.data.get());
  write_file(path, bytes);
}

void save_network(const Weights& weights, const char* path) {
  Writer writer;
  add_network(weights, writer);
  save(writer, path);
}

WeightsRef load_network(const char* path, const Allocator& allocator) {
  const Bytes bytes = read_file(path);
  try {
    return load_network_memory(bytes.data.get(), bytes.size, allocator);
  } catch (const Error& error) {
    throw Error(error.status(), "%s: %s", path, error.what());
  }
}

std::size_t network_file_size(const Weights& weights) {
  Writer writer;
  add_network(weights, writer);
  return writer.size();
}

void save_network_memory(const Weights& weights, void* memory) {
  Writer writer;
  add_network(weights, writer);
  writer.write(memory);
}

WeightsRef load_network_memory(const void* memory, std::size_t size, const Allocator& allocator) {
  return extract_network(safetensors::read(memory, size), allocator);
}

}  // namespace rnn
