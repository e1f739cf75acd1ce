// Pages of runs: what is in the file, and how it behaves in a browser.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "domainfusion/io/files/json_lines.h"
#include "end_to_end/command_line.h"
#include "end_to_end/python.h"
#include "tiny_models.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

const char* const kHostileClass = "<img src=x onerror=alert(1)>";
const char* const kHostileDomain = "pho'to & <b>\"";

class ReportCommand : public testing::Test {
 protected:
  CommandResult succeed(const std::string& arguments) {
    CommandResult result = shell_.run(arguments);
    EXPECT_EQ(result.exit_code, 0) << arguments << "\n" << result.err;
    return result;
  }

  // A set, and a run on it, whose names want to be markup.
  void make_hostile_run() {
    shell_.make_set();
    fs::rename(shell_ / "set/photo", shell_ / ("set/" + std::string(kHostileDomain)));
    for (const auto& domain : fs::directory_iterator(shell_ / "set"))
      fs::rename(domain.path() / "cat", domain.path() / kHostileClass);
    succeed(CommandLine::tiny_run("--out plain"));
  }

  std::string domainfusion_run() {
    shell_.make_set("pets");
    return CommandLine::tiny_run(
        "--out run --algorithm domainfusion --ldm " + kTinySd15.string() +
            " --set augmentation.every_epochs=1 --set augmentation.budget_share=0 --set "
            "augmentation.images_per_round=3 --set "
            "augmentation.candidates=2 --set augmentation.steps=2 --set domainfusion.latent_distillation=auto --set "
            "distillation.encoder=exact",
        "pets");
  }

  // What a page holds, as any reader would take it out.
  json data_of(const std::string& file) const {
    const std::string page = CommandLine::text(shell_ / file), mark = "id=\"data\">";
    const auto first = page.find(mark) + mark.size();
    return json::parse(page.substr(first, page.find("</script>", first) - first));
  }

  // Folders of finished runs: four systems, two targets, five trials, of which one system lacks one.
  void make_sweep() const {
    for (const std::string system : {"erm", "mixstyle", "efdmix", "cdga"}) {
      for (const std::string target : {"photo", "sketch"}) {
        for (int trial = 0; trial < 5; ++trial) {
          const bool stopped = system == "efdmix" && target == "sketch" && trial == 4;
          make_run(shell_ / fmt::format("sweep/{}-{}-{}", system, target, trial), system, target, trial, stopped);
        }
      }
    }
  }

  static void make_run(const fs::path& run, const std::string& system, const std::string& target, int trial,
                       bool stopped) {
    fs::create_directories(run);
    const json config{{"algorithm", system},
                      {"test_domain", target},
                      {"seed", trial},
                      {"trial_seed", trial},
                      {"data", {{"root", "pets"}}}};
    std::ofstream(run / "run.json") << json{{"dataset", "pets"},
                                            {"config", config},
                                            {"domains", {"cartoon", "photo", "sketch"}},
                                            {"classes", {"cat", "dog"}},
                                            {"images", {{"cartoon", 20}, {"photo", 20}, {"sketch", 20}}}};
    JsonLinesWriter records(run / "records.jsonl");
    records.write({{"type", "guard"}, {"domain", target}, {"source_images_in_target", json::array()}});
    const double gain = system == "erm" ? 0 : 0.02 * (trial % 3);
    if (system == "cdga")
      records.write({{"type", "cdga"}, {"step", 0}, {"images", 4000}, {"failed", 0}, {"seconds", 1}});
    for (int step = 0; step < 300; ++step) {
      records.write({{"type", "step"},
                     {"step", step},
                     {"loss", 2.0 / (1 + 0.05 * step) + 0.1 * (step % 7 - 3)},
                     {"lr", 0.001},
                     {"accuracy", 0.9}});
      if (step % 100 != 99) continue;
      json sources = json::object();
      for (const std::string domain : {"cartoon", "photo", "sketch"})
        if (domain != target) sources[domain] = 0.5 + 0.001 * step;
      records.write({{"type", "validation"},
                     {"step", step + 1},
                     {"accuracy", sources},
                     {"mean_accuracy", 0.5 + 0.001 * step},
                     {"mean_loss", 1.0 / (1 + step)}});
    }
    if (stopped) return;
    const double accuracy = 0.5 + gain + 0.01 * trial;
    records.write(
        {{"type", "oracle"}, {"domain", target}, {"step", 300}, {"in_accuracy", accuracy}, {"out_accuracy", accuracy}});
    records.write(
        {{"type", "test"}, {"domain", target}, {"step", 300}, {"accuracy", accuracy}, {"confusion", {{5, 3}, {2, 6}}}});
  }

  CommandLine shell_;
};

}  // namespace

