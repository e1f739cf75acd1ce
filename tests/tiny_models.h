#pragma once
// The tiny pipelines of tests/parity, with random weights, in the layouts of Stable Diffusion 1.5 (predicts noise) and
// 2.1 (predicts velocities).

#include <filesystem>

namespace domainfusion {

inline const std::filesystem::path kTinySd15 = DOMAINFUSION_TEST_DIR "/parity/sd15-tiny/pipeline";
inline const std::filesystem::path kTinySd21 = DOMAINFUSION_TEST_DIR "/parity/sd21-tiny/pipeline";

}  // namespace domainfusion
