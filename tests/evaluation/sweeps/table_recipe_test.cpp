#include "domainfusion/evaluation/sweeps/table_recipe.h"

#include <gtest/gtest.h>

#include "domainfusion/config/config_file.h"
#include "domainfusion/core/error.h"
#include "domainfusion/io/files/atomic_file.h"
#include "domainfusion/training/run/trainer.h"
#include "temporary_folder.h"

namespace domainfusion {
namespace {

std::optional<std::vector<TableSystem>> read(const std::string& toml) {
  const TemporaryFolder folder;
  write_file_atomically(folder / "table.toml", toml);
  return read_table_recipe(folder / "table.toml");
}

}  // namespace

TEST(TableRecipe, ASystemHasItsOwnOptionsOverThoseOfAll) {
  const auto systems = read(
      "epochs = 3\n[loader]\nbatch_size = 8\nimage_size_px = 32\n"
      "[[systems]]\nname = \"erm\"\n"
      "[[systems]]\nname = \"wide\"\ngroup = \"more\"\nloader.batch_size = 16\n");
  ASSERT_TRUE(systems);
  ASSERT_EQ(systems->size(), 2u);
  const auto& [erm, wide] = std::tie((*systems)[0], (*systems)[1]);
  EXPECT_EQ(erm.name, "erm");
  EXPECT_EQ(erm.group, "");
  EXPECT_EQ(erm.options, nlohmann::json::parse(R"({"epochs": 3, "loader": {"batch_size": 8, "image_size_px": 32}})"));
  EXPECT_EQ(wide.group, "more");
  EXPECT_EQ(wide.options.at("loader"), nlohmann::json::parse(R"({"batch_size": 16, "image_size_px": 32})"));
  EXPECT_FALSE(read("epochs = 3\n"));
}

TEST(TableRecipe, ANameIsOfOneFolder) {
  for (const char* wrong : {"", "name = \"\"", "name = \"../up\"", "name = \".hidden\"", "name = 3", "name = \"a b\""})
    EXPECT_THROW(read(std::string("[[systems]]\n") + wrong + "\n"), ConfigError) << wrong;
  EXPECT_THROW(read("[[systems]]\nname = \"a\"\n[[systems]]\nname = \"a\"\n"), ConfigError);
  EXPECT_THROW(read("systems = 3\n"), ConfigError);
  EXPECT_THROW(read("systems = []\n"), ConfigError);
}

TEST(TableRecipe, TheSystemsOfTablesHaveOptionsThatExist) {
  const auto systems = read_table_recipe(DOMAINFUSION_TEST_DIR "/../recipes/table_pacs.toml");
  ASSERT_TRUE(systems);
  EXPECT_GT(systems->size(), 40u);
  for (const TableSystem& system : *systems)
    EXPECT_NO_THROW(make_run_setup({}, {}, flat_options(system.options))) << system.name;
}

TEST(TableRecipe, IsNoRecipeOfARun) {
  const TemporaryFolder folder;
  write_file_atomically(folder / "table.toml", "[[systems]]\nname = \"erm\"\n");
  EXPECT_THROW(make_run_setup((folder / "table.toml").string(), {}, {}), ConfigError);
}

}  // namespace domainfusion
