#pragma once
// What a run of DomainFusion will compute, counted from its options alone: no model is loaded for it.

#include "domainfusion/training/algorithms/with_ldm/domainfusion_options.h"
#include "domainfusion/training/records/planned_work.h"

namespace domainfusion {

// ConfigError for options that do not go together.
PlannedWork planned_work_of(const DomainFusionOptions& options, const WorkSizes& sizes);

}  // namespace domainfusion
