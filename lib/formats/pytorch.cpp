#include "lib/formats/pytorch.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/formats/decimal.h"
#include "lib/formats/functions.h"
#include "lib/formats/pytorch_layers.h"
#include "lib/network/config.h"
#include "lib/network/error.h"
#include "lib/network/layer_list.h"
#include "lib/network/pattern.h"

namespace rnn::formats {
namespace {

constexpr char kMatrix[] = "weight";

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

const char* unit(std::int32_t cell) {
  return cell == RNN_CELL_VANILLA ? "an RNN" : cell == RNN_CELL_GRU ? "a GRU" : "an LSTM";
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

// The last part of a module's name: "rnn.decoder." is "decoder".
std::string_view last_name(std::string_view prefix) {
  prefix.remove_suffix(prefix.empty() ? 0 : 1);
  return prefix.substr(prefix.rfind('.') + 1);
}

// What could be a Linear that reads `width` values, or an Embedding of vectors of `vector` values; 0: not
// wanted. A module with a bias is no Embedding; of one without, where both fit, the name decides if it says
// "emb", or if they are an encoder and a decoder, and otherwise that the other is already there.
Candidates find_modules(const Contents& contents, const Prefixes& taken, std::uint64_t width,
                        std::uint64_t vector) {
  Candidates modules;
  Prefixes either, all = find_prefixes(contents, nullptr);
  const auto is_there = [&](std::string_view name) {
    return std::any_of(all.begin(), all.end(), [=](const auto& prefix) { return last_name(prefix) == name; });
  };
  const bool are_named = is_there("encoder") && is_there("decoder");
  for (std::string& prefix : all) {
    const Tensor& matrix = *contents.find(prefix + kMatrix);
    if (prefix.empty() || matrix.shape.size() != 2 || matrix.shape[1] == 0) continue;
    if (std::find(taken.begin(), taken.end(), prefix) != taken.end()) continue;
    const bool reads = matrix.shape[1] == width;
    const bool embeds = matrix.shape[1] == vector && contents.find(prefix + "bias") == nullptr;
    const std::string_view last = last_name(prefix);
    const bool named = prefix.find("emb") != std::string::npos || (are_named && last == "encoder");
    if (embeds && (!reads || named))
      modules.embeddings.push_back(std::move(prefix));
    else if (embeds && !(are_named && last == "decoder"))
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

struct Chosen {
  std::string head, embedding;  // empty: none
};

Chosen infer_modules(const Contents& contents, const rnn_load_options_t& options, std::uint64_t width,
                     std::uint64_t inputs, const Prefixes& recurrent) {
  constexpr char kHead[] = "the head", kEmbedding[] = "the embedding";
  Chosen modules;
  if (options.head != nullptr) modules.head = chosen(contents, options.head, kHead, "head");
  if (options.embedding != nullptr)
    modules.embedding = chosen(contents, options.embedding, kEmbedding, "embedding");
  Prefixes taken = {modules.head, modules.embedding};
  taken.insert(taken.end(), recurrent.begin(), recurrent.end());
  const Candidates found = find_modules(contents, taken, options.head == nullptr ? width : 0,
                                        options.embedding == nullptr ? inputs : 0);
  if (!found.heads.empty()) modules.head = only(found.heads, kHead, "head");
  if (!found.embeddings.empty()) modules.embedding = only(found.embeddings, kEmbedding, "embedding");
  return modules;
}

// ---- Several Linears ----

// A Linear that is left over and could read what the head gives, or give what the first layer reads: nobody has said
// which activations are between them.
void check_rest(const Contents& contents, const Chosen& modules, const Prefixes& recurrent,
                std::uint64_t inputs) {
  const Tensor* const head = modules.head.empty() ? nullptr : contents.find(modules.head + kMatrix);
  Prefixes linears;
  for (const std::string& prefix : find_prefixes(contents, nullptr)) {
    const Tensor& matrix = *contents.find(prefix + kMatrix);
    if (prefix == modules.head || prefix == modules.embedding || matrix.shape.size() != 2 ||
        std::find(recurrent.begin(), recurrent.end(), prefix) != recurrent.end())
      continue;
    if (matrix.shape[0] == inputs || (head != nullptr && matrix.shape[1] == head->shape[0]))
      linears.push_back(prefix);
  }
  if (head != nullptr && !linears.empty()) linears.insert(linears.begin(), modules.head);
  if (linears.size() < 2) return;
  throw Error(
      RNN_UNSUPPORTED,
      "unsupported: %s could be Linears of the network; options.activations of rnn_load_as says what is "
      "behind each of them",
      list(linears).c_str());
}

// "elu(0.5)"
std::optional<Function> parse_function(std::string_view text) {
  const std::size_t open = text.find('(');
  if (open == std::string_view::npos || text.back() != ')') return find_function(text, kPyTorch);
  const std::string_view name = text.substr(0, open), digits = text.substr(open + 1, text.size() - open - 2);
  double number = 0;
  if (!read_number(digits, number) || !std::isfinite(number)) return std::nullopt;
  if (name == "elu") return elu(number);
  if (name == "leaky_relu") return leaky_relu(number);
  return std::nullopt;
}

// "tanh, none"; "" has none.
std::vector<Function> parse_functions(const char* text) {
  std::vector<Function> functions;
  if (*text == '\0') return functions;
  for (const std::string& name : split(text)) {
    const std::optional<Function> function = name.empty() ? std::nullopt : parse_function(name);
    if (!function)
      throw Error(RNN_INVALID_ARGUMENT,
                  "options.activations has %s; each must be one of %s, elu(a number) or leaky_relu(a number)",
                  quote(name).c_str(), function_names().c_str());
    functions.push_back(*function);
  }
  return functions;
}

// Where the first tensor of each module stands in the file.
class Places {
 public:
  explicit Places(const Contents& contents) {
    for (std::size_t i = 0; i < contents.order.size(); ++i) places_.emplace(contents.order[i], i);
  }
  bool known() const noexcept { return !places_.empty(); }
  std::size_t of(const std::string& prefix) const {
    std::size_t first = places_.size();
    for (auto at = places_.lower_bound(prefix); at != places_.end() && at->first.rfind(prefix, 0) == 0; ++at)
      if (at->first.find('.', prefix.size()) == std::string::npos) first = std::min(first, at->second);
    return first;
  }

 private:
  std::map<std::string, std::size_t> places_;
};

// The embedding where no option says it: what has no bias and "emb" in its name.
std::string find_embedding(const Contents& contents, const rnn_load_options_t& options) {
  if (options.embedding != nullptr) return chosen(contents, options.embedding, "the embedding", "embedding");
  Prefixes found;
  for (const std::string& prefix : find_prefixes(contents, nullptr))
    if (prefix.find("emb") != std::string::npos && contents.find(prefix + "bias") == nullptr &&
        contents.find(prefix + kMatrix)->shape.size() == 2)
      found.push_back(prefix);
  return found.empty() ? "" : only(found, "the embedding", "embedding");
}

// A recurrent module or a Linear, in the order in which data pass them.
struct Piece {
  std::string prefix;
  const Layout* layout = nullptr;  // null: a Linear
  Function function;               // behind a Linear
  std::size_t place = 0;
};

// With options.activations: all of them, by their places in the file.
std::vector<Piece> order_pieces(const Contents& contents, const rnn_load_options_t& options,
                                const std::vector<Layout>& layouts, const std::string& embedding) {
  const Places places(contents);
  std::vector<Piece> pieces;
  std::size_t last = 0;
  for (const Layout& layout : layouts) {  // whose order may be that of numbers in their names
    last = std::max(last, places.of(layout.prefix));
    pieces.push_back({layout.prefix, &layout, {}, last});
  }
  Prefixes linears;
  for (const std::string& prefix : find_prefixes(contents, options.head)) {
    const bool recurrent = std::any_of(layouts.begin(), layouts.end(),
                                       [&](const Layout& layout) { return layout.prefix == prefix; });
    if (!recurrent && prefix != embedding && contents.find(prefix + kMatrix)->shape.size() == 2)
      linears.push_back(prefix);
  }
  std::stable_sort(linears.begin(), linears.end(),
                   [&](const auto& a, const auto& b) { return places.of(a) < places.of(b); });
  if (!places.known() && linears.size() > 1)
    throw Error(RNN_UNSUPPORTED,
                "unsupported: the file does not keep the order of its modules %s; a file of torch.save does",
                list(linears).c_str());
  const std::vector<Function> functions = parse_functions(options.activations);
  if (functions.size() != linears.size())
    throw Error(
        RNN_INVALID_ARGUMENT,
        "options.activations is %s, which is %zu; there must be one for each of the %zu Linears in the "
        "file, %s",
        quote(options.activations).c_str(), functions.size(), linears.size(), list(linears).c_str());
  for (std::size_t i = 0; i < linears.size(); ++i)
    pieces.push_back({linears[i], nullptr, functions[i], places.known() ? places.of(linears[i]) : last + 1});
  std::stable_sort(pieces.begin(), pieces.end(),
                   [](const Piece& a, const Piece& b) { return a.place < b.place; });
  return pieces;
}

// ---- The network ----

rnn_layer_t dense_layer(const Contents& contents, const Piece& piece) {
  rnn_layer_t layer{};
  layer.struct_size = sizeof layer;
  layer.kind = RNN_LAYER_DENSE;
  layer.size = narrow("output_size", need_matrix(contents, piece.prefix + kMatrix).shape[0], kMaxClasses);
  layer.activation = piece.function.activation;
  layer.alpha = piece.function.alpha;
  layer.beta = piece.function.beta;
  return layer;
}

void infer_layers(const Contents& contents, const std::vector<Piece>& pieces, StateDict& dict) {
  Names& names = dict.selection.names;
  for (const Piece& piece : pieces) {
    const std::size_t first = dict.layers.size(), count = piece.layout != nullptr ? piece.layout->layers : 1;
    const bool bare =
        piece.layout != nullptr ? !piece.layout->biases : contents.find(piece.prefix + "bias") == nullptr;
    names.modules.push_back({piece.prefix, first, piece.layout != nullptr && piece.layout->is_cell, bare,
                             piece.layout == nullptr});
    const rnn_layer_t layer = piece.layout != nullptr ? infer_layer(contents, names, *piece.layout, first)
                                                      : dense_layer(contents, piece);
    if (first + count > kMaxListed)
      throw Error(RNN_UNSUPPORTED, "unsupported: there are more than %zu layers", kMaxListed);
    dict.layers.insert(dict.layers.end(), count, layer);
  }
  // A module may lack the biases that another has.
  const bool biases = std::any_of(names.modules.begin(), names.modules.end(),
                                  [](const Module& module) { return !module.is_bare; });
  for (rnn_layer_t& layer : dict.layers) layer.flags |= biases ? 0 : RNN_FLAG_NO_BIAS;
  const Piece& last = pieces.back();
  if (last.layout != nullptr || last.function.activation != RNN_ACTIVATION_NONE || dict.layers.size() == 1)
    return;
  names.head = last.prefix;
  dict.selection.bare_head = biases && names.modules.back().is_bare;
}

void set_flags(const rnn_load_options_t& options, StateDict& dict) {
  bool vanilla = false;
  for (rnn_layer_t& layer : dict.layers) {
    if (layer.kind != RNN_CELL_VANILLA) continue;
    layer.flags |= options.flags;
    vanilla = true;
  }
  if ((options.flags & RNN_FLAG_RELU) == 0 || vanilla) return;
  const auto recurrent = std::find_if(dict.layers.begin(), dict.layers.end(),
                                      [](const rnn_layer_t& layer) { return layer.kind != RNN_LAYER_DENSE; });
  throw Error(RNN_INVALID_ARGUMENT, "options.flags has RNN_FLAG_RELU; the file holds %s",
              recurrent == dict.layers.end() ? "Linears" : unit(recurrent->kind));
}

// The list, or the fields that can stand for it.
void set_config(const Contents& contents, StateDict& dict) {
  rnn_config_t config = dict.config;
  config.struct_size = sizeof config;
  config.layers = dict.layers.data();
  config.layer_count = dict.layers.size();
  try {
    dict.config = resolve(config);
  } catch (const Error& error) {
    throw Error(RNN_UNSUPPORTED, "unsupported: configuration: %s", error.what());
  }
  dict.config.skip = contents.skip;
  if (!contents.check) return;
  if (dict.config.layers != nullptr)
    throw Error(RNN_UNSUPPORTED, "unsupported: the file says that its layers are alike, and they are not");
  contents.check(dict.config);
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

namespace {

bool are_equal(const Tensor& a, const Tensor& b) {
  if (a.type != b.type || a.shape != b.shape || !a.has_floats() || a.fault || b.fault) return false;
  std::vector<float> values(a.count), others(b.count);
  a.read(values.data());
  b.read(others.data());
  return values == others;
}

// A module that a wrapper holds, too, stands in the file twice.
void drop_copies(Contents& contents) {
  constexpr std::string_view kCopy = "_dp.emb.weight";
  for (auto at = contents.tensors.begin(); at != contents.tensors.end();) {
    const std::string name = at->first;
    const Tensor* const own = ends_with(name, kCopy)
                                  ? contents.find(name.substr(0, name.size() - kCopy.size()) + ".weight")
                                  : nullptr;
    const bool is_copy = own != nullptr && are_equal(*own, at->second);
    at = is_copy ? contents.tensors.erase(at) : std::next(at);
    if (is_copy)
      contents.order.erase(std::remove(contents.order.begin(), contents.order.end(), name),
                           contents.order.end());
  }
}

}  // namespace

Contents without_wrappers(const Contents& contents) {
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
  drop_copies(result);
  return result;
}

bool is_weight(std::string_view name) {
  return name == kMatrix || ends_with(name, "." + std::string(kMatrix));
}

bool is_layers(std::string_view name) { return layer_tensor(name).has_value(); }

StateDict read_state_dict(const Contents& contents, const rnn_load_options_t& options) {
  StateDict dict;
  dict.selection.partial = options.layers != nullptr;
  const std::vector<Layout> layouts = find_layers(contents, options);
  Names& names = dict.selection.names;
  std::vector<Piece> pieces;
  std::string embedding;
  if (options.activations != nullptr) {
    embedding = find_embedding(contents, options);
    pieces = order_pieces(contents, options, layouts, embedding);
    if (pieces.empty())
      throw Error(RNN_UNSUPPORTED, "unsupported: the file has no Linear and no recurrent module");
  } else {
    Prefixes recurrent;
    for (const Layout& layout : layouts) {
      recurrent.push_back(layout.prefix);
      pieces.push_back({layout.prefix, &layout, {}, 0});
    }
    StateDict alone;
    infer_layers(contents, pieces, alone);
    const Names& own = alone.selection.names;
    const std::uint64_t inputs = need_matrix(contents, own.strand("weight_ih", 0, false)).shape[1];
    const Chosen modules =
        infer_modules(contents, options, layer_outputs(alone.layers.back()), inputs, recurrent);
    if (options.layers == nullptr && options.head == nullptr)
      check_rest(contents, modules, recurrent, modules.embedding.empty() ? inputs : 0);
    embedding = modules.embedding;
    if (!modules.head.empty()) pieces.push_back({modules.head, nullptr, {}, 0});
  }
  infer_layers(contents, pieces, dict);
  const char* const first = names.modules.front().is_dense ? kMatrix : "weight_ih";
  dict.config.input_size =
      narrow("input_size", need_matrix(contents, names.strand(first, 0, false)).shape[1], kMaxClasses);
  if (!embedding.empty()) {
    names.embedding = embedding;
    const Tensor& matrix = need_matrix(contents, embedding + kMatrix);
    dict.config.input_size = narrow("input_size", matrix.shape[0], kMaxClasses);
    dict.config.embedding_size = narrow("embedding_size", matrix.shape[1]);
  }
  set_flags(options, dict);
  set_config(contents, dict);
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
