#include "domainfusion/cli/manual/man_pages.h"

#include <fmt/format.h>

#include <algorithm>

#include "domainfusion/core/json_text.h"

namespace domainfusion {
namespace {

using Pages = std::vector<std::pair<std::string, std::string>>;

// The code point that begins at `i` of UTF-8 text, past which `i` is moved.
std::uint32_t next_code_point(const std::string& text, std::size_t& i) {
  const auto first = static_cast<unsigned char>(text[i++]);
  const int more = first >= 0xF0 ? 3 : first >= 0xE0 ? 2 : first >= 0xC0 ? 1 : 0;
  std::uint32_t code = more == 0 ? first : first & (0x3F >> more);
  for (int k = 0; k < more && i < text.size(); ++k) code = code << 6 | (static_cast<unsigned char>(text[i++]) & 0x3F);
  return code;
}

// Text as roff prints it: no escapes, no requests at the start of a line, dashes that can be copied, ASCII alone.
std::string roff(const std::string& text) {
  std::string out;
  bool line_start = true;
  for (std::size_t i = 0; i < text.size();) {
    const std::uint32_t letter = next_code_point(text, i);
    if (line_start && (letter == '.' || letter == '\'')) out += "\\&";
    line_start = letter == '\n';
    if (letter == '\\')
      out += "\\e";
    else if (letter == '-')
      out += "\\-";
    else if (letter < 0x80)
      out += static_cast<char>(letter);
    else
      out += fmt::format("\\[u{:04X}]", letter);
  }
  return out;
}

// Heads of sections and titles stand between quotes.
std::string heading(std::string text) {
  std::replace(text.begin(), text.end(), '"', '\'');
  return "\"" + roff(text) + "\"";
}

void add_option(std::string& page, const OptionPage& option) {
  std::string head = option.names.empty() ? "\\fI" + roff(option.word) + "\\fR" : "";
  for (const std::string& name : option.names) head += (head.empty() ? "\\fB" : ", \\fB") + roff(name) + "\\fR";
  if (!option.names.empty() && !option.value.empty()) head += " \\fI" + roff(option.value) + "\\fR";
  page += ".TP\n" + head + "\n" + roff(option.help);
  if (!option.choices.empty()) page += roff(fmt::format("; one of {}", fmt::join(option.choices, ", ")));
  if (!option.default_value.empty()) page += roff("; default " + option.default_value);
  if (option.required) page += "; required";
  page += "\n";
}

void add_settings(std::string& page, const SettingGroup& group) {
  page += ".SH " + heading(group.title.empty() ? "SETTINGS (--set key=value, recipes)" : group.title) + "\n";
  for (const ConfigFields::Field& field : group.fields.fields()) {
    page += ".TP\n\\fB" + roff(field.key) + "\\fR\n" + roff(field.help) + ".\n" +
            roff(fmt::format("{}; default {}{}\n", field.type, json_text(field.default_value),
                             field.range.empty() ? "" : "; range " + field.range));
  }
}

std::string usage(const CommandPage& command, const std::string& path) {
  std::string line = "\\fB" + roff(path) + "\\fR";
  for (const OptionPage& option : command.options) {
    if (!option.names.empty()) continue;
    line += option.required ? " \\fI" + roff(option.word) + "\\fR" : " [\\fI" + roff(option.word) + "\\fR]";
  }
  for (const OptionPage& option : command.options) {
    if (option.required && !option.names.empty())
      line += " \\fB" + roff(option.names.back()) + "\\fR \\fI" + roff(option.value) + "\\fR";
  }
  return line + (command.commands.empty() ? " [options]" : " \\fIcommand\\fR [options]");
}

void add_pages(Pages& pages, const CommandPage& command, const std::string& above, const std::string& version) {
  const std::string path = above.empty() ? command.name : above + " " + command.name;
  std::string file = path;
  std::replace(file.begin(), file.end(), ' ', '-');
  std::string title = file;
  std::transform(title.begin(), title.end(), title.begin(), [](unsigned char letter) { return std::toupper(letter); });

  std::string page =
      fmt::format(".TH {} 1 \"\" {} \"DomainFusion\"\n", heading(title), heading("domainfusion " + version));
  page += ".SH NAME\n" + roff(file + " - " + command.help) + "\n";
  page += ".SH SYNOPSIS\n" + usage(command, path) + "\n";
  if (!command.commands.empty()) page += ".SH COMMANDS\n";
  for (const CommandPage& below : command.commands)
    page += fmt::format(".TP\n\\fB{}\\fR(1)\n{}\n", roff(file + "-" + below.name), roff(below.help));
  page += ".SH OPTIONS\n";
  for (const OptionPage& option : command.options) add_option(page, option);
  for (const SettingGroup& group : command.settings) add_settings(page, group);
  if (!command.more.empty()) page += ".SH NOTES\n.nf\n" + roff(command.more) + "\n.fi\n";
  if (!above.empty()) {
    std::string parent = above;
    std::replace(parent.begin(), parent.end(), ' ', '-');
    page += ".SH SEE ALSO\n\\fB" + roff(parent) + "\\fR(1)\n";
  }
  pages.emplace_back(file + ".1", std::move(page));
  for (const CommandPage& below : command.commands) add_pages(pages, below, path, version);
}

}  // namespace

Pages man_pages(const CommandPage& program, const std::string& version) {
  Pages pages;
  add_pages(pages, program, "", version);
  return pages;
}

}  // namespace domainfusion
