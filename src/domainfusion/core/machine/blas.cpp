#include "domainfusion/core/machine/blas.h"

#include <dlfcn.h>

#include <array>
#include <memory>
#include <mutex>
#include <string_view>
#include <system_error>

#include "domainfusion/core/error.h"
#include "domainfusion/core/log.h"

namespace domainfusion {
namespace {

// Debian puts optimised libraries under the reference's name too: a routine of their own tells them apart.
constexpr std::array kVendorRoutines{"openblas_get_config", "MKL_Get_Version", "bli_info_get_version_str",
                                     "ATL_buildinfo",       "armplversion",    "flexiblas_print_current_backend"};

}  // namespace

std::filesystem::path loaded_blas() {
  Dl_info info{};
  const void* routine = dlsym(RTLD_DEFAULT, "sgemm_");
  if (routine == nullptr || dladdr(routine, &info) == 0 || info.dli_fname == nullptr) return {};
  std::error_code error;
  const auto file = std::filesystem::canonical(info.dli_fname, error);
  return error ? std::filesystem::path(info.dli_fname) : file;
}

bool is_reference_blas(const std::filesystem::path& library) {
  const std::string name = library.filename().string();
  if (!name.starts_with("libblas.so") && !name.starts_with("librefblas.so")) return false;
  void* opened = dlopen(library.c_str(), RTLD_LAZY | RTLD_LOCAL);
  if (opened == nullptr) return false;
  for (const char* routine : kVendorRoutines) {
    if (dlsym(opened, routine) != nullptr) return false;
  }
  return true;
}

std::string slow_blas_warning() {
  const std::filesystem::path library = loaded_blas();
  if (!is_reference_blas(library)) return {};
  return fmt::format(
      "the reference BLAS is loaded ({}): matrix products take 30 to 65 times as long as with an optimised one. "
      "Remedy: "
      "apt-get install libopenblas0-openmp (and, if it persists, update-alternatives --config "
      "libblas.so.3-x86_64-linux-gnu)",
      library.string());
}

void warn_of_slow_blas() {
  static std::once_flag once;
  std::call_once(once, [] {
    if (const std::string warning = slow_blas_warning(); !warning.empty()) log_warning("{}", warning);
  });
}

}  // namespace domainfusion
