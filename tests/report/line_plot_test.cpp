#include "domainfusion/report/line_plot.h"

#include <gtest/gtest.h>

#include <limits>

#include "domainfusion/core/error.h"
#include "report/picture_asserts.h"

namespace domainfusion {
namespace {

constexpr Rgb kFirstColour{0, 114, 178};

LinePlot rising() {
  LinePlot plot;
  plot.series = {{"g", {0, 0.5, 1}, {-1, 0, 1}, {}}};
  return plot;
}

TEST(LinePlot, TicksAreRoundAndCoverTheRange) {
  EXPECT_EQ(axis_ticks(0, 1, 6), (std::vector<double>{0, 0.2, 0.4, 2 * 0.2 + 0.2, 0.8, 1}));
  const std::vector<double> ticks = axis_ticks(-3.2, 17, 5);
  EXPECT_LE(ticks.front(), -3.2);
  EXPECT_GE(ticks.back(), 17);
}

TEST(LinePlot, TicksOfTinyHugeAndFlatRangesAreFewAndIncrease) {
  const double huge = std::numeric_limits<double>::max() / 20;
  for (const auto& [low, high] : std::vector<std::pair<double, double>>{
           {0, 0}, {5, 5}, {1e-12, 1e-12}, {1, 1 + 1e-15}, {-1e-7, 3e-7}, {-huge, huge}, {1e300, 1.1e300}}) {
    const std::vector<double> ticks = axis_ticks(low, high, 6);
    ASSERT_GE(ticks.size(), 2u) << low;
    EXPECT_LE(ticks.size(), 16u) << low;
    for (std::size_t i = 1; i < ticks.size(); ++i) EXPECT_LT(ticks[i - 1], ticks[i]);
  }
  EXPECT_THROW(axis_ticks(1, 0, 5), ConfigError);
  EXPECT_THROW(axis_ticks(0, std::numeric_limits<double>::infinity(), 5), ConfigError);
}

TEST(LinePlot, DrawsItsLineFromLowerLeftToUpperRight) {
  const Image image = render_line_plot(rising());
  EXPECT_EQ(image.width, 640);
  EXPECT_EQ(image.height, 400);
  int low_left = 0, high_left = 0;
  for (int y = 60; y < 360; ++y) {
    for (int x = 40; x < 300; ++x) (y > 200 ? low_left : high_left) += has_colour(image, x, y, kFirstColour);
  }
  EXPECT_GT(low_left, 200);
  EXPECT_EQ(high_left, 0);
}

TEST(LinePlot, ErrorBarsWidenTheAxisAndAddInk) {
  LinePlot plot = rising();
  const int without = count_colour(render_line_plot(plot), kFirstColour);
  plot.series[0].x = {0, 1};
  plot.series[0].y = {0, 0};
  const int flat = count_colour(render_line_plot(plot), kFirstColour);
  plot.series[0].error = {1, 1};
  EXPECT_GT(count_colour(render_line_plot(plot), kFirstColour), flat);
  EXPECT_GT(without, 0);
}

TEST(LinePlot, PointsThatAreNotFiniteLeaveAGap) {
  LinePlot plot = rising();
  const int whole = count_colour(render_line_plot(plot), kFirstColour);
  plot.series[0].y[1] = std::numeric_limits<double>::quiet_NaN();
  const int broken = count_colour(render_line_plot(plot), kFirstColour);
  EXPECT_LT(broken, whole / 4);
  EXPECT_GT(broken, 0);
}

TEST(LinePlot, RefusesWhatItCannotDraw) {
  EXPECT_THROW(render_line_plot({}), ShapeError);
  LinePlot plot = rising();
  plot.series[0].error = {1};
  EXPECT_THROW(render_line_plot(plot), ShapeError);
  plot = rising();
  plot.width_px = 20;
  EXPECT_THROW(render_line_plot(plot), ShapeError);
  plot = rising();
  plot.series[0].y.assign(3, std::numeric_limits<double>::quiet_NaN());
  EXPECT_THROW(render_line_plot(plot), ShapeError);
}

}  // namespace
}  // namespace domainfusion
