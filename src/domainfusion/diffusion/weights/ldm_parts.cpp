#include "domainfusion/diffusion/weights/ldm_parts.h"

#include <torch/types.h>

#include "domainfusion/core/error.h"
#include "domainfusion/nn/layers/packed_layer.h"
#include "domainfusion/nn/state_dict.h"

namespace domainfusion {
namespace {

template <class Config>
Config config_of(const ModelSource& source, LdmPart part) {
  return with_context(fmt::format("'{}'", source.subject(part)),
                      [&] { return Config::from_json(source.config(part), "config.json"); });
}

}  // namespace

LdmParts::LdmParts(std::shared_ptr<const ModelSource> source, const PartsOptions& options)
    : source_(std::move(source)),
      options_(options),
      vae_{LdmPart::kVae, config_of<AutoencoderConfig>(*source_, LdmPart::kVae)},
      unet_{LdmPart::kUnet, config_of<UNetConfig>(*source_, LdmPart::kUnet)},
      text_encoder_{LdmPart::kTextEncoder, config_of<ClipTextConfig>(*source_, LdmPart::kTextEncoder)},
      second_text_encoder_{LdmPart::kTextEncoder2, unet_.config.is_xl() && source_->parts().size() > 3
                                                       ? config_of<ClipTextConfig>(*source_, LdmPart::kTextEncoder2)
                                                       : ClipTextConfig()} {}

at::ScalarType LdmParts::vae_dtype() const {
  const at::ScalarType type = options_.placement.dtype;
  return type == at::kHalf && unet_.config.is_xl() && vae_.config.force_upcast ? at::kFloat : type;
}

template <class Holder, class Config>
Holder LdmParts::loaded(Slot<Holder, Config>& slot) {
  const std::lock_guard lock(slot.mutex);
  if (!slot.module.is_empty()) return slot.module;
  return slot.module = with_context(fmt::format("'{}'", source_->subject(slot.part)), [&] {
           TensorMap weights = source_->weights(slot.part);
           Holder module(slot.config);
           Placement placement = options_.placement;
           if constexpr (std::is_same_v<Holder, AutoencoderKl>) {
             placement.dtype = vae_dtype();
             if (slot.config.is_tiny()) weights = with_zero_biases(std::move(weights));
           }
           adopt_state_dict(*module, weights, "weights", {"embeddings.position_ids"}, placement);
           for (at::Tensor& parameter : module->parameters()) parameter.set_requires_grad(false);
           module->eval();
           if constexpr (std::is_same_v<Holder, AutoencoderKl>) module->use_tiles(options_.vae_tile_px);
           if (options_.hold_weights_once) release_plain_weights(*module);
           return module;
         });
}

template <class Holder, class Config>
void LdmParts::clear(Slot<Holder, Config>& slot) {
  const std::lock_guard lock(slot.mutex);
  slot.module = Holder(nullptr);
}

template <class Holder, class Config>
bool LdmParts::is_filled(const Slot<Holder, Config>& slot) {
  const std::lock_guard lock(slot.mutex);
  return !slot.module.is_empty();
}

void LdmParts::use_vae_tiles(std::int64_t tile_px) {
  vae_.config.check_tiles(tile_px);
  options_.vae_tile_px = tile_px;
  if (is_loaded(LdmPart::kVae)) vae()->use_tiles(tile_px);
}

AutoencoderKl LdmParts::vae() { return loaded(vae_); }
UNet2dCondition LdmParts::unet() { return loaded(unet_); }
ClipTextEncoder LdmParts::text_encoder() { return loaded(text_encoder_); }
ClipTextEncoder LdmParts::second_text_encoder() { return loaded(second_text_encoder_); }

at::Tensor predicted_by(UNet2dCondition unet, const std::vector<at::Tensor>& inputs) {
  UNetAddition addition;
  std::size_t next = 3;
  if (unet->config().is_xl()) {
    addition.pooled_NP = inputs.at(next++);
    addition.size_N6 = inputs.at(next++);
  }
  if (unet->config().time_cond_proj_dim > 0) addition.guidance_N = inputs.at(next);
  return unet->forward(inputs[0], inputs[1], inputs[2], addition);
}

std::shared_ptr<GraphedFunction> LdmParts::unet_pass() {
  const std::lock_guard lock(pass_mutex_);
  if (!unet_pass_) {
    unet_pass_ = std::make_shared<GraphedFunction>(
        [unet = unet()](const std::vector<at::Tensor>& in) { return predicted_by(unet, in); });
  }
  return unet_pass_;
}

void LdmParts::release(LdmPart part) {
  if (part == LdmPart::kVae) clear(vae_);
  if (part == LdmPart::kUnet) {
    const std::lock_guard lock(pass_mutex_);
    unet_pass_.reset();
    clear(unet_);
  }
  if (part == LdmPart::kTextEncoder || part == LdmPart::kTextEncoder2) {
    clear(text_encoder_);
    clear(second_text_encoder_);
  }
}

bool LdmParts::is_loaded(LdmPart part) const {
  if (part == LdmPart::kVae) return is_filled(vae_);
  if (part == LdmPart::kUnet) return is_filled(unet_);
  return is_filled(part == LdmPart::kTextEncoder ? text_encoder_ : second_text_encoder_);
}

}  // namespace domainfusion
