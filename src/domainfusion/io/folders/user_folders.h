#pragma once
// Where a user's caches lie, which programs share.

#include <filesystem>
#include <optional>

namespace domainfusion {

// The folder that an environment variable names, "~" standing for the home; nothing where it is unset or empty.
std::optional<std::filesystem::path> environment_folder(const char* variable);

// $XDG_CACHE_HOME, else ~/.cache; nothing where there is no home either.
std::optional<std::filesystem::path> user_cache_folder();

}  // namespace domainfusion
