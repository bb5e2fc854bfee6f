#include "lib/network/plan.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <set>
#include <vector>

namespace rnn {
namespace {

struct Data {
  std::vector<Slice> slices;
  std::vector<std::uint8_t> resets;
};

// Ragged slices one after the other, some frames with a reset.
Data random_data(std::mt19937& random) {
  Data data;
  std::size_t frame = random() % 5;  // a plan need not begin at the first frame
  const std::size_t count = 1 + random() % 12;
  for (std::size_t s = 0; s < count; ++s) {
    const std::size_t length = 1 + random() % (random() % 3 == 0 ? 40 : 7);
    data.slices.push_back({frame, length});
    frame += length + random() % 3;
  }
  data.resets.resize(frame + 1);
  const unsigned often = 1 + random() % 10;
  for (std::uint8_t& reset : data.resets) reset = random() % often == 0 ? 1 : 0;
  return data;
}

// Every frame is in exactly one row; a segment begins where its slice does or a reset is, and nowhere else.
void check(const Plan& plan, const Data& data, bool with_resets) {
  const auto reset_at = [&](std::size_t frame) { return with_resets && data.resets[frame] != 0; };
  std::size_t frames = 0;
  for (const Slice& slice : data.slices) frames += slice.length;
  ASSERT_EQ(plan.rows(), frames);
  ASSERT_EQ(plan.steps(), plan.segment(0).length);

  std::vector<std::size_t> starts(data.slices.size()), ends(data.slices.size());
  std::set<std::size_t> seen;
  for (std::size_t b = 0; b < plan.segments(); ++b) {
    const Segment& segment = plan.segment(b);
    const Slice& slice = data.slices.at(segment.slice);
    ASSERT_GE(segment.length, 1u);
    ASSERT_GE(segment.first, slice.first);
    ASSERT_LE(segment.first + segment.length, slice.first + slice.length);
    if (b > 0) {
      ASSERT_LE(segment.length, plan.segment(b - 1).length) << "not the longest first";
    }
    const bool first = segment.first == slice.first;
    ASSERT_EQ(segment.starts_slice, first && !reset_at(segment.first));
    ASSERT_EQ(segment.opens_slice, first);
    ASSERT_TRUE(first || reset_at(segment.first));
    ASSERT_EQ(segment.ends_slice, segment.first + segment.length == slice.first + slice.length);
    ASSERT_TRUE(segment.ends_slice || reset_at(segment.first + segment.length));
    starts[segment.slice] += first;
    ends[segment.slice] += segment.ends_slice;
    for (std::size_t t = 0; t < segment.length; ++t) {
      ASSERT_EQ(plan.frame(t, b), segment.first + t);
      ASSERT_TRUE(t == 0 || !reset_at(segment.first + t));
      ASSERT_TRUE(seen.insert(segment.first + t).second) << "frame in two segments";
    }
  }
  ASSERT_EQ(seen.size(), frames);
  for (std::size_t s = 0; s < data.slices.size(); ++s) {
    ASSERT_EQ(starts[s], 1u);
    ASSERT_EQ(ends[s], 1u);
  }

  std::size_t row = 0;
  for (std::size_t t = 0; t < plan.steps(); ++t) {
    ASSERT_EQ(plan.offset(t), row);
    std::size_t reach = 0;
    for (std::size_t b = 0; b < plan.segments(); ++b) reach += plan.segment(b).length > t;
    ASSERT_EQ(plan.active(t), reach);
    for (std::size_t b = 0; b < reach; ++b) ASSERT_GT(plan.segment(b).length, t);
    row += reach;
  }
  ASSERT_EQ(plan.offset(plan.steps()), row);
}

TEST(Plan, RandomRaggedSequencesWithResets) {
  std::mt19937 random(1);
  Plan reused;
  for (int i = 0; i < 300; ++i) {
    SCOPED_TRACE(i);
    const Data data = random_data(random);
    for (const bool with_resets : {false, true}) {
      reused.build(Allocator(), data.slices.data(), data.slices.size(),
                   with_resets ? data.resets.data() : nullptr);
      check(reused, data, with_resets);
      if (HasFatalFailure()) return;
    }
  }
}

// Of the same lengths, only the frames are others.
TEST(Plan, SameLengthsAtOtherFrames) {
  const Slice slices[] = {{0, 2}, {2, 4}, {6, 2}}, others[] = {{9, 2}, {0, 4}, {4, 2}};
  const std::uint8_t resets[11] = {};
  Plan plan, expected;
  EXPECT_TRUE(plan.build(Allocator(), slices, 3, nullptr));
  EXPECT_FALSE(plan.build(Allocator(), others, 3, nullptr));
  EXPECT_TRUE(expected.build(Allocator(), others, 3, nullptr));
  ASSERT_EQ(plan.segments(), expected.segments());
  ASSERT_EQ(plan.steps(), expected.steps());
  for (std::size_t row = 0; row < expected.rows(); ++row) EXPECT_EQ(plan.frame(row), expected.frame(row));
  for (std::size_t b = 0; b < expected.segments(); ++b) {
    EXPECT_EQ(plan.segment(b).slice, expected.segment(b).slice);
    EXPECT_EQ(plan.segment(b).first, expected.segment(b).first);
    EXPECT_EQ(plan.segment(b).length, expected.segment(b).length);
  }
  EXPECT_TRUE(plan.build(Allocator(), others, 2, nullptr));
  EXPECT_TRUE(plan.build(Allocator(), others, 3, resets));
  EXPECT_TRUE(plan.build(Allocator(), others, 3, nullptr)) << "behind resets";
}

TEST(Plan, OneFrame) {
  const Slice slice{3, 1};
  const std::uint8_t resets[4] = {0, 0, 0, 1};
  Plan plan;
  plan.build(Allocator(), &slice, 1, nullptr);
  EXPECT_EQ(plan.segments(), 1u);
  EXPECT_EQ(plan.rows(), 1u);
  EXPECT_TRUE(plan.segment(0).starts_slice);
  plan.build(Allocator(), &slice, 1, resets);
  EXPECT_FALSE(plan.segment(0).starts_slice);
  EXPECT_TRUE(plan.segment(0).ends_slice);
}

// Equal lengths keep the order of the data: which row a sequence has decides nothing, but the order of
// summation over rows must not depend on a sorting algorithm.
TEST(Plan, EqualLengthsKeepTheirOrder) {
  const Slice slices[] = {{0, 4}, {4, 4}, {8, 4}, {12, 4}, {16, 4}};
  Plan plan;
  plan.build(Allocator(), slices, 5, nullptr);
  for (std::size_t b = 0; b < 5; ++b) EXPECT_EQ(plan.segment(b).slice, b);
}

}  // namespace
}  // namespace rnn
