#include "lib/formats/decimal.h"

#include <gtest/gtest.h>

#include <clocale>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <random>
#include <string>

namespace rnn::formats {
namespace {

template <class T>
std::optional<T> decimal(std::string_view text) {
  T value = -1;
  if (read_decimal(text, value)) return value;
  EXPECT_EQ(value, -1) << text;
  return std::nullopt;
}

TEST(Decimal, IsTheNearestNumber) {
  EXPECT_EQ(decimal<double>("0.1"), 0.1);
  EXPECT_EQ(decimal<double>("-12.5e-1"), -1.25);
  EXPECT_EQ(decimal<double>("1.e2"), 100);
  EXPECT_EQ(decimal<double>(".5E+1"), 5);
  EXPECT_EQ(decimal<double>("9007199254740993"), 9007199254740992);  // half, to even
  EXPECT_EQ(decimal<double>("9007199254740993.0000000000000000000000001"), 9007199254740994);
  EXPECT_EQ(decimal<double>("4.9e-324"), std::numeric_limits<double>::denorm_min());
  EXPECT_EQ(decimal<double>("1.7976931348623157e308"), std::numeric_limits<double>::max());
  EXPECT_EQ(decimal<double>("0e99999999999999999999"), 0);
  EXPECT_EQ(decimal<double>(std::string(400, '0') + "7"), 7);
  EXPECT_EQ(decimal<double>("1" + std::string(400, '0') + "e-400"), 1);
  // Above half between two floats, by less than a double can tell: rounded twice, it would be even.
  EXPECT_EQ(decimal<float>("1.00000017881393432617187499"), 1.00000011920928955078125f);
  EXPECT_EQ(decimal<float>("1.00000005960464477539062500001"), 1.00000011920928955078125f);
  EXPECT_EQ(decimal<float>("16777217"), 16777216.0f);
  EXPECT_TRUE(std::signbit(*decimal<float>("-0")));
}

TEST(Decimal, RefusesWhatIsNoNumberInRange) {
  for (const char* text : {"",      "-",     ".",   "e1",    "+1",  " 1",   "1 ", "1e",    "1e+", "1e+-1",
                           "1e-+1", "1e++1", "--1", "1.2.3", "1,5", "0x10", "1f", "1e1.5", "inf", "nan"})
    EXPECT_EQ(decimal<double>(text), std::nullopt) << text;
  for (const char* text : {"1e309", "-1e309", "1e-400", "1e99999999999999999999", "1e-99999999999999999999"})
    EXPECT_EQ(decimal<double>(text), std::nullopt) << text;
  EXPECT_EQ(decimal<float>("3.5e38"), std::nullopt);
  EXPECT_EQ(decimal<float>("1e-46"), std::nullopt);
  EXPECT_EQ(decimal<double>(std::string_view("1\0", 2)), std::nullopt);
}

TEST(Decimal, IsThatOfAnotherLocale) {
  const std::string before = std::setlocale(LC_ALL, nullptr);
  if (std::setlocale(LC_ALL, "de_DE.UTF-8") == nullptr) GTEST_SKIP() << "no locale with a decimal comma here";
  EXPECT_EQ(decimal<double>("0.5"), 0.5);
  EXPECT_EQ(decimal<float>("1.25e1"), 12.5f);
  std::setlocale(LC_ALL, before.c_str());
}

// What is written is read back, by this library's std::from_chars or by read_decimal.
template <class T, class Bits>
void expect_all_read_back() {
  std::mt19937_64 random(1);
  for (int i = 0; i < 20000; ++i) {
    const auto bits = static_cast<Bits>(random());
    T value;
    std::memcpy(&value, &bits, sizeof value);
    if (!(value - value == 0)) continue;  // infinity, NaN
    char text[32];
    const std::string_view written(
        text, static_cast<std::size_t>(std::to_chars(text, text + sizeof text, value).ptr - text));
    T other = 0;
    ASSERT_TRUE(read_number(written, other)) << written;
    ASSERT_EQ(std::memcmp(&other, &value, sizeof value), 0) << written;
    ASSERT_TRUE(read_decimal(written, other)) << written;
    ASSERT_EQ(std::memcmp(&other, &value, sizeof value), 0) << written;
  }
}

TEST(Decimal, ReadsBackWhatIsWritten) {
  expect_all_read_back<float, std::uint32_t>();
  expect_all_read_back<double, std::uint64_t>();
}

}  // namespace
}  // namespace rnn::formats
