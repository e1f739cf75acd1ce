#include "domainfusion/training/averaging/averaging_config.h"

namespace domainfusion {

void AveragingConfig::describe(ConfigFields& fields) {
  fields.text("method", method, "none, or see `domainfusion inspect averaging`: the run yields the averaged model too");
  fields.integer("n_converge", valley.n_converge, {1, 1000},
                 "swad: validations without a lower loss that mean convergence");
  fields.integer("n_tolerance", valley.n_tolerance, {1, 1000},
                 "swad: validations above the threshold that end the valley");
  fields.real("tolerance_ratio", valley.tolerance_ratio, {0, 1e6},
              "swad: the threshold is (1 + this) times the mean loss at convergence (VLCS: 0.2)");
  fields.boolean("stop_when_dead", stop_when_dead,
                 "swad: the valley's end ends training; false: it goes on for the model that is not averaged");
  fields.integer("batch_norm_steps", batch_norm_steps, {1, 1000000},
                 "swad: training batches from which batch norm's statistics are taken anew, unless they are frozen");
  fields.real("ema_decay", ema_decay, {0, 0.9999999}, "ema: share of the average that stays in a step");
  fields.boolean("ema_warmup", ema_warmup,
                 "ema: the share grows as (1 + t) / (10 + t) over the first steps t, up to ema_decay");
}

}  // namespace domainfusion
