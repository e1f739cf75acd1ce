#pragma once
// Ranks over Gloo.

#include <memory>

#include "domainfusion/distributed/ranks.h"

namespace domainfusion {

std::unique_ptr<Ranks> join_gloo_ranks(const RankEnvironment& environment, const RankSettings& settings);

}  // namespace domainfusion
