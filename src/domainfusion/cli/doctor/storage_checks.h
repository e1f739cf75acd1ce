#pragma once
// Whether a folder can hold runs, stores and caches.

#include <filesystem>

#include "domainfusion/cli/doctor/finding.h"

namespace domainfusion {

// Room and speed (64 MiB are written and removed), locks, links and renaming. Leaves nothing behind.
Finding check_folder(const std::filesystem::path& folder, const std::string& use);

}  // namespace domainfusion
