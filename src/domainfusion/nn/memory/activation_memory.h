#pragma once
// Memory for the results of layers on a CPU. The system hands out large blocks page by page, zeroed, at each first
// touch: for feature maps of an autoencoder that takes as long as some convolutions. Blocks are therefore kept for the
// next result, in huge pages.

#include <ATen/core/Tensor.h>

namespace domainfusion {

// A new float32 tensor on the CPU, contiguous, not initialised.
at::Tensor new_activation(at::IntArrayRef shape);
// The same in huge pages where it is large, and never kept: for memory that lives long.
at::Tensor new_huge_page_tensor(at::IntArrayRef shape);

// Gives blocks back to the system that no tensor uses.
void release_activation_memory();

}  // namespace domainfusion
