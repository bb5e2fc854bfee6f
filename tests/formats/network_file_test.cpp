// Networks as files, through the C ABI: what was saved comes back to the bit, and nothing else gets in.
#include <algorithm>
#include <clocale>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <stdexcept>
#include <tuple>

#include "tests/formats/formats_test.h"

namespace {

const float kInfinity = std::numeric_limits<float>::infinity();

// ---- What we save ----

class RoundTrip : public testing::TestWithParam<std::function<void(rnn_config_t&)>> {};

TEST_P(RoundTrip, Memory) {
  const Rnn rnn = create(GetParam());
  const std::string file = save_memory(rnn.get());
  const Rnn loaded = load_memory(file);
  expect_equal(rnn.get(), loaded.get());
  EXPECT_EQ(save_memory(loaded.get()), file) << "equal networks, equal bytes";
}

TEST_P(RoundTrip, Path) {
  const Folder folder;
  const Rnn rnn = create(GetParam());
  ASSERT_EQ(rnn_save(rnn.get(), (folder / "net").c_str()), RNN_OK) << rnn_last_error();
  EXPECT_EQ(folder.names(), std::vector<std::string>{"net"});
  EXPECT_EQ(contents(folder / "net"), save_memory(rnn.get()));
  rnn_t* loaded = nullptr;
  ASSERT_EQ(rnn_load((folder / "net").c_str(), nullptr, &loaded), RNN_OK) << rnn_last_error();
  expect_equal(rnn.get(), loaded);
  rnn_destroy(loaded);
}

INSTANTIATE_TEST_SUITE_P(
    Network, RoundTrip,
    testing::Values([](rnn_config_t&) {}, [](rnn_config_t& c) { c.output_size = 0; },
                    [](rnn_config_t& c) { c.num_layers = 3; }, [](rnn_config_t& c) { c.flags = RNN_NO_BIAS; },
                    [](rnn_config_t& c) { c.input_size = c.hidden_size = c.output_size = 1; },
                    [](rnn_config_t& c) {
                      c.initial_state = RNN_INITIAL_TRAINED;
                      c.num_layers = 2;
                    },
                    [](rnn_config_t& c) { c.initial_state = RNN_INITIAL_FIXED; },
                    [](rnn_config_t& c) { c.seed = ~0ull; },
                    [](rnn_config_t& c) {
                      c.init = RNN_INIT_UNIFORM;
                      c.init_range = 1e-30f;
                      c.recurrent_init = RNN_INIT_ORTHOGONAL;
                    },
                    [](rnn_config_t& c) {
                      c.init = RNN_INIT_KAIMING_NORMAL;
                      c.recurrent_init = RNN_INIT_IDENTITY;
                    },
                    [](rnn_config_t& c) {
                      c.hidden_size = 300;
                      c.input_size = 17;
                    }));

TEST(NetworkFile, SpecialValues) {
  const Rnn rnn = create();
  const std::vector<float> bias = {-0.0f, 1e-45f, -1e-40f, std::numeric_limits<float>::max()};
  ASSERT_EQ(rnn_set_parameter(rnn.get(), "bias_ih_l0", bias.data(), bias.size()), RNN_OK) << rnn_last_error();
  const Rnn loaded = load_memory(save_memory(rnn.get()));
  EXPECT_EQ(bytes(parameter(loaded.get(), "bias_ih_l0")), bytes(bias));
}

TEST(NetworkFile, AnyAddress) {
  const std::string file = save_memory(create().get());
  for (std::size_t shift = 0; shift < 8; ++shift) {
    std::string moved(shift, 'x');
    moved += file;
    rnn_t* loaded = nullptr;
    ASSERT_EQ(rnn_load_memory(moved.data() + shift, file.size(), nullptr, &loaded), RNN_OK)
        << rnn_last_error();
    std::string saved(shift + file.size(), 'x');
    std::size_t size = 0;
    EXPECT_EQ(rnn_save_memory(loaded, saved.data() + shift, file.size(), &size), RNN_OK);
    EXPECT_EQ(saved, moved);
    rnn_destroy(loaded);
  }
}

TEST(NetworkFile, AnyLocale) {
  const std::string before = std::setlocale(LC_ALL, nullptr);
  const auto change = [](rnn_config_t& c) {
    c.init = RNN_INIT_UNIFORM;
    c.init_range = 0.25f;
  };
  const std::string file = save_memory(create(change).get());
  EXPECT_NE(file.find("\"rnn.init_range\":\"0.25\""), std::string::npos);
  if (std::setlocale(LC_ALL, "de_DE.UTF-8") == nullptr) GTEST_SKIP() << "no locale with a decimal comma here";
  EXPECT_EQ(save_memory(create(change).get()), file);
  EXPECT_EQ(try_load(file), RNN_OK);
  std::setlocale(LC_ALL, before.c_str());
}

// The whole layout, so that a change of it is seen.
TEST(NetworkFile, Header) {
  const std::string file = save_memory(create().get());
  std::uint64_t length = 0;
  std::memcpy(&length, file.data(), sizeof length);
  EXPECT_EQ((length + 8) % 64, 0u);
  std::string header = file.substr(8, length);
  header.erase(header.find_last_not_of(' ') + 1);
  EXPECT_EQ(
      header,
      "{\"__metadata__\":{\"rnn.format\":\"1\",\"rnn.cell\":\"vanilla\",\"rnn.input_size\":\"3\","
      "\"rnn.hidden_size\":\"4\",\"rnn.output_size\":\"2\",\"rnn.num_layers\":\"1\",\"rnn.bias\":\"true\","
      "\"rnn.initial_state\":\"zero\",\"rnn.init\":\"pytorch\",\"rnn.recurrent_init\":\"pytorch\","
      "\"rnn.init_range\":\"0.08\",\"rnn.seed\":\"7\",\"rnn.compute\":\"f32\"},"
      "\"weight_ih_l0\":{\"dtype\":\"F32\",\"shape\":[4, 3],\"data_offsets\":[0, 48]},"
      "\"weight_hh_l0\":{\"dtype\":\"F32\",\"shape\":[4, 4],\"data_offsets\":[48, 112]},"
      "\"bias_ih_l0\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[112, 128]},"
      "\"bias_hh_l0\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[128, 144]},"
      "\"head.weight\":{\"dtype\":\"F32\",\"shape\":[2, 4],\"data_offsets\":[144, 176]},"
      "\"head.bias\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[176, 184]}}");
  EXPECT_EQ(file.size(), 8 + length + 184);
}

TEST(NetworkFile, SmallMemory) {
  const Rnn rnn = create();
  const std::string file = save_memory(rnn.get());
  std::string memory(file.size(), '?');
  std::size_t size = 0;
  EXPECT_EQ(rnn_save_memory(rnn.get(), memory.data(), file.size() - 1, &size), RNN_INVALID_ARGUMENT);
  EXPECT_EQ(memory, std::string(file.size(), '?'));
}

TEST(NetworkFile, FailureNamesThePath) {
  const Folder folder;
  rnn_t* out = nullptr;
  EXPECT_EQ(rnn_load((folder / "missing").c_str(), nullptr, &out), RNN_FILE_ERROR);
  EXPECT_MESSAGE("cannot read " + (folder / "missing") + ": No such file or directory");
  EXPECT_EQ(rnn_load((folder / "").c_str(), nullptr, &out), RNN_FILE_ERROR);
  put(folder / "text", "no network at all");
  EXPECT_EQ(rnn_load((folder / "text").c_str(), nullptr, &out), RNN_BAD_FORMAT);
  EXPECT_MESSAGE((folder / "text") + ": the header length is ");
  EXPECT_EQ(out, nullptr);

  EXPECT_EQ(rnn_save(create().get(), (folder / "no/net").c_str()), RNN_FILE_ERROR);
  EXPECT_MESSAGE("cannot write " + (folder / "no/net") + ": No such file or directory");
  EXPECT_EQ(folder.names(), std::vector<std::string>{"text"});
}

// ---- Damage ----

TEST(Damage, CutAnywhere) {
  const std::string file = save_memory(create().get());
  for (std::size_t size = 0; size < file.size(); ++size)
    ASSERT_EQ(try_load(file.substr(0, size)), RNN_BAD_FORMAT) << "cut to " << size << " bytes";
  EXPECT_EQ(try_load(file + '\0'), RNN_BAD_FORMAT);
}

TEST(Damage, AnyByte) {
  const std::string file =
      save_memory(create([](rnn_config_t& c) { c.initial_state = RNN_INITIAL_FIXED; }).get());
  int accepted = 0;
  for (std::size_t i = 0; i < file.size(); ++i) {
    for (const int change : {0x01, 0x02, 0x10, 0x20, 0x40, 0x80, 0xff}) {
      std::string damaged = file;
      damaged[i] = static_cast<char>(damaged[i] ^ change);
      const rnn_status_t status = try_load(damaged);
      ASSERT_TRUE(status == RNN_OK || status == RNN_BAD_FORMAT)
          << i << ": " << status << " " << rnn_last_error();
      accepted += status == RNN_OK;
    }
    for (const char put : {'"', '{', '}', '[', ']', ',', ':', '0', '9', '-', '\\', '\0'}) {
      std::string damaged = file;
      damaged[i] = put;
      const rnn_status_t status = try_load(damaged);
      ASSERT_TRUE(status == RNN_OK || status == RNN_BAD_FORMAT)
          << i << ": " << status << " " << rnn_last_error();
    }
  }
  EXPECT_GT(accepted, 0) << "another seed or weight is a network as well";
}

TEST(Damage, FailedLoadReleasesMemory) {
  struct Count {
    std::size_t bytes = 0, peak = 0;
  } count;
  rnn_allocator_t allocator{};
  allocator.struct_size = sizeof allocator;
  allocator.user = &count;
  allocator.allocate = [](std::size_t size, std::size_t alignment, void* user) {
    auto* c = static_cast<Count*>(user);
    c->peak = std::max(c->peak, c->bytes += size);
    return std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
  };
  allocator.deallocate = [](void* memory, std::size_t size, std::size_t, void* user) {
    static_cast<Count*>(user)->bytes -= size;
    std::free(memory);
  };
  std::string file = save_memory(create().get());
  rnn_t* rnn = nullptr;
  ASSERT_EQ(rnn_load_memory(file.data(), file.size(), &allocator, &rnn), RNN_OK) << rnn_last_error();
  EXPECT_GT(count.bytes, 0u);
  rnn_destroy(rnn);
  EXPECT_EQ(count.bytes, 0u);

  const std::uint32_t nan = 0x7fc00000;
  std::memcpy(&file[file.size() - 4], &nan, sizeof nan);  // the last value of all
  EXPECT_EQ(rnn_load_memory(file.data(), file.size(), &allocator, &rnn), RNN_BAD_FORMAT);
  EXPECT_MESSAGE("tensor head.bias: value 1 is nan as a float; it must be finite");
  EXPECT_EQ(count.bytes, 0u);

  allocator.allocate = [](std::size_t, std::size_t, void*) -> void* { return nullptr; };
  file = save_memory(create().get());
  EXPECT_EQ(rnn_load_memory(file.data(), file.size(), &allocator, &rnn), RNN_OUT_OF_MEMORY);
}

// ---- Files of other kinds and hostile ones ----

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
  EXPECT_EQ(parameter(load_memory(one.file()).get(), "bias_ih_l0"), (std::vector<float>{11, 12}));
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
  EXPECT_EQ(config.flags, static_cast<std::uint32_t>(RNN_NO_BIAS));
  EXPECT_EQ(config.output_size, 0);
}

