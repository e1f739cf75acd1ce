// domainfusion doctor on this machine, and on one with a deliberately bad set-up.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "command_line.h"
#include "domainfusion/io/files/json_file.h"

namespace domainfusion {
namespace {

nlohmann::json finding_of(const nlohmann::json& report, const std::string& subject) {
  for (const auto& finding : report.at("findings")) {
    if (finding.at("subject").get<std::string>().starts_with(subject)) return finding;
  }
  return {};
}

}  // namespace

TEST(DoctorCommand, FindsTheKernelsRightAndTheFolderWritable) {
  const CommandLine line;
  const CommandResult result = line.run("doctor --json report.json");
  EXPECT_TRUE(result.exit_code == 0 || result.exit_code == 5) << result.out << result.err;
  const nlohmann::json report = read_json(line / "report.json");
  for (const char* kernel : {"kernel of products", "kernel of convolutions", "kernel of attention"})
    EXPECT_EQ(finding_of(report, kernel).at("severity"), "good") << report.dump(2);
  const auto here = finding_of(report, std::filesystem::canonical(line / "").string());
  EXPECT_NE(here.at("severity"), "fault") << here.dump();
  EXPECT_NE(here.at("text").get<std::string>().find("locks hold"), std::string::npos);
  for (const auto& entry : std::filesystem::directory_iterator(line / ""))
    EXPECT_FALSE(entry.path().filename().string().starts_with(".domainfusion-doctor")) << entry.path();
}

TEST(DoctorCommand, NamesWhatHoldsItBack) {
  const CommandLine line;
  const CommandResult slow = line.run("doctor --json report.json", "DOMAINFUSION_KERNELS=portable");
  EXPECT_EQ(slow.exit_code, 5) << slow.out;
  const auto processor = finding_of(read_json(line / "report.json"), "processor");
  EXPECT_EQ(processor.at("severity"), "warning");
  EXPECT_FALSE(processor.at("remedy").get<std::string>().empty());
}

TEST(DoctorCommand, AFullDiskAMissingFolderAndABrokenModelAreFaults) {
  const CommandLine line;
  const CommandResult full = line.run("doctor", "ulimit -f 8;");
  EXPECT_EQ(full.exit_code, 1) << full.out;
  EXPECT_NE(full.out.find("FAULT"), std::string::npos) << full.out;
  const CommandResult missing = line.run("doctor --folder nowhere --ldm no_model --data no_set");
  EXPECT_EQ(missing.exit_code, 1);
  EXPECT_NE(missing.out.find("FAULT   nowhere (runs, stores)"), std::string::npos) << missing.out;
  EXPECT_NE(missing.out.find("FAULT   LDM no_model"), std::string::npos) << missing.out;
  EXPECT_NE(missing.out.find("FAULT   set no_set"), std::string::npos) << missing.out;
}

}  // namespace domainfusion
