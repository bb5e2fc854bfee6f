// Files that we did not write: of other kinds, damaged with care, hostile.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <new>
#include <stdexcept>
#include <tuple>

#include "tests/formats/formats_test.h"

namespace {

const float kInfinity = std::numeric_limits<float>::infinity();

// The parts of a right file, for a test to spoil.
struct Parts {
  std::vector<std::pair<std::string, std::string>> metadata = {
      {"rnn.format", "1"},        {"rnn.cell", "vanilla"},
      {"rnn.input_size", "3"},    {"rnn.hidden_size", "2"},
      {"rnn.output_size", "1"},   {"rnn.num_layers", "1"},
      {"rnn.bias", "true"},       {"rnn.initial_state", "zero"},
      {"rnn.init", "pytorch"},    {"rnn.recurrent_init", "identity"},
      {"rnn.init_range", "0.08"}, {"rnn.seed", "0"},
      {"rnn.compute", "f32"}};
  std::vector<HandTensor> tensors = {f32("weight_ih_l0", {2, 3}, {1, 2, 3, 4, 5, 6}),
                                     f32("weight_hh_l0", {2, 2}, {7, 8, 9, 10}),
                                     f32("bias_ih_l0", {2}, {11, 12}),
                                     f32("bias_hh_l0", {2}, {100, -200}),
                                     f32("head.weight", {1, 2}, {13, 14}),
                                     f32("head.bias", {1}, {15})};

