#include "domainfusion/cli/output_folder.h"

namespace domainfusion {

CommandOption OutputFolder::add_to(Command& command, const std::string& what) {
  const CommandOption folder = command.option("--out", out, "folder to make for " + what);
  const CommandOption resuming = command.flag("--resume", resume, "continue " + what + " in --out");
  command.flag("--overwrite", overwrite, "start anew; " + what + " in --out goes once the new one can start")
      .excludes(resuming);
  return folder;
}

FolderMode OutputFolder::mode() const {
  if (resume) return FolderMode::kResume;
  return overwrite ? FolderMode::kOverwrite : FolderMode::kNew;
}

}  // namespace domainfusion
