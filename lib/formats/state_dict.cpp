// A PyTorch state dict as JSON: {"lstm.weight_ih_l0": [[...], ...], ...}, as RTNeural's helpers for PyTorch
// read it, or as GuitarML's models have it: {"model_data": {...}, "state_dict": {"rec.weight_ih_l0": ...,
// "lin.weight"}}. Its tensors become those of any other container: pytorch.h says which network they are.
#include <string>
#include <utility>

#include "lib/formats/json_kinds.h"
#include "lib/formats/pytorch.h"
#include "lib/network/error.h"

namespace rnn {
namespace {

using formats::Contents;
using formats::Tensor;
using formats::Type;
using json::Kind;
using json::Value;

// What is no array of numbers is at fault only if the network needs it.
Tensor make_tensor(std::string_view key, const Value& value, const Source& numbers) {
  Tensor tensor{std::string(key), Type::f32, {}, 0, &numbers, 0};
  try {
    tensor.shape = value.shape();
    tensor.count = formats::checked_count(tensor.name, tensor.type, tensor.shape);
    tensor.offset = value.first_number() * sizeof(float);
  } catch (const Error& error) {
    tensor.fault = error;
  }
  return tensor;
}

// What GuitarML's files say about the network, beside its tensors.
void check_model_data(const Value& data, const rnn_config_t& config) {
  const std::string_view unit = config.cell == RNN_CELL_VANILLA ? "RNN"
                                : config.cell == RNN_CELL_GRU   ? "GRU"
                                                                : "LSTM";
  const std::optional<Value> stated = data.find("unit_type");
  if (stated && stated->string() != unit)
    throw Error(RNN_BAD_FORMAT, "%s is %s; the weights are those of %s", stated->path().c_str(),
                stated->describe().c_str(), std::string(unit).c_str());
  check_size(data, "input_size", config.input_size);
  check_size(data, "hidden_size", config.hidden_size);
  check_size(data, "num_layers", config.num_layers);
  if (config.output_size != 0) check_size(data, "output_size", config.output_size);
  check_skip(data, "skip", config.output_size != 0 ? config.output_size : config.hidden_size);
}

}  // namespace

bool is_state_dict(const Value& object) {
  bool found = false;
  object.each_member([&](std::string_view key, const Value& value) {
    const bool is_array = value.kind() == Kind::array || value.kind() == Kind::numbers;
    found |= formats::is_layers(key) || (is_array && formats::is_weight(key));
  });
  return found;
}

Contents read_state_dict(const Value& root, const Source& numbers) {
  Contents contents;
  contents.is_ordered = true;
  const std::optional<Value> inner = root.find("state_dict");
  const Value& dict = inner ? *inner : root;
  dict.each_member([&](std::string_view key, const Value& value) {
    const bool is_array = value.kind() == Kind::array || value.kind() == Kind::numbers;
    if (!inner && !is_array && !formats::is_layers(key)) return;
    contents.tensors.emplace(key, make_tensor(key, value, numbers));
    contents.order.emplace_back(key);
  });
  for (auto& [key, value] : read_metadata(root, {"state_dict"}))
    if (contents.tensors.count(key) == 0) contents.metadata.emplace(key, std::move(value));
  const std::optional<Value> data = root.find("model_data");
  if (!data) return contents;
  contents.skip = read_skip(*data, "skip");
  contents.check = [data = *data](const rnn_config_t& config) { check_model_data(data, config); };
  return contents;
}

}  // namespace rnn
