#pragma once
// The tiny pipelines of tests/parity, with random weights, in the layouts of Stable Diffusion 1.5 (predicts noise), 2.1
// (predicts velocities) and XL, and a VAE in that of TAESD.

#include <filesystem>

namespace domainfusion {

inline const std::filesystem::path kTinySd15 = DOMAINFUSION_TEST_DIR "/parity/sd15-tiny/pipeline";
inline const std::filesystem::path kTinySd21 = DOMAINFUSION_TEST_DIR "/parity/sd21-tiny/pipeline";
inline const std::filesystem::path kTinySdxl = DOMAINFUSION_TEST_DIR "/parity/sdxl-tiny/pipeline";
inline const std::filesystem::path kTinyTaesd = DOMAINFUSION_TEST_DIR "/parity/taesd/vae";

}  // namespace domainfusion
