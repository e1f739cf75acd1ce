#include "domainfusion/cli/project_files.h"

#include "domainfusion/core/error.h"

namespace domainfusion {

std::filesystem::path project_file(std::string_view path) {
  const std::filesystem::path built = std::filesystem::path(DOMAINFUSION_SOURCE_DIR) / path;
  const std::filesystem::path installed = std::filesystem::path(DOMAINFUSION_DATA_DIR) / path;
  if (std::filesystem::exists(built)) return built;
  check<IoError>(std::filesystem::exists(installed), "'{}' is missing: neither {} nor {} exists", path, built.string(),
                 installed.string());
  return installed;
}

}  // namespace domainfusion
