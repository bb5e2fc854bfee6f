#include "lib/formats/json_models.h"

#include <algorithm>
#include <string>

#include "lib/formats/json_kinds.h"
#include "lib/network/error.h"

namespace rnn {

using json::Kind;
using json::Value;

constexpr std::size_t kMaxMetadata = 1000;

bool is_json(const void* memory, std::size_t size) noexcept {
  const auto* text = static_cast<const char*>(memory);
  const auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; };
  const char* first = std::find_if_not(text, text + size, blank);
  return first != text + size && *first == '{';
}

Model read_json_model(const void* memory, std::size_t size) {
  const json::Tree tree = json::parse(memory, size);
  const Value root(tree);
  if (root.find("architecture")) return read_nam(root);
  if (root.find("layers")) return read_layers(root);
  if (root.find("state_dict") || is_state_dict(root)) return read_state_dict(root);
  throw Error(
      RNN_BAD_FORMAT,
      "unsupported: the JSON has none of the keys \"layers\" (RTNeural, Keras), \"architecture\" (.nam), "
      "\"state_dict\" and \"...weight_ih_l0\" (PyTorch)");
}

void read_metadata(const Value& root, std::initializer_list<std::string_view> without, Model& model) {
  const auto add = [&](std::string_view key, const Value& value) {
    if (value.is_null() || value.kind() == Kind::array || value.kind() == Kind::numbers) return;
    if (model.metadata.size() == kMaxMetadata)
      throw Error(RNN_BAD_FORMAT, "there are more than %zu fields beside the network", kMaxMetadata);
    if (key.substr(0, 4) == "rnn.")
      throw Error(RNN_BAD_FORMAT, "%s: what begins with \"rnn.\" is librnn's own", value.path().c_str());
    model.metadata.emplace(key, value.as_text());
  };
  root.each_member([&](std::string_view key, const Value& value) {
    const bool nested = key == "metadata" && value.kind() == Kind::object;
    if (!nested && std::find(without.begin(), without.end(), key) == without.end()) add(key, value);
  });
  const std::optional<Value> nested = root.find("metadata");
  if (nested && nested->kind() == Kind::object) nested->each_member(add);  // the outer one wins
}

void refuse_skip(const Value& object, std::string_view key) {
  const std::optional<Value> skip = object.find(key);
  if (skip && skip->integer(0, kMaxSize) != 0)
    throw Error(RNN_BAD_FORMAT, "unsupported: %s is %s; librnn has no connection from input to output",
                skip->path().c_str(), skip->describe().c_str());
}

void complete_biases(Model& model) {
  std::map<std::string, std::vector<float>>& parameters = model.parameters;
  const bool any = std::any_of(parameters.begin(), parameters.end(), [](const auto& parameter) {
    return parameter.first.find("bias") != std::string::npos;
  });
  if (!any) {
    model.config.flags |= RNN_NO_BIAS;
    return;
  }
  const auto H = static_cast<std::size_t>(model.config.hidden_size);
  for (std::int32_t l = 0; l < model.config.num_layers; ++l) {
    const std::string suffix = "_l" + std::to_string(l);
    const std::size_t rows = parameters.at("weight_hh" + suffix).size() / H;
    parameters.try_emplace("bias_ih" + suffix, rows);
    if (model.config.cell == RNN_CELL_GRU && (model.config.flags & RNN_RESET_BEFORE) == 0)
      parameters.try_emplace("bias_hn" + suffix, H);
  }
  if (model.config.output_size != 0)
    parameters.try_emplace("head.bias", static_cast<std::size_t>(model.config.output_size));
}

}  // namespace rnn
