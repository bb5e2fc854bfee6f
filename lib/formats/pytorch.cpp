#include "lib/formats/pytorch.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/network/config.h"
#include "lib/network/error.h"
#include "lib/network/pattern.h"

namespace rnn::formats {
namespace {

using Prefixes = std::vector<std::string>;

constexpr char kMatrix[] = "weight";
constexpr std::size_t kMaxLayers = 64;

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

std::string list(const Prefixes& prefixes) {
  constexpr std::size_t kMost = 8;
  if (prefixes.empty()) return "nothing";
  std::string text;
  for (std::size_t i = 0; i < std::min(prefixes.size(), kMost); ++i)
    text += (i == 0 ? "" : ", ") + quote(prefixes[i]);
  return text + (prefixes.size() > kMost ? ", ..." : "");
}

// The one that was found; `what` says what it is, and `option` chooses among them.
const std::string& only(const Prefixes& found, const char* what, const char* option) {
  if (found.size() > 1)
    throw Error(RNN_INVALID_ARGUMENT, "%zu modules could be %s: %s; options.%s of rnn_load_as says which",
                found.size(), what, list(found).c_str(), option);
  return found.front();
}

std::int32_t narrow(const char* name, std::uint64_t size, std::int32_t most = kMaxSize) {
  if (size == 0) throw Error(RNN_BAD_FORMAT, "%s is 0; it must be 1..%d", name, most);
  if (size > static_cast<std::uint64_t>(most))
    throw Error(RNN_UNSUPPORTED, "unsupported: %s is %ju; it must be 1..%d", name, std::uintmax_t{size},
                most);
  return static_cast<std::int32_t>(size);
}

// ---- Layers ----

// The name of a tensor of layers: "gru.weight_ih_l1_reverse" is "gru.", "weight_ih", 1 and reverse.
struct LayerTensor {
  std::string_view prefix, base;
  std::optional<std::size_t> layer;  // none in a cell
  bool reverse = false;
};

std::optional<LayerTensor> layer_tensor(std::string_view name) {
  const std::size_t point = name.rfind('.');
  LayerTensor tensor;
  tensor.prefix = name.substr(0, point == std::string_view::npos ? 0 : point + 1);
  std::string_view rest = name.substr(tensor.prefix.size());
  for (const std::string_view base : {"weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr"})
    if (rest.substr(0, base.size()) == base) tensor.base = base;
  if (tensor.base.empty()) return std::nullopt;
  rest.remove_prefix(tensor.base.size());
  if (rest.empty() && tensor.base != "weight_hr") return tensor;
  constexpr std::string_view kLayer = "_l", kReverse = "_reverse";
  if (rest.substr(0, kLayer.size()) != kLayer) return std::nullopt;
  rest.remove_prefix(kLayer.size());
  std::size_t layer = 0;
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), layer);
  const std::string digits(rest.data(), end);
  rest.remove_prefix(digits.size());
  tensor.reverse = rest == kReverse;
  if (error != std::errc() || digits != std::to_string(layer) || (!rest.empty() && !tensor.reverse))
    return std::nullopt;
  tensor.layer = layer;
  return tensor;
}

// What the names of a module's tensors say: each that one of them implies must be there.
struct Layout {
  std::string prefix;
  std::size_t layers = 0;
  bool is_cell = false, is_stack = false, reverse = false, biases = false, projection = false;

  void add(const LayerTensor& tensor) {
    layers = std::max(layers, tensor.layer.value_or(0) + 1);
    is_cell = is_cell || !tensor.layer;
    is_stack = is_stack || tensor.layer;
    reverse = reverse || tensor.reverse;
    biases = biases || tensor.base.substr(0, 4) == "bias";
    projection = projection || tensor.base == "weight_hr";
  }
  void check() const {
    if (!is_prefix(prefix))
      throw Error(RNN_UNSUPPORTED, "unsupported: module %s: the name must be printable and short",
                  quote(prefix).c_str());
    if (is_cell && is_stack)
      throw Error(RNN_BAD_FORMAT, "module %s has names of a cell (weight_ih) and of layers (weight_ih_l0)",
                  quote(prefix).c_str());
    if (layers > kMaxLayers)
      throw Error(RNN_UNSUPPORTED, "unsupported: module %s has %zu layers; there may be %zu",
                  quote(prefix).c_str(), layers, kMaxLayers);
  }
};

