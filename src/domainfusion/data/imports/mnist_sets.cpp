#include "domainfusion/data/imports/mnist_sets.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <numbers>
#include <string>
#include <vector>

#include "domainfusion/core/error.h"
#include "domainfusion/core/machine/parallel.h"
#include "domainfusion/core/random/random.h"
#include "domainfusion/io/files/file_bytes.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;

struct Digits {
  std::int64_t side = 0;
  std::string pixels;  // a byte each
  std::string labels;
  std::int64_t count() const { return static_cast<std::int64_t>(labels.size()); }
};

std::int64_t big_endian(const std::string& bytes, std::size_t at) {
  std::int64_t value = 0;
  for (std::size_t i = at; i < at + 4; ++i) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

// What follows the header of an idx file of bytes with that many dimensions.
std::string idx_content(const fs::path& file, std::size_t dimensions, std::vector<std::int64_t>& sizes) {
  check<IoError>(fs::exists(file), "'{}' is not there; expected MNIST's files, unpacked (gunzip *.gz)", file.string());
  const std::string bytes = read_file(file);
  const std::size_t header = 4 + 4 * dimensions;
  check<FormatError>(bytes.size() >= header && big_endian(bytes, 0) == static_cast<std::int64_t>(0x800 + dimensions),
                     "'{}' is no idx file of bytes with {} dimensions", file.string(), dimensions);
  std::int64_t expected = 1;
  for (std::size_t d = 0; d < dimensions; ++d) {
    sizes.push_back(big_endian(bytes, 4 + 4 * d));
    check<FormatError>(sizes.back() > 0 && sizes.back() <= 1 << 24, "'{}' says a size of {}", file.string(),
                       sizes.back());
    expected *= sizes.back();
  }
  check<FormatError>(static_cast<std::int64_t>(bytes.size() - header) == expected,
                     "'{}' holds {} bytes behind its header; expected {}", file.string(), bytes.size() - header,
                     expected);
  return bytes.substr(header);
}

Digits read_digits(const fs::path& folder) {
  Digits digits;
  for (const char* part : {"train", "t10k"}) {
    std::vector<std::int64_t> images, labels;
    digits.pixels += idx_content(folder / fmt::format("{}-images-idx3-ubyte", part), 3, images);
    const std::string of_part = idx_content(folder / fmt::format("{}-labels-idx1-ubyte", part), 1, labels);
    digits.labels += of_part;
    check<FormatError>(
        images[0] == labels[0] && images[1] == images[2] && (digits.side == 0 || digits.side == images[1]),
        "'{}': the {} files have {} images of {} x {} and {} labels; expected squares of one size, a label "
        "each",
        folder.string(), part, images[0], images[1], images[2], labels[0]);
    digits.side = images[1];
  }
  for (const char label : digits.labels)
    check<FormatError>(label >= 0 && label <= 9, "'{}': a label is {}; expected digits", folder.string(),
                       static_cast<int>(label));
  return digits;
}

Image image_of_digit(const Digits& digits, std::int64_t place) {
  const auto pixels = static_cast<std::size_t>(digits.side * digits.side);
  Image image{static_cast<int>(digits.side), static_cast<int>(digits.side), std::vector<std::uint8_t>(3 * pixels)};
  for (std::size_t i = 0; i < pixels; ++i) {
    const auto value = static_cast<std::uint8_t>(digits.pixels[static_cast<std::size_t>(place) * pixels + i]);
    for (std::size_t c = 0; c < 3; ++c) image.rgb[3 * i + c] = value;
  }
  return image;
}

struct Made {
  Image image;
  int label = 0;
};

constexpr std::array kColoredDomains{"env0_plus90", "env1_plus80", "env2_minus90"};
constexpr std::array kColorNoise{0.1, 0.2, 0.9};
constexpr double kLabelNoise = 0.25;

Made colored(Image image, int digit, std::size_t domain, RandomStream stream) {
  const int label = (digit < 5) != (stream.uniform() < kLabelNoise);
  const bool green = (label == 1) != (stream.uniform() < kColorNoise[domain]);
  for (std::size_t i = 0; i < image.rgb.size(); i += 3) image.rgb[i + (green ? 0 : 1)] = image.rgb[i + 2] = 0;
  return {std::move(image), label};
}

constexpr std::array kRotatedDomains{"00", "15", "30", "45", "60", "75"};

}  // namespace

Image rotated(const Image& image, double degrees) {
  const double angle = degrees * std::numbers::pi / 180, cosine = std::cos(angle), sine = std::sin(angle);
  const double middle_x = image.width / 2.0, middle_y = image.height / 2.0;
  Image turned{image.height, image.width, std::vector<std::uint8_t>(image.rgb.size(), 0)};
  const auto value = [&](int y, int x) -> double {
    if (x < 0 || y < 0 || x >= image.width || y >= image.height) return 0;
    return image
        .rgb[3 * (static_cast<std::size_t>(y) * static_cast<std::size_t>(image.width) + static_cast<std::size_t>(x))];
  };
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x) {
      // Pixels are squares: the middle of this one comes from there.
      const double dx = x + 0.5 - middle_x, dy = y + 0.5 - middle_y;
      const double from_x = cosine * dx - sine * dy + middle_x - 0.5, from_y = sine * dx + cosine * dy + middle_y - 0.5;
      const int left = static_cast<int>(std::floor(from_x)), top = static_cast<int>(std::floor(from_y));
      const double right_share = from_x - left, lower_share = from_y - top;
      const double upper = value(top, left) * (1 - right_share) + value(top, left + 1) * right_share;
      const double lower = value(top + 1, left) * (1 - right_share) + value(top + 1, left + 1) * right_share;
      const auto grey = static_cast<std::uint8_t>(std::lround(upper * (1 - lower_share) + lower * lower_share));
      for (std::size_t c = 0; c < 3; ++c)
        turned.rgb[3 * (static_cast<std::size_t>(y) * static_cast<std::size_t>(image.width) +
                        static_cast<std::size_t>(x)) +
                   c] = grey;
    }
  }
  return turned;
}

std::int64_t write_mnist_set(MnistSet set, const fs::path& idx, const fs::path& out, std::uint64_t seed) {
  check<IoError>(!fs::exists(out), "'{}' is there already: name a new folder", out.string());
  const Digits digits = read_digits(idx);
  const bool color = set == MnistSet::kColored;
  const std::size_t domains = color ? kColoredDomains.size() : kRotatedDomains.size();
  const std::vector<std::int64_t> order = RandomStream(seed, "mnist domains").permutation(digits.count());
  const auto folder_of = [&](std::size_t domain, int label) {
    return out / (color ? kColoredDomains[domain] : kRotatedDomains[domain]) / std::to_string(label);
  };
  for (std::size_t domain = 0; domain < domains; ++domain) {
    for (int label = 0; label < (color ? 2 : 10); ++label) fs::create_directories(folder_of(domain, label));
  }
  parallel_for_each(order.size(), [&](std::size_t i) {
    const std::int64_t place = order[i];
    const std::size_t domain = i % domains;
    const int digit = digits.labels[static_cast<std::size_t>(place)];
    Image image = image_of_digit(digits, place);
    const Made made =
        color ? colored(std::move(image), digit, domain, {seed, "mnist colors", {static_cast<std::uint64_t>(place)}})
              : Made{rotated(image, 15.0 * static_cast<double>(domain)), digit};
    write_png(folder_of(domain, made.label) / fmt::format("{:05}.png", place), made.image);
  });
  return digits.count();
}

}  // namespace domainfusion
