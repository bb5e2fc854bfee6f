#include "lib/formats/pytorch_layers.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <utility>

#include "lib/network/error.h"
#include "lib/network/layer_list.h"
#include "lib/network/pattern.h"

namespace rnn::formats {
namespace {

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

std::vector<std::string> names_of(const Contents& contents) {
  if (!contents.order.empty()) return contents.order;
  std::vector<std::string> names;
  for (const auto& entry : contents.tensors) names.push_back(entry.first);
  return names;
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

}  // namespace

std::string list(const Prefixes& prefixes) {
  constexpr std::size_t kMost = 8;
  if (prefixes.empty()) return "nothing";
  std::string text;
  for (std::size_t i = 0; i < std::min(prefixes.size(), kMost); ++i)
    text += (i == 0 ? "" : ", ") + quote(prefixes[i]);
  return text + (prefixes.size() > kMost ? ", ..." : "");
}

std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> entries;
  for (bool more = true; more;) {
    const std::size_t comma = text.find(',');
    std::string_view entry = text.substr(0, comma);
    more = comma != std::string_view::npos;
    text.remove_prefix(more ? comma + 1 : text.size());
    while (!entry.empty() && entry.front() == ' ') entry.remove_prefix(1);
    while (!entry.empty() && entry.back() == ' ') entry.remove_suffix(1);
    entries.emplace_back(entry);
  }
  return entries;
}

const std::string& only(const Prefixes& found, const char* what, const char* option) {
  if (found.size() > 1)
    throw Error(RNN_INVALID_ARGUMENT, "%zu modules could be %s: %s; options.%s of rnn_load_as says which",
                found.size(), what, list(found).c_str(), option);
  return found.front();
}

std::int32_t narrow(const char* name, std::uint64_t size, std::int32_t most) {
  if (size == 0) throw Error(RNN_BAD_FORMAT, "%s is 0; it must be 1..%d", name, most);
  if (size > static_cast<std::uint64_t>(most))
    throw Error(RNN_UNSUPPORTED, "unsupported: %s is %ju; it must be 1..%d", name, std::uintmax_t{size},
                most);
  return static_cast<std::int32_t>(size);
}

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

void Layout::add(const LayerTensor& tensor) {
  layers = std::max(layers, tensor.layer.value_or(0) + 1);
  is_cell = is_cell || !tensor.layer;
  is_stack = is_stack || tensor.layer;
  reverse = reverse || tensor.reverse;
  biases = biases || tensor.base.substr(0, 4) == "bias";
  projection = projection || tensor.base == "weight_hr";
}

void Layout::check() const {
  if (!is_prefix(prefix))
    throw Error(RNN_UNSUPPORTED, "unsupported: module %s: the name must be printable and short",
                quote(prefix).c_str());
  if (is_cell && is_stack)
    throw Error(RNN_BAD_FORMAT, "module %s has names of a cell (weight_ih) and of layers (weight_ih_l0)",
                quote(prefix).c_str());
  if (layers > kMaxListed)
    throw Error(RNN_UNSUPPORTED, "unsupported: module %s has %zu layers; there may be %zu",
                quote(prefix).c_str(), layers, kMaxListed);
}

namespace {

// Those that options.layers names, in its order.
std::vector<Layout> find_chosen(const Contents& contents, const char* patterns) {
  std::vector<Layout> chosen;
  for (const std::string& pattern : split(patterns)) {
    std::vector<Layout> found = find_layouts(contents, pattern.c_str());
    if (found.empty())
      throw Error(RNN_INVALID_ARGUMENT,
                  "options.layers has %s; what stands before \"weight_ih_l0\" in the file is %s",
                  quote(pattern).c_str(), list(prefixes_of(find_layouts(contents, nullptr))).c_str());
    const std::string prefix = only(prefixes_of(found), "the layers", "layers");
    for (const Layout& other : chosen)
      if (other.prefix == prefix)
        throw Error(RNN_INVALID_ARGUMENT, "options.layers is %s, which has module %s twice",
                    quote(patterns).c_str(), quote(prefix).c_str());
    chosen.push_back(std::move(found.front()));
  }
  return chosen;
}

}  // namespace

std::vector<Layout> find_layers(const Contents& contents, const rnn_load_options_t& options) {
  const bool in_order = options.layers != nullptr && split(options.layers).size() > 1;
  std::vector<Layout> found =
      in_order ? find_chosen(contents, options.layers) : find_layouts(contents, options.layers);
  if (found.empty() && options.layers != nullptr)
    throw Error(RNN_INVALID_ARGUMENT,
                "options.layers is %s; what stands before \"weight_ih_l0\" in the file is %s",
                quote(options.layers).c_str(), list(prefixes_of(find_layouts(contents, nullptr))).c_str());
  if (found.empty() && options.activations != nullptr) return found;
  if (found.empty())
    throw Error(
        RNN_UNSUPPORTED,
        "unsupported: metadata rnn.format is missing, and so is a tensor whose name ends with "
        "weight_ih_l0, or weight_ih of a cell; Linears alone need options.activations; the file has %s",
        list(names_of(contents)).c_str());
  for (const Layout& layout : found) layout.check();
  if (in_order) return found;
  const bool stacked = sort_stack(found);
  if (!contents.is_ordered && !stacked && options.activations == nullptr)
    only(prefixes_of(found), "the layers", "layers");
  return found;
}

const Tensor& need_matrix(const Contents& contents, const std::string& name) {
  const Tensor* tensor = find_matrix(contents, name);
  if (tensor == nullptr) throw Error(RNN_BAD_FORMAT, "tensor %s is missing", name.c_str());
  return *tensor;
}

// The number of gates says which cell it is: weight_hh is [G*H, H], or [4*H, P] in an LSTM with a projection.
rnn_layer_t infer_layer(const Contents& contents, const Names& names, const Layout& layout,
                        std::size_t first) {
  const std::string name = names.strand("weight_hh", first, false);
  const Tensor& recurrent = need_matrix(contents, name);
  const Tensor* projection =
      layout.projection ? &need_matrix(contents, names.strand("weight_hr", first, false)) : nullptr;
  const std::uint64_t rows = recurrent.shape[0], columns = recurrent.shape[1];
  const std::uint64_t hidden_size = projection != nullptr ? projection->shape[1] : columns;
  rnn_layer_t layer{};
  layer.struct_size = sizeof layer;
  layer.direction = layout.reverse ? RNN_DIRECTION_BOTH : RNN_DIRECTION_FORWARD;
  layer.size = narrow("hidden_size", hidden_size);
  layer.projection_size = projection != nullptr ? narrow("projection_size", columns) : 0;
  if (projection == nullptr && rows == hidden_size)
    layer.kind = RNN_CELL_VANILLA;
  else if (projection == nullptr && rows == 3 * hidden_size)
    layer.kind = RNN_CELL_GRU;
  else if (rows == 4 * hidden_size)
    layer.kind = RNN_CELL_LSTM;
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
  return layer;
}

}  // namespace rnn::formats
