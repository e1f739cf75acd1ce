#pragma once
// How much resident memory a piece of work adds at its peak (Linux).

#include "domainfusion/core/machine/process_memory.h"
#include "domainfusion/nn/memory/activation_memory.h"

namespace domainfusion {

template <class Work>
double peak_growth_mib(Work&& work) {
  release_activation_memory();
  reset_peak_resident();
  const double before = resident_mib();
  work();
  return peak_resident_mib() - before;
}

}  // namespace domainfusion
