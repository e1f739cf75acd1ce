#pragma once
// Unpacks archives of strangers: nothing leaves the folder.

#include <cstdint>
#include <filesystem>
#include <functional>

namespace domainfusion {

struct UnpackLimits {
  std::int64_t bytes = std::int64_t{1} << 38;  // of all files together, unpacked
  std::int64_t entries = 10'000'000;
};

// zip or tar (also compressed) into `folder`, which must be empty and is left with what was unpacked when an error ends
// it. Entries that are hidden files or lie in __MACOSX are passed over. Returns the number of files. FormatError that
// names archive and entry: an absolute path, "..", a link, a device or pipe, the same file twice, more bytes or entries
// than `limits`, a cut-off or broken archive. IoError if the disk is full.
std::int64_t unpack_archive(const std::filesystem::path& archive, const std::filesystem::path& folder,
                            const UnpackLimits& limits = {},
                            const std::function<void(std::int64_t files)>& on_progress = {});

}  // namespace domainfusion
