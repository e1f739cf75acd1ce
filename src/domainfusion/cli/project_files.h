#pragma once
// Where the program finds the files that belong to it: recipes/ and assets/.

#include <filesystem>
#include <string_view>

namespace domainfusion {

// A file or folder by its path in the project ("assets/demo_ldm", "recipes/demo_erm.toml"): below the source folder
// that the program was built from, or where it was installed. IoError that names both places if it is in neither.
std::filesystem::path project_file(std::string_view path);

}  // namespace domainfusion
