#include "domainfusion/training/algorithms/erm.h"

namespace domainfusion {

const AlgorithmRegistry& algorithms() {
  static const AlgorithmRegistry registry = [] {
    AlgorithmRegistry r("algorithm");
    r.add<Erm>("erm", "plain cross-entropy over the pooled source domains");
    return r;
  }();
  return registry;
}

}  // namespace domainfusion
