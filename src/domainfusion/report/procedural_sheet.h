#pragma once
// The embedded data set at a glance.

#include <cstdint>

#include "domainfusion/io/images/image.h"

namespace domainfusion {

// Columns: the classes; rows: `images_per_class` (1 … 20) for each domain, from index `first_index` (>= 0) on; with
// `with_styles` for each style beyond the domains too. ConfigError if out of range.
Image procedural_sheet(std::int64_t seed = 0, int images_per_class = 1, std::int64_t first_index = 0, int scale = 2,
                       bool with_styles = false);

}  // namespace domainfusion
