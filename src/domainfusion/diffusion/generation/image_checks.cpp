#include "domainfusion/diffusion/generation/image_checks.h"

#include <ATen/ATen.h>

namespace domainfusion {
namespace {

std::vector<std::string> failures_of(const at::Tensor& values_N, double range) {
  std::vector<std::string> failures;
  for (const at::Tensor& values : values_N.unbind()) failures.push_back(failure_of(values, range));
  return failures;
}

std::vector<std::int64_t> failed_rows(const std::vector<std::string>& failures) {
  std::vector<std::int64_t> rows;
  for (std::size_t i = 0; i < failures.size(); ++i) {
    if (!failures[i].empty()) rows.push_back(static_cast<std::int64_t>(i));
  }
  return rows;
}

}  // namespace

std::string failure_of(const at::Tensor& values, double range) {
  if (!at::isfinite(values).all().item<bool>()) return kNotFinite;
  const double low = values.min().item<double>(), high = values.max().item<double>();
  if (high - low > range) return "";
  return std::max(std::abs(low), std::abs(high)) <= range ? "black" : "constant";
}

CheckedValues check_and_retry(at::Tensor values_N, double range, at::ScalarType computed_in,
                              const std::function<at::Tensor(const std::vector<std::int64_t>& indices)>& remake) {
  CheckedValues checked{values_N, failures_of(values_N, range), 0};
  const std::vector<std::int64_t> failed = failed_rows(checked.failures);
  if (failed.empty() || computed_in == at::kFloat) return checked;
  checked.values_N =
      values_N.index_copy(0, at::tensor(failed).to(values_N.device()), remake(failed).to(values_N.options()));
  checked.failures = failures_of(checked.values_N, range);
  checked.retried = static_cast<std::int64_t>(failed.size());
  return checked;
}

}  // namespace domainfusion
