#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>

#include "domainfusion/core/error.h"
#include "domainfusion/evaluation/tables/protocol_table.h"
#include "domainfusion/evaluation/tables/system_names.h"
#include "evaluation/tables/made_run_folder.h"

namespace domainfusion {
namespace {

constexpr SelectionRule kRule = SelectionRule::kTrainingDomain;

// A line of DomainBed's results.jsonl of a run on PACS, with Python's words for numbers.
std::string domainbed_line(int target, int step, const std::string& accuracy, const std::string& loss) {
  return R"({"env0_in_acc": 0.5, "env0_out_acc": )" + accuracy + R"(, "env1_in_acc": 0.6, "env1_out_acc": 0.6, )" +
         R"("env2_in_acc": 0.7, "env2_out_acc": 0.7, "env3_in_acc": 0.8, "env3_out_acc": 0.8, "loss": )" + loss +
         R"(, "epoch": 0.0, "step": )" + std::to_string(step) +
         R"(, "args": {"dataset": "PACS", "algorithm": "ERM", "test_envs": [)" + std::to_string(target) +
         R"(], "trial_seed": 0, "hparams_seed": 0, "seed": 1}, "hparams": {"lr": 5e-05}})" + "\n";
}

}  // namespace

TEST(FoundRuns, ADivergedRunOfDomainBedsHidesNoOther) {
  const TemporaryFolder place;
  place.write("a/results.jsonl", domainbed_line(0, 0, "0.5", "2.0") + domainbed_line(0, 300, "NaN", "NaN") +
                                     domainbed_line(0, 600, "0.5", "-Infinity"));
  place.write("b/results.jsonl", domainbed_line(1, 0, "NaN", "Infinity"));
  place.write("c/results.jsonl", domainbed_line(2, 0, "0.5", "1.0"));
  const FoundRuns found = find_runs({place.path()});
  EXPECT_TRUE(found.unreadable.empty()) << found.unreadable.front();
  ASSERT_EQ(found.runs.size(), 3u);
  EXPECT_EQ(found.runs[0].records.size(), 3u);
  EXPECT_TRUE(std::isnan(found.runs[0].records[1].out_acc[0]));
  EXPECT_EQ(protocol_tables(found.runs, kRule).at("PACS").csv(),
            "system,domain,mean,standard_error,runs,expected\nERM,art_painting,50,0,1,1\nERM,cartoon,,,0,1\n"
            "ERM,photo,70,0,1,1\n");
}

TEST(FoundRuns, ADamagedRunIsNamedAndTheOthersAreThere) {
  const TemporaryFolder place;
  make_run_folder(place, "a", made_description("art"), 0.5);
  for (const char* name : {"b", "c", "d", "e"}) make_run_folder(place, name, made_description("photo"), 0.9);
  std::ofstream(place / "b/records.jsonl", std::ios::app) << "garbage\n";
  place.write("c/run.json", "{\"config\": ");
  place.write("d/records.jsonl", "{\"type\": 3}\n{\"type\": \"validation\"}\n");
  place.write("e/dsi.json", "{\"test\": {\"type\": \"test\"}}");
  place.write("f/results.jsonl", "{\"step\": 0}\n");
  place.write("g/results.jsonl", domainbed_line(1, 0, "0.5", "1").replace(0, 1, "[{") + "]\n");
  auto wrong_type = made_description("photo");
  wrong_type["config"]["holdout_fraction"] = "a lot";
  make_run_folder(place, "h", wrong_type, 0.9);
  make_run_folder(place, "z", made_description("sketch"), 0.5);
  const FoundRuns found = find_runs({place.path()});
  ASSERT_EQ(found.runs.size(), 2u);
  EXPECT_EQ(found.runs[1].path, place / "z");
  ASSERT_EQ(found.unreadable.size(), 7u);
  for (std::size_t i = 0; i < 7; ++i) {
    const std::string run = (place / std::string(1, static_cast<char>('b' + i))).string();
    EXPECT_NE(found.unreadable[i].find(run), std::string::npos) << found.unreadable[i];
    EXPECT_EQ(found.unreadable[i].find("json.exception"), std::string::npos) << found.unreadable[i];
  }
  EXPECT_NE(found.unreadable[0].find("line 4: is not valid JSON"), std::string::npos) << found.unreadable[0];
}

TEST(FoundRuns, LinksThatGoRoundAndFoldersThatAreClosedEndNoSearch) {
  const TemporaryFolder place;
  make_run_folder(place, "runs/a", made_description("art"), 0.5);
  std::filesystem::create_directory_symlink(place.path(), place / "runs/up");
  std::filesystem::create_directory_symlink(place / "loop", place / "loop");
  std::filesystem::create_directory_symlink(place / "runs/a", place / "best");
  std::filesystem::create_directory(place / "closed");
  std::filesystem::permissions(place / "closed", std::filesystem::perms::none);
  const FoundRuns found = find_runs({place.path(), place / "runs"});
  std::filesystem::permissions(place / "closed", std::filesystem::perms::owner_all);
  ASSERT_EQ(found.runs.size(), 1u);
  EXPECT_EQ(found.runs[0].path, place / "runs/a");
  EXPECT_TRUE(found.unreadable.empty());
  EXPECT_THROW(find_runs({place / "nowhere"}), IoError);
  EXPECT_THROW(find_runs({place / "loop"}), IoError);
}

TEST(FoundRuns, SetsOfOneNameAreNamedApartInTablesAndEvaluations) {
  const TemporaryFolder place;
  make_run_folder(place, "a", made_description("art", 0), 0.25);
  auto changed = made_description("art", 1);
  changed["classes"] = {"cat", "cup"};
  changed["config"]["data"]["root"] = "/other/set";
  make_run_folder(place, "b", changed, 0.5);
  std::vector<ProtocolRun> runs = find_runs({place.path()}).runs;
  tell_sets_apart(runs);
  tell_systems_apart(runs);
  const auto tables = protocol_tables(runs, kRule);
  ASSERT_EQ(tables.size(), 2u);
  EXPECT_EQ(tables.at("set (/data/set)").text(), "accuracy, %   art\nERM          25.0\n");
  EXPECT_EQ(tables.at("set (/other/set)").text(), "accuracy, %   art\nERM          50.0\n");
  EXPECT_EQ(runs[1].records.at(0).dataset, "set (/other/set)");
  std::vector<RunResult> results{read_run(place / "a"), read_run(place / "b")};
  tell_sets_apart(results);
  EXPECT_EQ(results[0].dataset, "set (/data/set)");
  EXPECT_EQ(results[1].dataset, "set (/other/set)");
}

}  // namespace domainfusion
