#include "domainfusion/evaluation/sweeps/job_queue.h"

#include <gtest/gtest.h>

#include <csignal>
#include <thread>

#include "domainfusion/core/error.h"
#include "domainfusion/evaluation/sweeps/child_process.h"
#include "domainfusion/io/files/file_bytes.h"
#include "temporary_folder.h"

namespace domainfusion {
namespace {

Job touching(const TemporaryFolder& place, const std::string& name) {
  const auto file = place / name;
  return {name, {"/bin/sh", "-c", "touch '" + file.string() + "'"}, place / (name + ".log"), [file] {
            return std::filesystem::exists(file);
          }};
}

JobReport run_all(const std::vector<Job>& jobs) {
  return run_jobs(jobs, {1, 1, [] { return false; }});
}

}  // namespace

TEST(JobQueue, AJobThatCannotBeReadOrStartedFailsByNameAndTheOthersGoOn) {
  const TemporaryFolder place;
  std::vector<Job> jobs{touching(place, "first"), touching(place, "damaged"), touching(place, "unlogged"),
                        touching(place, "last")};
  jobs[1].finished = []() -> bool { throw FormatError("line 3: is not valid JSON"); };
  jobs[2].log = place / "nowhere/log";
  const JobReport report = run_all(jobs);
  EXPECT_EQ(report.finished, 2);
  ASSERT_EQ(report.failed.size(), 2u);
  EXPECT_EQ(report.failed[0], "damaged: line 3: is not valid JSON");
  EXPECT_NE(report.failed[1].find("unlogged: log '"), std::string::npos) << report.failed[1];
  EXPECT_FALSE(std::filesystem::exists(place / "damaged"));
  EXPECT_TRUE(std::filesystem::exists(place / "last"));
}

TEST(JobQueue, TwoQueuesShareTheirJobs) {
  const TemporaryFolder place;
  std::vector<Job> jobs;
  for (int i = 0; i < 8; ++i) {
    const auto file = place / ("job" + std::to_string(i));
    jobs.push_back({"job" + std::to_string(i),
                    {"/bin/sh", "-c", "echo once >> '" + file.string() + "'; sleep 0.1"},
                    place / ("log" + std::to_string(i)),
                    [file] { return std::filesystem::exists(file); }});
  }
  const auto run_shared = [&] {
    Leases leases(place / "leases");
    return run_jobs(jobs, {2, 1, [] { return false; }, &leases});
  };
  JobReport first, second;
  std::thread other([&] { second = run_shared(); });
  first = run_shared();
  other.join();
  EXPECT_EQ(first.finished, 8);
  EXPECT_EQ(second.finished, 8);
  EXPECT_EQ(first.skipped + second.skipped, 8);  // each was done by one of them
  for (int i = 0; i < 8; ++i) EXPECT_EQ(read_file(place / ("job" + std::to_string(i))), "once\n");
}

TEST(JobQueue, EndsWhereSignalsOfChildrenWereIgnored) {
  const TemporaryFolder place;
  const auto before = std::signal(SIGCHLD, SIG_IGN);
  EXPECT_EQ(run_all({touching(place, "one")}).finished, 1);
  EXPECT_EQ(ChildProcess({"/bin/sh", "-c", "exit 3"}, place / "log").wait(), 3);
  std::signal(SIGCHLD, before);
}

TEST(JobQueue, AChildThatSomethingElseWaitedForHasEnded) {
  const TemporaryFolder place;
  ChildProcess child({"/bin/sh", "-c", "exit 0"}, place / "log");
  std::signal(SIGCHLD, SIG_IGN);
  EXPECT_EQ(child.wait(), -1);
  std::signal(SIGCHLD, SIG_DFL);
}

}  // namespace domainfusion
