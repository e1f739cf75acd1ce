#pragma once
// Where the program finds the files that belong to it: recipes/ and assets/.

#include <filesystem>
#include <string_view>

namespace domainfusion {

// A file or folder by its path in the project ("assets/demo_ldm", "recipes/demo_erm.toml"): beside the installed
// program (BIN/../share/domainfusion), else below the source folder that it was built from, else where it was to be
// installed. IoError that names these places if it is in none.
std::filesystem::path project_file(std::string_view path);
// The same for another program file than this process's.
std::filesystem::path project_file(std::string_view path, const std::filesystem::path& program);

}  // namespace domainfusion
