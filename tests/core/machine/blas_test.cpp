#include "domainfusion/core/machine/blas.h"

#include <gtest/gtest.h>

namespace domainfusion {

namespace fs = std::filesystem;

TEST(Blas, TheReferenceIsToldFromOptimisedLibrariesOfTheSameName) {
  const fs::path debian = "/usr/lib/x86_64-linux-gnu";
  const auto check_if_installed = [](const fs::path& library, bool reference) {
    if (!fs::exists(library)) {
      fmt::print("left out: {} is not installed\n", library.string());
      return;
    }
    EXPECT_EQ(is_reference_blas(fs::canonical(library)), reference) << library;
  };
  check_if_installed(debian / "blas/libblas.so.3", true);
  check_if_installed(debian / "openblas-openmp/libblas.so.3", false);
  check_if_installed(debian / "openblas-pthread/libblas.so.3", false);
  check_if_installed(debian / "openblas-openmp/libopenblas.so.0", false);
  EXPECT_FALSE(is_reference_blas(""));
  EXPECT_FALSE(is_reference_blas("/none/libblas.so.3"));
}

// This program links no BLAS: nothing is loaded, so there is nothing to warn of, however busy the machine is.
TEST(Blas, WithoutABlasNothingIsWarnedOf) {
  EXPECT_TRUE(loaded_blas().empty());
  EXPECT_TRUE(slow_blas_warning().empty());
}

}  // namespace domainfusion