// The modules that the pattern (null: any) fits, in the order in which they stand in the file.
std::vector<Layout> find_layouts(const Contents& contents, const char* pattern) {
  std::vector<Layout> layouts;
  std::map<std::string, std::size_t, std::less<>> places;
  const auto add = [&](const std::string& name) {
    const std::optional<LayerTensor> tensor = layer_tensor(name);
    if (!tensor) return;
    const std::string prefix(tensor->prefix);
    if (pattern != nullptr && !fits(pattern, prefix.c_str())) return;
    const auto [place, is_new] = places.emplace(prefix, layouts.size());
    if (is_new) layouts.push_back({prefix});
    layouts[place->second].add(*tensor);
  };
  for (const std::string& name : contents.order) add(name);
  for (const auto& entry : contents.tensors)
    if (contents.order.empty()) add(entry.first);
  return layouts;
}

Prefixes prefixes_of(const std::vector<Layout>& layouts) {
  Prefixes prefixes;
  for (const Layout& layout : layouts) prefixes.push_back(layout.prefix);
  return prefixes;
}

// Modules rnns.0., rnns.1., ..., or rnns.0.module. and so on, are a stack: sorted by their numbers. Or nothing.
bool sort_stack(std::vector<Layout>& layouts) {
  constexpr std::string_view kList = "rnns.";
  std::map<std::size_t, Layout> sorted;
  std::string begin, end;
  for (const Layout& layout : layouts) {
    const std::size_t list = layout.prefix.rfind(kList);
    if (list == std::string::npos || (list > 0 && layout.prefix[list - 1] != '.')) return false;
    const char* const digits = layout.prefix.data() + list + kList.size();
    std::size_t place = 0;
    const char* const rest = std::from_chars(digits, layout.prefix.data() + layout.prefix.size(), place).ptr;
    const std::string own_begin = layout.prefix.substr(0, list), own_end = rest;
    if (sorted.empty()) begin = own_begin, end = own_end;
    if (rest == digits || own_begin != begin || own_end != end || (end != "." && end != ".module."))
      return false;
    sorted.emplace(place, layout);
  }
  if (sorted.size() != layouts.size() || sorted.rbegin()->first + 1 != layouts.size()) return false;
  layouts.clear();
  for (auto& [place, layout] : sorted) layouts.push_back(std::move(layout));
  return true;
}

// The modules of layers, by their order.
std::vector<Layout> find_layers(const Contents& contents, const rnn_load_options_t& options) {
  std::vector<Layout> found = find_layouts(contents, options.layers);
  if (found.empty() && options.layers != nullptr)
    throw Error(RNN_INVALID_ARGUMENT,
                "options.layers is %s; what stands before \"weight_ih_l0\" in the file is %s",
                quote(options.layers).c_str(), list(prefixes_of(find_layouts(contents, nullptr))).c_str());
  if (found.empty())
    throw Error(RNN_UNSUPPORTED,
                "unsupported: metadata rnn.format is missing, and so is a tensor whose name ends with "
                "weight_ih_l0, or "
                "weight_ih of a cell");
  for (const Layout& layout : found) layout.check();
  const bool stacked = sort_stack(found);
  if (contents.order.empty() && !stacked) only(prefixes_of(found), "the layers", "layers");
  return found;
}

const Tensor& need_matrix(const Contents& contents, const std::string& name) {
  const Tensor* tensor = find_matrix(contents, name);
  if (tensor == nullptr) throw Error(RNN_BAD_FORMAT, "tensor %s is missing", name.c_str());
  return *tensor;
}

