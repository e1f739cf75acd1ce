#pragma once
// The options by which commands make, continue or replace a result of hours.

#include <string>

#include "domainfusion/cli/command.h"
#include "domainfusion/io/folders/owned_folder.h"

namespace domainfusion {

struct OutputFolder {
  std::string out;
  bool resume = false, overwrite = false;

  // --out, which is returned, --resume and --overwrite; `what` lies there ("the run").
  CommandOption add_to(Command& command, const std::string& what);
  FolderMode mode() const;
};

}  // namespace domainfusion
