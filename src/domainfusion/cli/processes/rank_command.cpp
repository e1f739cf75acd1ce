#include "domainfusion/cli/processes/rank_command.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <exception>
#include <thread>
#include <vector>

#include "domainfusion/core/error.h"
#include "domainfusion/core/log.h"
#include "domainfusion/core/machine/cpus.h"
#include "domainfusion/core/quiet.h"
#include "domainfusion/distributed/local_address.h"
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

namespace {

void run_joined(const RankEnvironment& environment, const RankSettings& settings, const std::function<void()>& work) {
  if (environment.rank > 0) be_quiet();
  const std::unique_ptr<Ranks> ranks = join_ranks(environment, settings);
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
  log_info("{:.1f} MB a rank went to the others", 1e-6 * static_cast<double>(ranks->bytes_sent()));
  ranks->finish();
}

// What the first of the threads failed with that did not fail because of another one.
[[noreturn]] void rethrow_cause(const std::vector<std::exception_ptr>& failures) {
  std::exception_ptr cause;
  for (const std::exception_ptr& failure : failures) {
    if (!failure) continue;
    if (!cause) cause = failure;
    try {
      std::rethrow_exception(failure);
    } catch (const DistributedError&) {
    } catch (...) {
      throw;
    }
  }
  std::rethrow_exception(cause);
}

// Ranks of one numeric thread each, as many threads of this process as `own` says: from rank process.rank * own on, of
// process.size * own.
void run_as_threads(const RankEnvironment& process, int own, const RankSettings& settings, bool quietly,
                    const std::function<void()>& work) {
  std::vector<std::exception_ptr> failures(static_cast<std::size_t>(own));
  std::vector<std::thread> threads;
  for (int i = 0; i < own; ++i) {
    threads.emplace_back([&, i] {
      RankEnvironment environment = process;
      environment.rank = process.rank * own + i;
      environment.size = process.size * own;
      at::set_num_threads(1);
      if (quietly) be_quiet();
      try {
        run_joined(environment, settings, work);
      } catch (...) {
        failures[static_cast<std::size_t>(i)] = std::current_exception();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::exception_ptr& failure : failures) {
    if (failure) rethrow_cause(failures);
  }
}

RankEnvironment only_process() {
  RankEnvironment environment;
  environment.master_port = static_cast<int>(free_port());
  return environment;
}

}  // namespace

void run_as_rank(const std::function<void()>& work, std::int64_t virtual_ranks) {
  const auto environment = rank_environment();
  if (virtual_ranks > 0) {
    const RankEnvironment process = environment ? *environment : only_process();
    check<ConfigError>(virtual_ranks % process.size == 0,
                       "virtual_ranks = {}: {} processes cannot share them out evenly", virtual_ranks, process.size);
    RankSettings settings = rank_settings();
    settings.exact_sums = true;
    return run_as_threads(process, static_cast<int>(virtual_ranks / process.size), settings, false, work);
  }
  if (!environment) return work();
  run_joined(*environment, rank_settings(), work);
}

void run_as_local_ranks(int size, const std::function<void(Ranks&)>& work) {
  run_as_threads(only_process(), size, rank_settings(), true, [&] { work(*current_ranks()); });
}

std::vector<std::string> gathered_texts(const std::string& text) {
  Ranks* const ranks = current_ranks();
  if (ranks == nullptr) return {text};
  const auto size = static_cast<std::int64_t>(text.size());
  std::vector<std::int64_t> sizes;
  for (const at::Tensor& one : ranks->gather(at::tensor({size}, at::kLong))) sizes.push_back(one.item<std::int64_t>());
  const at::Tensor bytes = at::zeros({*std::max_element(sizes.begin(), sizes.end())}, at::kByte);
  std::copy(text.begin(), text.end(), bytes.data_ptr<std::uint8_t>());
  const std::vector<at::Tensor> all = ranks->gather(bytes);
  std::vector<std::string> texts;
  for (std::size_t rank = 0; rank < all.size(); ++rank) {
    const auto* begin = all[rank].data_ptr<std::uint8_t>();
    texts.emplace_back(begin, begin + sizes[rank]);
  }
  return texts;
}

}  // namespace domainfusion
