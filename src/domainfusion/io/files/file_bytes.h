#pragma once
// A whole file in memory.

#include <filesystem>
#include <string>

namespace domainfusion {

// The bytes of the regular file `path`. IoError that names path and cause: missing, a folder, a named pipe or
// device, not readable.
std::string read_file(const std::filesystem::path& path);

}  // namespace domainfusion
