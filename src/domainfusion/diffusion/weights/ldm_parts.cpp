#include "domainfusion/diffusion/weights/ldm_parts.h"

#include <torch/torch.h>

#include "domainfusion/core/error.h"
#include "domainfusion/nn/packed_layer.h"
#include "domainfusion/nn/state_dict.h"

namespace domainfusion {
namespace {

template <class Config>
Config config_of(const ModelSource& source, LdmPart part) {
  return with_context(fmt::format("'{}'", source.subject(part)),
                      [&] { return Config::from_json(source.config(part), "config.json"); });
}

}  // namespace

LdmParts::LdmParts(std::unique_ptr<const ModelSource> source, bool hold_weights_once)
    : source_(std::move(source)),
      hold_weights_once_(hold_weights_once),
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
           adopt_state_dict(*module, weights, "weights", {"embeddings.position_ids"});
           for (at::Tensor& parameter : module->parameters()) parameter.set_requires_grad(false);
           module->eval();
           if (hold_weights_once_) release_plain_weights(*module);
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

AutoencoderKl LdmParts::vae() { return loaded(vae_); }
UNet2dCondition LdmParts::unet() { return loaded(unet_); }
ClipTextEncoder LdmParts::text_encoder() { return loaded(text_encoder_); }

void LdmParts::release(LdmPart part) {
  if (part == LdmPart::kVae) clear(vae_);
  if (part == LdmPart::kUnet) clear(unet_);
  if (part == LdmPart::kTextEncoder) clear(text_encoder_);
}

bool LdmParts::is_loaded(LdmPart part) const {
  if (part == LdmPart::kVae) return is_filled(vae_);
  return part == LdmPart::kUnet ? is_filled(unet_) : is_filled(text_encoder_);
}

}  // namespace domainfusion
