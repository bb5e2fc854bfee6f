// The container: what is accepted, and that everything else is refused for the right reason.
#include "lib/formats/safetensors.h"

#include <cstdint>
#include <limits>

#include "lib/network/error.h"
#include "tests/formats/formats_test.h"

namespace rnn::formats {
namespace {

// What the file holds, which outlives it.
struct Read : Contents {
  explicit Read(const std::string& file) : source(file.data(), file.size()) {
    static_cast<Contents&>(*this) = safetensors::read(source);
  }

  MemorySource source;
};

// The message of the refusal.
std::string refusal(const std::string& file) {
  try {
    Read{file};
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), RNN_BAD_FORMAT);
    return error.what();
  }
  return "accepted";
}

TEST(Safetensors, ReadsWhatItShould) {
  EXPECT_TRUE(Read(container("{ \n }   ", "")).tensors.empty());

  const std::string file = container(
      "{\"b\":{\"data_offsets\":[4,8],\"shape\":[],\"dtype\":\"F32\"},\"__metadata__\":{\"k\":\"\\u00e9\"},"
      "\"\":{\"dtype\":\"F32\",\"shape\":[1,1],\"data_offsets\":[0,4]},"
      "\"none\":{\"dtype\":\"F64\",\"shape\":[3,0],\"data_offsets\":[4,4]}}  ",
      bytes<float>({1.5f, -2.5f}));
  const Read contents(file);
  EXPECT_EQ(contents.metadata.at("k"), "\xc3\xa9");
  ASSERT_EQ(contents.tensors.size(), 3u);
  float value = 0;
  contents.tensors.at("b").read(&value);
  EXPECT_EQ(value, -2.5f);
  contents.tensors.at("").read(&value);
  EXPECT_EQ(value, 1.5f);
  EXPECT_EQ(contents.tensors.at("none").count, 0u);
}

TEST(Safetensors, ConvertsFloatingPointTypes) {
  const float infinity = std::numeric_limits<float>::infinity();
  struct Case {
    const char* type;
    std::string data;
    std::vector<float> values;
  };
  const Case cases[] = {
      {"F64", bytes<double>({0.1, -0.0, 1e300}), {0.1f, -0.0f, infinity}},
      {"F32", bytes<float>({0.1f, -0.0f, 1e-40f}), {0.1f, -0.0f, 1e-40f}},
      {"F16",
       bytes<std::uint16_t>({0x3c00, 0xc000, 0x7bff, 0x0400, 0x03ff, 0x8001, 0x0000, 0x8000, 0x7c00, 0x3555}),
       {1, -2, 65504, 0x1p-14f, 0x3ffp-24f, -0x1p-24f, 0.0f, -0.0f, infinity, 0x1.554p-2f}},
      {"BF16",
       bytes<std::uint16_t>({0x3f80, 0xc040, 0x8000, 0x0001, 0x7f80}),
       {1, -3, -0.0f, 0x1p-133f, infinity}},
  };
  for (const Case& c : cases) {
    const std::string file = container({{"x", c.type, {c.values.size()}, c.data}});
    std::vector<float> values(c.values.size());
    Read(file).tensors.at("x").read(values.data());
    EXPECT_EQ(bytes(values), bytes(c.values)) << c.type;
  }
}

TEST(Safetensors, TellsTypesApart) {
  const std::string file = container({{"u", "U64", {1}, bytes<std::uint64_t>({~0ull})}, f32("f", {1}, {1})});
  const Read contents(file);
  std::uint64_t u = 0;
  float f = 0;
  contents.tensors.at("u").read(&u);
  EXPECT_EQ(u, ~0ull);
  EXPECT_THROW(contents.tensors.at("u").read(&f), Error);
  EXPECT_THROW(contents.tensors.at("f").read(&u), Error);
}

