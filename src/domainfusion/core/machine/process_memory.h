#pragma once
// Resident memory of this process (Linux: /proc/self); 0 where the system does not say.

namespace domainfusion {

double resident_mib();
// The most since the process began or reset_peak_resident() was called last.
double peak_resident_mib();
void reset_peak_resident();

}  // namespace domainfusion
