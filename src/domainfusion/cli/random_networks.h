#pragma once
// The networks of an LDM with random weights: speed does not depend on the values, as long as they stay finite.

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "domainfusion/diffusion/weights/ldm_parts.h"

namespace domainfusion {

// The config.json objects "unet", "vae", "text_encoder" of a built-in model (sd15, sd21, sdxl) or of a diffusers
// folder.
nlohmann::json network_configs(const std::string& name);

// TAESD for the latents of `vae`: as it is published for Stable Diffusion where these are its.
nlohmann::json taesd_config(const AutoencoderConfig& vae);

AutoencoderKl random_vae(const nlohmann::json& config, const Placement& placement);

class RandomNetworks {
 public:
  RandomNetworks(const nlohmann::json& configs, const Placement& where);

  at::Tensor embed(std::int64_t n);
  at::Tensor latents(std::int64_t n, std::int64_t side) const;
  at::Tensor image(std::int64_t side_px) const;
  at::Tensor timesteps(std::int64_t n) const;
  // See predicted_by: what the U-Net is told besides is zeros.
  std::vector<at::Tensor> unet_inputs(const at::Tensor& z, const at::Tensor& t, const at::Tensor& context) const;
  // A pass as LatentDiffusion makes it.
  at::Tensor predict(const at::Tensor& z, const at::Tensor& t, const at::Tensor& context) {
    return (*unet_pass_)(unet_inputs(z, t, context));
  }

  // Calls `work` on weights as any module has them on a GPU, where ours lie channels last.
  template <class Work>
  auto with_default_memory_format(const Work& work) {
    if (placement.device.is_cpu()) return work();
    lay_out(at::MemoryFormat::Contiguous);
    const auto result = work();
    lay_out(at::MemoryFormat::ChannelsLast);
    forget_recordings();  // they read the old weights
    return result;
  }

  Placement placement;
  UNet2dCondition unet;
  AutoencoderKl vae;
  ClipTextEncoder text;

 private:
  void forget_recordings();
  void lay_out(at::MemoryFormat format);

  std::int64_t context_dim_;
  std::unique_ptr<GraphedFunction> unet_pass_;
};

}  // namespace domainfusion
