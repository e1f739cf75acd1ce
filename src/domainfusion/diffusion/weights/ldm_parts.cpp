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
      text_encoder_{LdmPart::kTextEncoder, config_of<ClipTextConfig>(*source_, LdmPart::kTextEncoder)} {}

template <class Holder, class Config>
Holder LdmParts::loaded(Slot<Holder, Config>& slot) {
  const std::lock_guard lock(slot.mutex);
  if (!slot.module.is_empty()) return slot.module;
  return slot.module = with_context(fmt::format("'{}'", source_->subject(slot.part)), [&] {
           const TensorMap weights = source_->weights(slot.part);
           Holder module(slot.config);
           adopt_state_dict(*module, weights, "weights", {"embeddings.position_ids"}, options_.placement);
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

std::shared_ptr<GraphedFunction> LdmParts::unet_pass() {
  const std::lock_guard lock(pass_mutex_);
  if (!unet_pass_) {
    unet_pass_ = std::make_shared<GraphedFunction>(
        [unet = unet()](const std::vector<at::Tensor>& in) mutable { return unet->forward(in[0], in[1], in[2]); });
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
  if (part == LdmPart::kTextEncoder) clear(text_encoder_);
}

bool LdmParts::is_loaded(LdmPart part) const {
  if (part == LdmPart::kVae) return is_filled(vae_);
  return part == LdmPart::kUnet ? is_filled(unet_) : is_filled(text_encoder_);
}

}  // namespace domainfusion
