#pragma once
// Whether this processor's kernels compute what plain operations of libtorch compute.

#include "domainfusion/cli/doctor/finding.h"

namespace domainfusion {

// Matrix product, convolution (Winograd's) and attention on random values; a fault from a deviation of 1e-4 of the rms.
Findings check_kernels();

}  // namespace domainfusion
