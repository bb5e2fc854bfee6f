// The binary container: what is accepted, what is refused, and the same as an array in C.
#include "lib/formats/binary.h"

#include <cstdint>

#include "lib/network/error.h"
#include "tests/formats/formats_test.h"

namespace rnn::formats {
namespace {

Contents read(const std::string& file) { return binary::read(MemorySource(file.data(), file.size())); }

std::string refusal(const std::string& file) {
  try {
    read(file);
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), RNN_BAD_FORMAT);
    return error.what();
  }
  return "accepted";
}

Writer writer() {
  Writer writer;
  const auto fill = [](const std::string& data) {
    return [data](unsigned char* out) { std::memcpy(out, data.data(), data.size()); };
  };
  writer.metadata("key", "value \xc3\xa9");
  writer.metadata("empty", "");
  writer.add("odd", Type::f32, {3}, fill(bytes<float>({1, 2, 3})));
  writer.add("wide", Type::u64, {1}, fill(bytes<std::uint64_t>({5})));
  writer.add("matrix", Type::f32, {1, 2}, fill(bytes<float>({6, 7})));
  return writer;
}

std::string written() {
  std::string file(binary::size(writer()), '?');
  binary::write(writer(), file.data());
  return file;
}

// The checksum set right.
std::string repaired(std::string file) {
  put(file, 12, binary::checksum(MemorySource(file.data(), file.size())));
  return file;
}

TEST(Binary, WritesWhatItReads) {
  const std::string file = written();
  const MemorySource source(file.data(), file.size());
  const Contents contents = binary::read(source);
  EXPECT_EQ(contents.metadata.size(), 2u);
  EXPECT_EQ(contents.metadata.at("key"), "value \xc3\xa9");
  EXPECT_EQ(contents.metadata.at("empty"), "");
  EXPECT_EQ(contents.tensors.size(), 3u);
  EXPECT_EQ(contents.tensors.at("matrix").shape, (Shape{1, 2}));
  std::vector<float> odd(3);
  contents.tensors.at("odd").read(odd.data());
  EXPECT_EQ(odd, (std::vector<float>{1, 2, 3}));
  std::uint64_t wide = 0;
  contents.tensors.at("wide").read(&wide);
  EXPECT_EQ(wide, 5u);
  for (const auto& [name, tensor] : contents.tensors) EXPECT_EQ(tensor.offset % 64, 0u) << name;

  std::string none(binary::size(Writer()), '?');
  binary::write(Writer(), none.data());
  EXPECT_TRUE(read(none).tensors.empty());
}

// The bytes of the front, so that a change of the layout is seen.
TEST(Binary, Layout) {
  const std::string file = written();
  EXPECT_EQ(file.substr(0, 8), "\x89rnn\r\n\x1a\n");
  std::uint32_t numbers[8];
  rnn::read_little_endian(file.data() + 8, numbers, 8);
  EXPECT_EQ(numbers[0], 1u);
  EXPECT_EQ(numbers[2], file.size());
  EXPECT_EQ(numbers[4],
            192u);  // 40 bytes, 19 and 13 of metadata, 39 (wide), 31 (odd), 42 (matrix) of tensors
  EXPECT_EQ(numbers[6], 2u);
  EXPECT_EQ(numbers[7], 3u);
  EXPECT_EQ(file.substr(48, 3), "key");
  EXPECT_EQ(file.size(), 192u + 64 + 64 + 8);
  EXPECT_EQ(binary::checksum(MemorySource("0123456789abcdef123456789", 25)), 0xcbf43926u)
      << "CRC-32 of 123456789";
}

TEST(Binary, RefusesEveryCutAndEveryByte) {
  const std::string file = written();
  for (std::size_t size = 0; size < file.size(); ++size)
    EXPECT_NE(refusal(file.substr(0, size)), "accepted") << size;
  EXPECT_NE(refusal(file + '\0'), "accepted");
  for (std::size_t i = 0; i < file.size(); ++i) {
    std::string damaged = file;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x10);
    EXPECT_NE(refusal(damaged), "accepted") << i;
  }
  EXPECT_EQ(refusal("text"), "the file does not begin as librnn's binary files do");
  EXPECT_EQ(refusal(file.substr(0, 39)), "the file has 39 bytes; it must have at least 40");
  EXPECT_EQ(refusal(file.substr(0, 100)), "the file has 100 bytes; it must have 328");
  std::string damaged = file;
  damaged.back() ^= 1;
  EXPECT_NE(refusal(damaged).find("; the file says "), std::string::npos) << refusal(damaged);
}

