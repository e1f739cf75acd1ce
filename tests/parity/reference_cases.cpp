#include "parity/reference_cases.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace domainfusion {
namespace fs = std::filesystem;
namespace {

fs::path bundled_folder() { return fs::path(DOMAINFUSION_TEST_DIR) / "parity"; }

}  // namespace

std::vector<fs::path> reference_cases(const std::string& file) {
  std::vector<fs::path> folders;
  const auto search = [&](const fs::path& root) {
    if (fs::exists(root / file)) folders.push_back(root);
    for (const auto& entry : fs::recursive_directory_iterator(root, fs::directory_options::follow_directory_symlink)) {
      if (entry.is_directory() && fs::exists(entry.path() / file)) folders.push_back(entry.path());
    }
  };
  search(bundled_folder());
  EXPECT_FALSE(folders.empty()) << "tests/parity has no reference case with " << file;
  if (const char* more = std::getenv("DOMAINFUSION_REFERENCE_DIR"); more && *more) search(more);
  std::sort(folders.begin(), folders.end());
  return folders;
}

void print_left_out(const fs::path& folder, const std::string& reason) {
  std::printf("left out: %s: %s\n", folder.c_str(), reason.c_str());
}

void leave_out_foreign_case(const fs::path& folder, const std::string& reason) {
  const bool bundled = !fs::relative(folder, bundled_folder()).string().starts_with("..");
  EXPECT_FALSE(bundled) << folder << ": " << reason;
  print_left_out(folder, reason);
}

}  // namespace domainfusion
