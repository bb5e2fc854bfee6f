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
constexpr Name kComputes[] = {
    {RNN_COMPUTE_F32, "f32"}, {RNN_COMPUTE_BF16, "bf16"}, {RNN_COMPUTE_INT8, "int8"}};
constexpr Name kBooleans[] = {{1, "true"}, {0, "false"}};

// Visits the fields of a configuration in the order in which they stand in the file.
template <class Visitor, class Config>
void visit(Visitor& visitor, Config& config) {
  visitor.cell("rnn.cell", config);
  visitor.number("rnn.input_size", config.input_size);
  visitor.number("rnn.hidden_size", config.hidden_size);
  visitor.number("rnn.output_size", config.output_size);
  visitor.number("rnn.num_layers", config.num_layers);
  visitor.flag("rnn.bias", config.flags, RNN_NO_BIAS, true);
  visitor.choice("rnn.initial_state", config.initial_state, kInitialStates);
  visitor.choice("rnn.init", config.init, kInits);
  visitor.choice("rnn.recurrent_init", config.recurrent_init, kInits);
  visitor.number("rnn.init_range", config.init_range);
  visitor.number("rnn.seed", config.seed);
  visitor.choice("rnn.compute", config.compute, kComputes);
  visitor.option("rnn.projection_size", config.projection_size);
  visitor.option("rnn.embedding_size", config.embedding_size);
  visitor.option("rnn.forget_bias", config.forget_bias);
  visitor.option_flag("rnn.bidirectional", config.flags, RNN_BIDIRECTIONAL);
  visitor.option_flag("rnn.residual", config.flags, RNN_RESIDUAL);
  visitor.option_flag("rnn.layer_norm", config.flags, RNN_LAYER_NORM);
  visitor.option_flag("rnn.tied_head", config.flags, RNN_TIED_HEAD);
}

// What begins with option is in the file only where it is not zero.
struct ConfigWriter {
  Writer& writer;

  void cell(const char* key, const rnn_config_t& config) {
    writer.metadata(key, cells::find(config.cell, config.flags & cells::kVariants)->name);
  }

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

  void flag(const char* key, std::uint32_t flags, std::uint32_t flag, bool inverted) {
    choice(key, std::int32_t{((flags & flag) != 0) != inverted}, kBooleans);
  }

  template <class T>
  void option(const char* key, T value) {
    if (value != 0) number(key, value);
  }

  void option_flag(const char* key, std::uint32_t flags, std::uint32_t flag) {
    if ((flags & flag) != 0) this->flag(key, flags, flag, false);
  }
};

struct ConfigReader {
  const Contents& contents;

  const std::string& text(const char* key) {
    const auto found = contents.metadata.find(key);
    if (found == contents.metadata.end()) throw Error(RNN_BAD_FORMAT, "metadata %s is missing", key);
    return found->second;
  }

  bool has(const char* key) const { return contents.metadata.find(key) != contents.metadata.end(); }

