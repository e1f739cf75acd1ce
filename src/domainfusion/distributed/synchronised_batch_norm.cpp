#include "domainfusion/distributed/synchronised_batch_norm.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/custom_function.h>

#include "domainfusion/core/error.h"

namespace domainfusion {
namespace {

struct Moments {
  at::Tensor mean_C, var_C;  // float64, biased
  double count = 0;          // values a channel
};

// Of the values on all ranks, from those of each (Chan, Golub, LeVeque 1979).
Moments moments_of_all(const at::Tensor& x_NCHW, Ranks& ranks) {
  const auto [mean, var] = at::batch_norm_update_stats(x_NCHW, {}, {}, 0);
  const double own = static_cast<double>(x_NCHW.numel() / x_NCHW.size(1));
  const at::Tensor of_rank =
      at::stack({mean.to(at::kDouble), var.to(at::kDouble), at::full_like(mean, own, at::kDouble)});
  const at::Tensor all = at::stack(ranks.gather(of_rank));  // [ranks, 3, C]
  const at::Tensor count = all.select(1, 2), total = count.sum(0);
  Moments moments;
  moments.mean_C = (all.select(1, 0) * count).sum(0) / total;
  moments.var_C = ((all.select(1, 1) + (all.select(1, 0) - moments.mean_C).square()) * count).sum(0) / total;
  moments.count = total[0].item<double>();
  return moments;
}

class SynchronisedBatchNorm : public torch::autograd::Function<SynchronisedBatchNorm> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x, const at::Tensor& weight,
                            const at::Tensor& bias, const at::Tensor& mean, const at::Tensor& var, double count,
                            double eps, std::int64_t ranks) {
    context->save_for_backward({x, weight, mean, var});
    context->saved_data["count"] = count;
    context->saved_data["eps"] = eps;
    context->saved_data["ranks"] = ranks;
    return std::get<0>(at::native_batch_norm(x, weight, bias, mean, var, /*training=*/false, 0, eps));
  }

  // dx = w / s (dy - mean(dy) - xhat mean(dy xhat)) with s the deviation, xhat the normalised values and means over all
  // ranks; its first term and both sums are those of batch norm with fixed statistics.
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &weight = saved[1], &mean = saved[2], &var = saved[3];
    const double count = context->saved_data["count"].toDouble(), eps = context->saved_data["eps"].toDouble();
    Ranks& ranks = *reinterpret_cast<Ranks*>(context->saved_data["ranks"].toInt());
    const at::Tensor gradient = gradients[0].contiguous(x.suggest_memory_format());
    auto [dx, dweight, dbias] = at::native_batch_norm_backward(gradient, x, weight, mean, var, {}, {}, /*train=*/false,
                                                               eps, {true, true, true});
    const at::Tensor sums = at::stack({dweight, dbias}).to(at::kDouble);
    ranks.sum(sums);
    const at::Tensor scale = (var.to(at::kDouble) + eps).rsqrt();
    const at::Tensor factor = weight.to(at::kDouble) * scale / count;
    const at::Tensor by_x = factor * scale * sums[0], constant = factor * sums[1] - by_x * mean;
    const auto spread = [&](const at::Tensor& of_channel) {
      return of_channel.to(x.scalar_type()).view({1, -1, 1, 1});
    };
    dx.sub_(spread(constant)).addcmul_(x, spread(by_x), -1);
    return {dx, dweight, dbias, {}, {}, {}, {}, {}};
  }
};

}  // namespace

at::Tensor synchronised_batch_norm(const at::Tensor& x_NCHW, const at::Tensor& weight_C, const at::Tensor& bias_C,
                                   const at::Tensor& running_mean_C, const at::Tensor& running_var_C, double momentum,
                                   double eps, Ranks& ranks) {
  const at::Tensor x = x_NCHW.to(at::kFloat);
  Moments moments;
  {
    const c10::NoGradGuard no_grad;
    moments = moments_of_all(x.detach(), ranks);
    check<ConfigError>(moments.count > 1, "batch norm cannot train on one image whose maps are 1 x 1");
    running_mean_C.lerp_(moments.mean_C.to(running_mean_C.scalar_type()), momentum);
    running_var_C.lerp_((moments.var_C * (moments.count / (moments.count - 1))).to(running_var_C.scalar_type()),
                        momentum);
  }
  const at::Tensor y =
      SynchronisedBatchNorm::apply(x, weight_C, bias_C, moments.mean_C.to(at::kFloat), moments.var_C.to(at::kFloat),
                                   moments.count, eps, reinterpret_cast<std::int64_t>(&ranks));
  return y.to(x_NCHW.scalar_type());
}

}  // namespace domainfusion
