#include "domainfusion/cli/manual/completions.h"

#include <fmt/format.h>

#include <functional>
#include <utility>
#include <vector>

namespace domainfusion {
namespace {

// A word within single quotes; each shell has its own way to hold the quote itself.
std::string quoted(const std::string& text, const char* quote) {
  std::string out = "'";
  for (const char letter : text) out += letter == '\'' ? quote : std::string(1, letter);
  return out + "'";
}
std::string in_shell(const std::string& text) { return quoted(text, "'\\''"); }
std::string in_fish(const std::string& text) { return quoted(text, "\\'"); }

std::vector<std::string> keys_of(const CommandPage& command) {
  std::vector<std::string> keys;
  for (const SettingGroup& group : command.settings) {
    for (const ConfigFields::Field& field : group.fields.fields()) keys.push_back(field.key + "=");
  }
  return keys;
}

using Visit = std::function<void(const CommandPage& command, const std::string& place)>;

// `place`: the words that lead there, "domainfusion bench ldm".
void visit_all(const CommandPage& command, const std::string& above, const Visit& visit) {
  const std::string place = above.empty() ? command.name : above + " " + command.name;
  visit(command, place);
  for (const CommandPage& below : command.commands) visit_all(below, place, visit);
}

// What bash and zsh look up by place, as words with a blank between; choices by place and option.
struct Tables {
  std::vector<std::pair<std::string, std::string>> commands, options, choices, keys;
};

Tables tables_of(const CommandPage& program) {
  Tables tables;
  visit_all(program, "", [&](const CommandPage& command, const std::string& place) {
    std::vector<std::string> commands, options;
    for (const CommandPage& below : command.commands) commands.push_back(below.name);
    for (const OptionPage& option : command.options) {
      options.insert(options.end(), option.names.begin(), option.names.end());
      if (option.choices.empty()) continue;
      for (const std::string& name : option.names)
        tables.choices.emplace_back(place + " " + name, fmt::format("{}", fmt::join(option.choices, " ")));
    }
    const std::vector<std::string> keys = keys_of(command);
    if (!commands.empty()) tables.commands.emplace_back(place, fmt::format("{}", fmt::join(commands, " ")));
    tables.options.emplace_back(place, fmt::format("{}", fmt::join(options, " ")));
    if (!keys.empty()) tables.keys.emplace_back(place, fmt::format("{}", fmt::join(keys, " ")));
  });
  return tables;
}

// local -A name=(…): pairs as `form` writes them.
std::string table(const char* name, const std::vector<std::pair<std::string, std::string>>& entries, const char* form) {
  std::string text = fmt::format("  local -A {}=(\n", name);
  for (const auto& [key, value] : entries)
    text += fmt::format("    {}\n", fmt::format(fmt::runtime(form), in_shell(key), in_shell(value)));
  return text + "  )\n";
}

std::string tables_text(const CommandPage& program, const char* form) {
  const Tables tables = tables_of(program);
  return table("commands", tables.commands, form) + table("options", tables.options, form) +
         table("choices", tables.choices, form) + table("keys", tables.keys, form);
}

std::string bash(const CommandPage& program) {
  return fmt::format("# Completions for bash, as `{0} completions bash` writes them.\n_{0}() {{\n", program.name) +
         tables_text(program, "[{}]={}") + fmt::format("  local place={} i\n", program.name) +
         R"(  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
  for ((i = 1; i < COMP_CWORD; i++)); do
    [[ " ${commands[$place]:-} " == *" ${COMP_WORDS[i]} "* ]] && place+=" ${COMP_WORDS[i]}"
  done
  COMPREPLY=()
  if [[ $before == --set ]]; then
    mapfile -t COMPREPLY < <(compgen -W "${keys[$place]:-}" -- "$word")
    compopt -o nospace 2>/dev/null
  elif [[ -n ${choices["$place $before"]:-} ]]; then
    mapfile -t COMPREPLY < <(compgen -W "${choices["$place $before"]}" -- "$word")
  elif [[ $word == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "${options[$place]:-}" -- "$word")
  elif [[ -n ${commands[$place]:-} ]]; then
    mapfile -t COMPREPLY < <(compgen -W "${commands[$place]}" -- "$word")
  fi
}
)" + fmt::format("complete -o default -F _{0} {0}\n", program.name);
}

std::string zsh(const CommandPage& program) {
  return fmt::format("#compdef {0}\n# Completions for zsh, as `{0} completions zsh` writes them.\n_{0}() {{\n",
                     program.name) +
         tables_text(program, "{} {}") + fmt::format("  local place={} i\n", program.name) +
         R"(  local before=$words[CURRENT-1]
  for ((i = 2; i < CURRENT; i++)); do
    [[ " ${commands[$place]} " == *" ${words[i]} "* ]] && place+=" ${words[i]}"
  done
  if [[ $before == --set ]]; then
    compadd -S '' -- ${=keys[$place]}
  elif [[ -n ${choices[$place $before]} ]]; then
    compadd -- ${=choices[$place $before]}
  elif [[ $words[CURRENT] == -* ]]; then
    compadd -- ${=options[$place]}
  elif [[ -n ${commands[$place]} ]]; then
    compadd -- ${=commands[$place]}
  else
    _files
  fi
}
)" + fmt::format("_{0} \"$@\"\n", program.name);
}

std::string fish(const CommandPage& program) {
  std::string places, lines;
  visit_all(program, "", [&](const CommandPage& command, const std::string& place) {
    places += " " + in_fish(place);
    const std::string start = fmt::format("complete -c {0} -n {1}", program.name,
                                          in_fish(fmt::format("__{}_at {}", program.name, in_fish(place))));
    for (const CommandPage& below : command.commands)
      lines += fmt::format("{} -f -a {} -d {}\n", start, below.name, in_fish(below.help));
    for (const OptionPage& option : command.options) {
      if (option.names.empty()) continue;
      lines += start;
      for (const std::string& name : option.names)
        lines += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
      const std::vector<std::string> words = option.names.back() == "--set" ? keys_of(command) : option.choices;
      if (!words.empty())
        lines += " -x -a " + in_fish(fmt::format("{}", fmt::join(words, " ")));
      else if (!option.value.empty())
        lines += " -r";
      lines += " -d " + in_fish(option.help) + "\n";
    }
  });
  return fmt::format(R"(# Completions for fish, as `{0} completions fish` writes them.
function __{0}_at
  set -l places{1}
  set -l place {0}
  for word in (commandline -opc)[2..-1]
    contains -- "$place $word" $places; and set place "$place $word"
  end
  test "$place" = "$argv[1]"
end
)",
                     program.name, places) +
         lines;
}

}  // namespace

std::string completions(const CommandPage& program, Shell shell) {
  switch (shell) {
    case Shell::kBash:
      return bash(program);
    case Shell::kZsh:
      return zsh(program);
    case Shell::kFish:
      return fish(program);
  }
  return {};
}

}  // namespace domainfusion
