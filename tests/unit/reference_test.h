// What the tests of the reference have in common.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>

#include "tests/reference/reference.h"

namespace rnn::reference {

inline void expect_near(const Vector& values, const Vector& expected) {
  ASSERT_EQ(values.size(), expected.size());
  for (std::size_t i = 0; i < values.size(); ++i)
    EXPECT_NEAR(values[i], expected[i], 1e-15) << "element " << i;
}

inline Layer cell(std::int32_t kind, std::size_t size, std::uint32_t flags = 0) {
  Layer layer;
  layer.kind = kind;
  layer.size = size;
  layer.flags = flags;
  return layer;
}

inline Layer dense(std::size_t size, const Activation& activation = {}) {
  Layer layer;
  layer.kind = RNN_LAYER_DENSE;
  layer.size = size;
  layer.activation = activation;
  return layer;
}

}  // namespace rnn::reference
