#include "domainfusion/data/transforms/planes.h"

#include "domainfusion/data/transforms/pixel_loops/pixel_loops.h"

namespace domainfusion {

Planes planes_of(const Image& image, bool flip) {
  Planes planes;
  split_into(image, flip, planes);
  return planes;
}

void split_into(const Image& image, bool flip, Planes& planes) {
  planes.height = image.height;
  planes.width = image.width;
  planes.bytes.resize(image.rgb.size());
  const auto width = static_cast<std::size_t>(image.width);
  for (std::size_t y = 0; y < static_cast<std::size_t>(image.height); ++y) {
    pixel_loops().split_row(image.rgb.data() + 3 * y * width, planes.channel(0) + y * width, planes.pixels(), width,
                            flip);
  }
}

Image image_of(const Planes& planes) {
  Image image{planes.height, planes.width, std::vector<std::uint8_t>(planes.bytes.size())};
  const std::uint8_t *r = planes.channel(0), *g = planes.channel(1), *b = planes.channel(2);
  for (std::size_t i = 0; i < planes.pixels(); ++i) {
    image.rgb[3 * i] = r[i];
    image.rgb[3 * i + 1] = g[i];
    image.rgb[3 * i + 2] = b[i];
  }
  return image;
}

}  // namespace domainfusion