  void cell(const char* key, rnn_config_t& config) {
    const std::string& name = text(key);
    const cells::Cell* cell = cells::find(name.c_str());
    if (cell == nullptr || name != cell->name)  // a zero byte may hide more
      throw Error(RNN_BAD_FORMAT, "metadata %s is %s; no such cell", key, quote(name).c_str());
    config.cell = cell->id;
    config.flags |= cell->variant;
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

  void flag(const char* key, std::uint32_t& flags, std::uint32_t flag, bool inverted) {
    std::int32_t value = 0;
    choice(key, value, kBooleans);
    if ((value != 0) != inverted) flags |= flag;
  }

  template <class T>
  void option(const char* key, T& value) {
    if (has(key)) number(key, value);
  }

  void option_flag(const char* key, std::uint32_t& flags, std::uint32_t flag) {
    if (has(key)) this->flag(key, flags, flag, false);
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
  return parameter.is_matrix() ? Shape{parameter.rows, parameter.columns} : Shape{parameter.rows};
}

// PyTorch has a second bias, bias_hh. librnn keeps the sum of both (bias_ih); where the last gate's second
// bias is not redundant (GRU's b_hn), it keeps this one as bias_hn.
std::string second_bias(const Parameter& bias) {
  constexpr std::size_t kPrefix = sizeof "bias_ih" - 1;  // or bias_hn
  return "bias_hh" + std::string(bias.name + kPrefix);
}

Shape second_bias_shape(const Weights& weights) { return {weights.gates_size()}; }

std::string strand_name(const char* name, std::size_t layer, bool backward) {
  return name + std::string("_l") + std::to_string(layer) + (backward ? "_reverse" : "");
}

const Tensor* find_matrix(const Contents& contents, const std::string& name) {
  const Tensor* tensor = find(contents, name);
  if (tensor != nullptr && tensor->shape.size() != 2)
    throw Error(RNN_BAD_FORMAT, "tensor %s has shape %s; it must be a matrix", name.c_str(),
                safetensors::to_string(tensor->shape).c_str());
  return tensor;
}

std::int32_t narrow(const char* name, std::uint64_t size) {
  if (size > 65536) throw Error(RNN_BAD_FORMAT, "%s is %ju; it must be 1..65536", name, std::uintmax_t{size});
  return static_cast<std::int32_t>(size);
}

// The cell and its widths, from the number of gates: weight_hh is [G*H, H], or [4*H, P] in an LSTM with a
// projection.
void infer_cell(const Contents& contents, const Tensor& recurrent, rnn_config_t& config) {
  const std::uint64_t rows = recurrent.shape[0], columns = recurrent.shape[1];
  const Tensor* projection = find_matrix(contents, "weight_hr_l0");
  const std::uint64_t hidden_size = projection != nullptr ? projection->shape[1] : columns;
  config.hidden_size = narrow("hidden_size", hidden_size);
  if (projection != nullptr) config.projection_size = narrow("projection_size", columns);
  if (projection == nullptr && rows == hidden_size)
    config.cell = RNN_CELL_VANILLA;
  else if (projection == nullptr && rows == 3 * hidden_size)
    config.cell = RNN_CELL_GRU;
  else if (rows == 4 * hidden_size)
    config.cell = RNN_CELL_LSTM;
  else if (projection == nullptr)
    throw Error(RNN_BAD_FORMAT,
                "tensor weight_hh_l0 has shape %s; its rows must be 1 (RNN), 3 (GRU) or 4 (LSTM) "
                "times its columns",
                safetensors::to_string(recurrent.shape).c_str());
  else
    throw Error(RNN_BAD_FORMAT,
                "tensor weight_hh_l0 has shape %s; with weight_hr_l0 of %s its rows must be 4 times "
                "%ju",
                safetensors::to_string(recurrent.shape).c_str(),
                safetensors::to_string(projection->shape).c_str(), std::uintmax_t{hidden_size});
}

// The sizes of a state dict that does not state them.
rnn_config_t infer_config(const Contents& contents) {
  const Tensor* input = find_matrix(contents, "weight_ih_l0");
  const Tensor* recurrent = find_matrix(contents, "weight_hh_l0");
  const Tensor* head = find_matrix(contents, "head.weight");
  const Tensor* embedding = find_matrix(contents, "embedding.weight");
  if (input == nullptr || recurrent == nullptr)
    throw Error(RNN_BAD_FORMAT, "metadata %s is missing, and so is tensor %s", kFormatKey,
                input == nullptr ? "weight_ih_l0" : "weight_hh_l0");
  std::size_t num_layers = 1;
  while (find(contents, strand_name("weight_ih", num_layers, false)) != nullptr) ++num_layers;

  rnn_config_t config{};
  infer_cell(contents, *recurrent, config);
  config.input_size = narrow("input_size", embedding != nullptr ? embedding->shape[0] : input->shape[1]);
  if (embedding != nullptr) config.embedding_size = narrow("embedding_size", embedding->shape[1]);
  config.output_size = head == nullptr ? 0 : narrow("output_size", head->shape[0]);
  config.num_layers = static_cast<std::int32_t>(num_layers);  // as many as the header has room for
  if (find(contents, "bias_ih_l0") == nullptr) config.flags |= RNN_NO_BIAS;
  if (find(contents, "weight_ih_l0_reverse") != nullptr) config.flags |= RNN_BIDIRECTIONAL;
  return config;
}

// Make sure that the file holds the matrices that the configuration asks for, so that the network takes no
// more memory than a small multiple of the file.
void check_matrices(const rnn_config_t& config, const Contents& contents) {
  const auto size = [](std::int32_t value) { return static_cast<std::uint64_t>(value); };
  const std::uint64_t H = size(config.hidden_size);
  const std::uint64_t P = config.projection_size != 0 ? size(config.projection_size) : H;
  const std::uint64_t rows = cells::find(config.cell, config.flags & cells::kVariants)->gates * H;
  const std::uint64_t directions = (config.flags & RNN_BIDIRECTIONAL) != 0 ? 2 : 1;
  std::uint64_t columns = size(config.input_size);
  if (config.embedding_size != 0) {
    expect(contents, "embedding.weight", {columns, size(config.embedding_size)});
    columns = size(config.embedding_size);
  }
  for (std::size_t layer = 0; layer < static_cast<std::size_t>(config.num_layers); ++layer) {
    for (std::uint64_t d = 0; d < directions; ++d) {
      expect(contents, strand_name("weight_ih", layer, d != 0), {rows, columns});
      expect(contents, strand_name("weight_hh", layer, d != 0), {rows, P});
      if (config.projection_size != 0) expect(contents, strand_name("weight_hr", layer, d != 0), {P, H});
    }
    columns = directions * P;
  }
  if (config.output_size != 0 && (config.flags & RNN_TIED_HEAD) == 0)
    expect(contents, "head.weight", {size(config.output_size), columns});
}

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
  check_matrices(config, contents);
  return config;
}

bool begins_with(const std::string& text, const char* prefix) { return text.rfind(prefix, 0) == 0; }

// Parameters that a file holds in the second bias alone.
bool is_apart(const Parameter& parameter) { return parameter.kind == Parameter::Kind::recurrent_bias; }

bool is_known(const Weights& weights, const std::string& name) {
  for (std::size_t i = 0; i < weights.parameter_count(); ++i) {
    const Parameter& parameter = weights.parameter(i);
    if (name == parameter.name) return !is_apart(parameter);
    if (parameter.kind == Parameter::Kind::bias && name == second_bias(parameter)) return true;
  }
  return false;
}

// Nothing in the file may be left over: it could be a layer that would silently be dropped.
void check_leftovers(const Weights& weights, const Contents& contents) {
  const auto trainer = contents.metadata.lower_bound(kTrainerMetadata);
  const bool checkpoint = trainer != contents.metadata.end() && begins_with(trainer->first, kTrainerMetadata);
  for (const auto& entry : contents.tensors) {
    const std::string& name = entry.first;
    if (!is_known(weights, name) && !(checkpoint && begins_with(name, kTrainerTensors)))
      throw Error(RNN_BAD_FORMAT, "tensor %s is not part of this network", quote(name).c_str());
  }
}

// ---- Values ----

void check_finite(const std::string& name, const std::vector<float>& values) {
  for (std::size_t i = 0; i < values.size(); ++i)
    if (!std::isfinite(values[i]))
      throw Error(RNN_BAD_FORMAT, "tensor %s: value %zu is %g as a float; it must be finite", name.c_str(), i,
                  static_cast<double>(values[i]));
}

std::vector<float> read_second_bias(const Weights& weights, const Contents& contents, const Parameter& bias) {
  std::vector<float> values(weights.gates_size());
  expect(contents, second_bias(bias), second_bias_shape(weights)).read(values.data());
  check_finite(second_bias(bias), values);
  return values;
}

// How many elements of the second bias are redundant, the first ones.
std::size_t redundant(const Weights& weights) {
  return weights.gates_size() - (weights.cell().recurrent_bias ? weights.hidden_size() : 0);
}

std::vector<float> read_parameter(const Weights& weights, const Contents& contents,
                                  const Parameter& parameter) {
  if (is_apart(parameter)) {
    std::vector<float> second = read_second_bias(weights, contents, parameter);
    second.erase(second.begin(), second.begin() + static_cast<std::ptrdiff_t>(redundant(weights)));
    return second;
  }
  std::vector<float> values(parameter.count());
  expect(contents, parameter.name, shape_of(parameter)).read(values.data());
  if (parameter.kind == Parameter::Kind::bias && find(contents, second_bias(parameter)) != nullptr) {
    const std::vector<float> second = read_second_bias(weights, contents, parameter);
    for (std::size_t i = 0; i < redundant(weights); ++i)
      if (second[i] != 0) values[i] += second[i];  // our own files come back to the bit, -0 too
  }
  check_finite(parameter.name, values);
  return values;
}

// Floats to memory that may not be aligned.
void write_values(const Weights& weights, const Parameter& parameter, unsigned char* out) {
  std::vector<float> values(parameter.count());
  weights.get(parameter, values.data());
  std::memcpy(out, values.data(), values.size() * sizeof(float));
}

void write_second_bias(const Weights& weights, const Parameter& bias, unsigned char* out) {
  std::memset(out, 0, weights.gates_size() * sizeof(float));
  const Parameter* apart = weights.find(Parameter::Kind::recurrent_bias, bias.strand);
  if (apart != nullptr) write_values(weights, *apart, out + redundant(weights) * sizeof(float));
}

}  // namespace

