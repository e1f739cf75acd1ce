#include "domainfusion/core/machine/process_memory.h"

#include <fstream>
#include <string>

namespace domainfusion {
namespace {

double status_mib(const std::string& field) {
  std::ifstream status("/proc/self/status");
  std::string word;
  double kib = 0;
  while (status >> word) {
    if (word == field + ":") status >> kib;
  }
  return kib / 1024;
}

}  // namespace

double resident_mib() { return status_mib("VmRSS"); }
double peak_resident_mib() { return status_mib("VmHWM"); }
void reset_peak_resident() { std::ofstream("/proc/self/clear_refs") << 5; }

}  // namespace domainfusion
