#include "domainfusion/training/averaging/ema.h"
#include "domainfusion/training/averaging/swad.h"

namespace domainfusion {

const AveragingRegistry& averaging_methods() {
  static const AveragingRegistry registry = [] {
    AveragingRegistry r("averaging method");
    r.add<Swad>("swad", "dense averaging over the valley of the source validation loss (NeurIPS 2021)");
    r.add<Ema>("ema", "exponential moving average of all steps' weights and statistics");
    return r;
  }();
  return registry;
}

std::unique_ptr<WeightAveraging> make_averaging(const AveragingConfig& config) {
  if (config.method == "none") return nullptr;
  return averaging_methods().make(config.method, config);
}

}  // namespace domainfusion
