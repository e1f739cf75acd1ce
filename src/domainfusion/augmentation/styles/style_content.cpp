#include "domainfusion/augmentation/styles/style_content.h"

#include "domainfusion/augmentation/styles/adain.h"
#include "domainfusion/augmentation/styles/fourier.h"

namespace domainfusion {

const Registry<Decomposition, DecompositionConfig>& decompositions() {
  static const auto registry = [] {
    Registry<Decomposition, DecompositionConfig> r("decomposition");
    r.add<FourierDecomposition>("fourier", "pixels: amplitude of the 2-D FFT is style, its phase content (MODE-F)");
    r.add<AdainDecomposition>("adain",
                              "latents: channel mean and deviation are style, the normalised map content (MODE-A)");
    return r;
  }();
  return registry;
}

}  // namespace domainfusion
