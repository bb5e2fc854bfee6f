// A PyTorch state dict as JSON: {"lstm.weight_ih_l0": [[...], ...], ...}, as RTNeural's helpers for PyTorch
// read it, or as GuitarML's models have it: {"model_data": {...}, "state_dict": {"rec.weight_ih_l0": ...,
// "lin.weight"}}. It does not say how modules are joined: recurrent ones read each other in the order in
// which they stand, and one Linear is the head.
#include <set>
#include <string>

#include "lib/formats/contents.h"
#include "lib/formats/json_kinds.h"
#include "lib/network/error.h"

namespace rnn {
namespace {

using formats::quote;
using json::Kind;
using json::Value;

constexpr std::string_view kFirst = "weight_ih_l0";
constexpr std::string_view kWeight = "weight";

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

// The part of the key before its last point, with the point.
std::string module(std::string_view key) { return std::string(key.substr(0, key.rfind('.') + 1)); }

struct Unit {
  const char* name;  // GuitarML's unit_type
  std::int32_t cell;
  std::size_t gates;
};

constexpr Unit kUnits[] = {
    {"RNN", RNN_CELL_VANILLA, 1}, {"GRU", RNN_CELL_GRU, 3}, {"LSTM", RNN_CELL_LSTM, 4}};

std::size_t columns(const Value& matrix) {
  if (matrix.kind() == Kind::numbers || matrix.size() == 0)
    throw Error(RNN_BAD_FORMAT, "%s is %s; it must be a matrix", matrix.path().c_str(),
                matrix.describe().c_str());
  return matrix.element(0).size();
}

class StateDictReader {
 public:
  explicit StateDictReader(const Value& dict) : dict_(dict) {
    dict.each_member([&](std::string_view key, const Value&) {
      if (ends_with(key, kFirst)) read_module(std::string(key.substr(0, key.size() - kFirst.size())));
    });
    if (unit_ == nullptr)
      throw Error(RNN_BAD_FORMAT, "unsupported: %s has no weight_ih_l0 of an RNN, a GRU or an LSTM",
                  dict.path().c_str());
    dict.each_member([&](std::string_view key, const Value& value) {
      const std::string prefix = module(key);
      if (key == prefix + std::string(kWeight) && recurrent_.count(prefix) == 0) read_head(prefix, value);
    });
    complete_biases(model);
  }

  const Unit& unit() const { return *unit_; }
  bool is_used(std::string_view key) const { return used_.count(std::string(key)) != 0; }

  Model model;

 private:
  std::optional<Value> find(const std::string& key) {
    const std::optional<Value> found = dict_.find(key);
    if (found) used_.insert(key);
    return found;
  }

  Value at(const std::string& key) {
    used_.insert(key);
    return dict_.at(key);
  }

  void read_module(const std::string& prefix) {
    recurrent_.insert(prefix);
    int l = 0;
    do read_layer(prefix, "_l" + std::to_string(l++));
    while (dict_.find(prefix + "weight_ih_l" + std::to_string(l)));
  }

  void read_layer(const std::string& prefix, const std::string& suffix) {
    const Value input = at(prefix + "weight_ih" + suffix), recurrent = at(prefix + "weight_hh" + suffix);
    if (unit_ == nullptr) set_sizes(input, recurrent);
    if (config_.num_layers == kMaxModelLayers)
      throw Error(RNN_BAD_FORMAT, "%s is one too many; a network has at most %d layers", input.path().c_str(),
                  kMaxModelLayers);
    const auto H = static_cast<std::size_t>(config_.hidden_size);
    const auto X = config_.num_layers == 0 ? static_cast<std::size_t>(config_.input_size) : H;
    const std::string own = "_l" + std::to_string(config_.num_layers++);
    model.parameters["weight_ih" + own] = input.matrix(unit_->gates * H, X);
    model.parameters["weight_hh" + own] = recurrent.matrix(unit_->gates * H, H);
    const std::optional<Value> bias = find(prefix + "bias_ih" + suffix);
    if (bias) read_biases(*bias, at(prefix + "bias_hh" + suffix), own);
  }

