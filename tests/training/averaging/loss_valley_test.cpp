#include "domainfusion/training/averaging/loss_valley.h"

#include <gtest/gtest.h>

namespace domainfusion {
namespace {

struct Course {
  std::vector<std::int64_t> folded;
  std::int64_t died_at = -1;
  LossValley valley{{}};
};

Course course_of(const std::vector<double>& losses) {
  Course course;
  const auto append = [&](const std::vector<std::int64_t>& more) {
    course.folded.insert(course.folded.end(), more.begin(), more.end());
  };
  for (const double loss : losses) {
    append(course.valley.close_segment(loss));
    if (course.valley.dead() && course.died_at < 0) course.died_at = course.valley.segments() - 1;
  }
  append(course.valley.remaining());
  return course;
}

using Segments = std::vector<std::int64_t>;

}  // namespace

TEST(LossValley, StartsAtConvergenceAndEndsWhenAllOfTheQueueIsAboveTheThreshold) {
  const Course a = course_of({1.0, .8, .6, .5, .45, .42, .43, .44, .46, .5, .55, .6, .7, .8, .9, 1.0, 1.1});
  EXPECT_EQ(a.valley.converged(), 5);
  EXPECT_NEAR(a.valley.threshold(), .559, 1e-12);
  EXPECT_EQ(a.folded, (Segments{4, 5, 5, 6, 7, 8, 9, 10}));
  EXPECT_EQ(a.died_at, 16);
}

TEST(LossValley, AtTheEndOfTrainingTheRestOfTheQueueIsFolded) {
  const Course b = course_of({1.0, .6, .5, .45, .44, .46, .47, .48, .5, .5, .5, .5});
  EXPECT_EQ(b.valley.converged(), 4);
  EXPECT_NEAR(b.valley.threshold(), .59366667, 1e-8);
  EXPECT_EQ(b.folded, (Segments{3, 4, 4, 5, 6, 7, 8, 9, 10, 11}));
  EXPECT_EQ(b.died_at, -1);
}

TEST(LossValley, FoldsTheFirstSegmentUntilTheQueueIsFull) {
  const Course c = course_of({.5, .6, .7, .6, .55, .5, .52, .53});
  EXPECT_EQ(c.valley.converged(), 0);
  EXPECT_NEAR(c.valley.threshold(), .78, 1e-12);
  EXPECT_EQ(c.folded, (Segments{1, 2, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7}));
  EXPECT_EQ(c.died_at, -1);
}

TEST(LossValley, SurvivesASingleLowLossAmongHighOnes) {
  const Course d =
      course_of({1.2, .9, .7, .75, .66, .6, .62, .58, .6, .61, .9, .95, .6, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6});
  EXPECT_EQ(d.valley.converged(), 7);
  EXPECT_NEAR(d.valley.threshold(), .77566667, 1e-8);
  EXPECT_EQ(d.folded, (Segments{5, 6, 7, 7, 8, 9, 10, 11, 12}));
  EXPECT_EQ(d.died_at, 18);
}

TEST(LossValley, FoldsNothingWithoutConvergence) {
  const Course falling = course_of({1, .9, .8, .7, .6, .5, .4});
  EXPECT_FALSE(falling.valley.converged());
  EXPECT_TRUE(falling.folded.empty());
}

TEST(LossValley, NeverAsksForSegmentsItGaveUp) {
  LossValley valley({});
  const std::vector<double> losses{1.0, .8, .6, .5, .45, .42, .43, .44, .46, .5, .41, .4, .43, .42};
  for (const double loss : losses) {
    const std::int64_t oldest = valley.oldest_needed();
    for (const std::int64_t segment : valley.close_segment(loss)) EXPECT_GE(segment, oldest);
    for (const std::int64_t segment : valley.remaining()) EXPECT_GE(segment, valley.oldest_needed());
  }
}

}  // namespace domainfusion
