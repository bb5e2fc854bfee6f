// .nam of Neural Amp Modeler: {"version", "architecture": "LSTM", "config": {...}, "weights": [...]}. The
// weights are one list:
//
//   for each layer  W [4H, X + H], gates i, f, g, o (ours), each row that of the input, then of h;
//                   b [4H]; h [H] and c [H], the state it starts from
//   the head        W [O, H], b [O]
#include <string>

#include "lib/formats/json_kinds.h"
#include "lib/network/error.h"

namespace rnn {
namespace {

using json::Value;

void check_keys(const Value& config) {
  config.each_member([&](std::string_view key, const Value& value) {
    for (const char* known : {"input_size", "hidden_size", "num_layers", "in_channels", "out_channels"})
      if (key == known) return;
    throw Error(RNN_BAD_FORMAT, "unsupported: %s is unknown", value.path().c_str());
  });
}

rnn_config_t read_config(const Value& config) {
  check_keys(config);
  rnn_config_t out{};
  out.cell = RNN_CELL_LSTM;
  out.input_size = config.at("input_size").integer(1, kMaxClasses);
  out.hidden_size = config.at("hidden_size").integer(1, kMaxSize);
  out.num_layers = config.at("num_layers").integer(1, kMaxModelLayers);
  out.initial_state = RNN_INITIAL_FIXED;
  const std::optional<Value> inputs = config.find("in_channels"), outputs = config.find("out_channels");
  if (inputs) inputs->integer(out.input_size, out.input_size);
  out.output_size = outputs ? outputs->integer(1, kMaxClasses) : 1;
  return out;
}

class WeightsReader {
 public:
  WeightsReader(const Value& weights, const rnn_config_t& config) {
    const auto size = [](std::int32_t value) { return static_cast<std::size_t>(value); };
    const std::size_t I = size(config.input_size), H = size(config.hidden_size), O = size(config.output_size);
    const std::size_t L = size(config.num_layers);
    values_ = weights.vector(4 * H * (I + H) + (L - 1) * 4 * H * 2 * H + L * 6 * H + O * (H + 1));
    for (std::size_t l = 0; l < L; ++l) read_layer(l == 0 ? I : H, H, "_l" + std::to_string(l));
    parameters["head.weight"] = take(O * H);
    parameters["head.bias"] = take(O);
  }

  std::map<std::string, std::vector<float>> parameters;

 private:
  void read_layer(std::size_t X, std::size_t H, const std::string& suffix) {
    std::vector<float>& input = parameters["weight_ih" + suffix];
    std::vector<float>& recurrent = parameters["weight_hh" + suffix];
    for (std::size_t row = 0; row < 4 * H; ++row) {
      append(X, input);
      append(H, recurrent);
    }
    parameters["bias_ih" + suffix] = take(4 * H);
    parameters["initial_h" + suffix] = take(H);
    parameters["initial_c" + suffix] = take(H);
  }

  void append(std::size_t count, std::vector<float>& to) {
    const auto begin = values_.begin() + static_cast<std::ptrdiff_t>(used_);
    to.insert(to.end(), begin, begin + static_cast<std::ptrdiff_t>(count));
    used_ += count;
  }

  std::vector<float> take(std::size_t count) {
    std::vector<float> out;
    append(count, out);
    return out;
  }

  std::vector<float> values_;
  std::size_t used_ = 0;
};

}  // namespace

Model read_nam(const Value& root) {
  const Value architecture = root.at("architecture");
  if (architecture.string() != "LSTM")
    throw Error(RNN_BAD_FORMAT, "unsupported: architecture is %s; librnn reads \"LSTM\"",
                architecture.describe().c_str());
  Model model;
  model.config = read_config(root.at("config"));
  model.parameters = std::move(WeightsReader(root.at("weights"), model.config).parameters);
  read_metadata(root, {"architecture", "config", "weights"}, model);
  return model;
}

}  // namespace rnn
