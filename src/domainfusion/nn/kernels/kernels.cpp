#include "domainfusion/nn/kernels/kernels.h"

#include <cstdlib>
#include <string_view>

#include "domainfusion/core/error.h"

namespace domainfusion {

extern const Kernels kKernels_portable;
#ifdef DOMAINFUSION_X86_KERNELS
extern const Kernels kKernels_avx2, kKernels_avx512;
#endif

std::vector<const Kernels*> runnable_kernels() {
  std::vector<const Kernels*> tables{&kKernels_portable};
#ifdef DOMAINFUSION_X86_KERNELS
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) tables.push_back(&kKernels_avx2);
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq")) tables.push_back(&kKernels_avx512);
#endif
  return tables;
}

namespace {

const Kernels& chosen_kernels() {
  const std::vector<const Kernels*> tables = runnable_kernels();
  const char* name = std::getenv("DOMAINFUSION_KERNELS");
  if (!name || !*name) return *tables.back();
  for (const Kernels* table : tables) {
    if (table->instruction_set == std::string_view(name)) return *table;
  }
  throw ConfigError(fmt::format(
      "DOMAINFUSION_KERNELS = '{}' does not name inner loops that this processor runs; the fastest are '{}'", name,
      tables.back()->instruction_set));
}

}  // namespace

const Kernels& kernels() {
  static const Kernels& chosen = chosen_kernels();
  return chosen;
}

}  // namespace domainfusion
