#pragma once
// How much resident memory a piece of work adds at its peak (Linux).

#include <fstream>
#include <string>

#include "domainfusion/nn/activation_memory.h"

namespace domainfusion {

inline double resident_mib(const std::string& field) {
  std::ifstream status("/proc/self/status");
  std::string word;
  double kib = 0;
  while (status >> word) {
    if (word == field + ":") status >> kib;
  }
  return kib / 1024;
}

template <class Work>
double peak_growth_mib(Work&& work) {
  release_activation_memory();
  std::ofstream("/proc/self/clear_refs") << 5;  // the peak starts anew
  const double before = resident_mib("VmRSS");
  work();
  return resident_mib("VmHWM") - before;
}

}  // namespace domainfusion
