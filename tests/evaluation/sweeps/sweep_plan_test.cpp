#include "domainfusion/evaluation/sweeps/sweep_plan.h"

#include <gtest/gtest.h>

#include "domainfusion/core/error.h"
#include "domainfusion/evaluation/tables/protocol_table.h"
#include "domainfusion/training/run/trainer.h"
#include "temporary_folder.h"

namespace domainfusion {

TEST(SweepPlan, NamesEachRunByWhatItIsAndSeedsItAsDomainBedDoes) {
  SweepRequest request{"PACS", "ERM", "none", {"art", "photo", "real world"}, {"real world", "art"}, 2, 2, true};
  const auto runs = plan_sweep(request);
  ASSERT_EQ(runs.size(), 2u * 2u * (2u + 3u));
  EXPECT_EQ(runs[0].name, "real_world-trial0-hparams00");
  EXPECT_EQ(runs[2].name, "art+photo-trial0-hparams00");
  EXPECT_EQ(runs[2].cross_validation_domain, "photo");
  // seed_hash('PACS', 'ERM', [2], 0, 0)
  EXPECT_EQ(runs[0].seed, 1164463227);
  EXPECT_EQ(runs[0].test_envs, (std::vector<std::int64_t>{2}));
  request.targets = {"arr"};
  EXPECT_NE(message_of<ConfigError>([&] { plan_sweep(request); }).find("did you mean 'art'"), std::string::npos);
}

TEST(SweepPlan, PlannedRunsThatAreNotBegunAreMissing) {
  TemporaryFolder place;
  const SweepRequest request{"set", "ERM", "swad", {"art", "photo"}, {"art"}, 1, 2, false};
  write_sweep_request(place / "sweep", request);
  const auto runs = find_runs({place / "sweep"}).runs;
  EXPECT_EQ(missing_runs(runs, SelectionRule::kTrainingDomain),
            (std::vector<std::string>{"set, ERM, art, trial 0: hparams 0, 1 not started",
                                      "set, ERM + swad, art, trial 0: hparams 0, 1 not started"}));
  SweepRequest other = request;
  other.dataset = "another";
  EXPECT_THROW(write_sweep_request(place / "sweep", other), ConfigError);
  place.write("sweep/sweep.json", "{}");
  EXPECT_NE(find_runs({place / "sweep"}).unreadable.at(0).find("sweep.json': key 'dataset' not found"),
            std::string::npos);
}

TEST(SweepPlan, ATargetThatIsNamedTwiceIsOneRun) {
  const SweepRequest request{"set", "ERM", "none", {"art", "photo"}, {"art", "art"}, 2, 1, false};
  EXPECT_EQ(plan_sweep(request).size(), 2u);
}

TEST(SweepPlan, DomainsWhoseRunsWouldShareAFolderAreRefused) {
  const SweepRequest request{"set", "ERM", "none", {"photo", "real world", "real_world"}, {"real world", "real_world"},
                             1,     1,     false};
  const std::string message = message_of<ConfigError>([&] { plan_sweep(request); });
  EXPECT_NE(message.find("'real world' and of 'real_world'"), std::string::npos) << message;
}

TEST(SweepPlan, AFolderRemembersAllThatWasEverAskedFor) {
  TemporaryFolder place;
  write_sweep_request(place / "s", {"set", "ERM", "none", {"a", "b", "c"}, {"a", "b"}, 3, 1, true});
  write_sweep_request(place / "s", {"set", "ERM", "none", {"a", "b", "c"}, {"c", "a"}, 1, 2, false});
  const SweepRequest joined = read_sweep_request(place / "s");
  EXPECT_EQ(joined.targets, (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(joined.trials, 3);
  EXPECT_EQ(joined.hparams, 2);
  EXPECT_TRUE(joined.cross_validation);
}

TEST(SweepPlan, ASweepHasOneSetOfOptions) {
  TemporaryFolder place;
  SweepRequest request{"set", "ERM", "none", {"a", "b"}, {"a"}, 1, 1, false};
  request.options = make_run_setup({}, {"data.root=/x", "classifier.weights=/x/one.pth"}, {}).fields().to_json();
  write_sweep_request(place / "s", request);
  request.options["seed"] = 7;             // of one run
  request.options["data"]["root"] = "/y";  // changes no number
  request.options["classifier"]["weights"] = "/y/one.pth";
  EXPECT_NO_THROW(write_sweep_request(place / "s", request));
  request.options["optimizer"]["lr"] = 0.2;
  request.options["classifier"]["weights"] = "/y/two.pth";
  const std::string message = message_of<ConfigError>([&] { write_sweep_request(place / "s", request); });
  EXPECT_NE(message.find("classifier.weights was \"/y/one.pth\", is \"/y/two.pth\"; optimizer.lr was"),
            std::string::npos)
      << message;
  // A sweep of an older version wrote none, or fewer.
  request.options = nullptr;
  EXPECT_NO_THROW(write_sweep_request(place / "s", request));
}

}  // namespace domainfusion