// A module's cell and its widths, from the number of gates: weight_hh is [G*H, H], or [4*H, P] in an LSTM
// with a projection.
void infer_cell(const Contents& contents, const Names& names, const Layout& layout, std::size_t first,
                rnn_config_t& config) {
  const std::string name = names.strand("weight_hh", first, false);
  const Tensor& recurrent = need_matrix(contents, name);
  const Tensor* projection =
      layout.projection ? &need_matrix(contents, names.strand("weight_hr", first, false)) : nullptr;
  const std::uint64_t rows = recurrent.shape[0], columns = recurrent.shape[1];
  const std::uint64_t hidden_size = projection != nullptr ? projection->shape[1] : columns;
  config.hidden_size = narrow("hidden_size", hidden_size);
  config.projection_size = projection != nullptr ? narrow("projection_size", columns) : 0;
  if (projection == nullptr && rows == hidden_size)
    config.cell = RNN_CELL_VANILLA;
  else if (projection == nullptr && rows == 3 * hidden_size)
    config.cell = RNN_CELL_GRU;
  else if (rows == 4 * hidden_size)
    config.cell = RNN_CELL_LSTM;
  else if (projection == nullptr)
    throw Error(RNN_BAD_FORMAT,
                "tensor %s has shape %s; its rows must be 1 (RNN), 3 (GRU) or 4 (LSTM) times "
                "its columns",
                name.c_str(), to_string(recurrent.shape).c_str());
  else
    throw Error(RNN_BAD_FORMAT, "tensor %s has shape %s; with %s of %s its rows must be 4 times %ju",
                name.c_str(), to_string(recurrent.shape).c_str(),
                names.strand("weight_hr", first, false).c_str(), to_string(projection->shape).c_str(),
                std::uintmax_t{hidden_size});
}

const char* unit(std::int32_t cell) {
  return cell == RNN_CELL_VANILLA ? "an RNN" : cell == RNN_CELL_GRU ? "a GRU" : "an LSTM";
}

std::string describe(const rnn_config_t& config, const Layout& layout) {
  std::string text = std::string(unit(config.cell)) + (layout.reverse ? ", bidirectional, of " : " of ") +
                     std::to_string(config.hidden_size);
  if (config.projection_size != 0) text += " projected to " + std::to_string(config.projection_size);
  return text;
}

// All modules must be alike.
void infer_layers(const Contents& contents, const std::vector<Layout>& layouts, StateDict& dict) {
  Names& names = dict.selection.names;
  rnn_config_t& config = dict.config;
  std::size_t num_layers = 0;
  for (const Layout& layout : layouts) {
    names.modules.push_back({layout.prefix, num_layers, layout.is_cell, !layout.biases});
    num_layers += layout.layers;
  }
  if (num_layers > kMaxLayers)
    throw Error(RNN_UNSUPPORTED, "unsupported: %zu layers; there may be %zu", num_layers, kMaxLayers);
  config.num_layers = static_cast<std::int32_t>(num_layers);
  if (layouts.front().reverse) config.flags |= RNN_FLAG_BIDIRECTIONAL;
  infer_cell(contents, names, layouts.front(), 0, config);
  const std::string first = describe(config, layouts.front());
  for (std::size_t i = 1; i < layouts.size(); ++i) {
    rnn_config_t own{};
    infer_cell(contents, names, layouts[i], names.modules[i].first, own);
    if (describe(own, layouts[i]) != first)
      throw Error(RNN_UNSUPPORTED, "unsupported: module %s is %s, and %s %s; they must be alike",
                  quote(layouts[i].prefix).c_str(), describe(own, layouts[i]).c_str(),
                  quote(layouts.front().prefix).c_str(), first.c_str());
  }
}

// ---- Head and embedding ----

// What stands before "weight" in the names of tensors, where it is the path of a module and fits the pattern
// (null: any).
Prefixes find_prefixes(const Contents& contents, const char* pattern) {
  Prefixes prefixes;
  for (const auto& entry : contents.tensors) {
    if (!ends_with(entry.first, kMatrix)) continue;
    std::string prefix = entry.first.substr(0, entry.first.size() - (sizeof kMatrix - 1));
    if (!prefix.empty() && (prefix.back() != '.' || !is_prefix(prefix))) continue;
    if (pattern == nullptr || fits(pattern, prefix.c_str())) prefixes.push_back(std::move(prefix));
  }
  return prefixes;
}

// Those that nobody has chosen among.
struct Candidates {
  Prefixes heads, embeddings;
};

