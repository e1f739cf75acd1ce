#pragma once
// MODE-A: style is the mean and deviation (unbiased variance + 1e-5) of each channel of a feature map, content the
// normalised map (augmentation/decompositions/adain.h). With K = sources + 1 the styles are the image's own and those
// of one random image of each source domain, else random images of the batch. Differs from the source: maps are the
// LDM's VAE latents, decoded by the VAE; there they are VGG-19's relu4_1 with a decoder that was trained for AdaIN. So
// no further network with ImageNet's labels is needed, but an LDM is.

#include <optional>

#include "domainfusion/diffusion/latent_diffusion.h"
#include "domainfusion/training/algorithms/mixing/mode.h"

namespace domainfusion {

class ModeA final : public Mode {
 public:
  ModeA() : Mode("mode_a") {}
  // ConfigError as load_frozen_ldm.
  void prepare(TrainingContext& context) override;
  PlannedWork planned_work(const WorkSizes& sizes) const override;
  double estimated_extra_seconds() override;
  void save(TensorMap& tensors, nlohmann::json& state) const override;
  void load(const TensorMap& tensors, const nlohmann::json& state) override;

 protected:
  StyleContent split(const at::Tensor& image_NCHW) const override;
  at::Tensor joined(const StyleContent& parts) const override;
  at::Tensor style_index(const Batch& raw, RandomStream stream) const override;

 private:
  std::optional<LatentDiffusion> ldm_;
};

}  // namespace domainfusion
