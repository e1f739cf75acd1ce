// The inner loops for portable processors; the build gives this file their compiler options.
#include "domainfusion/nn/kernels/kernels.h"

namespace domainfusion {
namespace {

constexpr int kWidth = 4, kRows = 4, kVectors = 2;
#include "domainfusion/nn/kernels/kernels.inl"

}  // namespace

extern const Kernels kKernels_portable;
const Kernels kKernels_portable = table("portable", 512);

}  // namespace domainfusion