TEST_F(ReportCommand, ShowsTheAnswersBehindARunsFigures) {
  make_hostile_run();
  succeed("report plain --out page.html");
  const json data = data_of("page.html"), run = data.at("runs").at(0), looks = run.at("looks");
  EXPECT_EQ(run.at("classes").at(0), kHostileClass);
  EXPECT_EQ(CommandLine::text(shell_ / "page.html").find(kHostileClass), std::string::npos);
  ASSERT_TRUE(looks.contains("images")) << looks;
  EXPECT_EQ(looks.at("domains").at(0).at("name"), "sketch");
  const json& images = looks.at("images");
  std::vector<std::vector<std::int64_t>> confusion(2, std::vector<std::int64_t>(2));
  for (std::size_t i = 0; i < images.at("file").size(); ++i) {
    if (images.at("domain").at(i) != 0) continue;
    ++confusion[images.at("label").at(i).get<std::size_t>()][images.at("answer").at(i).get<std::size_t>()];
    EXPECT_TRUE(fs::exists(shell_ / ("set/" + images.at("file").at(i).get<std::string>())));
  }
  EXPECT_EQ(json(confusion), run.at("tests").at(0).at("confusion"));
  EXPECT_EQ(looks.at("calibration").size(), 3u);
  EXPECT_FALSE(looks.at("grad_cam").empty());
  EXPECT_EQ(looks.at("feature_map").at("images").size(), looks.at("feature_map").at("tsne").size());
  EXPECT_EQ(data.at("left_out"), json::object());
  EXPECT_EQ(run.at("plan").at("steps"), 8);
  // Found below a folder, it is shown from its records.
  succeed("report . --out below.html");
  EXPECT_FALSE(data_of("below.html").at("runs").at(0).contains("looks"));

  fs::rename(shell_ / "set", shell_ / "elsewhere");
  succeed("report plain --out gone.html");
  EXPECT_NE(data_of("gone.html").at("runs").at(0).at("looks").at("fault").get<std::string>().find("set"),
            std::string::npos);
  EXPECT_EQ(shell_.run("report absent --out x.html").exit_code, 3);
}

TEST_F(ReportCommand, IsWrittenWhileARunIsTrained) {
  shell_.make_set();
  const std::string live = CommandLine::tiny_run("--set report.live=true --out run --set steps=4000");
  const auto is_live = [&] {
    return fs::exists(shell_ / "run/report.html") &&
           data_of("run/report.html").at("runs").at(0).at("validation").is_object();
  };
  ASSERT_TRUE(shell_.kill_when(live, is_live, SIGTERM));
  const json during = data_of("run/report.html");
  EXPECT_EQ(during.at("live").at("seconds"), 20);
  EXPECT_FALSE(during.at("runs").at(0).contains("looks"));
  EXPECT_EQ(during.at("runs").at(0).at("tests"), json::array());

  succeed(CommandLine::tiny_run("--set report.live=true --out whole"));
  const json after = data_of("whole/report.html");
  EXPECT_FALSE(after.contains("live"));
  EXPECT_EQ(after.at("runs").at(0).at("state"), "finished");
  succeed(CommandLine::tiny_run("--out without"));
  EXPECT_FALSE(fs::exists(shell_ / "without/report.html"));
}

// Debian's chromium, headless.
TEST_F(ReportCommand, WorksInABrowser) {
  const char* const browser = "/usr/bin/chromium";
  if (!fs::exists(browser)) GTEST_SKIP() << "left out: there is no " << browser;
  if (!python_has("json")) GTEST_SKIP() << "left out: there is no /usr/bin/python3";
  make_hostile_run();
  succeed(domainfusion_run());
  make_sweep();
  fs::create_directories(shell_ / "empty");
  fs::create_directories(shell_ / "pages");
  fs::copy(shell_ / "sweep/efdmix-sketch-4", shell_ / "killed");
  succeed("report run --out pages/run.html");
  succeed("report plain --out pages/plain.html");
  succeed("report sweep --out pages/sweep.html");
  succeed("report killed --out pages/killed.html");
  succeed("report empty --out pages/empty.html");
  const std::string live = CommandLine::tiny_run("--set report.live=true --out live --set steps=4000");
  const auto has_page = [&] {
    return fs::exists(shell_ / "live/report.html") &&
           !data_of("live/report.html").at("runs").at(0).at("validation").is_null();
  };
  ASSERT_TRUE(shell_.kill_when(live, has_page, SIGKILL));
  fs::copy(shell_ / "live/report.html", shell_ / "pages/live.html");
  const std::string line =
      fmt::format("cd '{}' && PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 '{}' {} pages {} >checks.txt 2>&1",
                  (shell_ / "").string(), DOMAINFUSION_TEST_DIR "/report/browser/check_pages.py", browser,
                  std::getenv("DOMAINFUSION_SCREENSHOTS") ? std::getenv("DOMAINFUSION_SCREENSHOTS") : "");
  const int status = std::system(line.c_str());
  EXPECT_EQ(WIFEXITED(status) ? WEXITSTATUS(status) : -1, 0) << CommandLine::text(shell_ / "checks.txt");
}

}  // namespace domainfusion
