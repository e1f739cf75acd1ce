#pragma once
// Where parity tests find their cases.

#include <cstdlib>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

namespace domainfusion {

// Folders that hold a file named `marker`: tests/parity/<name>, and every folder below the directory that the
// environment variable DOMAINFUSION_REFERENCE_DIR names (recursively), each once, in order of path.
inline std::vector<std::filesystem::path> case_folders(const std::string& name, const std::string& marker) {
  namespace fs = std::filesystem;
  std::set<fs::path> folders;
  const auto add_below = [&](const fs::path& root) {
    if (!fs::is_directory(root)) return;
    for (const auto& entry : fs::recursive_directory_iterator(root, fs::directory_options::follow_directory_symlink)) {
      if (entry.path().filename() == marker) folders.insert(fs::canonical(entry.path().parent_path()));
    }
  };
  add_below(fs::path(DOMAINFUSION_TEST_DIR) / "parity" / name);
  if (const char* more = std::getenv("DOMAINFUSION_REFERENCE_DIR")) add_below(more);
  return {folders.begin(), folders.end()};
}

}  // namespace domainfusion
