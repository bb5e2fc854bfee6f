// The probe in files: a network that gives something else is refused, and the layer is named.
#include <cmath>
#include <cstdint>

#include "tests/formats/formats_test.h"

namespace {

// The probe's text.
std::string probe(const std::string& file) {
  const std::string key = "\"rnn.probe\":\"";
  const std::size_t at = file.find(key);
  if (at == std::string::npos) return {};
  return file.substr(at + key.size(), file.find('"', at + key.size()) - at - key.size());
}

// The file of `other` with the probe of `rnn`.
rnn_status_t load_with_probe_of(const rnn_t* rnn, const rnn_t* other) {
  std::string file = save_memory(other);
  const std::string wrong = probe(file), right = probe(save_memory(rnn));
  EXPECT_EQ(wrong.size(), right.size());
  file.replace(file.find(wrong), wrong.size(), right);
  return try_load(file);
}

// Where the message of a damaged parameter must say that it is.
std::string place(const std::string& name) {
  if (name.rfind("head.", 0) == 0) return "the output: found ";
  if (name.rfind("embedding.", 0) == 0) return "layer 0: found ";
  const std::size_t layer = name.find("_l");
  const bool backward = name.find("_reverse") != std::string::npos;
  return "layer " + name.substr(layer + 2, 1) + (backward ? ", backward: found " : ": found ");
}

class Probe : public testing::TestWithParam<std::function<void(rnn_config_t&)>> {};

// The last value of each parameter, and all values of an embedding, since a few indices alone are tried.
TEST_P(Probe, NamesTheDamagedLayer) {
  const Rnn rnn = create(GetParam());
  ASSERT_EQ(load_with_probe_of(rnn.get(), rnn.get()), RNN_OK) << rnn_last_error();
  for (const std::string& name : parameter_names(rnn.get())) {
    rnn_t* copy = nullptr;
    ASSERT_EQ(rnn_clone(rnn.get(), &copy), RNN_OK);
    const Rnn damaged(copy, &rnn_destroy);
    std::vector<float> values = parameter(rnn.get(), name.c_str());
    const bool embedding = name == "embedding.weight";
    for (std::size_t i = values.size(); i-- > 0; i = embedding ? i : 0) values[i] += 8.0f;
    ASSERT_EQ(rnn_set_parameter(damaged.get(), name.c_str(), values.data(), values.size()), RNN_OK);
    EXPECT_EQ(load_with_probe_of(rnn.get(), damaged.get()), RNN_BAD_FORMAT) << name;
    EXPECT_MESSAGE("rnn_load_memory: probe: step ");
    EXPECT_MESSAGE(place(name));
    EXPECT_MESSAGE(", within ");
  }
}

INSTANTIATE_TEST_SUITE_P(Network, Probe,
                         testing::Values([](rnn_config_t& c) { c.num_layers = 3; },
                                         [](rnn_config_t& c) {
                                           c.cell = RNN_CELL_GRU;
                                           c.num_layers = 2;
                                           c.output_size = 0;
                                         },
                                         [](rnn_config_t& c) {
                                           c.cell = RNN_CELL_GRU;
                                           c.flags = RNN_FLAG_RESET_BEFORE | RNN_FLAG_RESIDUAL;
                                           c.num_layers = 3;
                                         },
                                         [](rnn_config_t& c) {
                                           c.cell = RNN_CELL_LSTM;
                                           c.num_layers = 2;
                                           c.projection_size = 3;
                                           c.embedding_size = 5;
                                           c.flags = RNN_FLAG_BIDIRECTIONAL | RNN_FLAG_LAYER_NORM;
                                           c.initial_state = RNN_INITIAL_TRAINED;
                                         },
                                         [](rnn_config_t& c) {
                                           c.cell = RNN_CELL_LSTM;
                                           c.num_layers = 3;
                                           c.flags = RNN_FLAG_BIDIRECTIONAL;
                                         },
                                         [](rnn_config_t& c) {
                                           c.compute = RNN_COMPUTE_BF16;
                                           c.num_layers = 2;
                                         },
                                         [](rnn_config_t& c) {
                                           c.compute = RNN_COMPUTE_INT8;
                                           c.num_layers = 2;
                                         },
                                         [](rnn_config_t& c) {
                                           c.compute = RNN_COMPUTE_BF16_FAST;
                                           c.hidden_size = 70;
                                         }));

TEST(ProbeText, IsThereUnlessUnwanted) {
  const Rnn rnn = create();
  // 3 steps of 2 outputs and 4 states, 4 bytes each, 4 characters for 3 bytes.
  EXPECT_EQ(probe(save_memory(rnn.get())).size(), 2u + 3 * 6 * 4 / 3 * 4);
  EXPECT_NE(save_as(rnn.get(), RNN_FORMAT_BINARY).find("rnn.probe"), std::string::npos);
  const auto unwanted = [](rnn_save_options_t& o) { o.without_probe = 1; };
  for (const std::int32_t format : {RNN_FORMAT_BINARY, RNN_FORMAT_SAFETENSORS})
    EXPECT_EQ(save_as(rnn.get(), format, unwanted).find("rnn.probe"), std::string::npos);
}

TEST(ProbeText, IsNotThereForWhatIsNotFinite) {
  const Rnn rnn = create([](rnn_config_t& c) { c.flags = RNN_FLAG_RELU; });
  const std::vector<float> large(12, 3e38f);
  ASSERT_EQ(rnn_set_parameter(rnn.get(), "weight_ih_l0", large.data(), large.size()), RNN_OK);
  const std::vector<float> larger(16, 3e38f);
  ASSERT_EQ(rnn_set_parameter(rnn.get(), "weight_hh_l0", larger.data(), larger.size()), RNN_OK);
  const std::string file = save_memory(rnn.get());
  EXPECT_EQ(probe(file), "");
  EXPECT_EQ(try_load(file), RNN_OK) << rnn_last_error();
}

TEST(ProbeText, MayBePassedOver) {
  const Rnn rnn = create(), other = create([](rnn_config_t&c) { c.seed = 8; });
  EXPECT_EQ(load_with_probe_of(rnn.get(), other.get()), RNN_BAD_FORMAT);
  std::string file = save_memory(other.get());
  file.replace(file.find(probe(file)), probe(file).size(), probe(save_memory(rnn.get())));
  rnn_load_options_t options{};
  options.struct_size = sizeof options;
  options.without_probe = 1;
  rnn_t* loaded = nullptr;
  ASSERT_EQ(rnn_load_memory_as(file.data(), file.size(), &options, nullptr, &loaded), RNN_OK)
      << rnn_last_error();
  expect_equal(loaded, other.get());
  rnn_destroy(loaded);
}

TEST(ProbeText, IsRefusedWhereItIsNone) {
  const std::string file = save_memory(create().get());
  const std::string right = probe(file);
  const auto refused = [&](std::string text, const char* message) {
    ASSERT_EQ(text.size(), right.size()) << "so that the header keeps its length";
    std::string damaged = file;
    damaged.replace(damaged.find(right), right.size(), text);
    EXPECT_EQ(try_load(damaged), RNN_BAD_FORMAT) << message;
    EXPECT_MESSAGE(message);
  };
  refused("4" + right.substr(1), "metadata rnn.probe does not begin with 3:, the number of steps");
  refused("3:*" + right.substr(3), "metadata rnn.probe is not base64");
  refused("3:AADAfw" + right.substr(8), "metadata rnn.probe: a value is not finite");
  std::string shorter = file;  // one character less, and a blank behind the header
  shorter.replace(shorter.find(right), right.size(), right.substr(1));
  shorter.insert(shorter.find("}}") + 2, " ");
  EXPECT_EQ(try_load(shorter), RNN_BAD_FORMAT);
  std::string sized = file;
  sized.replace(sized.find(right), right.size(), right.substr(0, right.size() - 4));
  sized.insert(sized.find("}}") + 2, "    ");
  EXPECT_EQ(try_load(sized), RNN_BAD_FORMAT);
  EXPECT_MESSAGE("metadata rnn.probe has 94 characters; this network's has 98");
}

// What every instruction set gave when this was written, for f32, bf16 and int8.
constexpr const char* kPinned[] = {
    "3:HWAJPoS1kj53VkA+WmiPPoihMz7ZopU+mckxPds6dT5+0Sg+V8gTvscCYb56tEs+vjgVPgi8N749+CS7nWTAOVEXRL7NAIi9"
    "E2YPvh65ez5nLwU9uvzfvXvSHL2aF5E9n4PAPpZ6lr4OAqa+8eXCPS2lBj7L4cW+aD6zvGbDrDxnnqu+bNETvkMdi74mk7Y+uX"
    "4AvLS9ab4GOPu9apCBPlcGdD5RuEi+Hjhwve7DtD6ybGY967mUvivGybv5GQg9/pKuvhciJL5Vip2+5YOwPptRkTwgj22+",
    "3:WXUJPrW5kj7XkEA+r2qPPhg0Mz4/v5U+M2EyPfIsdT5z2Cg+ocATvuUpYb6E1Us+2UoVPm2fN74/nSW7hhizOQsgRL7cc4i9"
    "P5APvsKYez48BgU9rCPgvaQUHL0zXpI9xkfAPn9Olr7xw6W++x/DPY5SBj4u0sW+MGyyvDY8rDwWh6u+K/kTvhYri77SgLY+QF"
    "f6uz+dab6qAvy9knqBPrfQcz5y2Ui+ddFtvbi2tD7paGQ9INiUvjoky7vPVAg9f4KuviacJL4pvZ2+O2CwPr+Gjzx1sW2+",
    "3:hngJPs0Skz4U1kA+0JOPPlYjND5B1JU+GQQyPQHndD5e4ig+Le8Tvj9PYb5Zg0s+1FAVPie5N76+oBa7H5S/OWMLRL7YN4i9"
    "ZTQQvmCfez4tUAU9tnbgvcl1H70F6ZA95q7APiWmlr7p5KW+6InCPeguBj4k7cW+5bGtvL3Fqjyhqau+SbcTvjC+i76VW7Y+3r"
    "UKvIDRab5fS/q95gGCPqWZdD4zmUi+QBtuvYcLtT45bmY9nNmUvnF9qruMTAc9dn+uvh5kI76rC56+MEuwPnF8jTxglm2+"};

TEST(ProbeText, HoldsForEveryInstructionSet) {
  for (const std::int32_t compute : {RNN_COMPUTE_F32, RNN_COMPUTE_BF16, RNN_COMPUTE_INT8}) {
    const Rnn rnn = create([&](rnn_config_t& c) {
      c.cell = RNN_CELL_GRU;
      c.hidden_size = 8;
      c.num_layers = 2;
      c.compute = compute;
    });
    std::string file = save_memory(rnn.get());
    const std::string own = probe(file);
    ASSERT_EQ(own.size(), std::string(kPinned[compute]).size());
    file.replace(file.find(own), own.size(), kPinned[compute]);
    EXPECT_EQ(try_load(file), RNN_OK) << compute << ": " << rnn_last_error();
    EXPECT_EQ(own, kPinned[compute]) << "the same bits";
  }
}

// The handle's own state is not touched by saving.
TEST(ProbeText, LeavesTheStreamAlone) {
  const Rnn rnn = create();
  const float x[3] = {1, 2, 3};
  float before[4], after[4];
  ASSERT_EQ(rnn_step(rnn.get(), x, nullptr), RNN_OK);
  ASSERT_EQ(rnn_get_state(rnn.get(), before, 4), RNN_OK);
  const Rnn loaded = load_memory(save_memory(rnn.get()));
  ASSERT_EQ(rnn_get_state(rnn.get(), after, 4), RNN_OK);
  EXPECT_EQ(std::memcmp(before, after, sizeof before), 0);
  ASSERT_EQ(rnn_get_state(loaded.get(), after, 4), RNN_OK);
  for (const float value : after) EXPECT_EQ(value, 0.0f);
}

}  // namespace
