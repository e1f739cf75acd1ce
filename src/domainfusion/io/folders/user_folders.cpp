#include "domainfusion/io/folders/user_folders.h"

#include <cstdlib>
#include <string>

namespace domainfusion {

namespace fs = std::filesystem;

std::optional<fs::path> environment_folder(const char* variable) {
  const char* value = std::getenv(variable);
  const std::string text = value == nullptr ? "" : value;
  if (text.empty()) return std::nullopt;
  const char* home = std::getenv("HOME");
  const bool below_home = text == "~" || text.starts_with("~/");
  return below_home && home != nullptr ? fs::path(home + text.substr(1)) : fs::path(text);
}

std::optional<fs::path> user_cache_folder() {
  if (auto folder = environment_folder("XDG_CACHE_HOME")) return folder;
  const auto home = environment_folder("HOME");
  return home ? std::optional(*home / ".cache") : std::nullopt;
}

}  // namespace domainfusion
