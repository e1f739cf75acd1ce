#include "domainfusion/cli/project_files.h"

#include <fmt/format.h>

#include <array>

#include "domainfusion/core/error.h"

namespace domainfusion {

namespace fs = std::filesystem;

fs::path project_file(std::string_view path, const fs::path& program) {
  const fs::path prefix = program.parent_path().parent_path().parent_path();  // of <prefix>/libexec/domainfusion/
  const std::array<fs::path, 3> places{prefix / "share/domainfusion" / path, fs::path(DOMAINFUSION_SOURCE_DIR) / path,
                                       fs::path(DOMAINFUSION_DATA_DIR) / path};
  std::error_code ignored;
  for (const fs::path& place : places) {
    if (fs::exists(place, ignored)) return place;
  }
  throw IoError(fmt::format("'{}' is missing: neither {}, nor {}, nor {} exists", path, places[0].string(),
                            places[1].string(), places[2].string()));
}

fs::path project_file(std::string_view path) {
  std::error_code error;
  return project_file(path, fs::read_symlink("/proc/self/exe", error));
}

}  // namespace domainfusion
