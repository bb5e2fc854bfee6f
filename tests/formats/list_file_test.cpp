// Networks that are lists of layers as files: what was saved comes back to the bit, and damage is refused.
#include <cstdint>
#include <cstring>

#include "tests/formats/formats_test.h"
#include "tests/formats/json_test.h"
#include "tests/reference/lists.h"

namespace {

using rnn::reference::cell_layer;
using rnn::reference::dense_layer;

Rnn create(const rnn_config_t& config) {
  rnn_t* out = nullptr;
  EXPECT_EQ(rnn_create(&config, &out), RNN_OK) << rnn_last_error();
  return Rnn(out, &rnn_destroy);
}

rnn_config_t list(std::int32_t inputs, std::vector<rnn_layer_t> layers) {
  rnn_config_t config{};
  config.struct_size = sizeof config;
  config.input_size = inputs;
  config.seed = 7;
  return rnn::reference::with_layers(config, std::move(layers));
}

rnn_config_t small_list() {
  return list(3, {dense_layer(4, RNN_ACTIVATION_ELU, 0, 0.5f), cell_layer(RNN_CELL_GRU, 4, RNN_FLAG_RESIDUAL),
                  cell_layer(RNN_CELL_LSTM, 3, RNN_FLAG_NO_BIAS, RNN_DIRECTION_BOTH, 2), dense_layer(2)});
}

TEST(ListFile, ComesBack) {
  for (std::uint32_t seed = 1; seed <= 60; ++seed) {
    rnn::reference::ListKind kind;
    kind.whole = seed % 2 == 0;
    const rnn_config_t config = rnn::reference::random_list(seed, kind);
    SCOPED_TRACE(rnn::reference::text_of(config));
    const Rnn network = create(config);
    for (const std::int32_t format : {RNN_FORMAT_SAFETENSORS, RNN_FORMAT_BINARY}) {
      const std::string file = save_as(network.get(), format);
      const Rnn loaded = load_memory(file);
      ASSERT_NE(loaded, nullptr);
      expect_equal(network.get(), loaded.get());
      EXPECT_EQ(parameter_names(loaded.get()), parameter_names(network.get()));
      EXPECT_EQ(save_as(loaded.get(), format), file) << "equal networks, equal bytes";
    }
  }
}

TEST(ListFile, Header) {
  const std::string file = save_memory(create(small_list()).get());
  const auto expect = [&](const std::string& text) { EXPECT_NE(file.find(text), std::string::npos) << text; };
  expect("\"rnn.input_size\":\"3\",\"rnn.layer_count\":\"4\"");
  expect(
      "\"rnn.layer.0.kind\":\"dense\",\"rnn.layer.0.size\":\"4\",\"rnn.layer.0.activation\":\"elu\","
      "\"rnn.layer.0.alpha\":\"0.5\"");
  expect("\"rnn.layer.1.kind\":\"gru\"");
  expect("\"rnn.layer.1.residual\":\"true\"");
  expect(
      "\"rnn.layer.2.direction\":\"both\",\"rnn.layer.2.projection_size\":\"2\",\"rnn.layer.2.bias\":"
      "\"false\"");
  expect("\"layers.0.weight\":{\"dtype\":\"F32\",\"shape\":[4, 3]");
  expect("\"layers.1.bias_hh\":{\"dtype\":\"F32\",\"shape\":[12]");
  expect("\"layers.2.weight_hr_reverse\":{\"dtype\":\"F32\",\"shape\":[2, 3]");
  expect("\"layers.3.weight\":{\"dtype\":\"F32\",\"shape\":[2, 4]");
  for (const char* absent : {"rnn.cell", "rnn.hidden_size", "rnn.num_layers", "rnn.output_size", "bias_hn",
                             "layers.2.bias", "layers.0.bias_hh", "head."})
    EXPECT_EQ(file.find(absent), std::string::npos) << absent;
}

// Saved as the stack that it is, by the names of a stack.
TEST(ListFile, OfAStackIsThatOfTheStack) {
  rnn_config_t stack{};
  stack.struct_size = sizeof stack;
  stack.cell = RNN_CELL_LSTM;
  stack.input_size = 3;
  stack.hidden_size = 4;
  stack.output_size = 2;
  stack.num_layers = 2;
  stack.seed = 7;
  const rnn_layer_t cell = cell_layer(RNN_CELL_LSTM, 4);
  EXPECT_EQ(save_memory(create(list(3, {cell, cell, dense_layer(2)})).get()),
            save_memory(create(stack).get()));
}

// What stands before the names, and the head, which is one of the layers.
TEST(ListFile, HasOnePrefix) {
  const Rnn network = create(small_list());
  const std::string file = save_as(network.get(), RNN_FORMAT_SAFETENSORS,
                                   [](rnn_save_options_t& options) { options.layers = "net.audio."; });
  for (const char* name :
       {"net.audio.layers.0.weight", "net.audio.layers.2.weight_hr_reverse", "net.audio.layers.3.weight"})
    EXPECT_NE(file.find("\"" + std::string(name) + "\""), std::string::npos) << name;
  EXPECT_EQ(file.find("\"layers."), std::string::npos);
  const Rnn loaded = load_memory(file);
  expect_equal(network.get(), loaded.get());
  save_as(
      network.get(), RNN_FORMAT_SAFETENSORS, [](rnn_save_options_t& o) { o.head = "out."; },
      RNN_INVALID_ARGUMENT);
  EXPECT_MESSAGE("options.head is \"out.\"; it must be NULL for a network that is a list of layers");
}

// The header is as long as it has become.
std::string with_header(const std::string& file, const std::string& from, const std::string& to) {
  std::string changed = replaced(file, from, to);
  auto length = rnn::read_little_endian<std::uint64_t>(file.data());
  length += changed.size() - file.size();
  put(changed, 0, length);
  return changed;
}

TEST(ListFile, RefusesMetadata) {
  const std::string file = save_memory(create(small_list()).get());
  const auto refused = [&](const std::string& key, const char* value, const char* other,
                           const char* message) {
    const std::string entry = "\"rnn." + key + "\":\"";
    EXPECT_EQ(try_load(with_header(file, entry + value + "\"", entry + other + "\"")), RNN_BAD_FORMAT)
        << entry;
    EXPECT_MESSAGE(message);
  };
  refused("layer_count", "4", "0", "metadata rnn.layer_count is 0; it must be 1..256");
  refused("layer_count", "4", "257", "metadata rnn.layer_count is 257; it must be 1..256");
  refused("layer_count", "4", "-1", "metadata rnn.layer_count is \"-1\"; it must be a number in range");
  refused("layer_count", "4", "5", "metadata rnn.layer.4.kind is missing");
  refused("layer_count", "4", "3", "");  // tensors are left over
  refused("layer.1.kind", "gru", "gruel", "metadata rnn.layer.1.kind is \"gruel\"");
  refused("layer.0.activation", "elu", "else",
          "metadata rnn.layer.0.activation is \"else\"; it must be one of none");
  refused("layer.2.direction", "both", "back",
          "metadata rnn.layer.2.direction is \"back\"; it must be one of forward");
  refused("layer.0.size", "4", "0", "layers[0].size is 0; it must be 1..65536");
  refused("layer.0.size", "4", "x", "metadata rnn.layer.0.size is \"x\"; it must be a number in range");
  refused("layer.0.size", "4", "5",
          "layers[1].flags has RNN_FLAG_RESIDUAL, and the layer has 5 inputs and 4");
  refused("layer.0.alpha", "0.5", "nan", "layers[0].alpha is nan; it must be finite");
  refused("layer.0.activation", "elu", "tanh", "layers[0].alpha is 0.5");
  refused("layer.2.projection_size", "2", "3", "layers[2].projection_size is 3; it must be 0..2");
  refused("layer.2.projection_size", "2", "1", "");
  refused("layer.1.residual", "true", "maybe", "metadata rnn.layer.1.residual is \"maybe\"");
  // Other numbers come out: the probe tells.
  refused("layer.1.residual", "true", "false", "probe");
  refused("layer.0.activation", "elu", "leaky_relu", "probe");
}

TEST(ListFile, AnyDamageIsRefusedOrHarmless) {
  const std::string file =
      save_memory(create(list(1, {dense_layer(1, RNN_ACTIVATION_PRELU), cell_layer(RNN_CELL_GRU, 2),
                                  dense_layer(1, RNN_ACTIVATION_TANH, RNN_FLAG_NO_BIAS)}))
                      .get());
  for (std::size_t i = 0; i < file.size(); ++i) {
    for (const int change : {0x01, 0x02, 0x10, 0x40, 0x80}) {
      std::string damaged = file;
      damaged[i] = static_cast<char>(damaged[i] ^ change);
      const rnn_status_t status = try_load(damaged);
      ASSERT_TRUE(status == RNN_OK || status == RNN_BAD_FORMAT)
          << i << ": " << status << " " << rnn_last_error();
    }
    ASSERT_EQ(try_load(file.substr(0, i)), RNN_BAD_FORMAT) << "cut to " << i << " bytes";
  }
}

}  // namespace
