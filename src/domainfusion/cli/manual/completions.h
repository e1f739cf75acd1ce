#pragma once
// Scripts that teach a shell to complete the program's commands, options, their choices, and the keys of --set.

#include <string>

#include "domainfusion/cli/manual/command_page.h"

namespace domainfusion {

enum class Shell { kBash, kZsh, kFish };

std::string completions(const CommandPage& program, Shell shell);

}  // namespace domainfusion
