#pragma once
// Drawing on an Image: rectangles, lines, pictures, text in the built-in font. Everything outside the picture is cut
// off.

#include <cstdint>
#include <string_view>

#include "domainfusion/io/images/image.h"

namespace domainfusion {

struct Rgb {
  std::uint8_t r = 0, g = 0, b = 0;
};
inline constexpr Rgb kBlack{0, 0, 0}, kWhite{255, 255, 255}, kGrey{128, 128, 128}, kPaleGrey{225, 225, 225};

Image blank_image(int width_px, int height_px, Rgb fill = kWhite);

void fill_rectangle(Image& image, int x, int y, int width, int height, Rgb colour);
// Copies `source`, each pixel `scale` x `scale` (>= 1), with its upper left corner at (x, y).
void paste(Image& image, const Image& source, int x, int y, int scale = 1);
// A line of the given width with soft edges; coordinates are pixel centres.
void draw_line(Image& image, double x0, double y0, double x1, double y1, double width_px, Rgb colour);
void draw_disc(Image& image, double x, double y, double radius_px, Rgb colour);

// Width of a text at `scale`; its height is 9 * scale.
int text_width_px(std::string_view text, int scale = 1);
// Upper left corner at (x, y). Bytes that are not printable ASCII appear as '?'.
void draw_text(Image& image, std::string_view text, int x, int y, Rgb colour = kBlack, int scale = 1);
// Rotated to run from bottom to top; (x, y) is the upper left corner of the rotated text.
void draw_text_upwards(Image& image, std::string_view text, int x, int y, Rgb colour = kBlack, int scale = 1);

}  // namespace domainfusion
