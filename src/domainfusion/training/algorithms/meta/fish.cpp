#include "domainfusion/training/algorithms/meta/fish.h"

#include "domainfusion/nn/weights_scope.h"

namespace domainfusion {

void Fish::options(ConfigFields& fields) {
  fields.real("meta_lr", meta_lr_, {0, 1}, "share of the way that the weights go");
}

StepRecord Fish::update(std::int64_t step, const Batch& raw) {
  StepRecord record{step, {}};
  WeightsScope start(*context().classifier);
  for (const Batch& domain : by_domain(raw)) {
    StepRecord own = Algorithm::update(step, domain);
    record.scalars = own.scalars;  // of the last domain, as in DomainBed
    record.fit += own.fit;
  }
  start.move_by(meta_lr_);
  return record;
}

}  // namespace domainfusion
