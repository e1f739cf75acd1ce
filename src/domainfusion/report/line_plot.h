#pragma once
// A plot of lines with axes, ticks, a legend and error bars, as a picture.

#include <filesystem>
#include <string>
#include <vector>

#include "domainfusion/io/images/image.h"

namespace domainfusion {

struct PlotSeries {
  std::string name;           // in the legend; empty: not listed
  std::vector<double> x, y;   // of equal length; points that are not finite leave a gap
  std::vector<double> error;  // empty, or one half-length of an error bar per point (a standard error, say)
};

struct LinePlot {
  std::string title, x_label, y_label;
  std::vector<PlotSeries> series;  // each in its own colour, in order
  bool zero_line = false;          // include y = 0 and draw a line there
  int width_px = 640, height_px = 400;
};

// Axes span the finite points and their error bars, widened to round ticks. Throws ShapeError if a series' x, y and
// error disagree in length, if no point is finite, or if the picture is smaller than 160 x 120 px.
Image render_line_plot(const LinePlot& plot);

// render_line_plot into a PNG. IoError that names the path.
void write_line_plot(const std::filesystem::path& path, const LinePlot& plot);

// The round numbers (1, 2 or 5 times a power of ten apart, about `count` of them) that cover low … high, in order; the
// first is at most `low`, the last at least `high`. A range without width is widened. ConfigError unless low <= high
// are finite and count >= 2.
std::vector<double> axis_ticks(double low, double high, int count);

}  // namespace domainfusion
