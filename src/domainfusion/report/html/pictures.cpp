#include "domainfusion/report/html/pictures.h"

#include <algorithm>
#include <cmath>

#include "domainfusion/data/transforms/resize.h"
#include "domainfusion/io/images/webp_writer.h"

namespace domainfusion {

std::string base64_of(std::string_view bytes) {
  static constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t bits = 0;
    for (std::size_t k = 0; k < 3; ++k) bits = bits << 8 | (k < count ? static_cast<unsigned char>(bytes[i + k]) : 0u);
    for (std::size_t k = 0; k < 4; ++k) text += k <= count ? kDigits[bits >> (18 - 6 * k) & 63] : '=';
  }
  return text;
}

std::string ReportPictures::file_of(const Image& image, int side_px) {
  const double scale = static_cast<double>(side_px) / std::max(image.width, image.height);
  if (scale >= 1) return encode_webp(image);
  const auto shrunk = [&](int length) { return std::max(1, static_cast<int>(std::lround(length * scale))); };
  return encode_webp(resize(image, shrunk(image.height), shrunk(image.width), Filter::kBilinear));
}

std::optional<std::int64_t> ReportPictures::add_file(const std::string& file) {
  std::string uri = "data:image/webp;base64," + base64_of(file);
  const double bytes = static_cast<double>(uri.size()) + 3;  // quotes and comma
  left_bytes_ -= bytes;
  if (left_bytes_ < 0) return std::nullopt;
  files_.push_back(std::move(uri));
  return static_cast<std::int64_t>(files_.size()) - 1;
}

}  // namespace domainfusion
