#pragma once
// Links whose target is gone, as a cache that was cleaned up leaves them.

#include <filesystem>
#include <string>

namespace domainfusion {

// " (a link to TARGET, which is gone)" where `path` is such a link, for messages; else empty.
std::string broken_link(const std::filesystem::path& path);

}  // namespace domainfusion
