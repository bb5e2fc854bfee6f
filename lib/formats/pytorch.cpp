#include "lib/formats/pytorch.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lib/network/config.h"
#include "lib/network/error.h"
#include "lib/network/pattern.h"

namespace rnn::formats {
namespace {

using Prefixes = std::vector<std::string>;

constexpr char kFirst[] = "weight_ih_l0";
constexpr char kMatrix[] = "weight";

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

// What stands before `end` in the names of tensors, where it is the path of a module and fits the pattern
// (null: any).
Prefixes find_prefixes(const Contents& contents, std::string_view end, const char* pattern) {
  Prefixes prefixes;
  for (const auto& [name, tensor] : contents.tensors) {
    if (!ends_with(name, end)) continue;
    std::string prefix = name.substr(0, name.size() - end.size());
    if (!prefix.empty() && prefix.back() != '.') continue;
    if (!is_prefix(prefix))
      throw Error(RNN_BAD_FORMAT, "tensor %s: the name must be printable and short", quote(name).c_str());
    if (pattern == nullptr || fits(pattern, prefix.c_str())) prefixes.push_back(std::move(prefix));
  }
  return prefixes;
}

std::string list(const Prefixes& prefixes) {
  constexpr std::size_t kMost = 8;
  if (prefixes.empty()) return "nothing";
  std::string text;
  for (std::size_t i = 0; i < std::min(prefixes.size(), kMost); ++i)
    text += (i == 0 ? "" : ", ") + quote(prefixes[i]);
  return text + (prefixes.size() > kMost ? ", ..." : "");
}

// The one of the candidates; `what` are they, and `option` chooses among them.
const std::string& only(const Prefixes& candidates, const char* what, const char* option) {
  if (candidates.size() > 1)
    throw Error(RNN_BAD_FORMAT, "%zu modules could be %s: %s; options.%s of rnn_load_as says which",
                candidates.size(), what, list(candidates).c_str(), option);
  return candidates.front();
}

[[noreturn]] void refuse_pattern(const Contents& contents, const char* option, const char* pattern,
                                 const char* end) {
  throw Error(RNN_INVALID_ARGUMENT, "options.%s is %s; what stands before \"%s\" in the file is %s", option,
              quote(pattern).c_str(), end, list(find_prefixes(contents, end, nullptr)).c_str());
}

std::string find_layers(const Contents& contents, const rnn_load_options_t& options) {
  const Prefixes found = find_prefixes(contents, kFirst, options.layers);
  if (found.empty() && options.layers != nullptr) refuse_pattern(contents, "layers", options.layers, kFirst);
  if (found.empty())
    throw Error(RNN_BAD_FORMAT, "metadata rnn.format is missing, and so is a tensor whose name ends with %s",
                kFirst);
  return only(found, "the layers", "layers");
}

std::int32_t narrow(const char* name, std::uint64_t size, std::int32_t most = kMaxSize) {
  if (size > static_cast<std::uint64_t>(most))
    throw Error(RNN_BAD_FORMAT, "%s is %ju; it must be 1..%d", name, std::uintmax_t{size}, most);
  return static_cast<std::int32_t>(size);
}

// The cell and its widths, from the number of gates: weight_hh is [G*H, H], or [4*H, P] in an LSTM with a
// projection.
void infer_cell(const Contents& contents, const Names& names, rnn_config_t& config) {
  const std::string name = names.strand("weight_hh", 0, false);
  const Tensor* recurrent = find_matrix(contents, name);
  if (recurrent == nullptr)
    throw Error(RNN_BAD_FORMAT, "metadata rnn.format is missing, and so is tensor %s", name.c_str());
  const std::uint64_t rows = recurrent->shape[0], columns = recurrent->shape[1];
  const Tensor* projection = find_matrix(contents, names.strand("weight_hr", 0, false));
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
                "tensor %s has shape %s; its rows must be 1 (RNN), 3 (GRU) or 4 (LSTM) times its columns",
                name.c_str(), to_string(recurrent->shape).c_str());
  else
    throw Error(RNN_BAD_FORMAT,
                "tensor %s has shape %s; with weight_hr_l0 of %s its rows must be 4 times %ju", name.c_str(),
                to_string(recurrent->shape).c_str(), to_string(projection->shape).c_str(),
                std::uintmax_t{hidden_size});
}

// ---- Head and embedding ----

// The candidates that nobody has chosen among.
struct Modules {
  Prefixes heads, embeddings;
};

// What could be a Linear that reads `width` values, or an Embedding of vectors of `vector` values; 0: not
// wanted. A module with a bias is no Embedding; of one without, where both fit, the name decides if it says
// "emb", and otherwise that the other is already there.
Modules find_modules(const Contents& contents, const Prefixes& taken, std::uint64_t width,
                     std::uint64_t vector) {
  Modules modules;
  Prefixes either;
  for (std::string& prefix : find_prefixes(contents, kMatrix, nullptr)) {
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
    throw Error(
        RNN_BAD_FORMAT,
        "module %s could be the head or the embedding; options.head or options.embedding of rnn_load_as "
        "says which",
        list(either).c_str());
  Prefixes& rest = modules.embeddings.empty() ? modules.embeddings : modules.heads;
  rest.insert(rest.end(), either.begin(), either.end());
  return modules;
}

// The module that an option names; empty where it says none.
std::string chosen(const Contents& contents, const char* pattern, const char* what, const char* option) {
  if (*pattern == '\0') return {};
  const Prefixes candidates = find_prefixes(contents, kMatrix, pattern);
  if (candidates.empty()) refuse_pattern(contents, option, pattern, kMatrix);
  return only(candidates, what, option);
}

void infer_modules(const Contents& contents, const rnn_load_options_t& options, std::uint64_t width,
                   const Tensor& input, StateDict& dict) {
  constexpr char kHead[] = "the head", kEmbedding[] = "the embedding";
  Names& names = dict.selection.names;
  std::string head, embedding;
  if (options.head != nullptr) head = chosen(contents, options.head, kHead, "head");
  if (options.embedding != nullptr) embedding = chosen(contents, options.embedding, kEmbedding, "embedding");
  const Modules found =
      find_modules(contents, {head, embedding, names.layers}, options.head == nullptr ? width : 0,
                   options.embedding == nullptr ? input.shape[1] : 0);
  if (!found.heads.empty()) head = only(found.heads, kHead, "head");
  if (!found.embeddings.empty()) embedding = only(found.embeddings, kEmbedding, "embedding");

  dict.config.input_size = narrow("input_size", input.shape[1], kMaxClasses);
  if (!head.empty()) {
    names.head = head;
    dict.config.output_size = narrow("output_size", find_matrix(contents, head + kMatrix)->shape[0], kMaxClasses);
  }
  if (embedding.empty()) return;
  names.embedding = embedding;
  const Tensor& matrix = *find_matrix(contents, embedding + kMatrix);
  dict.config.input_size = narrow("input_size", matrix.shape[0], kMaxClasses);
  dict.config.embedding_size = narrow("embedding_size", matrix.shape[1]);
}

// One kind of module may lack the biases that the other has. Where only some of the layers' are there, the
// others are missing.
void infer_biases(const Contents& contents, StateDict& dict) {
  Selection& selection = dict.selection;
  const std::string begin = selection.names.layers + "bias_";
  const auto first = contents.tensors.lower_bound(begin);
  const bool layers = first != contents.tensors.end() && first->first.rfind(begin, 0) == 0;
  const bool has_head = dict.config.output_size != 0;
  const bool head = has_head && contents.find(selection.names.head + "bias") != nullptr;
  if (!layers && !head) dict.config.flags |= RNN_NO_BIAS;
  selection.bare_layers = !layers && head;
  selection.bare_head = has_head && layers && !head;
}

// A matrix of steps.
void expect_rows(const Tensor& tensor, std::size_t columns) {
  if (tensor.shape.size() != 2 || tensor.shape[1] != columns)
    throw Error(RNN_BAD_FORMAT, "tensor %s has shape %s; it must be [steps, %zu]", tensor.name.c_str(),
                to_string(tensor.shape).c_str(), columns);
}

}  // namespace

StateDict read_state_dict(const Contents& contents, const rnn_load_options_t& options) {
  StateDict dict;
  Names& names = dict.selection.names;
  names.layers = find_layers(contents, options);
  dict.selection.partial = options.layers != nullptr;
  const Tensor& input = *find_matrix(contents, names.strand("weight_ih", 0, false));
  infer_cell(contents, names, dict.config);
  std::size_t num_layers = 1;
  while (contents.find(names.strand("weight_ih", num_layers, false)) != nullptr) ++num_layers;
  dict.config.num_layers = static_cast<std::int32_t>(num_layers);  // as many as the header has room for
  const bool both = contents.find(names.strand("weight_ih", 0, true)) != nullptr;
  if (both) dict.config.flags |= RNN_BIDIRECTIONAL;

  const std::int32_t width =
      dict.config.projection_size != 0 ? dict.config.projection_size : dict.config.hidden_size;
  infer_modules(contents, options, static_cast<std::uint64_t>(width) * (both ? 2 : 1), input, dict);
  infer_biases(contents, dict);
  if ((options.flags & RNN_RELU) != 0 && dict.config.cell != RNN_CELL_VANILLA)
    throw Error(RNN_INVALID_ARGUMENT, "options.flags has RNN_RELU; the file holds a %s",
                dict.config.cell == RNN_CELL_GRU ? "GRU" : "LSTM");
  dict.config.flags |= options.flags;
  return dict;
}

Probe read_probe(const Tensor& inputs, const Tensor& outputs, const Weights& weights) {
  Probe probe;
  expect_rows(outputs, weights.output_size());
  probe.outputs.resize(outputs.count);
  outputs.read(probe.outputs.data());
  if (inputs.type != Type::i64) {
    expect_rows(inputs, weights.input_size());
    probe.inputs.resize(inputs.count);
    inputs.read(probe.inputs.data());
    return probe;
  }
  if (inputs.shape.size() != 1)
    throw Error(RNN_BAD_FORMAT, "tensor %s has shape %s; indices must be a vector", inputs.name.c_str(),
                to_string(inputs.shape).c_str());
  std::vector<std::int64_t> indices(inputs.count);
  inputs.read(indices.data());
  for (const std::int64_t index : indices) {
    if (index < 0 || static_cast<std::uint64_t>(index) >= weights.input_size())
      throw Error(RNN_BAD_FORMAT, "tensor %s holds %jd; it must be 0..%zu", inputs.name.c_str(),
                  std::intmax_t{index}, weights.input_size() - 1);
    probe.indices.push_back(static_cast<std::int32_t>(index));
  }
  return probe;
}

}  // namespace rnn::formats