// They may stand beside a network, whatever their elements are.
TEST(Safetensors, PassesOverOtherTypes) {
  for (const char* type : {"BOOL", "I8", "U16", "I32", "F8_E4M3", "F8_E5M2", "F4", "f32", "Z9"}) {
    const std::string file = container({f32("a", {1}, {1}), {"b", type, {2, 3}, "xyz"}, f32("c", {1}, {2})});
    const Read contents(file);
    const Tensor& other = contents.tensors.at("b");
    EXPECT_EQ(other.type, Type::other);
    EXPECT_EQ(other.shape, (Shape{2, 3}));
    EXPECT_EQ(other.bytes(), 3u);
    float value = 0;
    contents.tensors.at("c").read(&value);
    EXPECT_EQ(value, 2);
    try {
      other.read(&value);
      ADD_FAILURE() << type;
    } catch (const Error& error) {
      EXPECT_EQ(error.status(), RNN_BAD_FORMAT);
      EXPECT_EQ(error.what(),
                "tensor \"b\" has dtype \"" + std::string(type) + "\"; it must be F64, F32, F16 or BF16");
    }
  }
}

TEST(Safetensors, RefusesLengths) {
  EXPECT_EQ(refusal(""), "the file has 0 bytes; a safetensors file begins with an 8-byte header length");
  EXPECT_EQ(refusal("1234567"),
            "the file has 7 bytes; a safetensors file begins with an 8-byte header length");
  EXPECT_EQ(refusal(bytes<std::uint64_t>({0})), "the header does not begin with {");
  EXPECT_EQ(refusal(bytes<std::uint64_t>({3}) + "{}"), "the header length is 3; it must be at most 2");
  EXPECT_EQ(refusal(bytes<std::uint64_t>({~0ull}) + "{}"),
            "the header length is 18446744073709551615; it must be at most 2");
  const std::string large(100'000'100, ' ');
  EXPECT_EQ(refusal(container("{}" + large, "")),
            "the header length is 100000102; it must be at most 100000000");
}

// One tensor "t" that is right but for the given text.
std::string entry(const std::string& fields) { return "{\"t\":{" + fields + "}}"; }

