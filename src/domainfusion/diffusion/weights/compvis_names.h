#pragma once
// The one map from the tensor names of CompVis' latent-diffusion (Stable Diffusion's .ckpt files) to diffusers' and
// transformers'.
//
// Source of the map: diffusers' scripts/convert_original_stable_diffusion_to_diffusers.py.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "domainfusion/diffusion/weights/model_source.h"

namespace domainfusion {

using TensorShapes = std::map<std::string, std::vector<std::int64_t>>;

class CompvisNames {
 public:
  enum class Use {
    kPart,    // a tensor of `part` called `name`
    kThirds,  // rows of query, key and value: `name` has a ? in place of q, k, v
    kTurned,  // a matrix that stands the other way round
    kUnused,  // in every such file, of no use here: running averages, noise schedules, the last layer of OpenCLIP
    kUnknown
  };
  struct Target {
    Use use = Use::kUnknown;
    LdmPart part = LdmPart::kVae;
    std::string name = {};
  };

  // Learns from all names of the file where levels begin and how many layers there are. FormatError where it has no
  // U-Net, VAE or text encoder, or is the refiner of Stable Diffusion XL.
  explicit CompvisNames(const TensorShapes& shapes);

  Target target_of(const std::string& name) const;

  std::int64_t unet_layers() const { return unet_layers_; }  // residual blocks per level on the way down
  std::int64_t unet_inputs() const { return unet_inputs_; }  // input_blocks
  std::int64_t vae_levels() const { return vae_levels_; }
  std::int64_t text_layers() const { return text_layers_; }  // as used: without the last one of OpenCLIP
  bool has_open_clip() const { return open_clip_; }          // Stable Diffusion 2.x, and XL's second text encoder
  bool is_xl() const { return xl_; }
  std::int64_t second_text_layers() const { return second_text_layers_; }  // of XL
  // The text encoders come last.
  std::vector<LdmPart> parts() const;

 private:
  Target unet_target(const std::string& rest) const;
  Target vae_target(const std::string& rest) const;
  static Target clip_target(const std::string& rest);
  Target open_clip_target(const std::string& rest) const;

  std::int64_t unet_layers_ = 0, unet_inputs_ = 0, vae_levels_ = 0, text_layers_ = 0, second_text_layers_ = 0;
  bool open_clip_ = false, xl_ = false;
};

// Whether a file with these tensors is of CompVis' layout.
bool is_compvis(const TensorShapes& shapes);

// The tensors of `part` under their new names; 1x1 convolutions of the VAE's attention become linear layers. They alias
// `tensors`.
TensorMap compvis_part(const TensorMap& tensors, const CompvisNames& names, LdmPart part);

}  // namespace domainfusion
