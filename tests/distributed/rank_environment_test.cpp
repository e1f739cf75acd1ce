// Who started this process, and as which of how many.
#include "domainfusion/distributed/rank_environment.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>

#include "domainfusion/core/error.h"
#include "domainfusion/distributed/local_address.h"
#include "temporary_folder.h"

namespace domainfusion {
namespace {

class RankEnvironmentTest : public testing::Test {
 protected:
  RankEnvironmentTest() {
    for (const char* name :
         {"RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT", "SLURM_PROCID",
          "SLURM_STEP_NUM_TASKS", "OMPI_COMM_WORLD_RANK", "PMI_RANK", "DOMAINFUSION_ALONE", "PMIX_NAMESPACE"})
      unset(name);
  }
  ~RankEnvironmentTest() override {
    for (const auto& [name, value] : before_)
      value ? ::setenv(name.c_str(), value->c_str(), 1) : ::unsetenv(name.c_str());
  }
  void remember(const std::string& name) {
    const char* value = std::getenv(name.c_str());
    before_.emplace(name, value ? std::optional<std::string>(value) : std::nullopt);
  }
  void set(const std::string& name, const std::string& value) {
    remember(name);
    ::setenv(name.c_str(), value.c_str(), 1);
  }
  void unset(const std::string& name) {
    remember(name);
    ::unsetenv(name.c_str());
  }
  std::map<std::string, std::optional<std::string>> before_;
};

}  // namespace

TEST_F(RankEnvironmentTest, WithoutALauncherAProcessIsAlone) {
  EXPECT_FALSE(rank_environment());
  set("RANK", "0");
  EXPECT_FALSE(rank_environment());  // a number that something else has set
  set("WORLD_SIZE", "1");
  EXPECT_FALSE(rank_environment());
  set("WORLD_SIZE", "2");
  EXPECT_TRUE(rank_environment());
  remember("DOMAINFUSION_ALONE");
  be_alone();
  EXPECT_FALSE(rank_environment());
}

TEST_F(RankEnvironmentTest, OfTorchrun) {
  set("RANK", "5");
  set("WORLD_SIZE", "8");
  set("LOCAL_RANK", "1");
  set("LOCAL_WORLD_SIZE", "4");
  set("MASTER_ADDR", "node1");
  set("MASTER_PORT", "1234");
  const auto ranks = rank_environment();
  ASSERT_TRUE(ranks);
  EXPECT_EQ(ranks->rank, 5);
  EXPECT_EQ(ranks->size, 8);
  EXPECT_EQ(ranks->local_rank, 1);
  EXPECT_EQ(ranks->local_size, 4);
  EXPECT_EQ(ranks->master_address, "node1");
  EXPECT_EQ(ranks->master_port, 1234);
}

TEST_F(RankEnvironmentTest, OfSrunAndNotOfABatchScript) {
  set("SLURM_PROCID", "0");
  set("SLURM_NTASKS", "4");
  EXPECT_FALSE(rank_environment());  // the script of a job of four tasks
  set("SLURM_PROCID", "3");
  set("SLURM_STEP_NUM_TASKS", "4");
  set("SLURM_LOCALID", "1");
  set("SLURM_STEP_TASKS_PER_NODE", "2(x2)");
  set("SLURM_STEP_NODELIST", "gpu[07-08]");
  set("SLURM_JOB_ID", "77");
  const auto ranks = rank_environment();
  ASSERT_TRUE(ranks);
  EXPECT_EQ(ranks->rank, 3);
  EXPECT_EQ(ranks->size, 4);
  EXPECT_EQ(ranks->local_size, 2);
  EXPECT_EQ(ranks->master_address, "gpu07");
  EXPECT_GE(ranks->master_port, 20000);
  set("SLURM_JOB_ID", "78");
  EXPECT_NE(rank_environment()->master_port, ranks->master_port);
}

TEST_F(RankEnvironmentTest, OfMpirun) {
  set("OMPI_COMM_WORLD_RANK", "1");
  set("OMPI_COMM_WORLD_SIZE", "2");
  set("OMPI_COMM_WORLD_LOCAL_RANK", "1");
  set("OMPI_COMM_WORLD_LOCAL_SIZE", "2");
  EXPECT_EQ(rank_environment()->rank, 1);
  unset("OMPI_COMM_WORLD_RANK");
  set("PMI_RANK", "2");
  set("PMI_SIZE", "3");
  EXPECT_EQ(rank_environment()->rank, 2);
}

TEST_F(RankEnvironmentTest, WhatDoesNotGoTogetherIsRefused) {
  set("RANK", "2");
  set("WORLD_SIZE", "2");
  EXPECT_NE(message_of<ConfigError>([] { rank_environment(); }).find("RANK=2"), std::string::npos);
  set("RANK", "one");
  EXPECT_NE(message_of<ConfigError>([] { rank_environment(); }).find("RANK='one'"), std::string::npos);
  set("RANK", "1");
  set("MASTER_PORT", "70000");
  EXPECT_NE(message_of<ConfigError>([] { rank_environment(); }).find("MASTER_PORT"), std::string::npos);
}

TEST_F(RankEnvironmentTest, TheFirstOfSlurmsHosts) {
  EXPECT_EQ(first_host("node1"), "node1");
  EXPECT_EQ(first_host("node1,node2"), "node1");
  EXPECT_EQ(first_host("node[07-12,20],gpu3"), "node07");
  EXPECT_EQ(first_host("a,node[1-2]"), "a");
  EXPECT_EQ(first_host("rack[3,5]-x,b"), "rack3-x");
  EXPECT_THROW(first_host("node[7"), ConfigError);
}

TEST(LocalAddress, IsThatOfTheRoute) {
  EXPECT_EQ(address_towards("127.0.0.1"), "127.0.0.1");
  EXPECT_TRUE(is_loopback("127.0.1.1"));
  EXPECT_FALSE(is_loopback("10.0.0.1"));
  EXPECT_EQ(address_of_interface("lo"), "127.0.0.1");
  const std::string message = message_of<ConfigError>([] { address_of_interface("nowhere0"); });
  EXPECT_NE(message.find("no such network interface"), std::string::npos) << message;
  EXPECT_NE(message.find(" lo"), std::string::npos) << message;
  EXPECT_THROW(address_towards("no-such-host.invalid"), DistributedError);
}

}  // namespace domainfusion
