#include "domainfusion/report/html/report_data.h"

#include <gtest/gtest.h>

#include <cmath>

#include "domainfusion/core/error.h"
#include "domainfusion/report/html/curves.h"
#include "domainfusion/report/html/kept_pictures.h"
#include "domainfusion/report/html/page.h"
#include "domainfusion/report/html/pictures.h"
#include "evaluation/tables/made_run_folder.h"

namespace domainfusion {
namespace {

using nlohmann::json;

// The JSON block of a page, as a browser reads it.
json block_of(const std::string& page) {
  const std::string begin = "id=\"data\">";
  const auto first = page.find(begin) + begin.size();
  return json::parse(page.substr(first, page.find("</script>", first) - first));
}

std::size_t count_of(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

}  // namespace

TEST(ReportData, HoldsAFinishedRunsFigures) {
  const TemporaryFolder folder;
  make_run_folder(folder, "runs/erm", made_description("sketch", 3), 0.75);
  const json data = report_data({.folders = {folder / "runs"}});
  ASSERT_EQ(data.at("runs").size(), 1u);
  const json& run = data["runs"][0];
  EXPECT_EQ(run.at("name"), "erm");
  EXPECT_EQ(run.at("state"), "finished");
  EXPECT_EQ(run.at("held_out"), json({"sketch"}));
  EXPECT_EQ(run.at("trial"), 3);
  EXPECT_EQ(run.at("validation").at("accuracy"), 0.5);
  EXPECT_EQ(run.at("tests").at(0).at("confusion"), json({{5, 0}, {0, 5}}));
  EXPECT_EQ(run.at("chosen").at(0).at("rule"), "training-domain validation");
  EXPECT_EQ(run.at("chosen").at(0).at("accuracy"), 0.75);
  EXPECT_EQ(run.at("provenance").at("data_hash"), "1111");
  EXPECT_EQ(run.at("options").at("data.root"), "/data/set");
  EXPECT_EQ(run.at("cost").at("generated_images"), 0);
  // The loss was NaN, which JSON does not have.
  EXPECT_EQ(run.at("curves").at("training"), json({{"steps", {1.0}}, {"values", json::object()}}));
  EXPECT_EQ(run.at("curves").at("validation").at("values").at("accuracy/art"), json({0.5}));
  EXPECT_NE(run.at("reproduce").get<std::string>().find("domainfusion reproduce"), std::string::npos);
}

TEST(ReportData, ComparesSystemsTrialByTrial) {
  const TemporaryFolder folder;
  for (int trial = 0; trial < 3; ++trial) {
    json other = made_description("sketch", trial);
    other["config"]["algorithm"] = "mixstyle";
    make_run_folder(folder, "runs/erm-" + std::to_string(trial), made_description("sketch", trial), 0.5);
    make_run_folder(folder, "runs/mix-" + std::to_string(trial), other, 0.6 + 0.1 * trial);
  }
  const json data = report_data({.folders = {folder / "runs"}});
  const json& table = data.at("tables").at(0);
  EXPECT_EQ(table.at("rule"), "training-domain validation");
  EXPECT_EQ(table.at("cells").at(0).at("system"), "ERM");
  EXPECT_EQ(table.at("cells").at(0).at("runs"), 3);
  EXPECT_NEAR(table.at("cells").at(1).at("accuracy"), 0.7, 1e-12);
  const json& comparison = data.at("comparisons").at(0);
  EXPECT_EQ(comparison.at("a"), "ERM");
  EXPECT_EQ(comparison.at("pairs").size(), 3u);
  EXPECT_NEAR(comparison.at("difference"), 0.2, 1e-12);
  // Differences 0.1, 0.2, 0.3: standard error 0.1 / sqrt(3), t of 95 % with two degrees of freedom 4.3027.
  EXPECT_NEAR(comparison.at("half_interval"), 4.3027 * 0.1 / std::sqrt(3), 1e-4);
}

TEST(ReportData, SaysWhatIsMissing) {
  const TemporaryFolder folder;
  std::filesystem::create_directories(folder / "empty");
  const json nothing = report_data({.folders = {folder / "empty"}});
  EXPECT_EQ(nothing.at("runs"), json::array());
  EXPECT_EQ(nothing.at("folders"), json({(folder / "empty").string()}));
  EXPECT_THROW(report_data({.folders = {folder / "absent"}}), IoError);

  folder.write("killed/run.json", made_description("sketch").dump());
  folder.write("broken/run.json", "{");
  const json data = report_data({.folders = {folder.path()}});
  ASSERT_EQ(data.at("runs").size(), 1u);
  EXPECT_EQ(data["runs"][0].at("state"), "not begun");
  EXPECT_EQ(data["runs"][0].at("tests"), json::array());
  EXPECT_EQ(data["runs"][0].at("validation"), nullptr);
  EXPECT_EQ(data["runs"][0].count("reproduce"), 0u);
  ASSERT_EQ(data.at("unreadable").size(), 1u);
  EXPECT_NE(data["unreadable"][0].get<std::string>().find("broken"), std::string::npos);
}

TEST(ReportData, NamesRunsByWhatTellsThemApart) {
  const TemporaryFolder folder;
  make_run_folder(folder, "a/run", made_description("sketch", 0), 0.5);
  make_run_folder(folder, "b/run", made_description("sketch", 1), 0.5);
  const json data = report_data({.folders = {folder / "a", folder / "b"}});
  EXPECT_EQ(data.at("runs").at(0).at("name"), "a/run");
  EXPECT_EQ(data.at("runs").at(1).at("name"), "b/run");
}

TEST(Curves, AreThinnedToMeansOfEqualParts) {
  std::vector<json> records;
  for (int step = 0; step < 10; ++step) {
    json record{{"type", "step"}, {"step", step}, {"loss", step}};
    if (step >= 5) record["loss_synthetic"] = 1;
    records.push_back(record);
  }
  records.push_back({{"type", "validation"}, {"step", 10}, {"model", "swad"}, {"mean_accuracy", 1}});
  const json curves = curves_of(records, {}, 2);
  EXPECT_EQ(curves.at("training").at("steps"), json({5.0, 10.0}));
  EXPECT_EQ(curves.at("training").at("values").at("loss"), json({2, 7}));
  EXPECT_EQ(curves.at("training").at("values").at("loss_synthetic"), json({nullptr, 1}));
  EXPECT_EQ(curves.at("validation").at("steps"), json::array());
}

TEST(Curves, TellTheTimeOfAStepBetweenCheckpoints) {
  const RunCost cost{30, 100, 20, {{10, 20, 80}, {20, 30, 100}}};
  const json curve = curves_of({}, cost, 100).at("cost");
  EXPECT_EQ(curve.at("steps"), json({10.0, 20.0}));
  EXPECT_EQ(curve.at("values").at("seconds_per_step"), json({2, 1}));
  EXPECT_EQ(curve.at("values").at("memory_mib"), json({80, 100}));
}

TEST(ReportPage, HoldsTheDataWhateverItsTexts) {
  const std::string hostile = "<script>alert(1)</script>", comment = "<!--", quotes = "\"' & \u202e \u732b";
  const json data{{"classes", {hostile, comment, quotes, "</SCRIPT >", "{{data}} {{script}}"}}};
  const std::string page = report_page(data);
  EXPECT_EQ(block_of(page), data);
  EXPECT_EQ(page.find("alert(1)</script>"), std::string::npos);
  EXPECT_EQ(report_page({{"name", "caf\xe9"}}).find('\xe9'), std::string::npos);
  EXPECT_EQ(block_of(report_page({{"name", "caf\xe9"}})).at("name"), "caf\\xe9");
}

TEST(ReportPage, AsksForNothingOutsideOfTheFile) {
  const std::string page = report_page({{"runs", json::array()}});
  for (const std::string attribute : {"src=", "href=", "url(", "@import", "fetch(", "XMLHttpRequest", "WebSocket"}) {
    for (auto at = page.find(attribute); at != std::string::npos; at = page.find(attribute, at + 1)) {
      const std::string value = page.substr(at + attribute.size(), 6);
      EXPECT_TRUE(value.starts_with("\"#") || value.starts_with("\"data:")) << page.substr(at, 80);
    }
  }
  EXPECT_EQ(count_of(page, "default-src 'none'"), 1u);
}

TEST(RoundGallery, SaysHowEachImageCameToBe) {
  const TemporaryFolder folder;
  const json row{{"folder", "1-7"},
                 {"parent", "art/cat/7.png"},
                 {"class_name", "cat"},
                 {"domain_name", "art"},
                 {"prompts", {"a cat, photo", "a cat, sketch", "a cat, art"}},
                 {"candidates", {0, 2}},
                 {"style_candidate", 2},
                 {"content_candidate", 0},
                 {"style_similarities", {0.5, 0.25}},
                 {"content_similarities", {0.75, 0.125}},
                 {"made", {{"style_distance", 1.5}}}};
  folder.write("synthetic/pictures/round-0001/pictures.json", json::array({row}).dump());
  folder.write("synthetic/pictures/round-0000/pictures.json", "{");
  const auto pictures_of = folder / "synthetic/pictures/round-0001/1-7";
  std::filesystem::create_directories(pictures_of);
  for (const char* name : {"raw.png", "x.png", "round_trip.png", "candidate-0.png", "candidate-2.png", "made.png"})
    write_png(pictures_of / name, Image{4, 4, std::vector<std::uint8_t>(48, 100)});
  ReportPictures pictures(1e6);
  const json gallery = round_gallery(folder.path(), pictures);
  ASSERT_EQ(gallery.size(), 1u);  // a broken list does not hide the others
  EXPECT_EQ(gallery[0].at("round"), "round-0001");
  const json& shown = gallery[0].at("rows").at(0);
  EXPECT_EQ(shown.at("file"), "art/cat/7.png");
  EXPECT_EQ(shown.at("made"), true);
  EXPECT_EQ(pictures.files().size(), 6u);
  const json& failed = shown.at("candidates").at(1);
  EXPECT_EQ(failed.at("failed"), true);
  EXPECT_EQ(failed.at("picture"), nullptr);
  EXPECT_EQ(failed.at("style_similarity"), nullptr);
  const json& style = shown.at("candidates").at(2);
  EXPECT_EQ(style.at("gives_style"), true);
  EXPECT_EQ(style.at("gives_content"), false);
  EXPECT_EQ(style.at("content_similarity"), 0.125);
  EXPECT_EQ(round_gallery(folder / "absent", pictures), json::array());
}

TEST(LdmSamples, AreTheLastOfEachKind) {
  const TemporaryFolder folder;
  std::filesystem::create_directories(folder / "pictures");
  for (const char* name : {"vae_000100.png", "vae_000200.png", "unet_000050.png"})
    write_png(folder / "pictures" / name, Image{4, 4, std::vector<std::uint8_t>(48, 100)});
  folder.write("pictures/notes_1.txt", "");
  ReportPictures pictures(1e6);
  EXPECT_EQ(ldm_samples(folder.path(), pictures),
            json({{{"file", "unet_000050.png"}, {"picture", 0}}, {{"file", "vae_000200.png"}, {"picture", 1}}}));
  EXPECT_EQ(ldm_samples(folder / "absent", pictures), json::array());
}

TEST(ReportPictures, KeepWithinTheirBudgetAndSayWhatIsLeftOut) {
  EXPECT_EQ(base64_of(""), "");
  EXPECT_EQ(base64_of("f"), "Zg==");
  EXPECT_EQ(base64_of("fo"), "Zm8=");
  EXPECT_EQ(base64_of("foobar"), "Zm9vYmFy");
  EXPECT_EQ(base64_of("\xff\xfe"), "//4=");
  const Image image{80, 40, std::vector<std::uint8_t>(80 * 40 * 3, 200)};
  int reads = 0;
  const auto read = [&] {
    ++reads;
    return image;
  };
  ReportPictures one(1e6);
  EXPECT_EQ(one.add("mistakes", "a", 20, read), 0);
  EXPECT_EQ(one.add("mistakes", "a", 20, read), 0);
  EXPECT_EQ(reads, 1);
  const std::string file = one.files().at(0);
  EXPECT_TRUE(file.starts_with("data:image/webp;base64,UklG")) << file;

  ReportPictures two(2.5 * static_cast<double>(file.size()));
  for (const std::string name : {"a", "b", "c", "d"}) two.add("mistakes", name, 20, read);
  EXPECT_EQ(two.files().size(), 2u);
  EXPECT_EQ(two.left_out(), (std::map<std::string, std::int64_t>{{"mistakes", 2}}));
  EXPECT_EQ(reads, 4);  // what comes after the one that did not fit is not even read
}

}  // namespace domainfusion
