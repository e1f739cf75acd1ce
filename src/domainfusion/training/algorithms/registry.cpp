#include "domainfusion/training/algorithms/domainfusion.h"
#include "domainfusion/training/algorithms/erm.h"

namespace domainfusion {

const AlgorithmRegistry& algorithms() {
  static const AlgorithmRegistry registry = [] {
    AlgorithmRegistry r("algorithm");
    r.add<Erm>("erm", "plain cross-entropy over the pooled source domains");
    r.add<DomainFusion>("domainfusion", "latent distillation and online lightweight augmentation with a frozen LDM (ECCV 2024)");
    return r;
  }();
  return registry;
}

}  // namespace domainfusion