  std::string& value(const std::string& key) {
    for (auto& entry : metadata)
      if (entry.first == key) return entry.second;
    throw std::out_of_range(key);
  }
  HandTensor& tensor(const std::string& name) {
    for (HandTensor& t : tensors)
      if (t.name == name) return t;
    throw std::out_of_range(name);
  }
  void remove(const std::string& name) {
    for (std::size_t i = 0; i < metadata.size(); ++i)
      if (metadata[i].first == name) metadata.erase(metadata.begin() + static_cast<std::ptrdiff_t>(i));
    for (std::size_t i = 0; i < tensors.size(); ++i)
      if (tensors[i].name == name) tensors.erase(tensors.begin() + static_cast<std::ptrdiff_t>(i));
  }
  std::string file() const {
    std::string text;
    for (const auto& [key, value] : metadata)
      text += (text.empty() ? "\"" : ",\"") + key + "\":\"" + value + "\"";
    return container(tensors, metadata.empty() ? "" : "{" + text + "}");
  }
};

TEST(Import, BothBiases) {
  const Rnn rnn = load_memory(Parts().file());
  EXPECT_EQ(parameter(rnn.get(), "bias_ih_l0"), (std::vector<float>{111, -188}));
  EXPECT_EQ(parameter(rnn.get(), "weight_ih_l0"), (std::vector<float>{1, 2, 3, 4, 5, 6}));

  Parts one;
  one.remove("bias_hh_l0");
  EXPECT_EQ(try_load(one.file()), RNN_BAD_FORMAT);
  EXPECT_MESSAGE("tensor bias_hh_l0 is missing; its shape would be [2]");
}

TEST(Import, OtherTypes) {
  const std::vector<double> values = {1, -2, 0.5, 4, 5, 6};
  Parts parts;
  parts.tensor("weight_ih_l0") = {"weight_ih_l0", "F64", {2, 3}, bytes(values)};
  parts.tensor("weight_hh_l0") = {
      "weight_hh_l0", "F16", {2, 2}, bytes<std::uint16_t>({0x3c00, 0xc000, 0, 0x0001})};
  parts.tensor("head.weight") = {"head.weight", "BF16", {1, 2}, bytes<std::uint16_t>({0x3f80, 0xc040})};
  const Rnn rnn = load_memory(parts.file());
  EXPECT_EQ(parameter(rnn.get(), "weight_ih_l0"), (std::vector<float>(values.begin(), values.end())));
  EXPECT_EQ(parameter(rnn.get(), "weight_hh_l0"), (std::vector<float>{1, -2, 0, 0x1p-24f}));
  EXPECT_EQ(parameter(rnn.get(), "head.weight"), (std::vector<float>{1, -3}));

  parts.tensor("weight_ih_l0").data = bytes<double>({0, 0, 0, 0, -1e39, 0});
  EXPECT_EQ(try_load(parts.file()), RNN_BAD_FORMAT);
  EXPECT_MESSAGE("tensor weight_ih_l0: value 4 is -inf as a float; it must be finite");
}

TEST(Import, PyTorchStateDict) {
  Parts parts;
  parts.metadata = {{"format", "pt"}};
  for (int round = 0; round < 2; ++round) {
    const Rnn rnn = load_memory(parts.file());
    rnn_config_t config{};
    config.struct_size = sizeof config;
    ASSERT_EQ(rnn_get_config(rnn.get(), &config), RNN_OK);
    EXPECT_EQ(config.cell, RNN_CELL_VANILLA);
    EXPECT_EQ(std::tuple(config.input_size, config.hidden_size, config.output_size, config.num_layers),
              std::tuple(3, 2, 1, 1));
    EXPECT_EQ(parameter(rnn.get(), "bias_ih_l0"), (std::vector<float>{111, -188}));
    parts.metadata.clear();  // and without any metadata
  }

  parts.tensors.push_back(f32("weight_ih_l1", {2, 2}, {1, 2, 3, 4}));
  EXPECT_EQ(try_load(parts.file()), RNN_BAD_FORMAT);
  EXPECT_MESSAGE("tensor weight_hh_l1 is missing; its shape would be [2, 2]");
  parts.tensors.push_back(f32("weight_hh_l1", {2, 2}, {5, 6, 7, 8}));
  parts.tensors.push_back(f32("bias_ih_l1", {2}, {1, 2}));
  parts.tensors.push_back(f32("bias_hh_l1", {2}, {1, 2}));
  EXPECT_EQ(parameter(load_memory(parts.file()).get(), "bias_ih_l1"), (std::vector<float>{2, 4}));

  Parts bare;  // bias=False and no Linear
  bare.metadata.clear();
  for (const char* name : {"bias_ih_l0", "bias_hh_l0", "head.weight", "head.bias"}) bare.remove(name);
  rnn_config_t config{};
  config.struct_size = sizeof config;
  ASSERT_EQ(rnn_get_config(load_memory(bare.file()).get(), &config), RNN_OK);
  EXPECT_EQ(config.flags, static_cast<std::uint32_t>(RNN_FLAG_NO_BIAS));
  EXPECT_EQ(config.output_size, 0);
}

// A state dict with values 1, 2, 3, ... in each tensor.
std::string state_dict(const std::vector<std::pair<std::string, std::vector<std::size_t>>>& shapes) {
  std::vector<HandTensor> tensors;
  for (const auto& [name, shape] : shapes) {
    std::size_t count = 1;
    for (const std::size_t n : shape) count *= n;
    std::vector<float> values(count);
    for (std::size_t i = 0; i < count; ++i) values[i] = static_cast<float>(i + 1);
    tensors.push_back(f32(name, shape, values));
  }
  return container(tensors);
}

rnn_config_t config_of(const rnn_t* rnn) {
  rnn_config_t config{};
  config.struct_size = sizeof config;
  EXPECT_EQ(rnn_get_config(rnn, &config), RNN_OK);
  return config;
}

TEST(Import, PyTorchGru) {
  const Rnn rnn = load_memory(state_dict(
      {{"weight_ih_l0", {6, 3}}, {"weight_hh_l0", {6, 2}}, {"bias_ih_l0", {6}}, {"bias_hh_l0", {6}}}));
  const rnn_config_t config = config_of(rnn.get());
  EXPECT_EQ(config.cell, RNN_CELL_GRU);
  EXPECT_EQ(config.flags, 0u);
  EXPECT_EQ(std::tuple(config.input_size, config.hidden_size, config.output_size), std::tuple(3, 2, 0));
  EXPECT_EQ(parameter(rnn.get(), "bias_ih_l0"), (std::vector<float>{2, 4, 6, 8, 5, 6}));
  EXPECT_EQ(parameter(rnn.get(), "bias_hn_l0"), (std::vector<float>{5, 6}));

  // Its second bias is not redundant.
  EXPECT_EQ(try_load(state_dict({{"weight_ih_l0", {6, 3}}, {"weight_hh_l0", {6, 2}}, {"bias_ih_l0", {6}}})),
            RNN_BAD_FORMAT);
  EXPECT_MESSAGE("tensor bias_hh_l0 is missing; its shape would be [6]");
  EXPECT_EQ(try_load(state_dict({{"weight_ih_l0", {6, 3}},
                                 {"weight_hh_l0", {6, 2}},
                                 {"bias_ih_l0", {6}},
                                 {"bias_hh_l0", {6}},
                                 {"bias_hn_l0", {2}}})),
            RNN_UNSUPPORTED);
  EXPECT_MESSAGE("unsupported: tensor \"bias_hn_l0\" of shape [2] is not part of this network");
  EXPECT_EQ(
      config_of(load_memory(state_dict({{"weight_ih_l0", {6, 3}}, {"weight_hh_l0", {6, 2}}})).get()).flags,
      static_cast<std::uint32_t>(RNN_FLAG_NO_BIAS));
}

TEST(Import, PyTorchLstm) {
  using Shapes = std::vector<std::pair<std::string, std::vector<std::size_t>>>;
  Shapes shapes = {{"embedding.weight", {9, 3}}};
  for (const std::string suffix : {"_l0", "_l0_reverse", "_l1", "_l1_reverse"}) {
    shapes.push_back({"weight_ih" + suffix, {20, suffix[2] == '0' ? 3u : 4u}});
    shapes.push_back({"weight_hh" + suffix, {20, 2}});
    shapes.push_back({"bias_ih" + suffix, {20}});
    shapes.push_back({"bias_hh" + suffix, {20}});
    shapes.push_back({"weight_hr" + suffix, {2, 5}});
  }
  shapes.push_back({"head.weight", {7, 4}});
  shapes.push_back({"head.bias", {7}});
  const Rnn rnn = load_memory(state_dict(shapes));
  const rnn_config_t config = config_of(rnn.get());
  EXPECT_EQ(config.cell, RNN_CELL_LSTM);
  EXPECT_EQ(config.flags, static_cast<std::uint32_t>(RNN_FLAG_BIDIRECTIONAL));
  EXPECT_EQ(std::tuple(config.input_size, config.embedding_size, config.hidden_size, config.projection_size),
            std::tuple(9, 3, 5, 2));
  EXPECT_EQ(std::tuple(config.output_size, config.num_layers), std::tuple(7, 2));
  EXPECT_EQ(parameter(rnn.get(), "bias_ih_l1_reverse")[19], 40.0f);
  EXPECT_EQ(parameter(rnn.get(), "weight_hr_l0_reverse")[9], 10.0f);

  // Each tensor is needed, and nothing else may be there.
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    const std::string& name = shapes[i].first;
    const bool optional = name.rfind("head.", 0) == 0 || name == "embedding.weight";
    Shapes fewer = shapes, misshapen = shapes;
    fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(i));
    misshapen[i].second.back() += 1;
    const rnn_status_t status = try_load(state_dict(misshapen));
    EXPECT_TRUE(optional ? status != RNN_OK : status == RNN_BAD_FORMAT) << name;
    if (!optional) {
      EXPECT_EQ(try_load(state_dict(fewer)), RNN_BAD_FORMAT) << name;
      EXPECT_MESSAGE("tensor " + name + " is missing");
    }
  }
  for (const char* name :
       {"norm_ih_l0", "initial_h_l0", "weight_ih_l0_backward", "weight_ih_l01", "weight_hh_l0_g"}) {
    Shapes more = shapes;
    more.push_back({name, {20}});
    EXPECT_EQ(try_load(state_dict(more)), RNN_UNSUPPORTED);
    EXPECT_MESSAGE("unsupported: tensor \"" + std::string(name) +
                   "\" of shape [20] is not part of this network");
  }
  // What implies other tensors.
  for (const char* name : {"bias_ih_l2", "bias_hh_l2_reverse", "weight_hr_l2", "weight_hh_l2"}) {
    Shapes more = shapes;
    more.push_back({name, {20}});
    EXPECT_EQ(try_load(state_dict(more)), RNN_BAD_FORMAT);
    EXPECT_MESSAGE("tensor weight_ih_l2 is missing; its shape would be [20, 4]");
  }
}

