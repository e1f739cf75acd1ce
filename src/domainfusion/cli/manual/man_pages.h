#pragma once
// Manual pages (section 1) of the program and of each of its commands, in man's macros.

#include <string>
#include <utility>
#include <vector>

#include "domainfusion/cli/manual/command_page.h"

namespace domainfusion {

// (file name, page): "domainfusion.1", "domainfusion-train.1", "domainfusion-bench-ldm.1", …, in the order of the
// program.
std::vector<std::pair<std::string, std::string>> man_pages(const CommandPage& program, const std::string& version);

}  // namespace domainfusion
