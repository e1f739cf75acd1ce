#include "parity/reference_cases.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace domainfusion {
namespace fs = std::filesystem;

std::vector<fs::path> reference_cases(const std::string& file) {
  std::vector<fs::path> folders;
  const auto search = [&](const fs::path& root) {
    if (fs::exists(root / file)) folders.push_back(root);
    for (const auto& entry : fs::recursive_directory_iterator(root, fs::directory_options::follow_directory_symlink)) {
      if (entry.is_directory() && fs::exists(entry.path() / file)) folders.push_back(entry.path());
    }
  };
  search(fs::path(DOMAINFUSION_TEST_DIR) / "parity");
  if (const char* more = std::getenv("DOMAINFUSION_REFERENCE_DIR"); more && *more) search(more);
  std::sort(folders.begin(), folders.end());
  return folders;
}

void print_left_out(const fs::path& folder, const std::string& reason) {
  std::printf("left out: %s: %s\n", folder.c_str(), reason.c_str());
}

}  // namespace domainfusion
