#include "lib/formats/network_tensors.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <set>
#include <vector>

#include "lib/cells/cell.h"
#include "lib/network/error.h"

namespace rnn::formats {
namespace {

const Tensor& expect(const Contents& contents, const std::string& name, const Shape& shape) {
  const Tensor* tensor = contents.find(name);
  if (tensor == nullptr)
    throw Error(RNN_BAD_FORMAT, "tensor %s is missing; its shape would be %s", name.c_str(),
                to_string(shape).c_str());
  if (tensor->shape != shape)
    throw Error(RNN_BAD_FORMAT, "tensor %s has shape %s; it must be %s", name.c_str(),
                to_string(tensor->shape).c_str(), to_string(shape).c_str());
  return *tensor;
}

Shape shape_of(const Parameter& parameter) {
  return parameter.is_matrix() ? Shape{parameter.rows, parameter.columns} : Shape{parameter.rows};
}

// PyTorch has a second bias, bias_hh. librnn keeps the sum of both (bias_ih); where the last gate's second
// bias is not redundant (GRU's b_hn), it keeps this one as bias_hn.
std::string second_bias(const Names& names, const Parameter& bias) {
  constexpr std::size_t kPrefix = sizeof "bias_ih" - 1;  // or bias_hn
  return names.layers + "bias_hh" + (bias.name + kPrefix);
}

Shape second_bias_shape(const Weights& weights) { return {weights.gates_size()}; }

// Parameters that a file holds in the second bias alone.
bool is_apart(const Parameter& parameter) { return parameter.kind == Parameter::Kind::recurrent_bias; }

std::set<std::string> known_names(const Weights& weights, const Names& names) {
  std::set<std::string> known;
  for (std::size_t i = 0; i < weights.parameter_count(); ++i) {
    const Parameter& parameter = weights.parameter(i);
    if (!is_apart(parameter)) known.insert(names.of(parameter));
    if (parameter.kind == Parameter::Kind::bias) known.insert(second_bias(names, parameter));
  }
  return known;
}

// Whether a tensor stands in the module of that path itself, not in one inside it.
bool is_in(const std::string& path, const std::string& name) {
  return name.rfind(path, 0) == 0 && name.find('.', path.size()) == std::string::npos;
}

// Nothing of the network may be left over: it could be a layer that would silently be dropped.
void check_leftovers(const Weights& weights, const Selection& selection, const Contents& contents,
                     const std::function<bool(const std::string&)>& spared) {
  const Names& names = selection.names;
  const std::set<std::string> known = known_names(weights, names);
  for (const auto& entry : contents.tensors) {
    const std::string& name = entry.first;
    if (known.count(name) != 0 || spared(name)) continue;
    const bool used = is_in(names.layers, name) || (weights.has_head() && is_in(names.head, name)) ||
                      (weights.has_embedding() && is_in(names.embedding, name));
    if (used || !selection.partial)
      throw Error(RNN_BAD_FORMAT, "tensor %s is not part of this network", quote(name).c_str());
  }
}

// A bias that the file lacks.
bool is_absent(const Selection& selection, const Parameter& parameter) {
  using Kind = Parameter::Kind;
  if (parameter.kind == Kind::head_bias) return selection.bare_head;
  return selection.bare_layers && (parameter.kind == Kind::bias || parameter.kind == Kind::recurrent_bias);
}

void check_finite(const std::string& name, const std::vector<float>& values) {
  for (std::size_t i = 0; i < values.size(); ++i)
    if (!std::isfinite(values[i]))
      throw Error(RNN_BAD_FORMAT, "tensor %s: value %zu is %g as a float; it must be finite", name.c_str(), i,
                  static_cast<double>(values[i]));
}

std::vector<float> read_second_bias(const Weights& weights, const Names& names, const Contents& contents,
                                    const Parameter& bias) {
  std::vector<float> values(weights.gates_size());
  const std::string name = second_bias(names, bias);
  expect(contents, name, second_bias_shape(weights)).read(values.data());
  check_finite(name, values);
  return values;
}

// How many elements of the second bias are redundant, the first ones.
std::size_t redundant(const Weights& weights) {
  return weights.gates_size() - (weights.cell().recurrent_bias ? weights.hidden_size() : 0);
}

std::vector<float> read_parameter(const Weights& weights, const Names& names, const Contents& contents,
                                  const Parameter& parameter) {
  if (is_apart(parameter)) {
    std::vector<float> second = read_second_bias(weights, names, contents, parameter);
    second.erase(second.begin(), second.begin() + static_cast<std::ptrdiff_t>(redundant(weights)));
    return second;
  }
  std::vector<float> values(parameter.count());
  const std::string name = names.of(parameter);
  expect(contents, name, shape_of(parameter)).read(values.data());
  if (parameter.kind == Parameter::Kind::bias && contents.find(second_bias(names, parameter)) != nullptr) {
    const std::vector<float> second = read_second_bias(weights, names, contents, parameter);
    for (std::size_t i = 0; i < redundant(weights); ++i)
      if (second[i] != 0) values[i] += second[i];  // our own files come back to the bit, -0 too
  }
  check_finite(name, values);
  return values;
}

// Floats to memory that may not be aligned. Nothing throws: it may be the caller's, who shall see no half of a file.
void write_values(const Weights& weights, const Parameter& parameter, unsigned char* out) noexcept {
  const float* row = weights.values() + parameter.offset;
  const std::size_t bytes = parameter.columns * sizeof(float);
  for (std::size_t i = 0; i < parameter.rows; ++i, row += parameter.stride, out += bytes)
    std::memcpy(out, row, bytes);
}

void write_second_bias(const Weights& weights, const Parameter& bias, unsigned char* out) noexcept {
  std::memset(out, 0, weights.gates_size() * sizeof(float));
  const Parameter* apart = weights.find(Parameter::Kind::recurrent_bias, bias.strand);
  if (apart != nullptr) write_values(weights, *apart, out + redundant(weights) * sizeof(float));
}

}  // namespace

bool is_prefix(std::string_view text) {
  constexpr std::size_t kLongest = 200;
  return text.size() <= kLongest &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c <= '~'; });
}

