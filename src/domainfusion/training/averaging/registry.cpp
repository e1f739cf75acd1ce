#include "domainfusion/training/averaging/swad.h"

namespace domainfusion {

const AveragingRegistry& averaging_methods() {
  static const AveragingRegistry registry = [] {
    AveragingRegistry r("averaging method");
    r.add<Swad>("swad", "dense averaging over the valley of the source validation loss (NeurIPS 2021)");
    return r;
  }();
  return registry;
}

std::unique_ptr<WeightAveraging> make_averaging(const AveragingConfig& config) {
  if (config.method == "none") return nullptr;
  return averaging_methods().make(config.method, config);
}

}  // namespace domainfusion
