#include "lib/network/text.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <string>

namespace rnn {
namespace {

std::string shown(std::string_view text, std::size_t capacity = 1024) {
  std::string out(capacity, '?');
  show(text, out.data(), capacity);
  return out.c_str();
}

TEST(Text, CharactersAreShownAsTheyAre) {
  for (const char* text :
       {"", "plain ~ \\ \" text", "\xc3\xbc\xe2\x82\xac\xf0\x9f\x8e\xb5", "\xe2\x80\xa7\xe2\x80\xaf",
        "\xe2\x81\xa5\xe2\x81\xaa", "\xd8\x9b\xd8\x9d", "\xc2\xa0", "\xef\xbb\xbe\xef\xbc\x80"})
    EXPECT_EQ(shown(text), text);
}

TEST(Text, ControlsAreEscaped) {
  EXPECT_EQ(shown({"\0\x1b[2J\n\r\t\x7f", 9}), "\\x00\\x1B[2J\\x0A\\x0D\\x09\\x7F");
  const struct {
    const char* text;
    const char* shown;
  } cases[] = {{"\xc2\x80", "\\u{80}"},       {"\xc2\x9b", "\\u{9B}"},       {"\xc2\x9f", "\\u{9F}"},
               {"\xd8\x9c", "\\u{61C}"},      {"\xe2\x80\x8e", "\\u{200E}"}, {"\xe2\x80\x8f", "\\u{200F}"},
               {"\xe2\x80\xa8", "\\u{2028}"}, {"\xe2\x80\xa9", "\\u{2029}"}, {"\xe2\x80\xaa", "\\u{202A}"},
               {"\xe2\x80\xab", "\\u{202B}"}, {"\xe2\x80\xac", "\\u{202C}"}, {"\xe2\x80\xad", "\\u{202D}"},
               {"\xe2\x80\xae", "\\u{202E}"}, {"\xe2\x81\xa6", "\\u{2066}"}, {"\xe2\x81\xa7", "\\u{2067}"},
               {"\xe2\x81\xa8", "\\u{2068}"}, {"\xe2\x81\xa9", "\\u{2069}"}, {"\xef\xbb\xbf", "\\u{FEFF}"}};
  for (const auto& c : cases)
    EXPECT_EQ(shown(std::string("a") + c.text + "b"), std::string("a") + c.shown + "b");
}

TEST(Text, BytesThatAreNotUtf8AreEscaped) {
  EXPECT_EQ(shown("a\xff\xc0\x80z"), "a\\xFF\\xC0\\x80z");
  EXPECT_EQ(shown("\xe2\x82"), "\\xE2\\x82") << "cut";
  EXPECT_EQ(shown("\xed\xa0\x80"), "\\xED\\xA0\\x80") << "a surrogate";
  EXPECT_EQ(shown("\xf4\x90\x80\x80"), "\\xF4\\x90\\x80\\x80") << "beyond Unicode";
  EXPECT_EQ(shown("\xe0\x9f\xbf"), "\\xE0\\x9F\\xBF") << "longer than need be";
}

TEST(Text, WhatWasEscapedStays) {
  EXPECT_EQ(shown(shown("\x1b\xff\xe2\x80\xae")), shown("\x1b\xff\xe2\x80\xae"));
}

TEST(Text, TheMiddleOfLongTextIsLeftOut) {
  EXPECT_EQ(shown(std::string(63, 'a'), 64), std::string(63, 'a'));
  EXPECT_EQ(shown(std::string(60, 'a') + "1234", 64),
            std::string(39, 'a') + "..." + std::string(17, 'a') + "1234");
  std::string text;
  for (int i = 0; i < 100; ++i) text += "\xc3\xbc";
  const std::string cut = shown(text + ": no such file", 64);
  EXPECT_LE(cut.size(), 63u);
  EXPECT_EQ(cut.find("\\x"), std::string::npos) << cut;
  EXPECT_NE(cut.find("...\xc3\xbc"), std::string::npos) << cut;
  EXPECT_EQ(cut.substr(cut.size() - 14), ": no such file");
}

TEST(Text, AnyBytesBecomeUtf8) {
  std::mt19937 random(1);
  for (int i = 0; i < 10000; ++i) {
    std::string text(random() % 200, '\0');
    const unsigned first = random() % 2 == 0 ? 0 : 0x80;
    for (char& c : text) c = static_cast<char>(first + random() % (256 - first));
    const std::string out = shown(text, 64 + random() % 200);
    for (std::size_t at = 0; at < out.size();) {
      const std::size_t length = utf8_sequence(std::string_view(out).substr(at));
      ASSERT_NE(length, 0u) << out;
      at += length;
    }
  }
}

TEST(Text, Quotes) {
  EXPECT_EQ(quote(""), "\"\"");
  EXPECT_EQ(quote("w\xc3\xa9ights\x1b"), "\"w\xc3\xa9ights\\x1B\"");
  EXPECT_EQ(quote(std::string(60, 'a')), "\"" + std::string(60, 'a') + "\"");
  EXPECT_EQ(quote(std::string(61, 'a')), "\"" + std::string(60, 'a') + "...\"");
  EXPECT_EQ(quote(std::string(59, 'a') + "\xc3\xbc"), "\"" + std::string(59, 'a') + "...\"");
}

TEST(Text, NumbersDifferFromOthers) {
  EXPECT_EQ(number(0.1f), "0.1");
  EXPECT_EQ(number(1), "1");
  EXPECT_EQ(number(std::nextafter(1.0f, 2.0f)), "1.00000012");
  EXPECT_EQ(number(std::nextafter(1.0f, 0.0f)), "0.99999994");
  EXPECT_EQ(number(std::nextafter(1e-30f, 0.0f)), "9.99999909e-31");
  EXPECT_EQ(number(-1e-45f), "-1.4013e-45");
  EXPECT_EQ(number(std::numeric_limits<float>::infinity()), "inf");
  EXPECT_EQ(number(std::numeric_limits<float>::quiet_NaN()), "nan");
}

}  // namespace
}  // namespace rnn