TEST(Import, RefusesOtherStateDicts) {
  struct Case {
    std::function<void(Parts&)> spoil;
    const char* message;
  };
  const Case cases[] = {
      {[](Parts& p) { p.tensors.clear(); },
       "unsupported: metadata rnn.format is missing, and so is a tensor whose name ends with weight_ih_l0, "
       "or weight_ih "
       "of"},
      {[](Parts& p) { p.remove("weight_hh_l0"); }, "tensor weight_hh_l0 is missing"},
      {[](Parts& p) { p.remove("weight_ih_l0"); }, "tensor weight_ih_l0 is missing"},
      {[](Parts& p) { p.remove("bias_hh_l0"); }, "tensor bias_hh_l0 is missing; its shape would be [2]"},
      {[](Parts& p) {
         p.tensor("weight_hh_l0") = f32("weight_hh_l0", {6, 2}, std::vector<float>(12));
       },
       "tensor weight_ih_l0 has shape [2, 3]; it must be [6, 3]"},
      {[](Parts& p) {
         p.tensor("weight_hh_l0") = f32("weight_hh_l0", {8, 2}, std::vector<float>(16));
       },
       "tensor weight_ih_l0 has shape [2, 3]; it must be [8, 3]"},
      {[](Parts& p) { p.tensor("weight_hh_l0") = f32("weight_hh_l0", {4}, std::vector<float>(4)); },
       "tensor weight_hh_l0 has shape [4]; it must be a matrix"},
      {[](Parts& p) {
         p.tensor("weight_hh_l0") = f32("weight_hh_l0", {5, 2}, std::vector<float>(10));
       },
       "tensor weight_hh_l0 has shape [5, 2]; its rows must be 1 (RNN), 3 (GRU) or 4 (LSTM) times its "
       "columns"},
      {[](Parts& p) {
         p.tensors.push_back(f32("weight_hr_l0", {2, 5}, std::vector<float>(10)));
       },
       "tensor weight_hh_l0 has shape [2, 2]; with weight_hr_l0 of [2, 5] its rows must be 4 times 5"},
      {[](Parts& p) { p.tensors.push_back(f32("weight_hr_l0", {10}, std::vector<float>(10))); },
       "tensor weight_hr_l0 has shape [10]; it must be a matrix"},
      {[](Parts& p) {
         p.tensors.push_back(f32("embedding.weight", {5, 70000}, std::vector<float>(350000)));
       },
       "unsupported: tensor \"embedding.weight\" of shape [5, "},
      {[](Parts& p) {
         p.tensors.push_back(f32("embedding.weight", {5, 4}, std::vector<float>(20)));
       },
       "unsupported: tensor \"embedding.weight\" of shape [5, "},
      {[](Parts& p) {
         p.tensor("weight_ih_l0") = f32("weight_ih_l0", {2, 1048577}, std::vector<float>(2097154));
       },
       "unsupported: input_size is 1048577; it must be 1..1048576"},
      {[](Parts& p) {
         p.tensor("weight_ih_l0") = f32("weight_ih_l0", {2, 0}, {});
       },
       "input_size is 0"},
      {[](Parts& p) {
         p.tensor("weight_hh_l0") = f32("weight_hh_l0", {0, 0}, {});
       },
       "hidden_size is 0; it must be 1..65536"},
      {[](Parts& p) {
         p.tensor("head.weight") = f32("head.weight", {0, 2}, {});
       },
       "output_size is 0; it must be 1..1048576"},
      {[](Parts& p) {
         p.tensors.push_back(f32("weight_ih_l0_reverse", {2, 3}, std::vector<float>(6)));
       },
       "tensor weight_hh_l0_reverse is missing; its shape would be [2, 2]"},
      {[](Parts& p) { p.remove("bias_ih_l0"); }, "tensor bias_ih_l0 is missing; its shape would be [2]"},
  };
  for (const Case& c : cases) {
    Parts parts;
    parts.metadata.clear();
    c.spoil(parts);
    const bool unsupported = std::string(c.message).rfind("unsupported: ", 0) == 0;
    EXPECT_EQ(try_load(parts.file()), unsupported ? RNN_UNSUPPORTED : RNN_BAD_FORMAT) << c.message;
    EXPECT_MESSAGE(c.message);
  }
}

