#pragma once
// The libtorch that is compiled against: 1.13 (Debian 12) or an upstream 2.x.

#include <torch/version.h>

#define DOMAINFUSION_TORCH_AT_LEAST(major, minor) \
  (TORCH_VERSION_MAJOR > (major) || (TORCH_VERSION_MAJOR == (major) && TORCH_VERSION_MINOR >= (minor)))
