#include "domainfusion/report/canvas.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "domainfusion/core/error.h"
#include "domainfusion/report/pixel_font.h"

namespace domainfusion {
namespace {

void blend(Image& image, int x, int y, Rgb colour, double share) {
  if (x < 0 || y < 0 || x >= image.width || y >= image.height || share <= 0) return;
  std::uint8_t* pixel = &image.rgb[3 * (std::size_t(y) * image.width + x)];
  const std::uint8_t parts[] = {colour.r, colour.g, colour.b};
  for (int c = 0; c < 3; ++c)
    pixel[c] = static_cast<std::uint8_t>(std::lround(pixel[c] + (parts[c] - pixel[c]) * share));
}

// Calls lit(column, row) for every dot of the text at scale 1.
template <class Lit>
void for_each_dot(std::string_view text, Lit lit) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto& rows = glyph(text[i]);
    for (int row = 0; row < kGlyphHeightPx; ++row) {
      for (int column = 0; column < kGlyphWidthPx; ++column) {
        if (rows[row] >> (kGlyphWidthPx - 1 - column) & 1) lit(static_cast<int>(i) * kGlyphAdvancePx + column, row);
      }
    }
  }
}

}  // namespace

Image blank_image(int width_px, int height_px, Rgb fill) {
  check<ShapeError>(width_px > 0 && height_px > 0 && std::int64_t(width_px) * height_px <= kMaxImagePixels,
                    "picture of {}x{} px: expected positive sides and at most {} pixels; show fewer or smaller images",
                    width_px, height_px, kMaxImagePixels);
  Image image{height_px, width_px, std::vector<std::uint8_t>(3 * std::size_t(width_px) * height_px)};
  fill_rectangle(image, 0, 0, width_px, height_px, fill);
  return image;
}

void fill_rectangle(Image& image, int x, int y, int width, int height, Rgb colour) {
  for (int v = std::max(y, 0); v < std::min(y + height, image.height); ++v) {
    for (int u = std::max(x, 0); u < std::min(x + width, image.width); ++u) blend(image, u, v, colour, 1);
  }
}

void paste(Image& image, const Image& source, int x, int y, int scale) {
  check<ShapeError>(scale >= 1, "paste: scale {}; expected 1 or more", scale);
  for (int v = 0; v < source.height * scale; ++v) {
    for (int u = 0; u < source.width * scale; ++u) {
      const std::uint8_t* pixel = &source.rgb[3 * (std::size_t(v / scale) * source.width + u / scale)];
      blend(image, x + u, y + v, {pixel[0], pixel[1], pixel[2]}, 1);
    }
  }
}

void draw_line(Image& image, double x0, double y0, double x1, double y1, double width_px, Rgb colour) {
  const double half = width_px / 2, dx = x1 - x0, dy = y1 - y0, squared = dx * dx + dy * dy;
  const int top = std::max(0, static_cast<int>(std::floor(std::min(y0, y1) - half - 1)));
  const int bottom = std::min<int>(image.height - 1, static_cast<int>(std::ceil(std::max(y0, y1) + half + 1)));
  const int left = std::max(0, static_cast<int>(std::floor(std::min(x0, x1) - half - 1)));
  const int right = std::min<int>(image.width - 1, static_cast<int>(std::ceil(std::max(x0, x1) + half + 1)));
  for (int y = top; y <= bottom; ++y) {
    for (int x = left; x <= right; ++x) {
      const double t = squared > 0 ? std::clamp(((x - x0) * dx + (y - y0) * dy) / squared, 0.0, 1.0) : 0;
      const double away = std::hypot(x - x0 - t * dx, y - y0 - t * dy);
      blend(image, x, y, colour, std::clamp(half + 0.5 - away, 0.0, 1.0));
    }
  }
}

void draw_disc(Image& image, double x, double y, double radius_px, Rgb colour) {
  draw_line(image, x, y, x, y, 2 * radius_px, colour);
}

int text_width_px(std::string_view text, int scale) {
  return text.empty() ? 0
                      : scale * (static_cast<int>(text.size()) * kGlyphAdvancePx - (kGlyphAdvancePx - kGlyphWidthPx));
}

void draw_text(Image& image, std::string_view text, int x, int y, Rgb colour, int scale) {
  for_each_dot(text, [&](int column, int row) {
    fill_rectangle(image, x + column * scale, y + row * scale, scale, scale, colour);
  });
}

void draw_text_upwards(Image& image, std::string_view text, int x, int y, Rgb colour, int scale) {
  const int length = text_width_px(text, scale);
  for_each_dot(text, [&](int column, int row) {
    fill_rectangle(image, x + row * scale, y + length - (column + 1) * scale, scale, scale, colour);
  });
}

}  // namespace domainfusion