TEST(Hostile, Metadata) {
  struct Case {
    const char* key;
    const char* value;
    const char* message;
  };
  const Case cases[] = {
      {"rnn.format", "2", "metadata rnn.format is \"2\"; this library reads 1"},
      {"rnn.cell", "gru2", "metadata rnn.cell is \"gru2\"; no such cell"},
      {"rnn.cell", "vanilla\\u0000x", "no such cell"},
      {"rnn.input_size", "", "metadata rnn.input_size is \"\"; it must be a number in range"},
      {"rnn.input_size", "3x", "metadata rnn.input_size is \"3x\"; it must be a number"},
      {"rnn.input_size", " 3", "metadata rnn.input_size is \" 3\"; it must be a number"},
      {"rnn.input_size", "3.0", "metadata rnn.input_size is \"3.0\"; it must be a number"},
      {"rnn.input_size", "99999999999",
       "metadata rnn.input_size is \"99999999999\"; it must be a number in range"},
      {"rnn.input_size", "-3", "input_size is -3; it must be 1..1048576"},
      {"rnn.input_size", "0", "input_size is 0; it must be 1..1048576"},
      {"rnn.input_size", "1048577", "input_size is 1048577; it must be 1..1048576"},
      {"rnn.input_size", "4", "tensor weight_ih_l0 has shape [2, 3]; it must be [2, 4]"},
      {"rnn.hidden_size", "65536", "tensor weight_ih_l0 has shape [2, 3]; it must be [65536, 3]"},
      {"rnn.output_size", "1048576", "tensor head.weight has shape [1, 2]; it must be [1048576, 2]"},
      {"rnn.output_size", "0", "is not part of this network"},
      {"rnn.num_layers", "2", "tensor weight_ih_l1 is missing; its shape would be [2, 2]"},
      {"rnn.num_layers", "65", "num_layers is 65; it must be"},
      {"rnn.bias", "1", "metadata rnn.bias is \"1\"; it must be one of true, false"},
      {"rnn.bias", "false", "is not part of this network"},
      {"rnn.initial_state", "one", "it must be one of zero, fixed, trained"},
      {"rnn.initial_state", "fixed", "tensor initial_h_l0 is missing; its shape would be [2]"},
      {"rnn.init", "lecun", "metadata rnn.init is \"lecun\"; it must be one of pytorch, xavier_uniform, "},
      {"rnn.init", "identity", "configuration: "},
      {"rnn.init_range", "nan", "configuration: "},
      {"rnn.init_range", "inf", "configuration: "},
      {"rnn.init_range", "-1", "configuration: "},
      {"rnn.init_range", "1e999", "metadata rnn.init_range is \"1e999\"; it must be a number in range"},
      {"rnn.seed", "-1", "metadata rnn.seed is \"-1\"; it must be a number in range"},
      {"rnn.seed", "18446744073709551616", "it must be a number in range"},
      {"rnn.compute", "f64", "metadata rnn.compute is \"f64\"; it must be one of f32, bf16, int8, bf16_fast"},
  };
  for (const Case& c : cases) {
    Parts parts;
    parts.value(c.key) = c.value;
    EXPECT_EQ(try_load(parts.file()), RNN_BAD_FORMAT) << c.key << " " << c.value;
    EXPECT_MESSAGE(c.message);
  }
  const Case options[] = {
      {"rnn.projection_size", "1", "projection_size is 1 and cell is 1; it must be 0 unless cell is 3"},
      {"rnn.projection_size", "one", "metadata rnn.projection_size is \"one\"; it must be a number in range"},
      {"rnn.embedding_size", "65537", "embedding_size is 65537; it must be 0..65536"},
      {"rnn.embedding_size", "2", "tensor embedding.weight is missing; its shape would be [3, 2]"},
      {"rnn.forget_bias", "nan", "configuration: forget_bias is nan; it must be finite"},
      {"rnn.bidirectional", "yes", "metadata rnn.bidirectional is \"yes\"; it must be one of true, false"},
      {"rnn.bidirectional", "true", "tensor weight_ih_l0_reverse is missing; its shape would be [2, 3]"},
      {"rnn.layer_norm", "true", "tensor norm_ih_l0 is missing; its shape would be [2]"},
      {"rnn.tied_head", "true", "embedding_size is 0; with RNN_FLAG_TIED_HEAD it must be 2"},
      {"rnn.residual", "", "it must be one of true, false"},
  };
  for (const Case& c : options) {
    Parts parts;
    parts.metadata.emplace_back(c.key, c.value);
    EXPECT_EQ(try_load(parts.file()), RNN_BAD_FORMAT) << c.key << " " << c.value;
    EXPECT_MESSAGE(c.message);
  }
  for (const auto& [key, value] : Parts().metadata) {
    if (key == "rnn.format") continue;  // without it, the sizes come from the shapes
    Parts parts;
    parts.remove(key);
    EXPECT_EQ(try_load(parts.file()), RNN_BAD_FORMAT) << key;
    EXPECT_MESSAGE("metadata " + key + " is missing");
  }
}