void add_network(const Weights& weights, Writer& writer) {
  writer.metadata(kFormatKey, kFormat);
  ConfigWriter config{writer};
  visit(config, weights.config());

  for (std::size_t i = 0; i < weights.parameter_count(); ++i) {
    const Parameter& parameter = weights.parameter(i);
    if (is_apart(parameter)) continue;
    writer.add(parameter.name, Type::f32, shape_of(parameter),
               [&weights, &parameter](unsigned char* out) { write_values(weights, parameter, out); });
    if (parameter.kind == Parameter::Kind::bias)
      writer.add(second_bias(parameter), Type::f32, second_bias_shape(weights),
                 [&weights, &parameter](unsigned char* out) { write_second_bias(weights, parameter, out); });
  }
}

WeightsRef extract_network(const Contents& contents, const Allocator& allocator) {
  const bool ours = contents.metadata.find(kFormatKey) != contents.metadata.end();
  const rnn_config_t config = check_config(ours ? read_config(contents) : infer_config(contents), contents);
  WeightsRef ref = WeightsRef::make(config, allocator);
  Weights& weights = ref.mutate();
  check_leftovers(weights, contents);
  for (std::size_t i = 0; i < weights.parameter_count(); ++i)
    weights.set(weights.parameter(i), read_parameter(weights, contents, weights.parameter(i)).data());
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
