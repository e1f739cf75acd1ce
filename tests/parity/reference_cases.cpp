#include "parity/reference_cases.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace domainfusion {
namespace fs = std::filesystem;

std::vector<fs::path> reference_cases(const std::string& file) {
  std::vector<fs::path> folders;
  const auto search = [&](const fs::path& root) {
    if (fs::exists(root / file)) folders.push_back(root);
    for (const auto& entry : fs::recursive_directory_iterator(root, fs::directory_options::follow_directory_symlink)) {
      if (entry.is_directory() && fs::exists(entry.path() / file)) folders.push_back(entry.path());
    }
  };
  search(fs::path(DOMAINFUSION_TEST_DIR) / "parity");
  if (const char* more = std::getenv("DOMAINFUSION_REFERENCE_DIR"); more && *more) search(more);
  std::sort(folders.begin(), folders.end());
  return folders;
}

void print_left_out(const fs::path& folder, const std::string& reason) {
  std::printf("left out: %s: %s\n", folder.c_str(), reason.c_str());
}

void expect_close(const at::Tensor& actual, const at::Tensor& expected, Tolerance tolerance, const std::string& what) {
  ASSERT_EQ(actual.sizes(), expected.sizes()) << what;
  const at::Tensor a = actual.detach().to(at::kDouble), e = expected.to(at::kDouble);
  EXPECT_TRUE(at::isfinite(a).all().item<bool>()) << what;
  const double rms = e.square().mean().sqrt().item<double>();
  const at::Tensor deviation = (a - e).abs();
  const at::Tensor bound = tolerance.relative * e.abs() + tolerance.of_rms * rms + tolerance.absolute;
  const double worst = deviation.max().item<double>();
  EXPECT_TRUE((deviation <= bound).all().item<bool>())
      << what << ": largest deviation " << worst << " = " << worst / rms << " rms";
  std::printf("  %-70s max |d| = %.1e rms\n", what.c_str(), worst / rms);
}

}  // namespace domainfusion
