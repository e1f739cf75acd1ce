#pragma once
// The pictures that rounds of augmentation have kept, with how each new image came to be.

#include <filesystem>
#include <nlohmann/json.hpp>
#include <vector>

#include "domainfusion/report/html/pictures.h"

namespace domainfusion {

// "gallery" of a run (docs/report-format.md): the pictured images of all rounds below RUN/synthetic/pictures, with
// those of their pictures that fit. A round whose pictures cannot be read is left out, and said in a log line.
nlohmann::json round_gallery(const std::filesystem::path& run, ReportPictures& pictures);

}  // namespace domainfusion
