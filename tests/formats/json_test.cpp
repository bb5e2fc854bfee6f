#include "tests/formats/json_test.h"

#include <charconv>
#include <clocale>

#include "lib/formats/json_models.h"
#include "lib/formats/json_value.h"
#include "lib/network/error.h"
#include "tests/formats/json_examples.h"

using rnn::reference::Vector;

std::string list(const Vector& values) {
  std::string text = "[";
  for (const double value : values) {
    char number[32];
    text += text.size() > 1 ? "," : "";
    text.append(number, std::to_chars(number, number + sizeof number, value).ptr);
  }
  return text + "]";
}

std::string rows(const Vector& values, std::size_t columns) {
  std::string text = "[";
  for (std::size_t i = 0; i < values.size(); i += columns) {
    const auto row = values.begin() + static_cast<std::ptrdiff_t>(i);
    text += (i > 0 ? "," : "") + list(Vector(row, row + static_cast<std::ptrdiff_t>(columns)));
  }
  return text + "]";
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t place = text.find(from);
  EXPECT_NE(place, std::string::npos) << from;
  EXPECT_EQ(text.find(from, place + 1), std::string::npos) << from;
  return place == std::string::npos ? text : text.replace(place, from.size(), to);
}

void expect_outputs(const std::string& file, const Vector& inputs, const Vector& expected) {
  const Rnn rnn = load_memory(file);
  ASSERT_NE(rnn, nullptr) << rnn_last_error();
  rnn_config_t config{};
  config.struct_size = sizeof config;
  ASSERT_EQ(rnn_get_config(rnn.get(), &config), RNN_OK);
  const auto I = static_cast<std::size_t>(config.input_size);
  const std::size_t T = inputs.size() / I, O = expected.size() / T;
  ASSERT_EQ(T * O, expected.size());
  const std::vector<float> x(inputs.begin(), inputs.end());
  constexpr float kUntouched = 1e9f;  // behind the outputs
  std::vector<float> y(O + 1, kUntouched);
  for (std::size_t t = 0; t < T; ++t) {
    ASSERT_EQ(rnn_step(rnn.get(), &x[t * I], y.data()), RNN_OK);
    for (std::size_t j = 0; j < O; ++j)
      EXPECT_NEAR(static_cast<double>(y[j]), expected[t * O + j], 1e-6) << "step " << t << ", output " << j;
    ASSERT_EQ(y[O], kUntouched);
  }
}

std::map<std::string, std::string> metadata(const std::string& file) {
  const Rnn rnn = load_memory(file);
  std::map<std::string, std::string> pairs;
  std::size_t count = 0;
  EXPECT_EQ(rnn_metadata_count(rnn.get(), &count), RNN_OK);
  for (std::size_t i = 0; i < count; ++i) {
    const char* key = nullptr;
    std::size_t size = 0;
    EXPECT_EQ(rnn_metadata_key(rnn.get(), i, &key), RNN_OK);
    EXPECT_EQ(rnn_get_metadata(rnn.get(), key, nullptr, 0, &size), RNN_OK);
    std::string value(size, '\0');
    EXPECT_EQ(rnn_get_metadata(rnn.get(), key, value.data(), size, &size), RNN_OK);
    pairs[key] = value.c_str();
  }
  return pairs;
}

void expect_refused(const std::string& text, const Refusal& refusal) {
  const bool unsupported = std::string(refusal.message).rfind("unsupported: ", 0) == 0;
  EXPECT_EQ(try_load(replaced(text, refusal.from, refusal.to)),
            unsupported ? RNN_UNSUPPORTED : RNN_BAD_FORMAT)
      << refusal.message;
  EXPECT_MESSAGE(refusal.message);
}

