// The inner loops for avx2 processors; the build gives this file their compiler options.
#include "domainfusion/nn/kernels/kernels.h"

namespace domainfusion {
namespace {

constexpr int kWidth = 8, kRows = 6, kVectors = 2;
#include "domainfusion/nn/kernels/kernels.inl"

}  // namespace

extern const Kernels kKernels_avx2;
const Kernels kKernels_avx2 = table("avx2", 384);

}  // namespace domainfusion
