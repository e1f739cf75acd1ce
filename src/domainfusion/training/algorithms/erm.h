#pragma once
// Empirical risk minimisation: plain cross-entropy over the pooled source domains (Vapnik; DomainBed's ERM).

#include "domainfusion/training/algorithm.h"

namespace domainfusion {

struct ErmConfig {
  std::int64_t batch_multiplier = 1;
  void describe(ConfigFields& fields);
};

class Erm : public Algorithm {
 public:
  void describe(ConfigFields& fields) override { fields.group("erm", config_); }
  std::int64_t batch_multiplier() const override { return config_.batch_multiplier; }

 private:
  ErmConfig config_;
};

}  // namespace domainfusion
