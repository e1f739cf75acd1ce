#pragma once
// Commands that several processes do together.

#include <functional>
#include <string>
#include <vector>

#include "domainfusion/distributed/ranks.h"

namespace domainfusion {

// Of the program's options --timeout and --interface.
RankSettings& rank_settings();

// The threads of this process: `threads`, or where that is 0, all CPUs that it may use or its share of them among the
// ranks of its machine.
int threads_of_process(int threads);

// Does `work` as one of the ranks that the environment names (rank_environment()), with current_ranks() set, or alone.
// Ranks but the first are quiet. virtual_ranks: so many ranks in all, threads of which each process runs its share, of
// one numeric thread each and with exact sums; 0: one a process. ConfigError where the processes do not divide them;
// DistributedError; what `work` throws, of which the other ranks are told.
void run_as_rank(const std::function<void()>& work, std::int64_t virtual_ranks = 0);

// Does `work` on `size` threads of this process, each of them a rank, quietly. The same errors.
void run_as_local_ranks(int size, const std::function<void(Ranks&)>& work);

// What all ranks gave, by rank; of one that is alone, its own.
std::vector<std::string> gathered_texts(const std::string& text);

}  // namespace domainfusion