std::string Names::of(const Parameter& parameter) const {
  using Kind = Parameter::Kind;
  if (parameter.kind == Kind::embedding) return embedding + "weight";
  if (parameter.kind == Kind::head) return head + "weight";
  if (parameter.kind == Kind::head_bias) return head + "bias";
  return layers + parameter.name;
}

std::string Names::strand(const char* name, std::size_t layer, bool backward) const {
  return layers + name + "_l" + std::to_string(layer) + (backward ? "_reverse" : "");
}

const Tensor* find_matrix(const Contents& contents, const std::string& name) {
  const Tensor* tensor = contents.find(name);
  if (tensor != nullptr && tensor->shape.size() != 2)
    throw Error(RNN_BAD_FORMAT, "tensor %s has shape %s; it must be a matrix", name.c_str(),
                to_string(tensor->shape).c_str());
  return tensor;
}

void add_tensors(const Weights& weights, const Names& names, Writer& writer) {
  for (std::size_t i = 0; i < weights.parameter_count(); ++i) {
    const Parameter& parameter = weights.parameter(i);
    if (is_apart(parameter)) continue;
    writer.add(names.of(parameter), Type::f32, shape_of(parameter),
               [&weights, &parameter](unsigned char* out) { write_values(weights, parameter, out); });
    if (parameter.kind == Parameter::Kind::bias)
      writer.add(second_bias(names, parameter), Type::f32, second_bias_shape(weights),
                 [&weights, &parameter](unsigned char* out) { write_second_bias(weights, parameter, out); });
  }
}

void check_matrices(const rnn_config_t& config, const Names& names, const Contents& contents) {
  const auto size = [](std::int32_t value) { return static_cast<std::uint64_t>(value); };
  const std::uint64_t H = size(config.hidden_size);
  const std::uint64_t P = config.projection_size != 0 ? size(config.projection_size) : H;
  const std::uint64_t rows = cells::find(config.cell, config.flags & cells::kVariants)->gates * H;
  const std::uint64_t directions = (config.flags & RNN_BIDIRECTIONAL) != 0 ? 2 : 1;
  std::uint64_t columns = size(config.input_size);
  if (config.embedding_size != 0) {
    expect(contents, names.embedding + "weight", {columns, size(config.embedding_size)});
    columns = size(config.embedding_size);
  }
  for (std::size_t layer = 0; layer < static_cast<std::size_t>(config.num_layers); ++layer) {
    for (std::uint64_t d = 0; d < directions; ++d) {
      expect(contents, names.strand("weight_ih", layer, d != 0), {rows, columns});
      expect(contents, names.strand("weight_hh", layer, d != 0), {rows, P});
      if (config.projection_size != 0) expect(contents, names.strand("weight_hr", layer, d != 0), {P, H});
    }
    columns = directions * P;
  }
  if (config.output_size != 0 && (config.flags & RNN_TIED_HEAD) == 0)
    expect(contents, names.head + "weight", {size(config.output_size), columns});
}

void read_tensors(Weights& weights, const Selection& selection, const Contents& contents,
                  const std::function<bool(const std::string&)>& spared) {
  check_leftovers(weights, selection, contents, spared);
  for (std::size_t i = 0; i < weights.parameter_count(); ++i) {
    const Parameter& parameter = weights.parameter(i);
    if (!is_absent(selection, parameter))
      weights.set(parameter, read_parameter(weights, selection.names, contents, parameter).data());
  }
}

}  // namespace rnn::formats
