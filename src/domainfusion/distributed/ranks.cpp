#include "domainfusion/distributed/ranks.h"

#include <ATen/ATen.h>

#include "domainfusion/core/error.h"
#include "domainfusion/distributed/gloo_ranks.h"

namespace domainfusion {
namespace {

// Threads of one process may be ranks of their own.
thread_local Ranks* of_this_thread = nullptr;

}  // namespace

Ranks* current_ranks() { return of_this_thread; }

RanksScope::RanksScope(Ranks* ranks) : before_(of_this_thread) { of_this_thread = ranks; }

RanksScope::~RanksScope() { of_this_thread = before_; }

void Ranks::copy_from_first(const at::Tensor& values) {
  if (!is_first()) values.zero_();
  sum(values);
}

bool any_rank(bool says) {
  if (current_ranks() == nullptr) return says;
  const at::Tensor count = at::tensor({says ? std::int64_t{1} : std::int64_t{0}}, at::kLong);
  current_ranks()->sum(count);
  return count.item<std::int64_t>() > 0;
}

std::unique_ptr<Ranks> join_ranks(const RankEnvironment& environment, const RankSettings& settings) {
  const std::string missing = why_no_ranks();
  check<DistributedError>(missing.empty(),
                          "rank {} of {}: {}; without ranks, a farm of workers shares generation and sweeps",
                          environment.rank, environment.size, missing);
  return join_gloo_ranks(environment, settings);
}

}  // namespace domainfusion
