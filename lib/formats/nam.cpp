// .nam of Neural Amp Modeler: {"version", "architecture": "LSTM", "config": {...}, "weights": [...]}. The
// weights are one list:
//
//   for each layer  W [4H, X + H], gates i, f, g, o (ours), each row that of the input, then of h;
//                   b [4H]; h [H] and c [H], the state it starts from
//   the head        W [O, H], b [O]
#include <cstdio>
#include <string>

#include "lib/formats/json_kinds.h"
#include "lib/network/error.h"

namespace rnn {
namespace {

using json::Value;

// "0.5.4": what the list of weights holds is settled by the first two numbers.
void check_version(const Value& version) {
  const std::string text(version.string());
  int major = 0, minor = 0, patch = 0, read = 0;
  if (text.find_first_not_of("0123456789.") != std::string::npos ||
      std::sscanf(text.c_str(), "%2d.%2d.%4d%n", &major, &minor, &patch, &read) != 3 ||
      static_cast<std::size_t>(read) != text.size())
    throw Error(RNN_BAD_FORMAT, "%s is %s; it must be three numbers with points between them",
                version.path().c_str(), version.describe().c_str());
  if (major != 0 || minor < 5 || minor > 7)
    throw Error(RNN_UNSUPPORTED, "unsupported: %s is %s; librnn reads 0.5 to 0.7", version.path().c_str(),
                version.describe().c_str());
}

void check_keys(const Value& config) {
  config.each_member([&](std::string_view key, const Value& value) {
    for (const char* known : {"input_size", "hidden_size", "num_layers", "in_channels", "out_channels"})
      if (key == known) return;
    throw Error(RNN_UNSUPPORTED, "unsupported: %s is unknown", value.path().c_str());
  });
}

rnn_config_t read_config(const Value& config) {
  check_keys(config);
  rnn_config_t out{};
  out.cell = RNN_CELL_LSTM;
  out.input_size = config.at("input_size").integer(1, kMaxClasses);
  out.hidden_size = config.at("hidden_size").integer(1, kMaxSize);
  out.num_layers = config.at("num_layers").integer(1, kMaxLayers);
  out.initial_state = RNN_INITIAL_FIXED;
  const std::optional<Value> inputs = config.find("in_channels"), outputs = config.find("out_channels");
  if (inputs) check_size(config, "in_channels", out.input_size);
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
    throw Error(RNN_UNSUPPORTED, "unsupported: architecture is %s; librnn reads \"LSTM\"",
                architecture.describe().c_str());
  check_version(root.at("version"));
  Model model;
  model.config = read_config(root.at("config"));
  model.parameters = std::move(WeightsReader(root.at("weights"), model.config).parameters);
  model.metadata = read_metadata(root, {"architecture", "config", "weights"});
  return model;
}

}  // namespace rnn
