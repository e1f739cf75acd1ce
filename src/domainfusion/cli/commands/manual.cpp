// domainfusion completions, domainfusion manual: what a shell and man know of this program.

#include <fmt/format.h>

#include <filesystem>

#include "domainfusion/cli/commands.h"
#include "domainfusion/cli/manual/completions.h"
#include "domainfusion/cli/manual/man_pages.h"
#include "domainfusion/io/files/atomic_file.h"

namespace domainfusion {

void add_manual_commands(Command& app, const std::string& version) {
  Command completion = app.add("completions", "print the completions of bash, zsh or fish");
  auto shell = std::make_shared<std::string>();
  completion.option("shell", *shell, "bash, zsh or fish").required().one_of({"bash", "zsh", "fish"});
  completion.run([app, shell] {
    const Shell kind = *shell == "bash" ? Shell::kBash : *shell == "zsh" ? Shell::kZsh : Shell::kFish;
    fmt::print("{}", completions(app.page(), kind));
  });

  Command manual = app.add("manual", "write the manual pages, one for each command");
  auto folder = std::make_shared<std::string>();
  manual.option("out", *folder, "folder to write them to; pages of the same names are replaced").required();
  auto help = std::make_shared<std::string>();
  manual.option("--help-texts", *help, "folder for what --help says of each command, made anew");
  manual.run([app, folder, help, version] {
    std::filesystem::create_directories(*folder);
    for (const auto& [name, page] : man_pages(app.page(), version))
      write_file_atomically(std::filesystem::path(*folder) / name, page);
    if (help->empty()) return;
    std::filesystem::create_directories(*help);
    for (const auto& [name, text] : app.help_texts())
      write_file_atomically(std::filesystem::path(*help) / (name + ".txt"), text);
  });
}

}  // namespace domainfusion
