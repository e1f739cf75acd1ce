#pragma once
// Finds the folders of reference numbers.

#include <filesystem>
#include <string>
#include <vector>

namespace domainfusion {

// All folders that hold `file` (a relative path): in tests/parity, and below the folder that the environment variable
// DOMAINFUSION_REFERENCE_DIR names (searched in depth). Sorted by path. A test failure if tests/parity has none.
std::vector<std::filesystem::path> reference_cases(const std::string& file);

// "left out: <folder>: <reason>" on stdout.
void print_left_out(const std::filesystem::path& folder, const std::string& reason);

// A case of a configuration that this project refuses: left out where the environment variable named it, a failure in
// tests/parity.
void leave_out_foreign_case(const std::filesystem::path& folder, const std::string& reason);

}  // namespace domainfusion
