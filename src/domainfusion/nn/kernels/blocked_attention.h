#pragma once
// Attention in blocks of queries and keys with an on-line softmax (Rabe and Staats 2021; Dao et al. 2022): no matrix of
// all scores is ever held, and what is held stays in the caches.

#include <ATen/core/Tensor.h>

namespace domainfusion {

// softmax(q k^T / sqrt(C/heads)) v per head. q [N, L, C]; k, v [N, M, C], M >= 1; float32 on the CPU, any strides;
// heads divides C. Returns a new contiguous [N, L, C]. No gradient. Results do not depend on the number of threads.
at::Tensor blocked_attention(const at::Tensor& q_NLC, const at::Tensor& k_NMC, const at::Tensor& v_NMC,
                             std::int64_t heads);

}  // namespace domainfusion