TEST(Safetensors, RefusesHeaders) {
  struct Case {
    std::string header;
    std::size_t size;  // of the data
    std::string message;
  };
  const std::string type = "\"dtype\":\"F32\",", shape = "\"shape\":[1],", offsets = "\"data_offsets\":[0,4]";
  const std::string two64 = "18446744073709551616";
  const Case cases[] = {
      // JSON
      {"", 0, "does not begin with {"},
      {" {}", 0, "does not begin with {"},
      {"[]", 0, "does not begin with {"},
      {"\xef\xbb\xbf{}", 0, "does not begin with {"},
      {"{", 0, "not JSON"},
      {"{}}", 0, "not JSON"},
      {"{} {}", 0, "not JSON"},
      {"{\"a\"}", 0, "not JSON"},
      {"{,}", 0, "not JSON"},
      {"{//\n}", 0, "not JSON"},
      {std::string("{}\0garbage", 10), 0, "zero byte"},
      {"{\"__metadata__\":{\"a\":\"\xff\"}}", 0, "not JSON"},
      {"{\"__metadata__\":{\"a\":\"\xc0\x80\"}}", 0, "not JSON"},
      {"{\"__metadata__\":{\"a\":\"\\ud800\"}}", 0, "not JSON"},
      {"{\"__metadata__\":{\"a\":\"\n\"}}", 0, "not JSON"},
      {"{\"t\":" + std::string(100'000, '['), 0, "tensor \"t\" holds an array; it must be an object"},
      {entry(type + "\"shape\":" + std::string(100'000, '[')), 0, "holds an array; it must be integers"},
      {"{\"a\":" + std::string(100'000, '{'), 0, "not JSON"},
      // Metadata
      {"{\"__metadata__\":null}", 0, "__metadata__ holds null; it must be an object"},
      {"{\"__metadata__\":\"x\"}", 0, "__metadata__ holds \"x\"; it must be an object"},
      {"{\"__metadata__\":[]}", 0, "__metadata__ holds an array; it must be an object"},
      {"{\"__metadata__\":{\"a\":1}}", 0, "metadata \"a\" holds 1; it must be a string"},
      {"{\"__metadata__\":{\"a\":{}}}", 0, "metadata \"a\" holds an object; it must be a string"},
      {"{\"__metadata__\":{\"a\":[]}}", 0, "metadata \"a\" holds an array; it must be a string"},
      {"{\"__metadata__\":{\"a\":\"\",\"a\":\"\"}}", 0, "metadata \"a\" is there twice"},
      {"{\"__metadata__\":{},\"__metadata__\":{}}", 0, "__metadata__ is there twice"},
      // A tensor's fields
      {"{\"t\":1}", 0, "tensor \"t\" holds 1; it must be an object"},
      {"{\"t\":true}", 0, "tensor \"t\" holds a boolean; it must be an object"},
      {entry(""), 0, "tensor \"t\" has no dtype"},
      {entry(type + offsets), 4, "tensor \"t\" has no shape"},
      {entry("\"dtype\":\"F32\",\"shape\":[1]"), 4, "tensor \"t\" has no data_offsets"},
      {entry(type + shape + offsets + ",\"x\":1"), 4, "tensor \"t\": \"x\" is unknown"},
      {entry(type + type + shape + offsets), 4, "tensor \"t\": \"dtype\" is there twice"},
      {entry(type + shape + shape + offsets), 4, "tensor \"t\": \"shape\" is there twice"},
      {entry(type + shape + offsets + "," + offsets), 4, "tensor \"t\": \"data_offsets\" is there twice"},
      {"{\"t\":{" + type + shape + offsets + "},\"t\":{" + type + shape + offsets + "}}", 4,
       "tensor \"t\" is there twice"},
      {"{\"t\":{" + type + shape + offsets + "},\"\\u0074\":{" + type + shape + offsets + "}}", 4,
       "tensor \"t\" is there twice"},
      // Types
      {entry("\"dtype\":1," + shape + offsets), 4, "\"dtype\" holds 1; it must be a string"},
      {entry("\"dtype\":[]," + shape + offsets), 4, "\"dtype\" holds an array; it must be a string"},
      {entry("\"dtype\":\"F64\"," + shape + offsets), 4, "shape [1] of F64 needs 8 bytes"},
      {entry("\"dtype\":\"F16\"," + shape + offsets), 4, "shape [1] of F16 needs 2 bytes"},
      // Shapes
      {entry(type + "\"shape\":4," + offsets), 4, "\"shape\" holds 4; it must be an array"},
      {entry(type + "\"shape\":\"1\"," + offsets), 4, "\"shape\" holds \"1\"; it must be an array"},
      {entry(type + "\"shape\":[-1]," + offsets), 4, "\"shape\" holds -1; it must be integers of 0 and more"},
      {entry(type + "\"shape\":[1.0]," + offsets), 4, "\"shape\" holds 1.0; it must be integers"},
      {entry(type + "\"shape\":[1e0]," + offsets), 4, "\"shape\" holds 1e0; it must be integers"},
      {entry(type + "\"shape\":[" + two64 + "]," + offsets), 4, "holds " + two64 + "; it must be integers"},
      {entry(type + "\"shape\":[null]," + offsets), 4, "\"shape\" holds null"},
      {entry(type + "\"shape\":[\"1\"]," + offsets), 4, "\"shape\" holds \"1\""},
      {entry(type + "\"shape\":[[1]]," + offsets), 4, "\"shape\" holds an array"},
      {entry(type + "\"shape\":[{}]," + offsets), 4, "\"shape\" holds an object"},
      {entry(type + "\"shape\":[2]," + offsets), 4, "shape [2] of F32 needs 8 bytes"},
      {entry(type + "\"shape\":[0]," + offsets), 4, "shape [0] of F32 needs 0 bytes"},
      {entry(type + "\"shape\":[4294967296,4294967296]," + offsets), 4, "whose product is too large"},
      {entry(type + "\"shape\":[4611686018427387905]," + offsets), 4, "whose product is too large"},
      {entry(type + "\"shape\":[9223372036854775808,2,0]," + offsets), 4, "whose product is too large"},
      {entry(type + "\"shape\":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]," +
             offsets),
       4, "\"shape\" has more than 32 entries"},
      // Offsets
      {entry(type + shape + "\"data_offsets\":[]"), 4, "data_offsets []; they must be [begin, end]"},
      {entry(type + shape + "\"data_offsets\":[4]"), 4, "data_offsets [4]; they must be [begin, end]"},
      {entry(type + shape + "\"data_offsets\":[0,4,4]"), 4,
       "data_offsets [0, 4, 4]; they must be [begin, end]"},
      {entry(type + shape + "\"data_offsets\":{}"), 4,
       "\"data_offsets\" holds an object; it must be an array"},
      {entry(type + shape + "\"data_offsets\":[4,0]"), 4, "[4, 0]; they must ascend and lie within 0..4"},
      {entry(type + shape + "\"data_offsets\":[0,4]"), 3, "[0, 4]; they must ascend and lie within 0..3"},
      {entry(type + shape + "\"data_offsets\":[-4,0]"), 4, "holds -4; it must be integers"},
      {entry(type + shape + "\"data_offsets\":[0.5,4]"), 4, "holds 0.5; it must be integers"},
      {entry(type + shape + "\"data_offsets\":[18446744073709551612,0]"), 4, "they must ascend"},
      {entry(type + shape + "\"data_offsets\":[4,8]"), 8, "begins at 4; it must begin at 0"},
      {entry(type + shape + offsets), 5, "the data are 5 bytes; the tensors end at 4"},
      {"{}", 1, "the data are 1 bytes; the tensors end at 0"},
      {"{\"a\":{" + type + shape + offsets + "},\"b\":{" + type + shape + offsets + "}}", 4,
       "begins at 0; it must begin at 4"},
      {"{\"a\":{" + type + shape + offsets + "},\"b\":{" + type + shape + "\"data_offsets\":[2,6]}}", 6,
       "\"b\" begins at 2; it must begin at 4"},
      {"{\"a\":{" + type + shape + offsets + "},\"b\":{" + type + shape + "\"data_offsets\":[5,9]}}", 9,
       "\"b\" begins at 5; it must begin at 4"},
      // Names are shown short and printable
      {"{\"\\u001b[2J" + std::string(100, 'x') + "\":1}", 0,
       "tensor \"\\x1B[2J" + std::string(53, 'x') + "...\" holds 1"},
  };
  for (const Case& c : cases) {
    const std::string message = refusal(container(c.header, std::string(c.size, '\0')));
    EXPECT_NE(message.find(c.message), std::string::npos) << c.header.substr(0, 200) << "\n  " << message;
  }
}

TEST(Safetensors, WritesWhatItReads) {
  Writer writer;
  const auto fill = [](const std::string& data) {
    return [data](unsigned char* out) { std::memcpy(out, data.data(), data.size()); };
  };
  writer.metadata("key \"\\\n", "value \xc3\xa9");
  writer.add("odd", Type::f32, {3}, fill(bytes<float>({1, 2, 3})));
  writer.add("wide", Type::u64, {1}, fill(bytes<std::uint64_t>({5})));
  writer.add("matrix", Type::f32, {1, 2}, fill(bytes<float>({6, 7})));
  std::string file(safetensors::size(writer), '?');
  safetensors::write(writer, file.data());

  const Read contents(file);
  EXPECT_EQ(contents.metadata.at("key \"\\\n"), "value \xc3\xa9");
  EXPECT_EQ(contents.tensors.at("odd").shape, (std::vector<std::uint64_t>{3}));
  EXPECT_EQ(contents.tensors.at("matrix").shape, (std::vector<std::uint64_t>{1, 2}));
  std::vector<float> odd(3);
  contents.tensors.at("odd").read(odd.data());
  EXPECT_EQ(odd, (std::vector<float>{1, 2, 3}));
  const auto place = [&](const char* name) { return contents.tensors.at(name).offset; };
  EXPECT_EQ(place("wide") % 64, 0u) << "the data begin aligned";
  EXPECT_EQ(place("odd"), place("wide") + 8) << "and all values are";
  EXPECT_EQ(place("matrix"), place("odd") + 12);
}

}  // namespace
}  // namespace rnn::formats
