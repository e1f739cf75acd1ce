#pragma once
// Figures of a classifier's answers: pure functions of tensors.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <vector>

namespace domainfusion {

// Counts of (true class, predicted class), int64 [K, K], rows the true class.
// label_N and predicted_N: int64 [N] on one device, entries 0 … classes-1; ShapeError otherwise.
at::Tensor confusion_matrix(const at::Tensor& label_N, const at::Tensor& predicted_N, std::int64_t classes);

// The matrix as lists, for records and tables.
std::vector<std::vector<std::int64_t>> rows_of(const at::Tensor& confusion_KK);

// Share of right answers: trace / sum. NaN where the matrix counts nothing.
double accuracy_of(const at::Tensor& confusion_KK);

// Share of right answers of each true class, float64 [K]; NaN for classes without a sample.
at::Tensor per_class_accuracy(const at::Tensor& confusion_KK);

// The sum, added up in this order, over the number, as in DomainBed's selection: what training and tables choose by
// must be the same to the last bit, or they part on ties. ConfigError if `values` is empty.
double mean_of(std::span<const double> values);

struct MeanAndError {
  double mean = 0;
  double standard_error = 0;  // population standard deviation / sqrt(n), as DomainBed reports it; 0 for one value
};
// ConfigError if `values` is empty.
MeanAndError mean_and_error(std::span<const double> values);

}  // namespace domainfusion