  // From the first layer.
  void set_sizes(const Value& input, const Value& recurrent) {
    const std::size_t H = columns(recurrent), X = columns(input), most_inputs = kMaxClasses, most = kMaxSize;
    if (H == 0 || H > most || X == 0 || X > most_inputs)
      throw Error(RNN_BAD_FORMAT, "%s has %zu columns and %s %zu; it must be 1..%zu and 1..%zu",
                  input.path().c_str(), X, recurrent.path().c_str(), H, most_inputs, most);
    for (const Unit& unit : kUnits)
      if (recurrent.size() == unit.gates * H) unit_ = &unit;
    if (unit_ == nullptr)
      throw Error(RNN_BAD_FORMAT,
                  "%s has %zu rows of %zu; it must have 1 (RNN), 3 (GRU) or 4 (LSTM) times %zu",
                  recurrent.path().c_str(), recurrent.size(), H, H);
    config_.cell = unit_->cell;
    config_.hidden_size = static_cast<std::int32_t>(H);
    config_.input_size = static_cast<std::int32_t>(X);
  }

  void read_biases(const Value& first, const Value& second, const std::string& own) {
    const auto H = static_cast<std::size_t>(config_.hidden_size);
    std::vector<float> sum = first.vector(unit_->gates * H);
    const std::vector<float> other = second.vector(unit_->gates * H);
    const std::size_t redundant = unit_->cell == RNN_CELL_GRU ? 2 * H : unit_->gates * H;
    for (std::size_t i = 0; i < redundant; ++i) sum[i] += other[i];
    model.parameters["bias_ih" + own] = std::move(sum);
    if (redundant < other.size())
      model.parameters["bias_hn" + own].assign(other.begin() + static_cast<std::ptrdiff_t>(redundant),
                                               other.end());
  }

  void read_head(const std::string& prefix, const Value& weight) {
    if (config_.output_size != 0)
      throw Error(RNN_BAD_FORMAT, "unsupported: %s is a second Linear; librnn has one, the head",
                  weight.path().c_str());
    const std::size_t O = weight.size();
    if (O == 0 || O > static_cast<std::size_t>(kMaxClasses))
      throw Error(RNN_BAD_FORMAT, "%s has %zu rows; it must be 1..%d", weight.path().c_str(), O,
                  kMaxClasses);
    config_.output_size = static_cast<std::int32_t>(O);
    used_.insert(prefix + std::string(kWeight));
    model.parameters["head.weight"] = weight.matrix(O, static_cast<std::size_t>(config_.hidden_size));
    const std::optional<Value> bias = find(prefix + "bias");
    if (bias) model.parameters["head.bias"] = bias->vector(O);
  }

  const Value& dict_;
  rnn_config_t& config_ = model.config;
  const Unit* unit_ = nullptr;
  std::set<std::string> recurrent_;  // prefixes
  std::set<std::string> used_;       // keys
};

// What GuitarML's files say about the network.
void check_model_data(const Value& data, const Unit& unit) {
  refuse_skip(data, "skip");
  const std::optional<Value> stated = data.find("unit_type");
  if (stated && stated->string() != unit.name)
    throw Error(RNN_BAD_FORMAT, "%s is %s; the weights are those of %s", stated->path().c_str(),
                stated->describe().c_str(), unit.name);
}

}  // namespace

bool is_state_dict(const Value& object) {
  bool found = false;
  object.each_member([&](std::string_view key, const Value&) { found |= ends_with(key, kFirst); });
  return found;
}

Model read_state_dict(const Value& root) {
  const std::optional<Value> inner = root.find("state_dict");
  const Value& dict = inner ? *inner : root;
  StateDictReader reader(dict);
  // Nothing may be left over: it could be a layer that would silently be dropped.
  dict.each_member([&](std::string_view key, const Value& value) {
    const bool is_tensor = inner || value.kind() == Kind::array || value.kind() == Kind::numbers;
    if (is_tensor && !reader.is_used(key))
      throw Error(RNN_BAD_FORMAT, "unsupported: %s is not part of this network", value.path().c_str());
  });
  if (const std::optional<Value> data = root.find("model_data")) check_model_data(*data, reader.unit());
  read_metadata(root, {"state_dict"}, reader.model);
  return std::move(reader.model);
}

}  // namespace rnn
