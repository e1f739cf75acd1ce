#pragma once
// Options of weight averaging: which method, and its constants.

#include <cstdint>
#include <string>

#include "domainfusion/config/config_fields.h"
#include "domainfusion/training/averaging/loss_valley.h"

namespace domainfusion {

struct AveragingConfig {
  std::string method = "none";
  LossValleyOptions valley;
  bool stop_when_dead = true;
  std::int64_t batch_norm_steps = 500;
  double ema_decay = 0.999;
  bool ema_warmup = true;
  void describe(ConfigFields& fields);
};

}  // namespace domainfusion
