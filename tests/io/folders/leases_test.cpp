// One worker at a time, whatever happens to the others.
#include "domainfusion/io/folders/leases.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "domainfusion/core/error.h"
#include "domainfusion/core/json_text.h"
#include "domainfusion/io/files/atomic_file.h"
#include "domainfusion/io/files/file_bytes.h"
#include "temporary_folder.h"

namespace domainfusion {
namespace {

using std::chrono::milliseconds;
namespace fs = std::filesystem;

constexpr LeaseTimes kFast{milliseconds(20), milliseconds(1000)};

class LeasesTest : public testing::Test {
 protected:
  // A process that claims `name` and is killed while it has it.
  void leave_behind(const std::string& name) {
    const pid_t child = fork();
    if (child == 0) {
      Leases leases(folder_.path(), kFast);
      if (!leases.claim(name)) _exit(1);
      for (;;) ::pause();
    }
    while (!fs::exists(folder_ / ("leases/" + name)) || fs::file_size(folder_ / ("leases/" + name)) == 0) {
      std::this_thread::sleep_for(milliseconds(1));
    }
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
  }
  fs::path worker_file() { return fs::directory_iterator(folder_ / "workers")->path(); }
  // As if the worker ran on another machine: its process cannot be looked at.
  void move_worker_elsewhere() {
    auto worker = parse_json(read_file(worker_file()));
    worker["machine"] = "elsewhere";
    write_file_atomically(worker_file(), json_text(worker));
  }

  TemporaryFolder folder_;
};

}  // namespace

TEST_F(LeasesTest, OneOfTwoHasAPieceAndNothingIsLeftBehind) {
  {
    Leases a(folder_.path(), kFast), b(folder_.path(), kFast);
    EXPECT_TRUE(a.claim("piece"));
    EXPECT_TRUE(a.claim("piece"));
    EXPECT_FALSE(b.claim("piece"));
    EXPECT_TRUE(b.claim("other"));
    a.release("piece");
    EXPECT_TRUE(b.claim("piece"));
  }
  EXPECT_TRUE(fs::is_empty(folder_.path()));
}

TEST_F(LeasesTest, ManyThreadsOfManyWorkersNeverShareAPiece) {
  std::vector<std::unique_ptr<Leases>> workers;
  for (int i = 0; i < 4; ++i) workers.push_back(std::make_unique<Leases>(folder_.path()));
  std::vector<std::vector<std::string>> had(workers.size());
  std::vector<std::thread> threads;
  for (std::size_t w = 0; w < workers.size(); ++w) {
    threads.emplace_back([&, w] {
      for (int piece = 0; piece < 100; ++piece) {
        const std::string name = "piece-" + std::to_string((piece + 25 * static_cast<int>(w)) % 100);
        if (workers[w]->claim(name)) had[w].push_back(name);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::set<std::string> all;
  std::size_t count = 0;
  for (const auto& names : had) {
    all.insert(names.begin(), names.end());
    count += names.size();
  }
  EXPECT_EQ(count, 100u);
  EXPECT_EQ(all.size(), 100u);
}

TEST_F(LeasesTest, ThePieceOfAKilledProcessIsTakenOverAtOnce) {
  leave_behind("piece");
  EXPECT_EQ(workers_in(folder_.path(), milliseconds(0)).size(), 0u);
  Leases next(folder_.path());  // a minute of patience
  EXPECT_TRUE(next.claim("piece"));
  EXPECT_EQ(workers_in(folder_.path(), milliseconds(0)).size(), 1u);
}

TEST_F(LeasesTest, AnotherMachinesWorkerIsWaitedForUntilItsNumberStandsStill) {
  leave_behind("piece");
  move_worker_elsewhere();
  Leases next(folder_.path(), kFast);
  EXPECT_FALSE(next.claim("piece"));
  std::this_thread::sleep_for(kFast.lost / 2);
  auto worker = parse_json(read_file(worker_file()));
  worker["beat"] = 77;  // it lives
  for (const auto& entry : fs::directory_iterator(folder_ / "workers")) {
    if (read_file(entry.path()).find("elsewhere") != std::string::npos) {
      worker = parse_json(read_file(entry.path()));
      worker["beat"] = 77;
      write_file_atomically(entry.path(), json_text(worker));
    }
  }
  EXPECT_FALSE(next.claim("piece"));
  std::this_thread::sleep_for(kFast.lost * 3 / 4);
  EXPECT_FALSE(next.claim("piece"));  // so long after the first look, but not after the beat
  std::this_thread::sleep_for(kFast.lost / 2);
  EXPECT_TRUE(next.claim("piece"));
}

// Dates of files and clocks are never read: a jump of either says nothing.
TEST_F(LeasesTest, AClockThatJumpsTakesNothingFromALivingWorker) {
  Leases holder(folder_.path(), kFast);
  ASSERT_TRUE(holder.claim("piece"));
  for (const int hours : {-1000, 1000}) {
    for (const auto& entry : fs::recursive_directory_iterator(folder_.path())) {
      std::error_code replaced;
      fs::last_write_time(entry.path(), fs::file_time_type::clock::now() + std::chrono::hours(hours), replaced);
    }
    Leases other(folder_.path(), kFast);
    EXPECT_FALSE(other.claim("piece"));
    std::this_thread::sleep_for(kFast.lost * 2);
    EXPECT_FALSE(other.claim("piece"));
  }
}

TEST_F(LeasesTest, ATornLeaseIsTakenOverWhenItsTimeIsOver) {
  folder_.write("leases/piece", "");
  Leases next(folder_.path(), kFast);
  EXPECT_FALSE(next.claim("piece"));
  std::this_thread::sleep_for(kFast.lost + kFast.heartbeat);
  EXPECT_TRUE(next.claim("piece"));
}

TEST_F(LeasesTest, WhatAWorkerTellsIsReadByOthers) {
  Leases worker(folder_.path(), kFast);
  ASSERT_TRUE(worker.claim("piece"));
  worker.tell({{"made", 3}});
  std::this_thread::sleep_for(kFast.heartbeat * 10);
  const auto found = workers_in(folder_.path(), milliseconds(0));
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].process, ::getpid());
  EXPECT_EQ(found[0].facts.at("made"), 3);
  move_worker_elsewhere();  // until the next heartbeat
  EXPECT_EQ(workers_in(folder_.path(), milliseconds(1000)).size(), 1u);
  folder_.write("workers/junk.json", "{");
  EXPECT_EQ(workers_in(folder_.path(), milliseconds(0)).size(), 1u);
}

// A limit of no bytes a file fails as a full disk does.
TEST_F(LeasesTest, AFullDiskIsAnErrorAndLeavesNothing) {
  const pid_t child = fork();
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit none{0, 0};
    ::setrlimit(RLIMIT_FSIZE, &none);
    Leases worker(folder_.path(), kFast);
    try {
      worker.claim("piece");
    } catch (const IoError&) {
      _exit(fs::is_empty(folder_ / "leases") && fs::is_empty(folder_ / "workers") ? 0 : 2);
    }
    _exit(1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 0);
  Leases next(folder_.path(), kFast);
  EXPECT_TRUE(next.claim("piece"));
}

}  // namespace domainfusion
