// Candidates that several processes make together.
#include "domainfusion/augmentation/candidates/candidate_farm.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "augmentation/made_candidates.h"
#include "domainfusion/io/files/atomic_file.h"
#include "domainfusion/io/files/file_bytes.h"
#include "temporary_folder.h"

namespace domainfusion {
namespace {

using std::chrono::milliseconds;
namespace fs = std::filesystem;

constexpr LeaseTimes kTimes{milliseconds(20), milliseconds(400)};

class CandidateFarmTest : public testing::Test {
 protected:
  CandidateFarmTest() {
    for (int i = 0; i < 24; ++i) keys_.push_back(made_key(i).hash());
  }
  // Makes what is missing in `store`; calls of make are counted in `made`.
  bool complete(const std::string& store, std::int64_t batch = 3, milliseconds each = milliseconds(0),
                const FarmHooks& hooks = {}) {
    const CandidateStore candidates(folder_ / store);
    return CandidateFarm(candidates, kTimes)
        .complete(
            keys_, batch,
            [&](const std::vector<std::size_t>& places) {
              std::this_thread::sleep_for(each);
              for (const std::size_t place : places) {
                ++made_;
                candidates.add_image(made_key(static_cast<int>(place)), made_image(static_cast<int>(place)));
              }
            },
            hooks);
  }
  pid_t worker(const std::string& store, milliseconds each) {
    const pid_t child = fork();
    if (child == 0) {
      complete(store, 2, each);
      _exit(made_ > 255 ? 255 : made_);
    }
    return child;
  }
  static int made_by(pid_t child) {
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 0;
  }
  // Without the beginnings of files whose writer was killed; the store's upkeep removes those.
  std::map<std::string, std::string> content(const std::string& store) {
    std::map<std::string, std::string> files;
    for (const auto& entry : fs::recursive_directory_iterator(folder_ / store)) {
      if (entry.is_regular_file() && !is_partial_file(entry.path()))
        files[entry.path().lexically_relative(folder_ / store)] = read_file(entry.path());
    }
    return files;
  }
  // That are whole, while others may be at work.
  std::int64_t entries(const std::string& store) {
    std::int64_t count = 0;
    for (const std::string& key : keys_) count += fs::exists(folder_ / store / key.substr(0, 2) / (key + ".json"));
    return count;
  }

  std::vector<std::string> keys_;
  int made_ = 0;
  TemporaryFolder folder_;
};

}  // namespace

TEST_F(CandidateFarmTest, FourProcessesMakeEachCandidateOnceAndTheBytesOfOne) {
  ASSERT_TRUE(complete("alone"));
  EXPECT_EQ(made_, 24);
  made_ = 0;
  std::vector<pid_t> workers;
  for (int i = 0; i < 4; ++i) workers.push_back(worker("shared", milliseconds(5)));
  int made = 0;
  for (const pid_t child : workers) made += made_by(child);
  EXPECT_EQ(made, 24);
  EXPECT_EQ(content("shared"), content("alone"));
}

TEST_F(CandidateFarmTest, KilledWorkersLoseNothingButTheUnitInHand) {
  ASSERT_TRUE(complete("alone"));
  for (int kill = 0; kill < 5; ++kill) {
    const auto before = entries("shared");
    const pid_t victim = worker("shared", milliseconds(10));
    while (entries("shared") < before + 2) std::this_thread::sleep_for(milliseconds(1));
    ::kill(victim, SIGKILL);
    ::waitpid(victim, nullptr, 0);
  }
  made_ = 0;
  const auto there = entries("shared");
  ASSERT_TRUE(complete("shared"));
  EXPECT_EQ(made_, 24 - there);
  EXPECT_EQ(content("shared"), content("alone"));
}

TEST_F(CandidateFarmTest, AWorkerWaitsForWhatAnotherOneMakesAndTakesOverWhereThatDies) {
  const pid_t victim = worker("shared", milliseconds(100000));
  while (!fs::exists(folder_ / "shared/leases") || fs::is_empty(folder_ / "shared/leases")) {
    std::this_thread::sleep_for(milliseconds(1));
  }
  std::thread killer([&] {
    while (entries("shared") < 22) std::this_thread::sleep_for(milliseconds(1));
    std::this_thread::sleep_for(milliseconds(100));
    EXPECT_EQ(entries("shared"), 22);  // two are the victim's
    ::kill(victim, SIGKILL);
    ::waitpid(victim, nullptr, 0);
  });
  ASSERT_TRUE(complete("shared"));
  killer.join();
  EXPECT_EQ(made_, 24);
}

TEST_F(CandidateFarmTest, AStoppedWorkerKeepsWhatIsFinishedAndHoldsNothing) {
  int asked = 0;
  EXPECT_FALSE(complete("store", 3, milliseconds(0), {[&] { return ++asked == 4; }}));
  EXPECT_EQ(made_, 9);
  EXPECT_FALSE(fs::exists(folder_ / "store/leases"));
  std::int64_t last = 0;
  EXPECT_TRUE(complete("store", 4, milliseconds(0), {{}, [&](std::int64_t done) { last = done; }}));
  EXPECT_EQ(made_, 24);
  EXPECT_EQ(last, 24);
}

TEST_F(CandidateFarmTest, AWorkerThatFailsGivesItsClaimsBack) {
  const CandidateStore store(folder_ / "store");
  CandidateFarm farm(store, kTimes);
  EXPECT_THROW(farm.complete(keys_, 2, [](const auto&) { throw IoError("the disk is full"); }), IoError);
  EXPECT_FALSE(fs::exists(folder_ / "store/leases"));
  EXPECT_TRUE(complete("store"));
}

TEST_F(CandidateFarmTest, JobsTellWhatIsMissing) {
  const CandidateJob job{"all of them", {{"strength", 0.5}}, 30, keys_};
  const CandidateStore store(folder_ / "store");
  write_job(store.folder(), job);
  write_job(store.folder(), job);
  folder_.write("store/jobs/junk.json", "{");
  const auto jobs = jobs_of_store(store.folder());
  ASSERT_EQ(jobs.size(), 1u);
  EXPECT_EQ(jobs[0].what, "all of them");
  EXPECT_EQ(missing_of_job(store, jobs[0]), 30);
  complete("store");
  EXPECT_EQ(missing_of_job(store, jobs[0]), 6);
  write_unit_of_job(store.folder(), {"rounds", {}, 8, {}}, "unit-1", {keys_[0], keys_[1]});
  write_job(store.folder(), {"rounds", {}, 8, {}});
  write_unit_of_job(store.folder(), {"rounds", {}, 8, {}}, "unit-2", {keys_[1], keys_[2]});
  for (const CandidateJob& found : jobs_of_store(store.folder())) {
    EXPECT_EQ(missing_of_job(store, found), found.what == "rounds" ? 8 - 3 : 6);
  }
  EXPECT_TRUE(pace_of_store(store.folder(), kTimes).workers.empty());
}

}  // namespace domainfusion
