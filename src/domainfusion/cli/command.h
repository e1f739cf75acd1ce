#pragma once
// A command of the program: its options, and what it does. The library that reads the command line (CLI11) is known to
// command.cpp alone: it costs each file that names it seconds of compiling.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "domainfusion/cli/manual/command_page.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace domainfusion {

// Of commands by their apps: what the library has no place for.
struct CommandTexts {
  std::map<const CLI::App*, std::function<std::vector<SettingGroup>()>> settings;
  std::map<const CLI::App*, std::function<std::string()>> more;
};

// What is said of one option beside its name. Handles may be copied; they live as long as their program.
class CommandOption {
 public:
  explicit CommandOption(CLI::Option* option) : option_(option) {}

  CommandOption& required();
  // --help shows the value that the variable has now.
  CommandOption& default_shown();
  CommandOption& within(double low, double high);
  CommandOption& one_of(const std::vector<std::string>& values);
  // A list may be given with commas between.
  CommandOption& commas();
  // A list may be given as several words behind the name.
  CommandOption& many();
  CommandOption& excludes(const CommandOption& other);

 private:
  CLI::Option* option_;
};

// `names`: "--out", or without dashes a word that stands for itself ("folder"). Variables must live as long as the
// program. Of an option that is given twice the last value counts; a list keeps them all.
class Command {
 public:
  Command(CLI::App* app, CommandTexts* texts) : app_(app), texts_(texts) {}

  // A command below this one.
  Command add(const std::string& name, const std::string& help);
  // Something has to be named below this one.
  void require_command();

  CommandOption option(const std::string& names, std::string& value, const std::string& help);
  CommandOption option(const std::string& names, int& value, const std::string& help);
  CommandOption option(const std::string& names, std::int64_t& value, const std::string& help);
  CommandOption option(const std::string& names, std::uint64_t& value, const std::string& help);
  CommandOption option(const std::string& names, double& value, const std::string& help);
  CommandOption option(const std::string& names, std::optional<std::string>& value, const std::string& help);
  CommandOption option(const std::string& names, std::optional<std::int64_t>& value, const std::string& help);
  CommandOption option(const std::string& names, std::optional<double>& value, const std::string& help);
  CommandOption option(const std::string& names, std::vector<std::string>& values, const std::string& help);
  CommandOption option(const std::string& names, std::vector<std::int64_t>& values, const std::string& help);
  // "!--no-x" sets `value` to false.
  CommandOption flag(const std::string& names, bool& value, const std::string& help);

  // Text behind the options in --help, made when it is asked for.
  void more_help(std::function<std::string()> text);
  // What --set takes, which --help shows behind the options under `title`; made when it is asked for.
  void settings(const std::string& title, std::function<std::vector<SettingGroup>()> groups);
  // What the command does; errors that leave it carry the command's name.
  void run(std::function<void()> action);
  // All of this, and of the commands below it, for manuals and completions.
  CommandPage page() const;
  // What --help says of it and of the commands below it: ("bench-ldm", text); the program's is named as it is.
  std::vector<std::pair<std::string, std::string>> help_texts() const;

 private:
  CLI::App* app_;
  CommandTexts* texts_;
};

// The program as a whole.
class CommandLine {
 public:
  CommandLine(const std::string& name, const std::string& description, const std::string& version);
  ~CommandLine();

  Command root();
  // Reads the line and runs the command that it names; `prepare` is called in between. --help and --version print and
  // return. Throws ConfigError for a line that cannot be read, and what the command throws.
  void run(int argc, char** argv, std::function<void()> prepare);

 private:
  std::unique_ptr<CLI::App> app_;
  CommandTexts texts_;
};

}  // namespace domainfusion
