#include "domainfusion/report/line_plot.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

#include "domainfusion/core/error.h"
#include "domainfusion/report/canvas.h"
#include "domainfusion/report/pixel_font.h"

namespace domainfusion {
namespace {

// Distinct for the colour-blind as well (after Okabe and Ito).
constexpr Rgb kLineColours[] = {{0, 114, 178},   {213, 94, 0},  {0, 158, 115},
                                {204, 121, 167}, {230, 159, 0}, {86, 180, 233}};

Rgb colour_of(std::size_t series) { return kLineColours[series % std::size(kLineColours)]; }

bool drawable(const PlotSeries& s, std::size_t i) { return std::isfinite(s.x[i]) && std::isfinite(s.y[i]); }

double error_at(const PlotSeries& s, std::size_t i) {
  return s.error.empty() || !std::isfinite(s.error[i]) ? 0 : std::abs(s.error[i]);
}

struct Range {
  double low = std::numeric_limits<double>::infinity(), high = -std::numeric_limits<double>::infinity();
  void include(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
};

struct Axis {
  std::vector<double> ticks;
  double from_px = 0, to_px = 0;
  double pixel(double value) const {
    return from_px + (value - ticks.front()) / (ticks.back() - ticks.front()) * (to_px - from_px);
  }
};

std::string tick_text(double value, double step) {
  return fmt::format("{:.4g}", std::abs(value) < step * 1e-6 ? 0.0 : value);
}

void check_plot(const LinePlot& plot) {
  check<ShapeError>(plot.width_px >= 160 && plot.height_px >= 120, "plot '{}': {}x{} px; expected at least 160x120",
                    plot.title, plot.width_px, plot.height_px);
  for (const PlotSeries& s : plot.series) {
    check<ShapeError>(s.x.size() == s.y.size() && (s.error.empty() || s.error.size() == s.x.size()),
                      "plot '{}', series '{}': {} x values, {} y values, {} error bars; expected as many of each",
                      plot.title, s.name, s.x.size(), s.y.size(), s.error.size());
  }
}

void measure(const LinePlot& plot, Range& x, Range& y) {
  for (const PlotSeries& s : plot.series) {
    for (std::size_t i = 0; i < s.x.size(); ++i) {
      if (!drawable(s, i)) continue;
      x.include(s.x[i]);
      y.include(s.y[i] - error_at(s, i));
      y.include(s.y[i] + error_at(s, i));
    }
  }
  check<ShapeError>(x.low <= x.high, "plot '{}': no finite point in its {} series; nothing can be drawn", plot.title,
                    plot.series.size());
  if (plot.zero_line) y.include(0);
}

int widest_label(const std::vector<double>& ticks) {
  int width = 0;
  for (const double tick : ticks) width = std::max(width, text_width_px(tick_text(tick, ticks[1] - ticks[0])));
  return width;
}

void draw_grid(Image& image, const Axis& x, const Axis& y) {
  for (const double tick : x.ticks) {
    const double at = x.pixel(tick);
    const std::string text = tick_text(tick, x.ticks[1] - x.ticks[0]);
    draw_line(image, at, y.from_px, at, y.to_px, 1, kPaleGrey);
    draw_text(image, text, static_cast<int>(at) - text_width_px(text) / 2, static_cast<int>(y.from_px) + 6);
  }
  for (const double tick : y.ticks) {
    const double at = y.pixel(tick);
    const std::string text = tick_text(tick, y.ticks[1] - y.ticks[0]);
    draw_line(image, x.from_px, at, x.to_px, at, 1, kPaleGrey);
    draw_text(image, text, static_cast<int>(x.from_px) - text_width_px(text) - 5, static_cast<int>(at) - 3);
  }
  draw_line(image, x.from_px, y.from_px, x.to_px, y.from_px, 1, kBlack);
  draw_line(image, x.from_px, y.from_px, x.from_px, y.to_px, 1, kBlack);
}

void draw_error_bar(Image& image, double x, double low, double high, Rgb colour) {
  draw_line(image, x, low, x, high, 1, colour);
  draw_line(image, x - 3, low, x + 3, low, 1, colour);
  draw_line(image, x - 3, high, x + 3, high, 1, colour);
}

void draw_series(Image& image, const PlotSeries& s, const Axis& x, const Axis& y, Rgb colour) {
  for (std::size_t i = 0; i < s.x.size(); ++i) {
    if (!drawable(s, i)) continue;
    const double px = x.pixel(s.x[i]), py = y.pixel(s.y[i]), error = error_at(s, i);
    if (i > 0 && drawable(s, i - 1)) draw_line(image, x.pixel(s.x[i - 1]), y.pixel(s.y[i - 1]), px, py, 2, colour);
    if (error > 0) draw_error_bar(image, px, y.pixel(s.y[i] - error), y.pixel(s.y[i] + error), colour);
    draw_disc(image, px, py, 2.5, colour);
  }
}

void draw_legend(Image& image, const LinePlot& plot, int right, int top) {
  int width = 0, line = top + 4;
  for (const PlotSeries& s : plot.series) width = std::max(width, text_width_px(s.name));
  for (std::size_t i = 0; i < plot.series.size(); ++i) {
    if (plot.series[i].name.empty()) continue;
    const int x = right - width - 26;
    fill_rectangle(image, x - 3, line - 3, width + 28, kGlyphHeightPx + 5, kWhite);
    draw_line(image, x, line + 3, x + 14, line + 3, 2, colour_of(i));
    draw_text(image, plot.series[i].name, x + 19, line);
    line += kGlyphHeightPx + 5;
  }
}

void draw_titles(Image& image, const LinePlot& plot, const Axis& x, const Axis& y) {
  const int middle = static_cast<int>((x.from_px + x.to_px) / 2), centre = static_cast<int>((y.from_px + y.to_px) / 2);
  draw_text(image, plot.title, std::max(4, middle - text_width_px(plot.title, 2) / 2), 8, kBlack, 2);
  draw_text(image, plot.x_label, middle - text_width_px(plot.x_label) / 2, plot.height_px - 13);
  draw_text_upwards(image, plot.y_label, 6, centre - text_width_px(plot.y_label) / 2);
}

}  // namespace

std::vector<double> axis_ticks(double low, double high, int count) {
  check<ConfigError>(std::isfinite(low) && std::isfinite(high) && low <= high && count >= 2,
                     "axis from {} to {} with {} ticks: expected a finite range and at least 2 ticks", low, high,
                     count);
  const double least =
      std::max(std::max(std::abs(low), std::abs(high)) * 1e-9, std::numeric_limits<double>::min() * 1e6);
  if (high - low < least) {
    const double widen = std::max(std::abs(high) * 0.1, 1e-3);
    low -= widen;
    high += widen;
  }
  // Halved first, so that a range as wide as the numbers themselves stays finite.
  const double rough = (high / 2 - low / 2) / (count - 1) * 2, power = std::pow(10.0, std::floor(std::log10(rough)));
  double step = power * 10;
  for (const double factor : {5.0, 2.0, 1.0}) {
    if (power * factor >= rough * 0.9) step = power * factor;
  }
  std::vector<double> ticks;
  const double first = std::floor(low / step + 1e-9), last = std::ceil(high / step - 1e-9);
  for (double k = first; k <= last; ++k) ticks.push_back(k * step);
  return ticks;
}

Image render_line_plot(const LinePlot& plot) {
  check_plot(plot);
  Range x_range, y_range;
  measure(plot, x_range, y_range);
  Axis x{axis_ticks(x_range.low, x_range.high, plot.width_px / 80), 0, plot.width_px - 18.0};
  Axis y{axis_ticks(y_range.low, y_range.high, std::max(plot.height_px / 60, 2)), plot.height_px - 36.0,
         plot.title.empty() ? 12.0 : 34.0};
  x.from_px = widest_label(y.ticks) + (plot.y_label.empty() ? 12 : 24);
  Image image = blank_image(plot.width_px, plot.height_px);
  draw_grid(image, x, y);
  if (plot.zero_line) draw_line(image, x.from_px, y.pixel(0), x.to_px, y.pixel(0), 1.4, kGrey);
  for (std::size_t i = 0; i < plot.series.size(); ++i) draw_series(image, plot.series[i], x, y, colour_of(i));
  draw_legend(image, plot, static_cast<int>(x.to_px), static_cast<int>(y.to_px));
  draw_titles(image, plot, x, y);
  return image;
}

void write_line_plot(const std::filesystem::path& path, const LinePlot& plot) {
  write_png(path, render_line_plot(plot));
}

}  // namespace domainfusion
