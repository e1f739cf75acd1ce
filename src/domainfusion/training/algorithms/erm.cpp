#include "domainfusion/training/algorithms/erm.h"

namespace domainfusion {

void ErmConfig::describe(ConfigFields& fields) {
  fields.integer("batch_multiplier", batch_multiplier, {1, 64},
                 "images per step in units of batch_size: 2 sees as many as a method with synthetic images");
}

}  // namespace domainfusion
