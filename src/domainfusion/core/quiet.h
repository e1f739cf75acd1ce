#pragma once
// Processes that are many should not all say the same.

namespace domainfusion {

// From here on this thread shows warnings and errors alone: neither lines of information nor progress.
void be_quiet();
bool is_quiet();

}  // namespace domainfusion
