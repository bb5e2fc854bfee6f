#include "lib/formats/json_models.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/formats/json_kinds.h"
#include "lib/network/error.h"
#include "lib/network/little_endian.h"

namespace rnn {

using json::Kind;
using json::Value;

constexpr std::size_t kMaxMetadata = 1000;

namespace {

// A tree's numbers, as a file would hold them.
struct TreeSource final : Source {
  explicit TreeSource(json::Tree parsed)
      : Source(parsed.numbers.size() * sizeof(float)), tree(std::move(parsed)) {
    if (kIsLittleEndian) return;
    swapped = tree.numbers;
    swap_little_endian(swapped.data(), swapped.size());
  }

  const unsigned char* memory() const noexcept override {
    return reinterpret_cast<const unsigned char*>(kIsLittleEndian ? tree.numbers.data() : swapped.data());
  }
  void read(std::size_t offset, std::size_t count, void* out) const override {
    if (count > 0) std::memcpy(out, memory() + offset, count);
  }

  const json::Tree tree;
  std::vector<float> swapped;
};

// JSON of another kind.
[[noreturn]] void refuse(const Value& root) {
  if (root.find("dilations") && root.find("residual_channels"))
    throw Error(
        RNN_UNSUPPORTED,
        "unsupported: the file is a WaveNet, with residual_channels and dilations; librnn has no gated "
        "convolutions");
  root.each_member([](std::string_view, const Value& value) {
    if (value.kind() == Kind::object && value.find("layers") && value.find("in_shape"))
      throw Error(RNN_UNSUPPORTED, "unsupported: %s is a network within an object; librnn reads files of one",
                  value.path().c_str());
  });
  throw Error(
      RNN_UNSUPPORTED,
      "unsupported: the JSON has none of the keys \"layers\" (RTNeural, Keras), \"architecture\" (.nam), "
      "\"state_dict\" and \"...weight_ih_l0\" (PyTorch)");
}

}  // namespace

bool is_json(const void* memory, std::size_t size) noexcept {
  std::string_view text(static_cast<const char*>(memory), size);
  if (text.substr(0, json::kMark.size()) == json::kMark) text.remove_prefix(json::kMark.size());
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  return first != std::string_view::npos && text[first] == '{';
}

std::variant<Model, formats::Contents> read_json(const void* memory, std::size_t size) {
  auto source = std::make_shared<const TreeSource>(json::parse(memory, size));
  const Value root(source->tree);
  const std::optional<Value> architecture = root.find("architecture");
  if (architecture && architecture->kind() != Kind::object) return read_nam(root);
  if (root.find("layers")) return read_layers(root);
  if (root.find("conv1d") && root.find("conv1d_stride")) return read_smart_amp_pro(root);
  if (root.find("state_dict") || is_state_dict(root)) {
    formats::Contents contents = read_state_dict(root, *source);
    contents.own = std::move(source);
    return contents;
  }
  refuse(root);
}

std::map<std::string, std::string> read_metadata(const Value& root,
                                                 std::initializer_list<std::string_view> without) {
  std::map<std::string, std::string> metadata;
  const auto add = [&](std::string_view key, const Value& value) {
    if (key.empty() || value.is_null() || value.kind() == Kind::array || value.kind() == Kind::numbers)
      return;
    if (metadata.size() == kMaxMetadata)
      throw Error(RNN_BAD_FORMAT, "there are more than %zu fields beside the network", kMaxMetadata);
    if (key.substr(0, 4) == "rnn.")
      throw Error(RNN_BAD_FORMAT, "%s: what begins with \"rnn.\" is librnn's own", value.path().c_str());
    metadata.emplace(key, value.as_text());
  };
  root.each_member([&](std::string_view key, const Value& value) {
    const bool nested = key == "metadata" && value.kind() == Kind::object;
    if (!nested && std::find(without.begin(), without.end(), key) == without.end()) add(key, value);
  });
  const std::optional<Value> nested = root.find("metadata");
  if (nested && nested->kind() == Kind::object) nested->each_member(add);  // the outer one wins
  return metadata;
}

void check_size(const Value& object, std::string_view key, std::int32_t size) {
  const std::optional<Value> stated = object.find(key);
  if (stated && stated->integer(0, kMaxClasses) != size)
    throw Error(RNN_BAD_FORMAT, "%s is %s; the weights are those of %d", stated->path().c_str(),
                stated->describe().c_str(), size);
}

std::int32_t read_skip(const Value& object, std::string_view key) {
  const std::optional<Value> skip = object.find(key);
  if (!skip) return 0;
  const double value = skip->kind() == Kind::boolean ? skip->boolean() : skip->number();
  if (value != 0 && value != 1)
    throw Error(RNN_UNSUPPORTED, "unsupported: %s is %s; librnn reads 0 and 1", skip->path().c_str(),
                skip->describe().c_str());
  return value != 0 ? 1 : 0;
}

void check_skip(const Value& object, std::string_view key, std::int32_t outputs) {
  if (read_skip(object, key) != 0 && outputs != 1)
    throw Error(RNN_UNSUPPORTED, "unsupported: %s is %s and there are %d outputs; librnn reads it with 1",
                object.at(key).path().c_str(), object.at(key).describe().c_str(), outputs);
}

}  // namespace rnn
