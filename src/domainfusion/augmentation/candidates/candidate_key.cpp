#include "domainfusion/augmentation/candidates/candidate_key.h"

#include <ATen/ATen.h>

#include "domainfusion/core/error.h"
#include "domainfusion/core/json_text.h"
#include "domainfusion/io/files/content_hash.h"

namespace domainfusion {

namespace {

using nlohmann::json;

// Raised when the same options begin to give other images.
constexpr int kFormat = 1;

std::string mode_name(GenerationMode mode) {
  for (const auto& [name, value] : generation_modes()) {
    if (value == mode) return name;
  }
  throw Error("a generation mode without a name");
}

}  // namespace

json CandidateKey::to_json() const {
  return {{"format", kFormat},  {"source", source}, {"ldm", weights_hash},
          {"options", options}, {"prompt", prompt}, {"noise", noise}};
}

std::string CandidateKey::hash() const { return sha256_hex(json_text(to_json())); }

json generation_options(const LatentDiffusion& model, const ImageToImageRequest& request) {
  const bool inversion = request.mode == GenerationMode::kInversion;
  const auto& [weights_hash, size_px, dtype] = model.identity();  // the first stands in the key itself
  return {{"mode", mode_name(request.mode)},
          {"strength", request.strength},
          {"steps", request.steps},
          {"guidance_scale", request.guidance_scale},
          {"scheduler", inversion ? "ddim" : resolved_scheduler_name(request.scheduler, model.scheduler_config())},
          {"negative_prompt", request.negative_prompt},
          {"size_px", size_px},
          {"dtype", dtype}};
}

std::string hash_of_latents(const at::Tensor& z) {
  const at::Tensor values = z.to(at::kCPU).contiguous();
  std::string bytes = fmt::format("{} [{}] ", name_of(values.scalar_type()), fmt::join(values.sizes(), ", "));
  bytes.append(static_cast<const char*>(values.data_ptr()), values.nbytes());
  return sha256_hex(bytes);
}

}  // namespace domainfusion
