#pragma once
// A round of augmentation as a picture: raw -> x -> candidates -> chosen style and content -> new image.

#include <filesystem>
#include <vector>

#include "domainfusion/report/picture_grid.h"

namespace domainfusion {

// One row per pictured image of a round: the raw image, what the round started from, its plain VAE round trip, every
// candidate (with the domain it was asked for, and "style" or "content" where it was chosen), and the new image.
// `folder`: <synthetic set>/pictures/round-NNNN. IoError or FormatError if it is not such a folder or a picture is
// gone.
PictureGrid round_picture_grid(const std::filesystem::path& folder);

// round_picture_grid of every round below `synthetic`/pictures, written as <out>/<round>.png. Returns the files; none
// if the set kept no pictures.
std::vector<std::filesystem::path> write_round_pictures(const std::filesystem::path& synthetic,
                                                        const std::filesystem::path& out);

}  // namespace domainfusion
