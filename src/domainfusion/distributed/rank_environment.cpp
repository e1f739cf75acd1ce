#include "domainfusion/distributed/rank_environment.h"

#include <charconv>
#include <cstdlib>
#include <functional>

#include "domainfusion/core/error.h"

namespace domainfusion {
namespace {

constexpr const char* kAlone = "DOMAINFUSION_ALONE";

std::optional<std::string> variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr || *value == 0 ? std::nullopt : std::optional<std::string>(value);
}

std::optional<int> integer(const char* name) {
  const auto text = variable(name);
  if (!text) return std::nullopt;
  int value = 0;
  const char* const end = text->data() + text->size();
  const auto [rest, error] = std::from_chars(text->data(), end, value);
  check<ConfigError>(error == std::errc() && rest == end && value >= 0, "{}='{}': expected a whole number", name,
                     *text);
  return value;
}

// Names of the variables of one launcher.
struct Launcher {
  const char *rank, *size, *local_rank, *local_size;
};
constexpr Launcher kLaunchers[] = {
    {"RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE"},
    {"SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_LOCALID", "SLURM_STEP_TASKS_PER_NODE"},
    {"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_SIZE"},
    {"PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID", "MPI_LOCALNRANKS"},
};
constexpr std::size_t kSlurm = 1;

// Starts of one program on one machine must not meet each other, all ranks of one start must.
int port_from(const std::string& job) { return 20000 + static_cast<int>(std::hash<std::string>{}(job) % 20000); }

// "4", "4(x2)" or "4(x2),3": tasks on the first node, which is right for each where all have as many.
int tasks_per_node(int size) {
  const auto text = variable("SLURM_STEP_TASKS_PER_NODE");
  return text ? std::max(1, std::atoi(text->c_str())) : size;
}

RankEnvironment ranks_of(std::size_t launcher, int rank, int size) {
  const Launcher& names = kLaunchers[launcher];
  RankEnvironment ranks;
  ranks.rank = rank;
  ranks.size = size;
  ranks.local_rank = integer(names.local_rank).value_or(launcher == 0 ? rank : 0);
  ranks.local_size = launcher == kSlurm ? tasks_per_node(size) : integer(names.local_size).value_or(size);
  if (launcher == kSlurm) {
    ranks.master_address = first_host(variable("SLURM_STEP_NODELIST").value_or("127.0.0.1"));
    ranks.master_port = port_from(variable("SLURM_JOB_ID").value_or("") + "." + variable("SLURM_STEP_ID").value_or(""));
  } else if (const auto job = variable("PMIX_NAMESPACE")) {
    ranks.master_port = port_from(*job);
  }
  ranks.master_address = variable("MASTER_ADDR").value_or(ranks.master_address);
  ranks.master_port = integer("MASTER_PORT").value_or(ranks.master_port);
  ranks.master_is_served = variable("TORCHELASTIC_USE_AGENT_STORE").value_or("") == "True";
  ranks.meeting = variable("TORCHELASTIC_RESTART_COUNT").value_or("0");
  check<ConfigError>(rank < size, "{}={} with {}={}: ranks are numbered from 0", names.rank, rank, names.size, size);
  check<ConfigError>(ranks.local_rank < ranks.local_size && ranks.local_size <= size,
                     "{}={} with {} ranks on this machine and {} in all: these do not go together", names.local_rank,
                     ranks.local_rank, ranks.local_size, size);
  check<ConfigError>(ranks.master_port > 0 && ranks.master_port < 65536, "MASTER_PORT={}: expected 1 to 65535",
                     ranks.master_port);
  return ranks;
}

}  // namespace

std::optional<RankEnvironment> rank_environment() {
  if (variable(kAlone)) return std::nullopt;
  for (std::size_t i = 0; i < std::size(kLaunchers); ++i) {
    const auto rank = integer(kLaunchers[i].rank), size = integer(kLaunchers[i].size);
    if (!rank || !size) continue;
    if (*size == 1) return std::nullopt;
    return ranks_of(i, *rank, *size);
  }
  return std::nullopt;
}

void be_alone() { ::setenv(kAlone, "1", 1); }

std::string first_host(const std::string& hosts) {
  const std::size_t bracket = hosts.find('['), comma = hosts.find(',');
  if (bracket == std::string::npos || comma < bracket) return hosts.substr(0, comma);
  const std::size_t end = hosts.find_first_of("-,]", bracket);
  check<ConfigError>(end != std::string::npos, "'{}' is no list of hosts: its bracket is not closed", hosts);
  const std::size_t close = hosts.find(']', bracket);
  const std::size_t next = hosts.find(',', close);
  const std::string behind =
      close == std::string::npos ? "" : hosts.substr(close + 1, next == std::string::npos ? next : next - close - 1);
  return hosts.substr(0, bracket) + hosts.substr(bracket + 1, end - bracket - 1) + behind;
}

}  // namespace domainfusion