TEST(Hostile, Tensors) {
  struct Case {
    std::function<void(Parts&)> spoil;
    const char* message;
  };
  const Case cases[] = {
      {[](Parts& p) { p.remove("weight_ih_l0"); },
       "tensor weight_ih_l0 is missing; its shape would be [2, 3]"},
      {[](Parts& p) { p.remove("weight_hh_l0"); },
       "tensor weight_hh_l0 is missing; its shape would be [2, 2]"},
      {[](Parts& p) { p.remove("bias_ih_l0"); }, "tensor bias_ih_l0 is missing; its shape would be [2]"},
      {[](Parts& p) { p.remove("head.weight"); }, "tensor head.weight is missing; its shape would be [1, 2]"},
      {[](Parts& p) { p.remove("head.bias"); }, "tensor head.bias is missing; its shape would be [1]"},
      {[](Parts& p) { p.tensors.push_back(f32("extra", {1}, {0})); },
       "tensor \"extra\" is not part of this network"},
      {[](Parts& p) { p.tensors.push_back(f32("trainer.x", {1}, {0})); },
       "tensor \"trainer.x\" is not part of"},
      {[](Parts& p) {
         p.tensors.push_back(f32("bias_hh_l1", {2}, {0, 0}));
       },
       "tensor \"bias_hh_l1\" is not part of"},
      {[](Parts& p) {
         p.tensors.push_back(f32("initial_h_l0", {2}, {0, 0}));
       },
       "tensor \"initial_h_l0\" is not part"},
      {[](Parts& p) { p.tensors.push_back(f32("head.bias\\u0000", {1}, {0})); },
       "tensor \"head.bias\\x00\" is not part of"},
      {[](Parts& p) { p.tensors.push_back(p.tensors[0]); }, "tensor \"weight_ih_l0\" is there twice"},
      {[](Parts& p) {
         p.tensor("weight_ih_l0").shape = {3, 2};
       },
       "has shape [3, 2]; it must be [2, 3]"},
      {[](Parts& p) { p.tensor("weight_ih_l0").shape = {6}; }, "has shape [6]; it must be [2, 3]"},
      {[](Parts& p) {
         p.tensor("weight_ih_l0").shape = {1, 2, 3};
       },
       "has shape [1, 2, 3]; it must be [2, 3]"},
      {[](Parts& p) {
         p.tensor("bias_ih_l0").shape = {2, 1};
       },
       "has shape [2, 1]; it must be [2]"},
      {[](Parts& p) {
         p.tensor("bias_hh_l0").shape = {1, 2};
       },
       "tensor bias_hh_l0 has shape [1, 2]; it must be [2]"},
      {[](Parts& p) {
         p.tensor("bias_ih_l0") = {"bias_ih_l0", "U64", {2}, std::string(16, '\0')};
       },
       "tensor \"bias_ih_l0\" has dtype U64; it must be F64, F32, F16 or BF16"},
      {[](Parts& p) {
         p.tensor("weight_hh_l0").data = bytes<float>({0, 0, kInfinity, 0});
       },
       "tensor weight_hh_l0: value 2 is inf as a float; it must be finite"},
      {[](Parts& p) {
         p.tensor("bias_hh_l0").data = bytes<float>({0, NAN});
       },
       "tensor bias_hh_l0: value 1 is nan as a float; it must be finite"},
      {[](Parts& p) {
         p.tensor("bias_ih_l0").data = p.tensor("bias_hh_l0").data = bytes<float>({3e38f, 0});
       },
       "tensor bias_ih_l0: value 0 is inf as a float; it must be finite"},
  };
  for (const Case& c : cases) {
    Parts parts;
    c.spoil(parts);
    EXPECT_EQ(try_load(parts.file()), RNN_BAD_FORMAT) << c.message;
    EXPECT_MESSAGE(c.message);
  }
}

