#include "domainfusion/diffusion/schedulers/scheduler.h"

#include "domainfusion/diffusion/schedulers/ddim.h"

namespace domainfusion {

const SchedulerRegistry& scheduler_registry() {
  static const SchedulerRegistry registry = [] {
    SchedulerRegistry r("scheduler");
    r.add<DdimScheduler>("ddim", "denoising diffusion implicit models (Song et al. 2021), deterministic");
    return r;
  }();
  return registry;
}

}  // namespace domainfusion
