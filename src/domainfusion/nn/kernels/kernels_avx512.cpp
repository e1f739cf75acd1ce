// The inner loops for avx512 processors; the build gives this file their compiler options.
#include "domainfusion/nn/kernels/kernels.h"

namespace domainfusion {
namespace {

constexpr int kWidth = 16, kRows = 8, kVectors = 2;
#include "domainfusion/nn/kernels/kernels.inl"

}  // namespace

extern const Kernels kKernels_avx512;
const Kernels kKernels_avx512 = table("avx512", 256);

}  // namespace domainfusion
