// What a build without ONNX says of its files.
#include "tests/formats/formats_test.h"

namespace {

TEST(NoOnnx, Load) {
  EXPECT_EQ(try_load(std::string("\x08\x07\x12\x06librnn\x3a\x00", 12)), RNN_UNSUPPORTED);
  EXPECT_MESSAGE("the file is ONNX; this library was built without ONNX; configure with -Donnx=enabled");
}

TEST(NoOnnx, Save) {
  save_as(create().get(), RNN_FORMAT_ONNX, {}, RNN_UNSUPPORTED);
  EXPECT_MESSAGE("the format is ONNX; this library was built without ONNX; configure with -Donnx=enabled");
}

}  // namespace
