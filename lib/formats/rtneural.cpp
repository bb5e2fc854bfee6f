// {"in_shape": [..., I], "layers": [{"type", "activation", "shape": [..., size], "weights": [...]}, ...]}, as
// RTNeural reads it and its scripts write it from Keras. Matrices are Keras' kernels, [inputs, outputs], the
// transposed of ours:
//
//   lstm   [X, 4H], [H, 4H], [4H]      gates i, f, c, o: ours
//   gru    [X, 3H], [H, 3H], [2, 3H]   gates z, r, h; biases of W x and of U h: reset_after, Keras' default
//                            [3H]      one bias: reset_after=False
//   dense  [H, O], [O]                 the head, if there is one
//
// The last of the weights is absent where the layer has no bias. AIDA-X's files have "in_skip", by which the
// input is added to the output.
#include <algorithm>
#include <array>
#include <string>

#include "lib/formats/contents.h"
#include "lib/formats/json_kinds.h"
#include "lib/network/error.h"

namespace rnn {
namespace {

using formats::quote;
using json::Value;

struct Layout {
  const char* type;
  std::int32_t cell;
  std::size_t gates;
  std::array<std::size_t, 4> source;  // our gate g is Keras' gate source[g]
};

constexpr Layout kLayouts[] = {{"lstm", RNN_CELL_LSTM, 4, {0, 1, 2, 3}}, {"gru", RNN_CELL_GRU, 3, {1, 0, 2}}};

void check_choice(const Value& layer, const char* key, const char* only) {
  const std::optional<Value> choice = layer.find(key);
  if (choice && choice->string() != only && !choice->string().empty())
    throw Error(RNN_UNSUPPORTED, "unsupported: %s is %s; it must be %s or \"\"", choice->path().c_str(),
                choice->describe().c_str(), quote(only).c_str());
}

// [columns, rows] to [rows, columns], where rows of size H are gates in another order.
std::vector<float> transposed(const std::vector<float>& kernel, std::size_t columns, std::size_t H,
                              const Layout& layout) {
  const std::size_t rows = layout.gates * H;
  std::vector<float> out(kernel.size());
  for (std::size_t g = 0; g < layout.gates; ++g)
    for (std::size_t h = 0; h < H; ++h)
      for (std::size_t j = 0; j < columns; ++j)
        out[(g * H + h) * columns + j] = kernel[j * rows + layout.source[g] * H + h];
  return out;
}

class LayersReader {
 public:
  explicit LayersReader(const Value& root) {
    width_ = config_.input_size = root.at("in_shape").last_integer(1, kMaxClasses);
    root.at("layers").each([&](std::size_t, const Value& layer) { read(layer); });
    complete_biases(model);
  }

  Model model;

 private:
  void read(const Value& layer) {
    const std::string_view type = layer.at("type").string();
    const auto layout = std::find_if(std::begin(kLayouts), std::end(kLayouts),
                                     [&](const Layout& l) { return type == l.type; });
    const bool recurrent = layout != std::end(kLayouts);
    const bool dense = (type == "dense" || type == "time-distributed-dense") && config_.num_layers > 0;
    if (config_.output_size != 0 || (!recurrent && !dense))
      throw Error(RNN_UNSUPPORTED,
                  "unsupported: %s is %s; librnn reads lstm or gru layers, then at most one dense",
                  layer.path().c_str(), quote(type).c_str());
    check_keys(layer);
    const std::int32_t size = layer.at("shape").last_integer(1, recurrent ? kMaxSize : kMaxClasses);
    check_size(layer, "input_size", width_);
    check_size(layer, "hidden_size", size);
    check_size(layer, "output_size", size);
    if (recurrent)
      read_recurrent(layer, *layout, size);
    else
      read_dense(layer, size);
  }

  // What is not understood could change the output.
  void check_keys(const Value& layer) const {
    layer.each_member([&](std::string_view key, const Value& value) {
      for (const char* known : {"type", "activation", "recurrent_activation", "reset_after", "shape",
                                "weights", "name", "input_size", "hidden_size", "output_size"})
        if (key == known) return;
      throw Error(RNN_UNSUPPORTED, "unsupported: %s is unknown", value.path().c_str());
    });
  }