// What could be a Linear that reads `width` values, or an Embedding of vectors of `vector` values; 0: not
// wanted. A module with a bias is no Embedding; of one without, where both fit, the name decides if it says
// "emb", and otherwise that the other is already there.
Candidates find_modules(const Contents& contents, const Prefixes& taken, std::uint64_t width,
                        std::uint64_t vector) {
  Candidates modules;
  Prefixes either;
  for (std::string& prefix : find_prefixes(contents, nullptr)) {
    const Tensor& matrix = *contents.find(prefix + kMatrix);
    if (prefix.empty() || matrix.shape.size() != 2 || matrix.shape[1] == 0) continue;
    if (std::find(taken.begin(), taken.end(), prefix) != taken.end()) continue;
    const bool reads = matrix.shape[1] == width;
    const bool embeds = matrix.shape[1] == vector && contents.find(prefix + "bias") == nullptr;
    const bool named = prefix.find("emb") != std::string::npos;
    if (embeds && (!reads || named))
      modules.embeddings.push_back(std::move(prefix));
    else if (embeds)
      either.push_back(std::move(prefix));
    else if (reads)
      modules.heads.push_back(std::move(prefix));
  }
  if (modules.heads.empty() && modules.embeddings.empty() && !either.empty())
    throw Error(RNN_INVALID_ARGUMENT,
                "module %s could be the head or the embedding; options.head or embedding of rnn_load_as says "
                "which",
                list(either).c_str());
  Prefixes& rest = modules.embeddings.empty() ? modules.embeddings : modules.heads;
  rest.insert(rest.end(), either.begin(), either.end());
  return modules;
}

// The module that an option names; empty where it says none.
std::string chosen(const Contents& contents, const char* pattern, const char* what, const char* option) {
  if (*pattern == '\0') return {};
  const Prefixes found = find_prefixes(contents, pattern);
  if (found.empty())
    throw Error(RNN_INVALID_ARGUMENT, "options.%s is %s; what stands before \"weight\" in the file is %s",
                option, quote(pattern).c_str(), list(find_prefixes(contents, nullptr)).c_str());
  return only(found, what, option);
}

void infer_modules(const Contents& contents, const rnn_load_options_t& options, std::uint64_t width,
                   const Tensor& input, StateDict& dict) {
  constexpr char kHead[] = "the head", kEmbedding[] = "the embedding";
  Names& names = dict.selection.names;
  std::string head, embedding;
  if (options.head != nullptr) head = chosen(contents, options.head, kHead, "head");
  if (options.embedding != nullptr) embedding = chosen(contents, options.embedding, kEmbedding, "embedding");
  Prefixes taken = {head, embedding};
  for (const Module& module : names.modules) taken.push_back(module.prefix);
  const Candidates found = find_modules(contents, taken, options.head == nullptr ? width : 0,
                                        options.embedding == nullptr ? input.shape[1] : 0);
  if (!found.heads.empty()) head = only(found.heads, kHead, "head");
  if (!found.embeddings.empty()) embedding = only(found.embeddings, kEmbedding, "embedding");

  dict.config.input_size = narrow("input_size", input.shape[1], kMaxClasses);
  if (!head.empty()) {
    names.head = head;
    dict.config.output_size =
        narrow("output_size", find_matrix(contents, head + kMatrix)->shape[0], kMaxClasses);
  }
  if (embedding.empty()) return;
  names.embedding = embedding;
  const Tensor& matrix = *find_matrix(contents, embedding + kMatrix);
  dict.config.input_size = narrow("input_size", matrix.shape[0], kMaxClasses);
  dict.config.embedding_size = narrow("embedding_size", matrix.shape[1]);
}

// A module may lack the biases that another has.
void infer_biases(const Contents& contents, StateDict& dict) {
  Selection& selection = dict.selection;
  std::vector<Module>& modules = selection.names.modules;
  const bool layers =
      std::any_of(modules.begin(), modules.end(), [](const Module& module) { return !module.is_bare; });
  const bool has_head = dict.config.output_size != 0;
  const bool head = has_head && contents.find(selection.names.head + "bias") != nullptr;
  if (!layers && !head) dict.config.flags |= RNN_FLAG_NO_BIAS;
  selection.bare_head = has_head && layers && !head;
}

