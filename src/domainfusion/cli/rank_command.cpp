#include "domainfusion/cli/rank_command.h"

#include "domainfusion/core/error.h"
#include "domainfusion/core/log.h"
#include "domainfusion/core/machine/cpus.h"
#include "domainfusion/core/quiet.h"
#include "domainfusion/training/records/stop_signal.h"

namespace domainfusion {

RankSettings& rank_settings() {
  static RankSettings settings;
  return settings;
}

int threads_of_process(int threads) {
  const auto environment = rank_environment();
  if (threads != 0 || !environment) return threads;
  return std::max(1, available_cpus() / environment->local_size);
}

void run_as_rank(const std::function<void()>& work) {
  const auto environment = rank_environment();
  if (!environment) return work();
  if (environment->rank > 0) be_quiet();
  const std::unique_ptr<Ranks> ranks = join_ranks(*environment, rank_settings());
  log_info("{} ranks work together", ranks->size());
  const RanksScope scope(ranks.get());
  try {
    work();
  } catch (const Interrupted&) {  // all ranks stop at one place
    ranks->finish();
    throw;
  } catch (const DistributedError&) {
    throw;
  } catch (const std::exception& error) {
    ranks->leave(error.what());
    throw;
  }
  ranks->finish();
}

}  // namespace domainfusion
