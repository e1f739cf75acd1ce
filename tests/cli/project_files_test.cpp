#include "domainfusion/cli/project_files.h"

#include <gtest/gtest.h>

#include "domainfusion/core/error.h"
#include "temporary_folder.h"

namespace domainfusion {

TEST(ProjectFiles, OfAnInstalledProgramLieBesideItWhereverItWasPut) {
  const TemporaryFolder prefix;
  const auto program = prefix.write("libexec/domainfusion/domainfusion", "");
  const auto own = prefix.write("share/domainfusion/recipes/demo_erm.toml", "");
  EXPECT_EQ(project_file("recipes/demo_erm.toml", program), own);
  // What the installation lacks comes from where the program was built.
  EXPECT_NE(project_file("recipes/demo_domainfusion.toml", program).string().find("recipes/demo_domainfusion.toml"),
            std::string::npos);
  const std::string message = message_of<IoError>([&] { project_file("recipes/none.toml", program); });
  EXPECT_NE(message.find((prefix / "share/domainfusion/recipes/none.toml").string()), std::string::npos) << message;
}

TEST(ProjectFiles, OfABuiltProgramAreThoseOfItsSource) {
  EXPECT_TRUE(std::filesystem::exists(project_file("recipes/demo_erm.toml")));
}

}  // namespace domainfusion