// A vector, of whole numbers where it is one of floats: JSON has no types.
std::vector<std::int64_t> read_indices(const Tensor& tensor) {
  if (tensor.shape.size() != 1)
    throw Error(RNN_BAD_FORMAT, "tensor %s has shape %s; indices must be a vector", tensor.name.c_str(),
                to_string(tensor.shape).c_str());
  std::vector<std::int64_t> indices(tensor.count);
  if (tensor.type == Type::i64) {
    tensor.read(indices.data());
    return indices;
  }
  std::vector<float> values(tensor.count);
  tensor.read(values.data());
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!(std::fabs(values[i]) <= kMaxClasses) || values[i] != std::floor(values[i]))
      throw Error(RNN_BAD_FORMAT, "tensor %s: value %zu is %g; indices must be whole numbers, 0..%d",
                  tensor.name.c_str(), i, static_cast<double>(values[i]), kMaxClasses - 1);
    indices[i] = static_cast<std::int64_t>(values[i]);
  }
  return indices;
}

// A matrix of steps.
void expect_rows(const Tensor& tensor, std::size_t columns) {
  if (tensor.shape.size() != 2 || tensor.shape[1] != columns)
    throw Error(RNN_BAD_FORMAT, "tensor %s has shape %s; it must be [steps, %zu]", tensor.name.c_str(),
                to_string(tensor.shape).c_str(), columns);
}

}  // namespace

Contents without_weight_drop(const Contents& contents) {
  constexpr std::string_view kRaw = "_raw", kInner = "module.";
  Contents result = contents;
  for (const auto& [name, tensor] : contents.tensors) {
    if (!ends_with(name, kRaw)) continue;
    std::string plain = name.substr(0, name.size() - kRaw.size());
    const std::optional<LayerTensor> parts = layer_tensor(plain);
    if (!parts) continue;
    const std::string inner = std::string(parts->prefix) + std::string(kInner);
    const auto within = contents.tensors.lower_bound(inner + "weight_");
    const bool wraps = within != contents.tensors.end() && within->first.rfind(inner + "weight_", 0) == 0;
    if (wraps) plain = inner + plain.substr(parts->prefix.size());
    result.tensors.insert_or_assign(plain, tensor);
    result.tensors.erase(name);
    std::replace(result.order.begin(), result.order.end(), name, plain);
  }
  return result;
}

bool is_layers(std::string_view name) { return layer_tensor(name).has_value(); }

StateDict read_state_dict(const Contents& contents, const rnn_load_options_t& options) {
  StateDict dict;
  dict.selection.partial = options.layers != nullptr;
  const std::vector<Layout> layouts = find_layers(contents, options);
  infer_layers(contents, layouts, dict);
  rnn_config_t& config = dict.config;
  const Tensor& input = need_matrix(contents, dict.selection.names.strand("weight_ih", 0, false));
  const std::int32_t width = config.projection_size != 0 ? config.projection_size : config.hidden_size;
  infer_modules(contents, options, static_cast<std::uint64_t>(width) * (layouts.front().reverse ? 2 : 1),
                input, dict);
  infer_biases(contents, dict);
  if ((options.flags & RNN_FLAG_RELU) != 0 && config.cell != RNN_CELL_VANILLA)
    throw Error(RNN_INVALID_ARGUMENT, "options.flags has RNN_FLAG_RELU; the file holds %s",
                unit(config.cell));
  config.flags |= options.flags;
  config.skip = contents.skip;
  if (contents.check) contents.check(config);
  return dict;
}

Probe read_probe(const Tensor& inputs, const Tensor& outputs, const Weights& weights) {
  Probe probe;
  expect_rows(outputs, weights.output_size());
  probe.outputs.resize(outputs.count);
  outputs.read(probe.outputs.data());
  if (inputs.type != Type::i64 && inputs.shape.size() != 1) {
    expect_rows(inputs, weights.input_size());
    probe.inputs.resize(inputs.count);
    inputs.read(probe.inputs.data());
    return probe;
  }
  for (const std::int64_t index : read_indices(inputs)) {
    if (index < 0 || static_cast<std::uint64_t>(index) >= weights.input_size())
      throw Error(RNN_BAD_FORMAT, "tensor %s holds %jd; it must be 0..%zu", inputs.name.c_str(),
                  std::intmax_t{index}, weights.input_size() - 1);
    probe.indices.push_back(static_cast<std::int32_t>(index));
  }
  return probe;
}

}  // namespace rnn::formats
