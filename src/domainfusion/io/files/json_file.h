#pragma once
// Files of JSON.

#include <filesystem>
#include <nlohmann/json.hpp>

namespace domainfusion {

// What `path` holds, as parse_json reads it. Throws IoError, FormatError, both naming the path.
nlohmann::json read_json(const std::filesystem::path& path);

// The same; FormatError too if it is no object.
nlohmann::json read_json_object(const std::filesystem::path& path);

}  // namespace domainfusion