  void read_recurrent(const Value& layer, const Layout& layout, std::int32_t size) {
    check_choice(layer, "activation", "tanh");
    check_choice(layer, "recurrent_activation", "sigmoid");
    if (config_.num_layers == kMaxModelLayers)
      throw Error(RNN_UNSUPPORTED, "unsupported: %s is one too many; a network has at most %d",
                  layer.path().c_str(), kMaxModelLayers);
    if (config_.num_layers == 0) {
      config_.cell = layout.cell;
      config_.hidden_size = size;
    } else if (config_.cell != layout.cell) {
      throw Error(RNN_UNSUPPORTED, "unsupported: %s is %s; all recurrent layers must be of one type",
                  layer.path().c_str(), quote(layout.type).c_str());
    } else if (config_.hidden_size != size) {
      throw Error(RNN_UNSUPPORTED,
                  "unsupported: %s has %d units; all recurrent layers must have %d as the first",
                  layer.path().c_str(), size, config_.hidden_size);
    }

    const Value weights = layer.at("weights");
    const auto X = static_cast<std::size_t>(width_), H = static_cast<std::size_t>(size);
    if (weights.size() != 2 && weights.size() != 3)
      throw Error(RNN_BAD_FORMAT, "%s has %zu entries; it must have a kernel, a recurrent kernel and a bias",
                  weights.path().c_str(), weights.size());
    const std::string suffix = "_l" + std::to_string(config_.num_layers);
    model.parameters["weight_ih" + suffix] =
        transposed(weights.element(0).matrix(X, layout.gates * H), X, H, layout);
    model.parameters["weight_hh" + suffix] =
        transposed(weights.element(1).matrix(H, layout.gates * H), H, H, layout);
    check_reset(layer, weights, layout);
    if (weights.size() == 3) read_bias(weights.element(2), layout, suffix);
    ++config_.num_layers;
    width_ = size;
  }

  // Which form of GRU it is the biases say, and without them "reset_after".
  void check_reset(const Value& layer, const Value& weights, const Layout& layout) {
    if (layout.cell != RNN_CELL_GRU) return;
    const std::optional<Value> stated = layer.find("reset_after");
    if (!stated && weights.size() == 2)
      throw Error(RNN_BAD_FORMAT, "%s.reset_after is missing; a gru without bias needs it",
                  layer.path().c_str());
    const bool two = weights.size() == 3 && weights.element(2).size() == 2;
    const bool after = weights.size() == 3 ? two : stated->boolean();
    if (stated && stated->boolean() != after)
      throw Error(RNN_BAD_FORMAT, "%s is %s; its bias is of the other form", stated->path().c_str(),
                  stated->describe().c_str());
    const std::uint32_t flag = after ? 0 : RNN_FLAG_RESET_BEFORE;
    if (config_.num_layers > 0 && config_.flags != flag)
      throw Error(RNN_UNSUPPORTED, "unsupported: %s differs from the first layer in reset_after",
                  layer.path().c_str());
    config_.flags = flag;
  }

  void read_bias(const Value& bias, const Layout& layout, const std::string& suffix) {
    const auto H = static_cast<std::size_t>(config_.hidden_size);
    std::vector<float>& sum = model.parameters["bias_ih" + suffix];
    if (layout.cell != RNN_CELL_GRU || (config_.flags & RNN_FLAG_RESET_BEFORE) != 0) {
      sum = transposed(bias.vector(layout.gates * H), 1, H, layout);
      return;
    }
    const std::vector<float> both = bias.matrix(2, 3 * H);
    const auto second = both.begin() + static_cast<std::ptrdiff_t>(3 * H);
    sum = transposed({both.begin(), second}, 1, H, layout);
    const std::vector<float> recurrent = transposed({second, both.end()}, 1, H, layout);
    for (std::size_t i = 0; i < 2 * H; ++i) sum[i] += recurrent[i];
    model.parameters["bias_hn" + suffix].assign(recurrent.begin() + static_cast<std::ptrdiff_t>(2 * H),
                                                recurrent.end());
  }

  void read_dense(const Value& layer, std::int32_t size) {
    check_choice(layer, "activation", "linear");
    const Value weights = layer.at("weights");
    if (weights.size() != 1 && weights.size() != 2)
      throw Error(RNN_BAD_FORMAT, "%s has %zu entries; it must have a kernel and a bias",
                  weights.path().c_str(), weights.size());
    const auto H = static_cast<std::size_t>(width_), O = static_cast<std::size_t>(size);
    config_.output_size = size;
    const Layout plain{"dense", 0, 1, {0}};
    model.parameters["head.weight"] = transposed(weights.element(0).matrix(H, O), H, O, plain);
    if (weights.size() == 2) model.parameters["head.bias"] = weights.element(1).vector(O);
  }

  rnn_config_t& config_ = model.config;
  std::int32_t width_ = 0;  // of what the next layer reads
};

}  // namespace

Model read_layers(const Value& root) {
  LayersReader reader(root);
  reader.model.config.skip = read_skip(root, "in_skip");
  check_skip(root, "in_skip", reader.model.config);
  reader.model.metadata = read_metadata(root, {"in_shape", "layers", "in_skip"});
  return std::move(reader.model);
}

}  // namespace rnn
