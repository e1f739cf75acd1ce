#include "domainfusion/data/procedural/drawing/shape.h"

#include <gtest/gtest.h>

#include <cmath>

namespace domainfusion {
namespace {

TEST(Shape, DistanceToAnEllipseIsExactForCircles) {
  const Primitive circle = ellipse({1, 2}, 0.5, 0.5, 0.7);
  EXPECT_NEAR(signed_distance(circle, {1, 2}), -0.5, 1e-12);
  EXPECT_NEAR(signed_distance(circle, {3, 2}), 1.5, 1e-12);
}

TEST(Shape, DistanceToABoxIsExactAtSidesAndRoundedCorners) {
  const Primitive rounded = box({0, 0}, 1, 0.5, 0.2);
  EXPECT_NEAR(signed_distance(rounded, {1.5, 0}), 0.5, 1e-12);
  EXPECT_NEAR(signed_distance(rounded, {0, 0}), -0.5, 1e-12);
  EXPECT_NEAR(signed_distance(rounded, {1.8, 1.3}), std::sqrt(2.0) - 0.2, 1e-12);
}

TEST(Shape, APolygonIsNegativeInsideAndPositiveOutside) {
  const Primitive triangle = polygon({{0, 0}, {2, 0}, {0, 2}});
  EXPECT_NEAR(signed_distance(triangle, {0.5, 0.5}), -0.5, 1e-12);
  EXPECT_NEAR(signed_distance(triangle, {-1, 1}), 1, 1e-12);
}

TEST(Shape, AStrokePassesThroughBothEndsAndHasItsThickness) {
  const Primitive arc = stroke({-1, 0}, {0, 1}, {1, 0}, 0.1);
  EXPECT_NEAR(signed_distance(arc, {-1, 0}), -0.1, 1e-12);
  EXPECT_NEAR(signed_distance(arc, {0, 0.5}), -0.1, 1e-12);
  EXPECT_NEAR(signed_distance(arc, {2, 0}), 0.9, 1e-12);
}

TEST(Shape, ACutTakesAwayFromThePart) {
  Part part;
  part.primitives = {ellipse({0, 0}, 1, 1), cut(ellipse({1, 0}, 0.5, 0.5))};
  EXPECT_LT(signed_distance(part, {-0.5, 0}), 0);
  EXPECT_GT(signed_distance(part, {0.8, 0}), 0);
}

TEST(Shape, BlendedPrimitivesMeltIntoOneAnother) {
  Part part;
  part.primitives = {ellipse({-1, 0}, 0.9, 0.9), ellipse({1, 0}, 0.9, 0.9)};
  EXPECT_GT(signed_distance(part, {0, 0}), 0);
  part.blend = 0.5;
  EXPECT_LT(signed_distance(part, {0, 0}), 0);
}

TEST(Shape, NothingInsideLiesOutsideTheBounds) {
  Part part;
  part.primitives = {ellipse({0.2, 0.1}, 0.5, 0.2, 0.5), stroke({-1, 0}, {0, 0.6}, {0.4, -0.9}, 0.05)};
  const Bounds bounds = bounds_of(part);
  for (double x = -2; x <= 2; x += 0.05) {
    for (double y = -2; y <= 2; y += 0.05) {
      if (signed_distance(part, {x, y}) > 0) continue;
      EXPECT_TRUE(x >= bounds.low.x && x <= bounds.high.x && y >= bounds.low.y && y <= bounds.high.y) << x << " " << y;
    }
  }
}

}  // namespace
}  // namespace domainfusion
