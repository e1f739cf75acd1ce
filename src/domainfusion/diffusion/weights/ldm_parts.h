#pragma once
// The networks of a latent diffusion model, each loaded when it is first needed.

#include <memory>
#include <mutex>

#include "domainfusion/diffusion/text/clip_text_encoder.h"
#include "domainfusion/diffusion/unet/unet_2d_condition.h"
#include "domainfusion/diffusion/vae/autoencoder_kl.h"
#include "domainfusion/diffusion/weights/model_source.h"

namespace domainfusion {

// Frozen modules in evaluation mode. All functions are thread-safe; a part that is released while another thread uses it lives
// until that thread has done.
class LdmParts {
 public:
  // Reads the configs only. ConfigError, IoError, FormatError.
  LdmParts(std::unique_ptr<const ModelSource> source, bool hold_weights_once);

  const ModelSource& source() const { return *source_; }
  const AutoencoderConfig& vae_config() const { return vae_.config; }
  const UNetConfig& unet_config() const { return unet_.config; }
  const ClipTextConfig& text_encoder_config() const { return text_encoder_.config; }

  // The part, loaded now if it is not. Weights in float32 stay in the mapped file, others are converted. FormatError,
  // ShapeError that lists all missing, unexpected and mis-shaped tensors.
  AutoencoderKl vae();
  UNet2dCondition unet();
  ClipTextEncoder text_encoder();

  // Gives the part's memory back; the next use loads it again.
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

  std::unique_ptr<const ModelSource> source_;
  bool hold_weights_once_;
  Slot<AutoencoderKl, AutoencoderConfig> vae_;
  Slot<UNet2dCondition, UNetConfig> unet_;
  Slot<ClipTextEncoder, ClipTextConfig> text_encoder_;
};

}  // namespace domainfusion
