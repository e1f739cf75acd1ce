#pragma once
// A command as data: what manual pages and completions are made of.

#include <string>
#include <vector>

#include "domainfusion/config/config_fields.h"

namespace domainfusion {

// Options that --set takes. Only what describes them may be used: the values that they belong to are gone.
struct SettingGroup {
  std::string title;  // "Of the algorithm erm"; empty for the command's own
  ConfigFields fields;
};

template <class Config>
std::vector<SettingGroup> settings_of() {
  Config config;
  return {{"", fields_of(config)}};
}

struct OptionPage {
  std::vector<std::string> names;  // "-h", "--help"; none where a word stands for itself
  std::string word;                // its name in that case: "folder"
  std::string value;               // "TEXT", "INT in [0 - 9]"; empty: a flag
  std::vector<std::string> choices;
  std::string default_value, help;
  bool required = false;
};

struct CommandPage {
  std::string name, help;
  std::vector<OptionPage> options;
  std::vector<SettingGroup> settings;
  std::string more;  // what --help says behind all of this
  std::vector<CommandPage> commands;
};

}  // namespace domainfusion
