#include "domainfusion/io/files/broken_link.h"

#include <fmt/format.h>

namespace domainfusion {

namespace fs = std::filesystem;

std::string broken_link(const fs::path& path) {
  std::error_code error;
  if (!fs::is_symlink(fs::symlink_status(path, error)) || fs::exists(fs::status(path, error))) return "";
  return fmt::format(" (a link to {}, which is gone)", fs::read_symlink(path, error).string());
}

}  // namespace domainfusion
