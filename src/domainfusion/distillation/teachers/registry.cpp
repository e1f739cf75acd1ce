#include "domainfusion/distillation/teachers/diffusion_classifier.h"
#include "domainfusion/distillation/teachers/latent_distillation.h"

namespace domainfusion {

const DistillationTeacherRegistry& distillation_teachers() {
  static const DistillationTeacherRegistry registry = [] {
    DistillationTeacherRegistry r("distillation teacher");
    r.add<LatentDistillation>("score",
                              "the denoising residual's gradient in confidence re-weights images (DomainFusion)");
    r.add<DiffusionClassifier>("diffusion_classifier", "the LDM's posterior over the classes is a soft label");
    return r;
  }();
  return registry;
}

}  // namespace domainfusion