// A small file may not make the library take much memory.
TEST(Hostile, Sizes) {
  static std::size_t largest;
  rnn_allocator_t allocator{};
  allocator.struct_size = sizeof allocator;
  allocator.allocate = [](std::size_t size, std::size_t alignment, void*) -> void* {
    largest = std::max(largest, size);
    return ::operator new (size, std::align_val_t{alignment});
  };
  allocator.deallocate = [](void* memory, std::size_t, std::size_t alignment, void*) {
    ::operator delete (memory, std::align_val_t{alignment});
  };
  for (const char* key : {"rnn.input_size", "rnn.hidden_size", "rnn.output_size", "rnn.num_layers",
                          "rnn.embedding_size", "rnn.projection_size"}) {
    Parts parts;
    if (std::string(key) == "rnn.embedding_size" || std::string(key) == "rnn.projection_size")
      parts.metadata.emplace_back(key, "");
    parts.value(key) = std::string(key) == "rnn.num_layers" ? "64" : "65536";
    if (std::string(key) == "rnn.projection_size") {
      parts.value(key) = "65535";
      parts.value("rnn.hidden_size") = "65536";
      parts.value("rnn.cell") = "lstm";
    }
    const std::string file = parts.file();
    largest = 0;
    rnn_t* rnn = nullptr;
    EXPECT_EQ(rnn_load_memory(file.data(), file.size(), &allocator, &rnn), RNN_BAD_FORMAT);
    EXPECT_LT(largest, 10'000u) << key;
  }
}

}  // namespace
