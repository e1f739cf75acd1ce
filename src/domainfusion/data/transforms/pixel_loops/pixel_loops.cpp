#include "domainfusion/data/transforms/pixel_loops/pixel_loops.h"

namespace domainfusion {

extern const PixelLoops kPixelLoops_portable;
#ifdef DOMAINFUSION_X86_KERNELS
extern const PixelLoops kPixelLoops_avx2, kPixelLoops_avx512;
#endif

std::vector<const PixelLoops*> runnable_pixel_loops() {
  std::vector<const PixelLoops*> loops{&kPixelLoops_portable};
#ifdef DOMAINFUSION_X86_KERNELS
  if (__builtin_cpu_supports("avx2")) loops.push_back(&kPixelLoops_avx2);
  if (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq")) {
    loops.push_back(&kPixelLoops_avx512);
  }
#endif
  return loops;
}

const PixelLoops& pixel_loops() {
  static const PixelLoops& fastest = *runnable_pixel_loops().back();
  return fastest;
}

}  // namespace domainfusion
