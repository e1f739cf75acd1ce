#include "domainfusion/training/algorithms/mixing/mode_a.h"

#include <torch/types.h>

#include "domainfusion/augmentation/styles/adain.h"
#include "domainfusion/data/transforms/image_tensor.h"
#include "domainfusion/training/algorithms/with_ldm/frozen_ldm.h"

namespace domainfusion {

void ModeA::prepare(TrainingContext& context) {
  Mode::prepare(context);
  ldm_ = load_frozen_ldm(context);
}

// Per image an encoding, a last decoding, and in each step of the search a decoding with its gradient.
PlannedWork ModeA::planned_work(const WorkSizes& sizes) const {
  PlannedWork work = Mode::planned_work(sizes);
  work.vae_images =
      static_cast<double>(sizes.batch_size * sizes.sources * sizes.steps * (3 * config().search.move_steps + 2));
  work.vae_batch = sizes.batch_size * sizes.sources;
  return work;
}

double ModeA::estimated_extra_seconds() {
  return ldm_seconds(planned_work(context().work_sizes(ldm_->scheduler_config())), measure_generation(*ldm_));
}

void ModeA::save(TensorMap&, nlohmann::json& state) const { save_ldm(*ldm_, state); }

void ModeA::load(const TensorMap&, const nlohmann::json& state) { check_same_ldm(*ldm_, context(), state); }

StyleContent ModeA::split(const at::Tensor& image_NCHW) const {
  const at::Tensor image01 = resized01(denormalise(image_NCHW), ldm_->image_size_px());
  return adain_statistics(ldm_->encode(image01), /*unbiased=*/true);
}

at::Tensor ModeA::joined(const StyleContent& parts) const {
  const at::Tensor image01 = ldm_->decode(apply_adain(parts.content, parts.style));
  return normalise(resized01(image01, context().config.loader.image_size_px));
}

at::Tensor ModeA::style_index(const Batch& raw, RandomStream stream) const {
  return styles_of_each_domain(raw.domain_N, context().source_in->number_of_domains(), config().num_mix,
                               std::move(stream));
}

}  // namespace domainfusion
