#pragma once
// Which of how many processes this one is, as whoever started it says by environment variables.

#include <optional>
#include <string>

namespace domainfusion {

struct RankEnvironment {
  int rank = 0;        // 0 … size - 1
  int size = 1;        // ranks in all
  int local_rank = 0;  // among those of this machine
  int local_size = 1;
  std::string master_address = "127.0.0.1";  // where rank 0 runs
  int master_port = 29500;
  bool master_is_served = false;  // somebody else (torchrun) has the meeting place open already
  std::string meeting = "";       // tells one start from another one at the same meeting place
};

// In this order: RANK, WORLD_SIZE, LOCAL_RANK, LOCAL_WORLD_SIZE, MASTER_ADDR, MASTER_PORT (`launch`, torchrun); srun's
// SLURM_*; Open MPI's OMPI_COMM_WORLD_*; PMI_* of MPICH and Intel. MASTER_ADDR and MASTER_PORT count with all of them;
// srun's default is the first node of the step. Nothing: this process is alone, of one rank, or was started by one that
// has said so (be_alone()). ConfigError for values that do not go together.
std::optional<RankEnvironment> rank_environment();

// Processes that this one starts from here on are ranks of nothing, whatever variables they inherit.
void be_alone();

// The first of Slurm's compact list of hosts: "node[07-12,20],gpu3" -> "node07".
std::string first_host(const std::string& hosts);

}  // namespace domainfusion