// A right checksum makes nothing right.
TEST(Binary, RefusesHostileNumbers) {
  constexpr std::size_t kFirst = 72;  // of the tensors: wide; its extent at +12, its place at +20
  struct Case {
    std::size_t at;
    std::uint64_t value;
    std::size_t size;
    const char* message;
  };
  const std::uint64_t most = ~std::uint64_t{0};
  const Case cases[] = {
      {8, 2, 4, "the version is 2; this library reads 1"},
      {24, 0, 8, "the data begin at 0; that must be a multiple of 64 in 40..328"},
      {24, 384, 8, "the data begin at 384"},
      {24, 200, 8, "the data begin at 200"},
      {24, most, 8, "the data begin at 18446744073709551615"},
      {24, 128, 8, "tensor \"wide\" begins at 192; it must begin at 128"},
      {24, 256, 8, "tensor \"wide\" begins at 192; it must begin at 256"},
      {32, 1, 4, "a tensor's name needs "},
      {32, most, 4, "left before the data"},
      {36, 2, 4, "the file has 328 bytes; its last tensor ends at 268"},
      {36, 4, 4, "a tensor has type 0; it must be 1..6"},
      {40, most, 4, "a key needs 4294967295 bytes; "},
      {44, most, 4, "a value needs 4294967295 bytes; "},
      {kFirst, 7, 4, "a tensor has type 7; it must be 1..6"},
      {kFirst + 4, 33, 4, "a tensor has rank 33; it must be 0..32"},
      {kFirst + 8, most, 4, "a tensor's name needs 4294967295 bytes; "},
      {kFirst + 12, most, 8, "tensor \"wide\" has shape [18446744073709551615], whose product is too large"},
      {kFirst + 12, 1000, 8, "tensor \"wide\" has shape [1000] of U64; the file ends before its last value"},
      {kFirst + 12, most / 8, 8, "the file ends before its last value"},
      {kFirst + 12, 2, 8, "accepted"},  // what were gaps
      {kFirst + 12, 9, 8, "tensor \"odd\" begins at 256; it must begin at 320"},
      {kFirst + 20, 128, 8, "tensor \"wide\" begins at 128; it must begin at 192"},
  };
  for (const Case& c : cases) {
    std::string file = written();
    for (std::size_t i = 0; i < c.size; ++i) file[c.at + i] = static_cast<char>(c.value >> 8 * i & 255);
    const std::string message = refusal(repaired(file));
    EXPECT_NE(message.find(c.message), std::string::npos) << c.at << ": " << c.message << "\n  " << message;
  }
  Writer writer;
  writer.metadata("k", "1");
  writer.metadata("k", "2");
  std::string file(binary::size(writer), '?');
  binary::write(writer, file.data());
  EXPECT_EQ(refusal(file), "metadata \"k\" is there twice");
  Writer tensors;
  for (int i = 0; i < 2; ++i) tensors.add("t", Type::f32, {0}, [](unsigned char*) {});
  file.resize(binary::size(tensors));
  binary::write(tensors, file.data());
  EXPECT_EQ(refusal(file), "tensor \"t\" is there twice");

  Writer pair;
  pair.metadata("k", std::string(60, 'v'));
  file.resize(binary::size(pair));
  binary::write(pair, file.data());
  put(file, 32, std::uint32_t{0});
  EXPECT_EQ(refusal(repaired(file)), "88 bytes before the data belong to nothing");
}

// ---- Networks ----

TEST(Binary, HoldsWhatSafetensorsHolds) {
  const Rnn rnn = create([](rnn_config_t& c) {
    c.cell = RNN_CELL_LSTM;
    c.projection_size = 3;
    c.embedding_size = 5;
    c.num_layers = 2;
    c.flags = RNN_FLAG_BIDIRECTIONAL | RNN_FLAG_RESIDUAL | RNN_FLAG_LAYER_NORM;
    c.initial_state = RNN_INITIAL_TRAINED;
  });
  ASSERT_EQ(rnn_set_metadata(rnn.get(), "note", "kept"), RNN_OK);
  const std::string file = save_as(rnn.get(), RNN_FORMAT_BINARY);
  const Rnn loaded = load_memory(file);
  expect_equal(rnn.get(), loaded.get());
  EXPECT_EQ(save_memory(loaded.get()), save_memory(rnn.get()));
  EXPECT_EQ(save_as(load_memory(save_memory(rnn.get())).get(), RNN_FORMAT_BINARY), file);
}

TEST(Binary, ManyTexts) {
  const std::string network = save_as(create().get(), RNN_FORMAT_BINARY);
  const MemorySource source(network.data(), network.size());
  const Contents contents = binary::read(source);
  Writer more;
  for (const auto& [key, value] : contents.metadata) more.metadata(key, value);
  for (int i = 0; i < 20000; ++i) more.metadata("key" + std::to_string(i), "value");
  for (const auto& entry : contents.tensors) {
    const Tensor& tensor = entry.second;
    more.add(tensor.name, tensor.type, tensor.shape,
             [&tensor](unsigned char* out) { tensor.source->read(tensor.offset, tensor.bytes(), out); });
  }
  std::string file(binary::size(more), '?');
  binary::write(more, file.data());
  std::size_t count = 0;
  ASSERT_EQ(rnn_metadata_count(load_memory(file).get(), &count), RNN_OK);
  EXPECT_EQ(count, 20000u);
}

// The array's numbers are the binary file's bytes.
TEST(Binary, AsC) {
  const Rnn rnn = create();
  const std::string text = save_as(rnn.get(), RNN_FORMAT_C, [](auto& o) { o.name = "my_network2"; });
  const std::string file = save_as(rnn.get(), RNN_FORMAT_BINARY);
  const std::string declaration =
      "static const unsigned char my_network2[" + std::to_string(file.size()) + "] = {\n";
  EXPECT_EQ(text.rfind("/* A network of librnn: 3 inputs, vanilla 4, dense 2;", 0), 0u) << text;
  const std::size_t at = text.find(declaration);
  ASSERT_NE(at, std::string::npos) << text.substr(0, 500);
  std::string found;
  for (std::size_t i = at + declaration.size(); text[i] != '}'; i = text.find(',', i) + 1) {
    if (text[i] == '\n' && text[++i] == '}') break;
    found += static_cast<char>(std::stoi(text.substr(i, 3)));
  }
  EXPECT_EQ(found, file);
  EXPECT_EQ(save_as(rnn.get(), RNN_FORMAT_C).find("unsigned char network[") == std::string::npos, false);
}

}  // namespace
}  // namespace rnn::formats
