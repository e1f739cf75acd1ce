#include "domainfusion/training/algorithms/erm.h"
#include "domainfusion/training/algorithms/mixing/efdmix.h"
#include "domainfusion/training/algorithms/mixing/mixstyle.h"
#include "domainfusion/training/algorithms/mixing/mode_a.h"
#include "domainfusion/training/algorithms/mixing/mode_f.h"
#include "domainfusion/training/algorithms/with_ldm/cdga.h"
#include "domainfusion/training/algorithms/with_ldm/domainfusion.h"

namespace domainfusion {

const AlgorithmRegistry& algorithms() {
  static const AlgorithmRegistry registry = [] {
    AlgorithmRegistry r("algorithm");
    r.add<Erm>("erm", "plain cross-entropy over the pooled source domains");
    r.add<MixStyle>("mixstyle", "feature maps with mixed channel means and deviations (ICLR 2021)");
    r.add<EfdMix>("efdmix", "feature maps whose values are matched by rank with another image's (CVPR 2022)");
    r.add<ModeF>("mode_f", "MODE-F: mixtures of Fourier amplitudes, searched where the classifier loses most");
    r.add<ModeA>("mode_a", "MODE-A: the same with channel statistics, of an LDM's latents in place of VGG's maps");
    r.add<Cdga>("cdga", "cross-entropy on source images and their translations to the other source domains by an LDM");
    r.add<DomainFusion>("domainfusion",
                        "latent distillation and online lightweight augmentation with a frozen LDM (ECCV 2024)");
    return r;
  }();
  return registry;
}

}  // namespace domainfusion