TEST(Import, RefusesOtherStateDicts) {
  struct Case {
    std::function<void(Parts&)> spoil;
    const char* message;
  };
  const Case cases[] = {
      {[](Parts& p) { p.tensors.clear(); }, "metadata rnn.format is missing, and so is tensor weight_ih_l0"},
      {[](Parts& p) { p.remove("weight_hh_l0"); },
       "metadata rnn.format is missing, and so is tensor weight_hh_l0"},
      {[](Parts& p) {
         p.tensor("weight_hh_l0") = f32("weight_hh_l0", {6, 2}, std::vector<float>(12));
       },
       "as in a GRU or LSTM; only the vanilla cell is known"},
      {[](Parts& p) {
         p.tensor("weight_hh_l0") = f32("weight_hh_l0", {8, 2}, std::vector<float>(16));
       },
       "as in a GRU or LSTM; only the vanilla cell is known"},
      {[](Parts& p) { p.tensor("weight_hh_l0") = f32("weight_hh_l0", {4}, std::vector<float>(4)); },
       "tensor weight_hh_l0 has shape [4]; it must be a matrix"},
      {[](Parts& p) {
         p.tensor("weight_hh_l0") = f32("weight_hh_l0", {5, 2}, std::vector<float>(10));
       },
       "tensor weight_hh_l0 has shape [5, 2]; it must be [2, 2]"},
      {[](Parts& p) {
         p.tensor("weight_ih_l0") = f32("weight_ih_l0", {2, 70000}, std::vector<float>(140000));
       },
       "input_size is 70000; it must be 1..65536"},
      {[](Parts& p) {
         p.tensor("weight_ih_l0") = f32("weight_ih_l0", {2, 0}, {});
       },
       "input_size is 0"},
      {[](Parts& p) {
         p.tensor("weight_hh_l0") = f32("weight_hh_l0", {0, 0}, {});
       },
       "tensor weight_hh_l0 has shape"},
      {[](Parts& p) {
         p.tensor("head.weight") = f32("head.weight", {0, 2}, {});
       },
       "head.bias\" is not part of"},
      {[](Parts& p) {
         p.tensors.push_back(f32("weight_ih_l0_reverse", {2, 3}, std::vector<float>(6)));
       },
       "tensor \"weight_ih_l0_reverse\" is not part of this network"},
      {[](Parts& p) { p.remove("head.bias"); }, "tensor head.bias is missing; its shape would be [1]"},
      {[](Parts& p) { p.remove("bias_ih_l0"); }, "is not part of this network"},
  };
  for (const Case& c : cases) {
    Parts parts;
    parts.metadata.clear();
    c.spoil(parts);
    EXPECT_EQ(try_load(parts.file()), RNN_BAD_FORMAT) << c.message;
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
      {"rnn.input_size", "-3", "input_size is -3; it must be 1..65536"},
      {"rnn.input_size", "0", "input_size is 0; it must be 1..65536"},
      {"rnn.input_size", "65537", "input_size is 65537; it must be 1..65536"},
      {"rnn.input_size", "4", "tensor weight_ih_l0 has shape [2, 3]; it must be [2, 4]"},
      {"rnn.hidden_size", "65536", "tensor weight_ih_l0 has shape [2, 3]; it must be [65536, 3]"},
      {"rnn.output_size", "65536", "tensor head.weight has shape [1, 2]; it must be [65536, 2]"},
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
      {"rnn.compute", "f64", "metadata rnn.compute is \"f64\"; it must be one of f32"},
  };
  for (const Case& c : cases) {
    Parts parts;
    parts.value(c.key) = c.value;
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
       "tensor \"head.bias?\" is not part of"},
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
  allocator.allocate = [](std::size_t size, std::size_t alignment, void*) {
    largest = std::max(largest, size);
    return std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
  };
  allocator.deallocate = [](void* memory, std::size_t, std::size_t, void*) { std::free(memory); };
  for (const char* key : {"rnn.input_size", "rnn.hidden_size", "rnn.output_size", "rnn.num_layers"}) {
    Parts parts;
    parts.value(key) = std::string(key) == "rnn.num_layers" ? "64" : "65536";
    const std::string file = parts.file();
    largest = 0;
    rnn_t* rnn = nullptr;
    EXPECT_EQ(rnn_load_memory(file.data(), file.size(), &allocator, &rnn), RNN_BAD_FORMAT);
    EXPECT_LT(largest, 10'000u) << key;
  }
}

}  // namespace
