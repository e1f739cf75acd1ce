#pragma once
// Which code this program was built from.

#include <string>

namespace domainfusion {

// "0.1.0", and where it was built in a git checkout " (commit 0123456789ab)", with ", changed" if files differed from
// that commit.
const std::string& code_version();

}  // namespace domainfusion
