#pragma once
// The pictures that rounds of augmentation and the training of an LDM have kept.

#include <filesystem>
#include <nlohmann/json.hpp>
#include <vector>

#include "domainfusion/report/html/pictures.h"

namespace domainfusion {

// "gallery" of a run (docs/report-format.md): the pictured images of all rounds below RUN/synthetic/pictures, with
// those of their pictures that fit. A round whose pictures cannot be read is left out, and said in a log line.
nlohmann::json round_gallery(const std::filesystem::path& run, ReportPictures& pictures);

// {"file", "picture"} of the last picture of each kind (vae_000600.png, unet_…) in LDM/pictures, as `pretrain` leaves
// them; none where there are no such files.
nlohmann::json ldm_samples(const std::filesystem::path& ldm, ReportPictures& pictures);

}  // namespace domainfusion
