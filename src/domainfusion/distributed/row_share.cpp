#include "domainfusion/distributed/row_share.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

namespace domainfusion {
namespace {

thread_local Ranks* of_this_batch = nullptr;
thread_local RowShare share_of_this_thread;

at::Tensor gathered_values(const at::Tensor& own, Ranks& ranks) {
  const at::Tensor count = at::zeros({ranks.size()}, at::kLong);
  count[ranks.rank()] = own.size(0);
  ranks.sum(count);
  const std::int64_t most = count.max().item<std::int64_t>(), all = count.sum().item<std::int64_t>();
  std::vector<std::int64_t> shape = own.sizes().vec();
  shape[0] = most;
  at::Tensor padded = own;
  if (own.size(0) < most) {
    padded = at::zeros(shape, own.options());
    padded.narrow(0, 0, own.size(0)).copy_(own);
  }
  // [most, ranks, …] with the rows in order; what is padded comes last.
  return at::stack(ranks.gather(padded), 1).flatten(0, 1).narrow(0, 0, all);
}

class GatheredRows : public torch::autograd::Function<GatheredRows> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& own, std::int64_t ranks) {
    context->saved_data["ranks"] = ranks;
    return gathered_values(own, *reinterpret_cast<Ranks*>(ranks));
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    Ranks& ranks = *reinterpret_cast<Ranks*>(context->saved_data["ranks"].toInt());
    const at::Tensor all = gradients[0].contiguous().clone();
    ranks.sum(all);
    return {own_rows(all, ranks), at::Tensor()};
  }
};

}  // namespace

Ranks* batch_ranks() { return of_this_batch; }

RowShare current_row_share() { return share_of_this_thread; }

SharedRowsScope::SharedRowsScope(Ranks* ranks, std::int64_t block)
    : ranks_before_(of_this_batch), share_before_(share_of_this_thread) {
  of_this_batch = ranks;
  share_of_this_thread = ranks == nullptr ? RowShare{} : RowShare{ranks->rank(), ranks->size(), block};
}

SharedRowsScope::~SharedRowsScope() {
  of_this_batch = ranks_before_;
  share_of_this_thread = share_before_;
}

at::Tensor gathered_rows(const at::Tensor& own_n, Ranks& ranks) {
  return GatheredRows::apply(own_n, reinterpret_cast<std::int64_t>(&ranks));
}

at::Tensor current_rows(const at::Tensor& all_N) {
  return current_ranks() == nullptr ? all_N : own_rows(all_N, *current_ranks());
}

at::Tensor own_rows(const at::Tensor& all_N, const Ranks& ranks) {
  return all_N.slice(0, ranks.rank(), all_N.size(0), ranks.size()).contiguous();
}

}  // namespace domainfusion
