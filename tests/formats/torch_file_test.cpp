// What torch.save writes: archives and pickles made by hand, whole, damaged and hostile.
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "tests/formats/formats_test.h"
#include "tests/formats/zip_by_hand.h"

namespace {

// ---- Pickles ----

std::string text(const std::string& value) {
  return "X" + number(static_cast<std::uint32_t>(value.size())) + value;
}
std::string brief(const std::string& value) {
  return "\x8c" + number(static_cast<std::uint8_t>(value.size())) + value;
}
std::string integer(std::int32_t value) { return "J" + number(value); }
const std::string kWide = "\x8a\x09" + std::string(9, '\1');  // an integer of 72 bits

std::string tuple(const std::vector<std::size_t>& values) {
  std::string code = "(";
  for (const std::size_t v : values) code += integer(static_cast<std::int32_t>(v));
  return code + "t";
}

std::vector<std::size_t> row_major(const std::vector<std::size_t>& shape) {
  std::vector<std::size_t> strides(shape.size(), 1);
  for (std::size_t d = shape.size(); d-- > 1;) strides[d - 1] = strides[d] * shape[d];
  return strides;
}

enum class Protocol { two, four };

std::string global(const std::string& module, const std::string& name, Protocol protocol = Protocol::two) {
  if (protocol == Protocol::four) return brief(module) + "\x94" + brief(name) + "\x94\x93\x94";
  return "c" + module + "\n" + name + "\n";
}

struct Saved {
  std::string key;
  std::vector<std::size_t> shape, strides;
  std::int32_t offset = 0;
  std::string storage = "FloatStorage";
  Protocol protocol = Protocol::two;
};

std::string tensor(const Saved& t) {
  return global("torch._utils", "_rebuild_tensor_v2", t.protocol) + "((" + text("storage") +
         global("torch", t.storage, t.protocol) + text(t.key) + text("cpu") + integer(100) + "tQ" +
         integer(t.offset) + tuple(t.shape) + tuple(t.strides) + "\x89" +
         global("collections", "OrderedDict", t.protocol) + ")RtR";
}

const std::string kDictionary = global("collections", "OrderedDict") + ")R";

std::string items(const std::string& pairs) { return "(" + pairs + "u"; }
std::string pickle(const std::string& code) { return "\x80\2" + code + "."; }

// ---- An LSTM(3, 4) ----

struct Module {
  const char* name;
  std::vector<std::size_t> shape;
};

const std::vector<Module> kLstm = {
    {"weight_ih_l0", {16, 3}}, {"weight_hh_l0", {16, 4}}, {"bias_ih_l0", {16}}, {"bias_hh_l0", {16}}};

std::vector<float> values(const Module& module) {
  std::size_t count = 1;
  for (const std::size_t n : module.shape) count *= n;
  std::vector<float> numbers(count);
  for (std::size_t i = 0; i < count; ++i)
    numbers[i] = 0.01f * static_cast<float>((i * 7 + module.name[5]) % 50);
  return numbers;
}

std::string dictionary(const std::string& prefix = "", const std::function<void(Saved&)>& change = {}) {
  std::string pairs;
  for (const Module& m : kLstm) {
    Saved saved{m.name, m.shape, row_major(m.shape)};
    if (change) change(saved);
    pairs += text(prefix + m.name) + tensor(saved);
  }
  return kDictionary + items(pairs);
}

std::string archive(const std::string& code, std::vector<ZipEntry> more = {}, bool zip64 = false) {
  std::vector<ZipEntry> entries = {{"model/data.pkl", pickle(code)}};
  for (const Module& m : kLstm) entries.push_back({std::string("model/data/") + m.name, bytes(values(m))});
  entries.insert(entries.end(), more.begin(), more.end());
  entries.push_back({"model/version", "3\n"});
  return zip(entries, zip64);
}

// The same network from a safetensors file.
Rnn expected() {
  std::vector<HandTensor> tensors;
  for (const Module& m : kLstm) tensors.push_back(f32(m.name, m.shape, values(m)));
  return load_memory(container(tensors));
}

TEST(TorchFile, GivesWhatSafetensorsGive) {
  expect_equal(load_memory(archive(dictionary())).get(), expected().get());
  expect_equal(load_memory(archive(dictionary(), {}, true)).get(), expected().get());
}

TEST(TorchFile, FindsTheStateDictInACheckpoint) {
  const std::string checkpoint =
      "}" + items(text("model") + dictionary("lstm.") + text("epoch") + integer(3) + text("seed") + kWide +
                  text("rate") + "G" + std::string(8, '\0') + text("done") + "\x88" + text("groups") + "]N" +
                  "a" + text("nothing") + "N");
  expect_equal(load_memory(archive(checkpoint)).get(), expected().get());
}

TEST(TorchFile, ReadsParametersAndAttributes) {
  std::string pairs;
  for (const Module& m : kLstm)
    pairs += text(m.name) + "ctorch._utils\n_rebuild_parameter\n(" +
             tensor({m.name, m.shape, row_major(m.shape)}) + "\x88" + kDictionary + "tR";
  const std::string attributes = "}" + text("_metadata") + kDictionary + "sb";
  expect_equal(load_memory(archive(kDictionary + items(pairs) + attributes)).get(), expected().get());
}

// What pickle_protocol=4 writes.
TEST(TorchFile, ReadsNewerProtocols) {
  const std::string code = dictionary("", [](Saved& saved) { saved.protocol = Protocol::four; });
  const std::string newer = "\x80\4\x95" + number(std::uint64_t{code.size()}) + code + ".";
  std::vector<ZipEntry> entries = {{"model/data.pkl", newer}};
  for (const Module& m : kLstm) entries.push_back({std::string("model/data/") + m.name, bytes(values(m))});
  expect_equal(load_memory(zip(entries)).get(), expected().get());
}

// weight_hh_l0 is the transposed of what its storage holds, bias_ih_l0 stands behind a number.
TEST(TorchFile, ReadsViews) {
  const std::vector<float> matrix = values(kLstm[1]), bias = values(kLstm[2]);
  std::vector<float> transposed(matrix.size()), behind = {9.0f};
  for (std::size_t r = 0; r < 16; ++r)
    for (std::size_t c = 0; c < 4; ++c) transposed[c * 16 + r] = matrix[r * 4 + c];
  behind.insert(behind.end(), bias.begin(), bias.end());
  const std::string code = dictionary("", [](Saved& saved) {
    if (saved.key == "weight_hh_l0") saved.strides = {1, 16};
    if (saved.key == "bias_ih_l0") saved.offset = 1;
    if (saved.key == "weight_hh_l0" || saved.key == "bias_ih_l0") saved.key += "_other";
  });
  const std::string file = archive(code, {{"model/data/weight_hh_l0_other", bytes(transposed)},
                                          {"model/data/bias_ih_l0_other", bytes(behind)}});
  expect_equal(load_memory(file).get(), expected().get());
}

// What expand() makes of one value, and a tensor beside the network, which may be of any size.
TEST(TorchFile, ReadsExpandedTensors) {
  const std::string code = dictionary("lstm.", [](Saved& saved) {
    if (saved.key == "bias_ih_l0") saved.key = "one", saved.strides = {0};
  });
  const Saved mask = {"one", {1 << 20, 1 << 20}, {0, 0}};
  const std::string file = archive(code + items(text("mask") + tensor(mask)),
                                   {{"model/data/one", bytes(std::vector<float>{0.25f})}});
  rnn_load_options_t options{};
  options.struct_size = sizeof options;
  options.layers = "lstm.";
  rnn_t* loaded = nullptr;
  ASSERT_EQ(rnn_load_memory_as(file.data(), file.size(), &options, nullptr, &loaded), RNN_OK)
      << rnn_last_error();
  const Rnn rnn(loaded, &rnn_destroy);
  const std::vector<float> sum = parameter(rnn.get(), "bias_ih_l0"), other = values(kLstm[3]);
  for (std::size_t i = 0; i < sum.size(); ++i) EXPECT_EQ(sum[i], 0.25f + other[i]);
}

TEST(TorchFile, ReadsHalves) {
  // 0x3c00 is 1 in F16, 0x3f80 in BF16.
  for (const auto& [storage, one] : {std::pair{"HalfStorage", std::uint16_t{0x3c00}},
                                     std::pair{"BFloat16Storage", std::uint16_t{0x3f80}}}) {
    const char* const name = storage;
    const std::string code = dictionary("", [&](Saved& saved) {
      if (saved.key != "bias_ih_l0") return;
      saved.key = "ones";
      saved.storage = name;
    });
    const Rnn rnn =
        load_memory(archive(code, {{"model/data/ones", bytes(std::vector<std::uint16_t>(16, one))}}));
    const std::vector<float> sum = parameter(rnn.get(), "bias_ih_l0"), other = values(kLstm[3]);
    for (std::size_t i = 0; i < sum.size(); ++i) EXPECT_EQ(sum[i], 1.0f + other[i]);
  }
}

TEST(TorchFile, KeepsTheOrderOfModules) {
  const std::vector<Module> linears = {{"z.weight", {3, 2}}, {"a.weight", {1, 4}}};
  std::string pairs;
  const auto add = [&](const std::string& name, const Module& m) {
    pairs += text(name) + tensor({m.name, m.shape, row_major(m.shape)});
  };
  add("z.weight", linears[0]);
  for (const Module& m : kLstm) add(std::string("lstm.") + m.name, m);
  add("a.weight", linears[1]);
  std::vector<ZipEntry> entries;
  for (const Module& m : linears) entries.push_back({std::string("model/data/") + m.name, bytes(values(m))});
  const std::string file = archive(kDictionary + items(pairs), entries);
  rnn_load_options_t options{};
  options.struct_size = sizeof options;
  options.activations = "tanh,relu";
  rnn_t* loaded = nullptr;
  ASSERT_EQ(rnn_load_memory_as(file.data(), file.size(), &options, nullptr, &loaded), RNN_OK)
      << rnn_last_error();
  const Rnn rnn(loaded, &rnn_destroy);
  EXPECT_EQ(parameter(rnn.get(), "layers.0.weight"), values(linears[0]));
  EXPECT_EQ(parameter(rnn.get(), "layers.1.weight_ih"), values(kLstm[0]));
  EXPECT_EQ(parameter(rnn.get(), "layers.2.weight"), values(linears[1]));
}

void expect_refused(const std::string& file, rnn_status_t status, const char* message) {
  EXPECT_EQ(try_load(file), status) << message;
  EXPECT_MESSAGE(message);
}

TEST(TorchFile, RunsNothing) {
  expect_refused(archive(global("posix", "system") + "(" + text("true") + "tR"), RNN_UNSUPPORTED,
                 "the pickle needs \"posix.system\"");
  expect_refused(archive(global("torch.nn.modules.rnn", "LSTM") + ")R"), RNN_UNSUPPORTED,
                 "torch.save(model.state_dict(), path)");
  expect_refused(archive("(itorch\nload\n"), RNN_UNSUPPORTED, "opcode 0x69");  // INST
}

TEST(TorchFile, NamesWhatIsNoStateDict) {
  expect_refused(archive("]"), RNN_UNSUPPORTED, "no state dict");
  expect_refused(archive(dictionary(), {{"model/constants.pkl", ""}}), RNN_UNSUPPORTED, "TorchScript");
  expect_refused(archive(dictionary(), {{"model/byteorder", "big"}}), RNN_UNSUPPORTED, "big-endian");
  const std::string code = dictionary("", [](Saved& saved) { saved.storage = "ComplexFloatStorage"; });
  expect_refused(archive(code), RNN_UNSUPPORTED, "torch.ComplexFloatStorage");
}

TEST(TorchFile, RefusesDamagedPickles) {
  expect_refused(zip({{"m/data.pkl", "}."}}), RNN_BAD_FORMAT, "begin with its protocol");
  expect_refused(zip({{"m/data.pkl", "\x80\2}"}}), RNN_BAD_FORMAT, "ends too early");
  expect_refused(zip({{"m/data.pkl", "\x80\6}."}}), RNN_UNSUPPORTED, "protocol 6");
  for (const std::string code :
       {"u", "}u", "s", "}(NuR", "t", "\x85", "h\5", "Q", "NQ", "}b", "a", "\x93", ""})
    expect_refused(archive(code), RNN_BAD_FORMAT, "the pickle is damaged");
  expect_refused(archive("}(" + text("a") + "u"), RNN_BAD_FORMAT, "a key has no value");
  expect_refused(archive("((" + kWide + "ttQ"), RNN_BAD_FORMAT, "the pickle is damaged");
}

TEST(TorchFile, RefusesTensorsBeyondTheirStorage) {
  const auto changed = [](const std::function<void(Saved&)>& change) {
    return archive(dictionary("", [&](Saved& saved) {
      if (saved.key == "weight_hh_l0") change(saved);
    }));
  };
  const char kBeyond[] = "tensor \"weight_hh_l0\" with shape";
  expect_refused(changed([](Saved& s) { s.offset = 1; }), RNN_BAD_FORMAT, kBeyond);
  expect_refused(changed([](Saved& s) { s.strides = {5, 1}; }), RNN_BAD_FORMAT, kBeyond);
  expect_refused(changed([](Saved& s) { s.strides = {0x7fffffff, 0x7fffffff}; }), RNN_BAD_FORMAT, kBeyond);
  expect_refused(changed([](Saved& s) {
                   s.shape = {1 << 20, 1 << 20};
                   s.strides = {0, 0};
                 }),
                 RNN_UNSUPPORTED,
                 "tensor \"weight_hh_l0\" with shape [1048576, 1048576] is a view of a storage of 256 bytes");
  expect_refused(changed([](Saved& s) {
                   s.shape = {1 << 20, 1 << 20};
                   s.strides = {1, 0};
                 }),
                 RNN_BAD_FORMAT, kBeyond);
  expect_refused(changed([](Saved& s) { s.offset = -1; }), RNN_BAD_FORMAT, "must be >= 0");
  expect_refused(changed([](Saved& s) { s.key = "none"; }), RNN_BAD_FORMAT, "no entry \"model/data/none\"");
  expect_refused(changed([](Saved& s) { s.shape = {64}; }), RNN_BAD_FORMAT, "differ in length");
}

TEST(TorchFile, RefusesEndlessDictionaries) {
  // A dictionary that holds itself, and one that holds one twice that holds one twice ...
  expect_refused(archive("}q\1" + text("a") + "h\1s"), RNN_UNSUPPORTED, "in each other");
  std::string nested = "}q" + std::string(1, '\0');
  for (char i = 1; i < 30; ++i)
    nested += std::string("}q") + i + "(" + text("a") + "h" + static_cast<char>(i - 1) + text("b") + "h" +
              static_cast<char>(i - 1) + "u";
  expect_refused(archive(nested), RNN_UNSUPPORTED, "hold more than");
  expect_refused(archive("}" + std::string((1 << 21) + 1, '\x94')), RNN_UNSUPPORTED,
                 "holds more than");  // MEMOIZE
  expect_refused(archive(dictionary(std::string(600, 'x'))), RNN_UNSUPPORTED, "at most 512");
}

TEST(TorchFile, RefusesDamagedArchives) {
  const std::string file = archive(dictionary());
  expect_refused(file.substr(0, file.size() / 2), RNN_BAD_FORMAT, "the file is cut off");
  for (std::size_t size = 0; size < file.size(); ++size)
    EXPECT_NE(try_load(file.substr(0, size)), RNN_OK) << size;
  for (const bool zip64 : {false, true}) {
    const std::string whole = archive(dictionary(), {}, zip64);
    for (std::size_t i = 0; i < whole.size(); ++i) {  // ends with a status, whatever it is
      std::string damaged = whole;
      damaged[i] = static_cast<char>(damaged[i] ^ 0xff);
      rnn_t* rnn = nullptr;
      if (rnn_load_memory(damaged.data(), damaged.size(), nullptr, &rnn) == RNN_OK) rnn_destroy(rnn);
    }
  }
  std::string weight = file;
  weight[weight.find(bytes(values(kLstm[0])))] ^= 1;
  expect_refused(weight, RNN_BAD_FORMAT, "has the checksum");
  expect_refused(archive(dictionary(), {{"model/data/weight_ih_l0", ""}}), RNN_BAD_FORMAT, "there twice");
  expect_refused(zip({{"model/data.pkl", pickle("}"), 8}}), RNN_UNSUPPORTED, "compressed");
}

}  // namespace
