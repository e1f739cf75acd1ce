#pragma once
// Which library multiplies matrices. The reference BLAS, which some systems install by default, takes 30 to 65 times as
// long as an optimised one.

#include <filesystem>
#include <string>

namespace domainfusion {

// The file that the process takes the BLAS routine `sgemm` from, links followed; empty where it is linked in.
std::filesystem::path loaded_blas();

// Whether `library` is the reference BLAS: a file of one of its names that has no vendor's routines. It is opened, and
// stays so.
bool is_reference_blas(const std::filesystem::path& library);

// Empty, or one line that names the reference BLAS that is loaded and the package to install.
std::string slow_blas_warning();

// Logs it, once in a process. Before work that multiplies for long on a CPU.
void warn_of_slow_blas();

}  // namespace domainfusion
