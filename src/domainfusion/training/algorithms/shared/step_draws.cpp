#include "domainfusion/training/algorithms/shared/step_draws.h"

#include <torch/types.h>
#include <torch/utils.h>

#include "domainfusion/core/random/beta_draw.h"
#include "domainfusion/core/random/random_tensor.h"

namespace domainfusion {

at::Tensor StepDraws::permutation(std::int64_t n) { return torch::tensor(stream_.permutation(n), torch::kLong); }

std::int64_t StepDraws::below(std::int64_t n) {
  return static_cast<std::int64_t>(stream_.below(static_cast<std::uint64_t>(n)));
}

double StepDraws::beta(double alpha) { return draw_beta(stream_, alpha, alpha); }

at::Tensor StepDraws::uniform(at::IntArrayRef sizes) {
  at::Tensor values = torch::empty(sizes);
  float* value = values.data_ptr<float>();
  for (std::int64_t i = 0; i < values.numel(); ++i) {
    value[i] = static_cast<float>(stream_.next_u32() >> 8) * 0x1p-24f;  // below 1, where a rounded double may not be
  }
  return values;
}

at::Tensor StepDraws::normal(at::IntArrayRef sizes) { return normal_tensor(stream_, sizes); }

}  // namespace domainfusion
