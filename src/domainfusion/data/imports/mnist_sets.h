#pragma once
// ColoredMNIST (Arjovsky et al., 2019) and RotatedMNIST (Ghifary et al., 2015) as folders of images, made of MNIST's
// four idx files, as DomainBed makes them. Which image goes to which domain, and whose labels and colours are turned,
// are this project's draws (of a seed), not DomainBed's.

#include <cstdint>
#include <filesystem>

#include "domainfusion/io/images/image.h"

namespace domainfusion {

enum class MnistSet { kColored, kRotated };

// Writes <out>/<domain>/<class>/<number>.png of all 70,000 images and returns how many. Colored: classes 0 (digits from
// 5 on) and 1, a quarter of them turned; red or green, by the class in all but 10, 20 and 90 % of a domain's images;
// domains env0_plus90, env1_plus80, env2_minus90. Rotated: ten classes; domains 00, 15, … 75 degrees against the clock.
// IoError: `idx` lacks a file (train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-…), `out` is there already or
// cannot be written; FormatError: a file is not what its name says.
std::int64_t write_mnist_set(MnistSet set, const std::filesystem::path& idx, const std::filesystem::path& out,
                             std::uint64_t seed);

// The grey image turned against the clock about its middle, bilinear, black outside.
Image rotated(const Image& image, double degrees);

}  // namespace domainfusion
