#include "lib/formats/network_tensors.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <set>
#include <vector>

#include "lib/cells/cell.h"
#include "lib/network/error.h"
#include "lib/network/little_endian.h"

namespace rnn::formats {
namespace {

// What a file of ours would not have is damage; a state dict may be right and no network of librnn.
[[noreturn]] void refuse(const Names& names, const std::string& tensor, const std::string& what) {
  if (!names.is_dict()) throw Error(RNN_BAD_FORMAT, "tensor %s %s", quote(tensor).c_str(), what.c_str());
  throw Error(RNN_UNSUPPORTED, "unsupported: tensor %s %s", quote(tensor).c_str(), what.c_str());
}

const Tensor& expect(const Contents& contents, const Names& names, const std::string& name,
                     const Shape& shape) {
  const Tensor* tensor = contents.find(name);
  if (tensor == nullptr)
    throw Error(RNN_BAD_FORMAT, "tensor %s is missing; its shape would be %s", name.c_str(),
                to_string(shape).c_str());
  if (tensor->fault) throw Error(*tensor->fault);
  if (tensor->shape != shape)
    throw Error(RNN_BAD_FORMAT, "tensor %s has shape %s; it must be %s", name.c_str(),
                to_string(tensor->shape).c_str(), to_string(shape).c_str());
  if (!tensor->has_floats())
    refuse(names, name, "has dtype " + tensor->dtype() + "; it must be F64, F32, F16 or BF16");
  return *tensor;
}

constexpr std::string_view kList = "layers.", kReverse = "_reverse";

// The name of a layer's parameter, taken apart: "weight_ih_l12_reverse", or of a list "layers.12.weight_ih_reverse",
// is "weight_ih", 12 and "_reverse".
struct LayerName {
  std::string_view base;
  std::size_t layer;
  std::string_view direction;
};

LayerName take_apart_listed(std::string_view name) {
  LayerName apart{};
  const char* const end = name.data() + name.size();
  const char* const point = std::from_chars(name.data() + kList.size(), end, apart.layer).ptr;
  apart.base = name.substr(static_cast<std::size_t>(point + 1 - name.data()));
  if (apart.base.size() < kReverse.size()) return apart;
  const std::size_t at = apart.base.size() - kReverse.size();
  if (apart.base.substr(at) != kReverse) return apart;
  apart.direction = apart.base.substr(at);
  apart.base = apart.base.substr(0, at);
  return apart;
}

LayerName take_apart(std::string_view name) {
  if (name.substr(0, kList.size()) == kList) return take_apart_listed(name);
  const std::size_t at = name.rfind("_l");
  LayerName apart{name.substr(0, at), 0, {}};
  const char* end = name.data() + name.size();
  apart.direction = std::string_view(std::from_chars(name.data() + at + 2, end, apart.layer).ptr);
  return apart;
}

// A parameter's, or another tensor's of the same strand.
std::string layer_tensor(const Names& names, std::string_view base, const LayerName& apart) {
  return names.strand(std::string(base).c_str(), apart.layer, !apart.direction.empty());
}

std::string place(std::size_t layer) { return std::string(kList) + std::to_string(layer) + "."; }

Shape shape_of(const Parameter& parameter) {
  return parameter.is_matrix() ? Shape{parameter.rows, parameter.columns} : Shape{parameter.rows};
}

// PyTorch has a second bias, bias_hh. librnn keeps the sum of both as the first vector of a cell (bias_ih), but
// where the cell has a vector of W_hh h, which it keeps apart (GRU's bias_hn).
std::string second_bias(const Names& names, const Parameter& bias) {
  return layer_tensor(names, "bias_hh", take_apart(bias.name));
}

std::size_t gates_size(const Weights& weights, const Parameter& parameter) {
  return weights.strand(parameter.strand).layer->gates();
}

// The bias of W_ih x, beside which a file has the second one: that of W_hh h, if there is W_hh.
bool is_first_bias(const Weights& weights, const Parameter& parameter) {
  return parameter.is_bias() && parameter.index == 0 &&
         weights.strand(parameter.strand).layer->cell->recurrent_gates() > 0;
}

// Parameters that a file holds in the second bias alone.
bool is_apart(const Parameter& parameter) { return parameter.is_bias() && parameter.vector.of_recurrent; }

// Where in the second bias.
std::size_t place_apart(const Weights& weights, const Parameter& parameter) {
  return parameter.vector.first_gate * weights.strand(parameter.strand).layer->hidden;
}

// Call visit(parameter) for those that the second bias of a strand holds alone.
template <class Visit>
void visit_apart(const Weights& weights, std::size_t strand, const Visit& visit) {
  for (std::size_t i = 0; i < weights.parameter_count(); ++i)
    if (weights.parameter(i).strand == strand && is_apart(weights.parameter(i))) visit(weights.parameter(i));
}

std::set<std::string> known_names(const Weights& weights, const Names& names) {
  std::set<std::string> known;
  for (std::size_t i = 0; i < weights.parameter_count(); ++i) {
    const Parameter& parameter = weights.parameter(i);
    if (!is_apart(parameter)) known.insert(names.of(parameter));
    if (is_first_bias(weights, parameter)) known.insert(second_bias(names, parameter));
  }
  return known;
}

// Whether a tensor stands in the module of that path itself, not in one inside it.
bool is_in(const std::string& path, const std::string& name) {
  return name.rfind(path, 0) == 0 && name.find('.', path.size()) == std::string::npos;
}

// Whether a tensor stands in one of the network's modules.
bool is_used(const Weights& weights, const Names& names, const std::string& name) {
  if (weights.has_head() && is_in(names.head, name)) return true;
  if (weights.has_embedding() && is_in(names.embedding, name)) return true;
  if (!names.is_dict()) return is_in(names.layers, name);
  return std::any_of(names.modules.begin(), names.modules.end(),
                     [&](const Module& module) { return is_in(module.prefix, name); });
}

// Whether another tensor says more of the same module, which is not part of the network.
bool is_bias_of_another(const Contents& contents, const std::set<std::string>& known,
                        const std::string& name) {
  constexpr std::string_view kBias = "bias";
  if (name.size() < kBias.size() || name.substr(name.size() - kBias.size()) != kBias) return false;
  const std::string weight = name.substr(0, name.size() - kBias.size()) + "weight";
  return known.count(weight) == 0 && contents.find(weight) != nullptr;
}

// Nothing of the network may be left over: it could be a layer that would silently be dropped.
void check_leftovers(const Weights& weights, const Selection& selection, const Contents& contents,
                     const std::function<bool(const std::string&)>& spared) {
  const Names& names = selection.names;
  const std::set<std::string> known = known_names(weights, names);
  for (const auto& entry : contents.tensors) {
    const std::string& name = entry.first;
    if (known.count(name) != 0 || spared(name)) continue;
    if (selection.partial && !is_used(weights, names, name)) continue;
    if (is_bias_of_another(contents, known, name)) continue;
    const bool has_shape = names.is_dict() && !entry.second.fault;
    refuse(
        names, name,
        (has_shape ? "of shape " + to_string(entry.second.shape) + " " : "") + "is not part of this network");
  }
}

// A bias that the file lacks.
bool is_absent(const Selection& selection, const Parameter& parameter) {
  using Kind = Parameter::Kind;
  if (parameter.kind == Kind::head_bias) return selection.bare_head;
  return parameter.is_bias() && selection.names.module(take_apart(parameter.name).layer).is_bare;
}

void check_finite(const std::string& name, const std::vector<float>& values) {
  for (std::size_t i = 0; i < values.size(); ++i)
    if (!std::isfinite(values[i]))
      throw Error(RNN_BAD_FORMAT, "tensor %s: value %zu is %g as a float; it must be finite", name.c_str(), i,
                  static_cast<double>(values[i]));
}

std::vector<float> read_second_bias(const Weights& weights, const Names& names, const Contents& contents,
                                    const Parameter& bias) {
  std::vector<float> values(gates_size(weights, bias));
  const std::string name = second_bias(names, bias);
  expect(contents, names, name, {values.size()}).read(values.data());
  check_finite(name, values);
  return values;
}

std::vector<float> read_parameter(const Weights& weights, const Names& names, const Contents& contents,
                                  const Parameter& parameter) {
  std::vector<float> values(parameter.count());
  if (is_apart(parameter)) {
    const Parameter& first = *weights.find(Parameter::Kind::vector, parameter.strand);
    const std::vector<float> second = read_second_bias(weights, names, contents, first);
    std::copy_n(second.begin() + static_cast<std::ptrdiff_t>(place_apart(weights, parameter)), values.size(),
                values.begin());
    return values;
  }
  const std::string name = names.of(parameter);
  expect(contents, names, name, shape_of(parameter)).read(values.data());
  if (is_first_bias(weights, parameter)) {
    std::vector<float> second = read_second_bias(weights, names, contents, parameter);
    visit_apart(weights, parameter.strand, [&](const Parameter& apart) {
      std::fill_n(second.begin() + static_cast<std::ptrdiff_t>(place_apart(weights, apart)), apart.count(),
                  0.0f);
    });
    for (std::size_t i = 0; i < second.size(); ++i)
      if (second[i] != 0) values[i] += second[i];  // our own files come back to the bit, -0 too
  }
  check_finite(name, values);
  return values;
}

// Floats to memory that may not be aligned. Nothing throws: it may be the caller's, who shall see no half of
// a file.
void write_values(const Weights& weights, const Parameter& parameter, unsigned char* out) noexcept {
  const float* row = weights.values() + parameter.offset;
  const std::size_t bytes = parameter.columns * sizeof(float);
  for (std::size_t i = 0; i < parameter.rows; ++i, row += parameter.stride, out += bytes)
    write_little_endian(row, parameter.columns, out);
}

void write_second_bias(const Weights& weights, const Parameter& bias, unsigned char* out) noexcept {
  std::memset(out, 0, gates_size(weights, bias) * sizeof(float));
  visit_apart(weights, bias.strand, [&](const Parameter& apart) {
    write_values(weights, apart, out + place_apart(weights, apart) * sizeof(float));
  });
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
  const LayerName apart = take_apart(parameter.name);
  return layer_tensor(*this, apart.base, apart);
}

void Names::name_list(const rnn_config_t& config) {
  is_list = true;
  const std::size_t index = make_head(config).index;
  head = is_dict() ? module(index).prefix : layers + place(index);
}

Module Names::module(std::size_t layer) const {
  if (!is_dict()) return {layers};
  const auto behind = std::find_if(modules.begin() + 1, modules.end(),
                                   [=](const Module& module) { return module.first > layer; });
  return *(behind - 1);
}

std::string Names::strand(const char* base, std::size_t layer, bool backward) const {
  const Module own = module(layer);
  if (is_list && !is_dict()) return layers + place(layer) + base + std::string(backward ? kReverse : "");
  if (own.is_cell || own.is_dense) return own.prefix + base;
  return own.prefix + base + "_l" + std::to_string(layer - own.first) + (backward ? "_reverse" : "");
}

const Tensor* find_matrix(const Contents& contents, const std::string& name) {
  const Tensor* tensor = contents.find(name);
  if (tensor != nullptr && tensor->fault) throw Error(*tensor->fault);
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
    if (is_first_bias(weights, parameter))
      writer.add(second_bias(names, parameter), Type::f32, {gates_size(weights, parameter)},
                 [&weights, &parameter](unsigned char* out) { write_second_bias(weights, parameter, out); });
  }
}

void check_matrices(const rnn_config_t& config, const Names& names, const Contents& contents) {
  const Buffer<Layer> layers = make_layers(config, Allocator());
  if (config.embedding_size != 0)
    expect(contents, names, names.embedding + "weight",
           {static_cast<std::uint64_t>(config.input_size), layers[0].inputs});
  std::uint64_t outputs = 0;
  for (const Layer& layer : layers) {
    const cells::Cell& cell = *layer.cell;
    const std::uint64_t H = layer.hidden, P = layer.projected;
    for (std::size_t d = 0; d < layer.directions; ++d) {
      const auto expect_matrix = [&](const char* base, std::uint64_t rows, std::uint64_t columns) {
        expect(contents, names, names.strand(base, layer.index, layer.reverse || d != 0), {rows, columns});
      };
      expect_matrix(cell.input, cell.gates * H, layer.columns());
      if (cell.recurrent_gates() > 0) expect_matrix("weight_hh", cell.recurrent_gates() * H, P);
      if (layer.has_projection()) expect_matrix("weight_hr", P, H);
    }
    outputs = layer.outputs();
  }
  const Head head = make_head(config);
  if (head.outputs != 0 && (config.flags & RNN_FLAG_TIED_HEAD) == 0)
    expect(contents, names, names.head + "weight", {head.outputs, outputs});
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
