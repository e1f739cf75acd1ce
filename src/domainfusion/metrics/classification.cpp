#include "domainfusion/metrics/classification.h"

#include <torch/types.h>

#include <cmath>
#include <numeric>

#include "domainfusion/core/error.h"

namespace domainfusion {
namespace {

void check_classes(const at::Tensor& class_N, const char* name, std::int64_t classes) {
  check<ShapeError>(class_N.dim() == 1 && class_N.scalar_type() == torch::kInt64, "{}: expected int64 [N]", name);
  if (class_N.numel() == 0) return;
  const auto low = class_N.min().item<std::int64_t>(), high = class_N.max().item<std::int64_t>();
  check<ShapeError>(low >= 0 && high < classes, "{} holds {} … {}: expected 0 … {}", name, low, high, classes - 1);
}

}  // namespace

at::Tensor confusion_matrix(const at::Tensor& label_N, const at::Tensor& predicted_N, std::int64_t classes) {
  check<ShapeError>(label_N.sizes() == predicted_N.sizes(), "{} labels but {} predictions", label_N.numel(),
                    predicted_N.numel());
  check_classes(label_N, "labels", classes);
  check_classes(predicted_N, "predictions", classes);
  return torch::bincount(label_N * classes + predicted_N, {}, classes * classes).view({classes, classes});
}

std::vector<std::vector<std::int64_t>> rows_of(const at::Tensor& confusion_KK) {
  std::vector<std::vector<std::int64_t>> rows;
  for (std::int64_t k = 0; k < confusion_KK.size(0); ++k) {
    const at::Tensor row = confusion_KK[k].contiguous();
    rows.emplace_back(row.data_ptr<std::int64_t>(), row.data_ptr<std::int64_t>() + row.numel());
  }
  return rows;
}

double accuracy_of(const at::Tensor& confusion_KK) {
  const auto total = confusion_KK.sum().item<double>();
  return confusion_KK.trace().item<double>() / total;
}

at::Tensor per_class_accuracy(const at::Tensor& confusion_KK) {
  const at::Tensor counts = confusion_KK.to(torch::kFloat64);
  return counts.diagonal() / counts.sum(1);
}

double mean_of(std::span<const double> values) {
  check<ConfigError>(!values.empty(), "the mean of no values: expected at least one");
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

MeanAndError mean_and_error(std::span<const double> values) {
  const auto n = static_cast<double>(values.size());
  const double mean = mean_of(values);
  double squares = 0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  return {mean, std::sqrt(squares / n) / std::sqrt(n)};
}

}  // namespace domainfusion