namespace {

using rnn::json::Tree;
using rnn::json::Value;

Tree parse(const std::string& text) { return rnn::json::parse(text.data(), text.size()); }

std::string message(const std::function<void()>& f) {
  try {
    f();
  } catch (const rnn::Error& error) {
    const bool unsupported = std::string(error.what()).rfind("unsupported: ", 0) == 0;
    EXPECT_EQ(error.status(), unsupported ? RNN_UNSUPPORTED : RNN_BAD_FORMAT);
    return error.what();
  }
  return "";
}

TEST(Json, Values) {
  const std::string text =
      " {\"a\": [1, 2.5, -3e2], \"b\": {\"c d\": \"x\\n\", \"e\": [true, null, 7]},\n"
      "\"m\": [[1, 2, 3], [4, 5, 6]], \"s\": [], \"mixed\": [1, 2, null, 4]}\r\n";
  const Tree tree = parse(text);
  const Value root(tree);
  EXPECT_EQ(root.at("a").vector(3), (std::vector<float>{1, 2.5f, -300}));
  EXPECT_EQ(root.at("b").at("c d").string(), "x\n");
  EXPECT_EQ(root.at("b").at("c d").path(), "b.\"c d\"");
  EXPECT_EQ(root.at("b").at("e").last_integer(0, 7), 7);
  EXPECT_TRUE(root.at("b").at("e").element(0).boolean());
  EXPECT_EQ(root.at("m").matrix(2, 3), (std::vector<float>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(root.at("m").element(1).path(), "m[1]");
  EXPECT_EQ(root.at("s").size(), 0u);
  EXPECT_EQ(root.at("mixed").last_integer(4, 4), 4);
  EXPECT_FALSE(root.find("z"));
  EXPECT_EQ(root.as_text(),
            "{\"a\":[1,2.5,-3e2],\"b\":{\"c d\":\"x\\n\",\"e\":[true,null,7]},\"m\":[[1,2,3],[4,5,6]],"
            "\"s\":[],\"mixed\":[1,2,null,4]}");
}

// What Python's json writes for them.
TEST(Json, NumbersThatAreNoJson) {
  const std::string text =
      "{\"a\": NaN, \"b\": {\"c\": -Infinity, \"d\\\" NaN\": Infinity}, \"m\": [1, NaN], \"s\": \"NaN, "
      "Infinity\"}";
  const Tree tree = parse(text);
  const Value root(tree);
  EXPECT_EQ(root.at("a").as_text(), "NaN");
  EXPECT_EQ(root.at("b").at("c").string(), "-Infinity");
  EXPECT_EQ(root.at("b").at("d\" NaN").string(), "Infinity");
  EXPECT_EQ(root.at("s").string(), "NaN, Infinity");
  EXPECT_EQ(root.at("b").as_text(), "{\"c\":\"-Infinity\",\"d\\\" NaN\":\"Infinity\"}");
  EXPECT_EQ(message([&] { root.at("m").vector(2); }), "m is an array of 2; it must be an array of 2 numbers");
  EXPECT_EQ(message([&] { root.at("a").integer(0, 1); }), "a is \"NaN\"; it must be an integer, 0..1");
  EXPECT_NE(message([] { parse("{\"a\": \"x\\"); }), "");
}

TEST(Json, ByteOrderMark) {
  const std::string mark = "\xef\xbb\xbf";
  EXPECT_EQ(Value(parse(mark + "{\"a\": 1}")).at("a").number(), 1);
  EXPECT_EQ(try_load(mark + " " + kNamJson), RNN_OK) << rnn_last_error();
}

TEST(Json, Shapes) {
  const Tree tree = parse(
      "{\"v\": [1, 2, 3], \"m\": [[1, 2], [3, 4], [5, 6]], \"t\": [[[1], [2]], [[3], [1e39]]], \"none\": "
      "[[], []],"
      "\"ragged\": [[1, 2], [3]], \"deep\": [[[1], [2]], [[3], [4, 5]]], \"mixed\": [1, null], \"n\": 7}");
  const Value root(tree);
  using Shape = std::vector<std::uint64_t>;
  EXPECT_EQ(root.at("v").shape(), (Shape{3}));
  EXPECT_EQ(root.at("m").shape(), (Shape{3, 2}));
  EXPECT_EQ(root.at("t").shape(), (Shape{2, 2, 1}));
  EXPECT_EQ(root.at("none").shape(), (Shape{2, 0}));
  EXPECT_EQ(root.at("v").first_number(), 0u);
  EXPECT_EQ(root.at("m").first_number(), 3u);
  EXPECT_EQ(tree.numbers.at(root.at("t").first_number() + 2), 3);
  EXPECT_EQ(message([&] { root.at("ragged").shape(); }),
            "ragged[1] has shape [1]; it must be [2] as ragged[0]");
  EXPECT_EQ(message([&] { root.at("deep").shape(); }),
            "deep[1][1] has shape [2]; it must be [1] as deep[1][0]");
  EXPECT_EQ(message([&] { root.at("mixed").shape(); }), "mixed[0] is 1; it must be an array of numbers");
  EXPECT_EQ(message([&] { root.at("n").shape(); }), "n is 7; it must be an array of numbers");
}

TEST(Json, WrongKindsAreNamed) {
  const Tree tree = parse(
      "{\"n\": 3, \"f\": 2.5, \"s\": \"x\", \"l\": [1, 2], \"m\": [[1, 2], [3]], \"z\": null,"
      "\"big\": 99999999999, \"half\": [0.5], \"none\": [], \"large\": [0, -1e39]}");
  const Value root(tree);
  const auto of = [&](const char* key) { return root.at(key); };
  EXPECT_EQ(message([&] { of("n").string(); }), "n is 3; it must be a string");
  EXPECT_EQ(message([&] { of("n").at("x"); }), "n is 3; it must be an object");
  EXPECT_EQ(message([&] { of("n").integer(4, 5); }), "n is 3; it must be an integer, 4..5");
  EXPECT_EQ(message([&] { of("f").integer(0, 5); }), "f is 2.5; it must be an integer, 0..5");
  EXPECT_EQ(message([&] { of("n").integer(1, 2); }), "unsupported: n is 3; it must be an integer, 1..2");
  EXPECT_EQ(message([&] { of("big").integer(0, 5); }),
            "unsupported: big is 99999999999; it must be an integer, 0..5");
  EXPECT_EQ(message([&] { of("s").integer(0, 5); }), "s is \"x\"; it must be an integer, 0..5");
  EXPECT_EQ(message([&] { of("s").boolean(); }), "s is \"x\"; it must be true or false");
  EXPECT_EQ(message([&] { of("s").size(); }), "s is \"x\"; it must be an array");
  EXPECT_EQ(message([&] { of("l").vector(3); }), "l has 2 values; it must be 3");
  EXPECT_EQ(message([&] { of("m").vector(2); }), "m is an array of 2; it must be an array of 2 numbers");
  EXPECT_EQ(message([&] { of("l").matrix(2, 1); }), "l is an array of 2 numbers; it must be 2 rows of 1");
  EXPECT_EQ(message([&] { of("m").matrix(3, 2); }), "m is an array of 2; it must be 3 rows of 2");
  EXPECT_EQ(message([&] { of("m").matrix(2, 2); }), "m[1] has 1 values; it must be 2");
  EXPECT_EQ(message([&] { of("m").element(2); }), "m is an array of 2; it must be an array of 3 or more");
  EXPECT_EQ(message([&] { of("half").last_integer(0, 5); }), "half[0] is 0.5; it must be an integer, 0..5");
  EXPECT_EQ(message([&] { of("none").last_integer(0, 5); }),
            "none is an empty array; it must be an array of 1 or more");
  EXPECT_EQ(message([&] { of("large").vector(2); }), "large[1] is a number that no float can hold");
  EXPECT_EQ(message([&] { of("z"); }), "z is missing");
  EXPECT_EQ(message([&] { Value(parse("[1]")).at("x"); }),
            "the file is an array of 1 numbers; it must be an object");
}

TEST(Json, RefusesWhatIsNotJson) {
  const std::pair<std::string, const char*> cases[] = {
      {"", "not JSON: error at byte 1"},
      {"{\"a\": [1, 2", "a[2]: not JSON: error at byte 12"},
      {"{\"a\": {\"b\": [[1], [2, NAN]]}}", "a.b[1][1]: not JSON: error at byte 23"},
      {"{\"a\": {\"b\": 1}, \"c\": infinity}", "c: not JSON: error at byte 22"},
      {"{\"a\": {\"b\": 1} \"c\": 1}", "a: not JSON: error at byte 18"},
      {"{\"a\": 1} x", "not JSON: error at byte 10"},
      {"{\"a\": \"\xff\"}", "a: not JSON: error at byte 8"},
      {"{\"a\": 1}" + std::string(1, '\0'), "not JSON: it contains a zero byte"},
      {"{\"a\": {\"x\": 1, \"y\": 2, \"x\": 3}}", "a.x is there twice"},
      {"{\"a\": 1, \"b\": 2, \"a\": 3}", "a is there twice"},
      {"{\"a\": [0, 1e999]}", "a[1]: not JSON: error at byte 15"},
      {"{\"a\": " + std::string(32, '['), "is nested deeper than 32"},
  };
  for (const auto& [text, expected] : cases)
    EXPECT_NE(message([&, t = text] { parse(t); }).find(expected), std::string::npos)
        << text << ": " << message([&, t = text] { parse(t); });
  EXPECT_EQ(message([] { parse("{\"a\":" + std::string(31, '[') + std::string(31, ']') + "}"); }), "");
}

std::string repeated(const char* text, std::size_t count) {
  std::string all;
  for (std::size_t i = 0; i < count; ++i) all += text;
  return all;
}

// Whatever the text, the tree takes a small multiple of it.
TEST(Json, TakesLittleMemory) {
  constexpr std::size_t kCount = 100'000;
  std::string keys = "{";
  for (std::size_t i = 0; i < kCount; ++i) keys += "\"" + std::to_string(i) + "\":0,";
  const std::string cases[] = {
      "[" + repeated("0,", kCount) + "0]",    "[" + repeated("0,", kCount) + "null]",
      "[null" + repeated(",0", kCount) + "]", "[" + repeated("[],", kCount) + "{}]",
      "[" + repeated("[0],", kCount) + "{}]", "[" + repeated("\"\",", kCount) + "\"\"]",
      "[" + repeated("{},", kCount) + "{}]",  keys + "\"x\":0}",
  };
  for (const std::string& text : cases) {
    const Tree tree = parse(text);
    const std::size_t size =
        tree.nodes.size() * sizeof(rnn::json::Node) + tree.numbers.size() * sizeof(float) + tree.text.size();
    EXPECT_LT(size, 9 * text.size()) << text.substr(0, 20);
  }
}

TEST(Json, UnknownKinds) {
  const std::pair<const char*, const char*> cases[] = {
      {"{\"class_name\": \"Sequential\", \"config\": []}",
       "unsupported: the JSON has none of the keys \"layers\" (RTNeural, Keras), \"architecture\" "},
      {"{\"architecture\": {\"class_name\": \"Functional\"}, \"trainable_params\": {}}",
       "unsupported: the JSON has none of the keys "},
      {"{\"weight\": [[[1, 2]]], \"bias\": [3]}",
       "unsupported: metadata rnn.format is missing, and so is a tensor "},
      {"{\"weight\": 70, \"bias\": [3]}", "unsupported: the JSON has none of the keys "},
      {"{\"activation\": \"gated\", \"residual_channels\": 4, \"dilations\": [1, 2], \"variables\": []}",
       "unsupported: the file is a WaveNet, with residual_channels and dilations"},
      {"{\"note\": {}, \"at 0\": {\"in_shape\": [1], \"layers\": []}}",
       "unsupported: \"at 0\" is a network within an object"},
      {"{}", "unsupported: the JSON has none of the keys "},
  };
  for (const auto& [text, message] : cases) {
    EXPECT_EQ(try_load(text), RNN_UNSUPPORTED) << text;
    EXPECT_MESSAGE(message);
  }
  EXPECT_EQ(try_load(" \t\r\n{"), RNN_BAD_FORMAT);
  EXPECT_MESSAGE("not JSON: error at byte 6");
}

std::string with(const std::string& fields) {
  return replaced(kGruJson, "\"in_shape\"", fields + ", \"in_shape\"");
}

// Saved and loaded again, too. The { after 8 bytes does not make it a safetensors file.
TEST(Json, MetadataAsWritten) {
  const std::pair<std::string, std::string> fields[] = {
      {"date", R"({"a":1})"},
      {"rate", "44100"},
      {"gain", "-0.50"},
      {"zero", "-0"},
      {"whole", "123456789012345678901234567890"},
      {"on", "true"},
      {"numbers", R"({"a":[1,16777217,0.10,1e39],"b":[[],[-0]]})"},
      {"mixed", R"({"a":[16777217,0.1234567890123,"a b",{"c":[null,16777217]}]})"},
      {"texts", R"({"a":["{ \"}\\","\u00e9"],"":"x\ty"})"},
  };
  std::string outer, inner = "\"blanks\" : { \"a\" :\n[ 1,\t\"b c\" ] }";
  for (const auto& [key, value] : fields) {
    outer += "\"" + key + "\":" + value + ",";
    inner += ", \"inner " + key + "\": " + value;
  }
  const std::string file = with(outer + " \"metadata\": {" + inner + "}");
  const Rnn rnn = load_memory(save_memory(load_memory(file).get()));
  const auto expect = [&](const std::string& key, const std::string& expected) {
    char value[128];
    std::size_t size = 0;
    ASSERT_EQ(rnn_get_metadata(rnn.get(), key.c_str(), value, sizeof value, &size), RNN_OK)
        << rnn_last_error();
    EXPECT_EQ(value, expected) << key;
  };
  expect("blanks", R"({"a":[1,"b c"]})");
  for (const auto& [key, value] : fields) {
    expect(key, value);
    expect("inner " + key, value);
  }
}

TEST(Json, MetadataInAnyLocale) {
  const std::string before = std::setlocale(LC_ALL, nullptr);
  if (std::setlocale(LC_ALL, "de_DE.UTF-8") == nullptr) GTEST_SKIP() << "no locale with a decimal comma here";
  const std::string file = save_memory(load_memory(with("\"gain\": 0.50")).get());
  std::setlocale(LC_ALL, before.c_str());
  EXPECT_NE(file.find("\"gain\":\"0.50\""), std::string::npos);
}

TEST(Json, RefusesMetadata) {
  EXPECT_EQ(try_load(with("\"rnn.seed\": 1")), RNN_BAD_FORMAT);
  EXPECT_MESSAGE("rnn.seed: what begins with \"rnn.\" is librnn's own");
  EXPECT_EQ(try_load(with("\"x\": \"a\\u0000\"")), RNN_BAD_FORMAT);
  EXPECT_MESSAGE("metadata \"x\": value is not UTF-8 text: byte 1 is 0x00");
  std::string many;
  for (int i = 0; i < 1000; ++i) many += (i > 0 ? ", \"" : "\"") + std::to_string(i) + "\": 0";
  EXPECT_EQ(try_load(with(many)), RNN_OK) << rnn_last_error();
  EXPECT_EQ(try_load(with(many + ", \"x\": 0")), RNN_BAD_FORMAT);
  EXPECT_MESSAGE("there are more than 1000 fields beside the network");
}

// The length before a safetensors header may look like the begin of JSON.
TEST(Json, IsToldFromSafetensors) {
  const std::string file = save_memory(create().get());
  auto length = rnn::read_little_endian<std::uint64_t>(file.data());
  const std::string header = file.substr(8, length), data = file.substr(8 + length);
  for (const std::size_t padded : {0x7b20, 0x7b0a, 0x7b7b}) {
    const std::string padding(padded - header.size(), ' ');
    EXPECT_EQ(try_load(container(header + padding, data)), RNN_OK) << rnn_last_error();
  }
}

}  // namespace
