#pragma once
// The networks of a latent diffusion model, each loaded when it is first needed.

#include <memory>
#include <mutex>

#include "domainfusion/diffusion/text/clip_text_encoder.h"
#include "domainfusion/diffusion/unet/unet_2d_condition.h"
#include "domainfusion/diffusion/vae/autoencoder_kl.h"
#include "domainfusion/diffusion/weights/model_source.h"
#include "domainfusion/nn/graphs/graphed.h"

namespace domainfusion {

// How a part is held, whichever it is.
struct PartsOptions {
  Placement placement;
  bool hold_weights_once = false;  // see LdmOptions
  std::int64_t vae_tile_px = 0;    // see AutoencoderKl::use_tiles
};

// Frozen modules in evaluation mode. All functions are thread-safe but use_vae_tiles(); a part that is released while
// another thread uses it lives until that thread has done.
class LdmParts {
 public:
  // Reads the configs only. ConfigError, IoError, FormatError.
  LdmParts(std::shared_ptr<const ModelSource> source, const PartsOptions& options);

  const ModelSource& source() const { return *source_; }
  const std::shared_ptr<const ModelSource>& shared_source() const { return source_; }
  const PartsOptions& options() const { return options_; }
  // Of the VAE that is loaded, and of each that will be. ConfigError.
  void use_vae_tiles(std::int64_t tile_px);

  const AutoencoderConfig& vae_config() const { return vae_.config; }
  const UNetConfig& unet_config() const { return unet_.config; }
  const ClipTextConfig& text_encoder_config() const { return text_encoder_.config; }
  const ClipTextConfig& second_text_encoder_config() const { return second_text_encoder_.config; }  // of SDXL

  // The part, loaded now if it is not. Weights of the placement's type stay in the mapped file, others are converted.
  // FormatError, ShapeError that lists all missing, unexpected and mis-shaped tensors.
  AutoencoderKl vae();
  UNet2dCondition unet();
  ClipTextEncoder text_encoder();
  ClipTextEncoder second_text_encoder();
  // The type that the VAE computes in: the placement's, but float32 for float16 where its values overflow (SDXL's
  // force_upcast).
  at::ScalarType vae_dtype() const;
  // predicted_by() of unet(), which a GPU is given as one CUDA graph where no gradient is asked for.
  std::shared_ptr<GraphedFunction> unet_pass();

  // Gives the part's memory back; the next use loads it again. Both text encoders go together.
  void release(LdmPart part);
  bool is_loaded(LdmPart part) const;

 private:
  template <class Holder, class Config>
  struct Slot {
    LdmPart part;
    Config config;
    Holder module{nullptr};
    mutable std::mutex mutex = {};
  };
  template <class Holder, class Config>
  Holder loaded(Slot<Holder, Config>& slot);
  template <class Holder, class Config>
  static void clear(Slot<Holder, Config>& slot);
  template <class Holder, class Config>
  static bool is_filled(const Slot<Holder, Config>& slot);

  std::shared_ptr<const ModelSource> source_;
  PartsOptions options_;
  Slot<AutoencoderKl, AutoencoderConfig> vae_;
  Slot<UNet2dCondition, UNetConfig> unet_;
  Slot<ClipTextEncoder, ClipTextConfig> text_encoder_, second_text_encoder_;
  std::mutex pass_mutex_;
  std::shared_ptr<GraphedFunction> unet_pass_;  // of the U-Net that is loaded
};

// A U-Net's output for {sample, timesteps, context} and, as its config asks for them, pooled text and sizes (SDXL) and
// guidance (latent consistency models).
at::Tensor predicted_by(UNet2dCondition unet, const std::vector<at::Tensor>& inputs);

}  // namespace domainfusion
