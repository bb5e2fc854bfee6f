// Networks as files, through the C ABI: what was saved comes back to the bit, and damage is refused.
#include <algorithm>
#include <clocale>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <new>

#include "tests/formats/formats_test.h"
#include "tests/formats/json_test.h"

namespace {

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

INSTANTIATE_TEST_SUITE_P(Network, RoundTrip,
                         testing::Values([](rnn_config_t&) {}, [](rnn_config_t& c) { c.output_size = 0; },
                                         [](rnn_config_t& c) { c.num_layers = 3; },
                                         [](rnn_config_t& c) { c.flags = RNN_FLAG_NO_BIAS; },
                                         [](rnn_config_t& c) {
                                           c.input_size = c.hidden_size = c.output_size = 1;
                                         },
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

// Every cell and option, alone and together.
INSTANTIATE_TEST_SUITE_P(
    Kinds, RoundTrip,
    testing::Values([](rnn_config_t& c) { c.flags = RNN_FLAG_RELU; },
                    [](rnn_config_t& c) { c.cell = RNN_CELL_GRU; },
                    [](rnn_config_t& c) {
                      c.cell = RNN_CELL_GRU;
                      c.flags = RNN_FLAG_RESET_BEFORE | RNN_FLAG_BIDIRECTIONAL;
                    },
                    [](rnn_config_t& c) {
                      c.cell = RNN_CELL_GRU;
                      c.flags = RNN_FLAG_NO_BIAS | RNN_FLAG_LAYER_NORM;
                    },
                    [](rnn_config_t& c) {
                      c.cell = RNN_CELL_GRU;
                      c.flags = RNN_FLAG_BIDIRECTIONAL | RNN_FLAG_RESIDUAL | RNN_FLAG_LAYER_NORM;
                      c.num_layers = 3;
                      c.initial_state = RNN_INITIAL_TRAINED;
                    },
                    [](rnn_config_t& c) {
                      c.cell = RNN_CELL_LSTM;
                      c.forget_bias = 0.1f;
                      c.initial_state = RNN_INITIAL_FIXED;
                    },
                    [](rnn_config_t& c) {
                      c.cell = RNN_CELL_LSTM;
                      c.projection_size = 3;
                      c.embedding_size = 5;
                      c.num_layers = 2;
                      c.flags = RNN_FLAG_BIDIRECTIONAL | RNN_FLAG_RESIDUAL | RNN_FLAG_LAYER_NORM;
                      c.initial_state = RNN_INITIAL_TRAINED;
                    },
                    [](rnn_config_t& c) { c.cell = RNN_CELL_MIN_GRU; },
                    [](rnn_config_t& c) {
                      c.cell = RNN_CELL_MIN_LSTM;
                      c.forget_bias = 1;
                    },
                    [](rnn_config_t& c) {
                      c.cell = RNN_CELL_MIN_GRU;
                      c.num_layers = 2;
                      c.flags = RNN_FLAG_BIDIRECTIONAL | RNN_FLAG_NO_BIAS;
                      c.initial_state = RNN_INITIAL_TRAINED;
                    },
                    [](rnn_config_t& c) {
                      c.embedding_size = 8;
                      c.output_size = c.input_size;
                      c.flags = RNN_FLAG_TIED_HEAD | RNN_FLAG_BIDIRECTIONAL | RNN_FLAG_RELU;
                    },
                    [](rnn_config_t& c) {
                      c.cell = RNN_CELL_LSTM;
                      c.flags = RNN_FLAG_PEEPHOLES | RNN_FLAG_BIDIRECTIONAL;
                      c.forget_bias = 1;
                    },
                    [](rnn_config_t& c) {
                      c.cell = RNN_CELL_LSTM;
                      c.flags = RNN_FLAG_COUPLED_GATES | RNN_FLAG_LAYER_NORM;
                      c.projection_size = 3;
                    },
                    [](rnn_config_t& c) {
                      c.cell = RNN_CELL_LSTM;
                      c.num_layers = 2;
                      c.flags = RNN_FLAG_COUPLED_GATES | RNN_FLAG_PEEPHOLES | RNN_FLAG_NO_BIAS;
                    },
                    [](rnn_config_t& c) { c.skip = 2; }));

// A cell without W_hh has no second bias.
TEST(NetworkFile, MinGru) {
  const std::string file = save_memory(create([](rnn_config_t& c) { c.cell = RNN_CELL_MIN_GRU; }).get());
  EXPECT_NE(file.find("\"rnn.cell\":\"mingru\""), std::string::npos);
  EXPECT_NE(file.find("\"bias_ih_l0\""), std::string::npos);
  EXPECT_EQ(file.find("_hh"), std::string::npos);
}

TEST(NetworkFile, Skip) {
  const std::string file = save_memory(create([](rnn_config_t& c) { c.skip = 2; }).get());
  EXPECT_NE(file.find("\"rnn.skip\":\"2\""), std::string::npos);
  EXPECT_EQ(save_memory(create().get()).find("rnn.skip"), std::string::npos);
  EXPECT_EQ(try_load(replaced(file, "\"rnn.skip\":\"2\"", "\"rnn.skip\":\"3\"")), RNN_BAD_FORMAT);
  EXPECT_MESSAGE("configuration: skip is 3; it must be 0..2, the lesser of 3 (inputs) and 2 (outputs)");
  // A reader that does not know it is told by the probe.
  EXPECT_EQ(try_load(replaced(file, "\"rnn.skip\"", "\"rnn.else\"")), RNN_BAD_FORMAT);
  EXPECT_MESSAGE("probe: step 0, the output: found");
}

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
  auto length = rnn::read_little_endian<std::uint64_t>(file.data());
  EXPECT_EQ((length + 8) % 64, 0u);
  std::string header = file.substr(8, length);
  header.erase(header.find_last_not_of(' ') + 1);
  const std::size_t probe = header.find("3:");
  header.replace(probe, header.find('"', probe) - probe, "?");  // see probe_test.cpp
  EXPECT_EQ(
      header,
      "{\"__metadata__\":{\"rnn.format\":\"1\",\"rnn.cell\":\"vanilla\",\"rnn.input_size\":\"3\","
      "\"rnn.hidden_size\":\"4\",\"rnn.output_size\":\"2\",\"rnn.num_layers\":\"1\",\"rnn.bias\":\"true\","
      "\"rnn.initial_state\":\"zero\",\"rnn.init\":\"pytorch\",\"rnn.recurrent_init\":\"pytorch\","
      "\"rnn.init_range\":\"0.08\",\"rnn.seed\":\"7\",\"rnn.compute\":\"f32\",\"rnn.probe\":\"?\"},"
      "\"weight_ih_l0\":{\"dtype\":\"F32\",\"shape\":[4, 3],\"data_offsets\":[0, 48]},"
      "\"weight_hh_l0\":{\"dtype\":\"F32\",\"shape\":[4, 4],\"data_offsets\":[48, 112]},"
      "\"bias_ih_l0\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[112, 128]},"
      "\"bias_hh_l0\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[128, 144]},"
      "\"head.weight\":{\"dtype\":\"F32\",\"shape\":[2, 4],\"data_offsets\":[144, 176]},"
      "\"head.bias\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[176, 184]}}");
  EXPECT_EQ(file.size(), 8 + length + 184);
}

// What is not as in the plainest network, behind what every file has.
TEST(NetworkFile, HeaderOfEveryOption) {
  const std::string file = save_memory(create([](rnn_config_t& c) {
                                         c.cell = RNN_CELL_LSTM;
                                         c.projection_size = 2;
                                         c.embedding_size = 4;
                                         c.output_size = 3;
                                         c.forget_bias = 1.5f;
                                         c.flags = RNN_FLAG_BIDIRECTIONAL | RNN_FLAG_RESIDUAL |
                                                   RNN_FLAG_LAYER_NORM | RNN_FLAG_TIED_HEAD;
                                       }).get());
  EXPECT_NE(file.find("\"rnn.cell\":\"lstm\""), std::string::npos);
  EXPECT_NE(file.find("\"rnn.compute\":\"f32\",\"rnn.projection_size\":\"2\",\"rnn.embedding_size\":\"4\","
                      "\"rnn.forget_bias\":\"1.5\",\"rnn.bidirectional\":\"true\",\"rnn.residual\":\"true\","
                      "\"rnn.layer_norm\":\"true\",\"rnn.tied_head\":\"true\",\"rnn.probe\":\"3:"),
            std::string::npos);
  EXPECT_NE(file.find("\"weight_hr_l0_reverse\":{\"dtype\":\"F32\",\"shape\":[2, 4]"), std::string::npos);
  EXPECT_NE(file.find("\"bias_hh_l0_reverse\":{\"dtype\":\"F32\",\"shape\":[16]"), std::string::npos);
  EXPECT_EQ(file.find("\"head.weight\""), std::string::npos);
}

// The values of an F32 tensor of a file that we wrote.
std::vector<float> stored(const std::string& file, const std::string& name) {
  auto length = rnn::read_little_endian<std::uint64_t>(file.data());
  std::size_t at = file.find("\"" + name + "\":");
  if (at == std::string::npos) return {};
  at = file.find("\"data_offsets\":[", at) + 16;
  const std::size_t begin = std::stoul(file.substr(at));
  const std::size_t end = std::stoul(file.substr(file.find(',', at) + 1));
  std::vector<float> values((end - begin) / sizeof(float));
  rnn::read_little_endian(file.data() + 8 + length + begin, values.data(), values.size());
  return values;
}

// GRU's b_hn stands where PyTorch has it, behind zeros.
TEST(NetworkFile, BiasesOfGru) {
  const Rnn rnn = create([](rnn_config_t& c) { c.cell = RNN_CELL_GRU; });
  const std::string file = save_memory(rnn.get());
  EXPECT_EQ(file.find("bias_hn"), std::string::npos);
  std::vector<float> expected(8);
  for (const float value : parameter(rnn.get(), "bias_hn_l0")) expected.push_back(value);
  EXPECT_EQ(stored(file, "bias_hh_l0"), expected);
  EXPECT_EQ(stored(file, "bias_ih_l0"), parameter(rnn.get(), "bias_ih_l0"));
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
  EXPECT_MESSAGE((folder / "text") +
                 ": the file, of 17 bytes, is none of those that this library reads: safetensors");
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
    return ::operator new (size, std::align_val_t{alignment});
  };
  allocator.deallocate = [](void* memory, std::size_t size, std::size_t alignment, void* user) {
    static_cast<Count*>(user)->bytes -= size;
    ::operator delete (memory, std::align_val_t{alignment});
  };
  std::string file = save_memory(create().get());
  rnn_t* rnn = nullptr;
  ASSERT_EQ(rnn_load_memory(file.data(), file.size(), &allocator, &rnn), RNN_OK) << rnn_last_error();
  EXPECT_GT(count.bytes, 0u);
  rnn_destroy(rnn);
  EXPECT_EQ(count.bytes, 0u);

  const std::uint32_t nan = 0x7fc00000;
  put(file, file.size() - 4, nan);  // the last value of all
  EXPECT_EQ(rnn_load_memory(file.data(), file.size(), &allocator, &rnn), RNN_BAD_FORMAT);
  EXPECT_MESSAGE("tensor head.bias: value 1 is nan as a float; it must be finite");
  EXPECT_EQ(count.bytes, 0u);

  allocator.allocate = [](std::size_t, std::size_t, void*) -> void* { return nullptr; };
  file = save_memory(create().get());
  EXPECT_EQ(rnn_load_memory(file.data(), file.size(), &allocator, &rnn), RNN_OUT_OF_MEMORY);
}

}  // namespace
