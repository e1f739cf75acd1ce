#include "domainfusion/cli/command.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>

#include "domainfusion/config/config_file.h"
#include "domainfusion/core/error.h"
#include "domainfusion/core/nearest_name.h"

namespace domainfusion {
namespace {

template <class Value>
CommandOption add_single(CLI::App& app, const std::string& names, Value& value, const std::string& help) {
  return CommandOption(app.add_option(names, value, help)->take_last());
}

template <class Value>
CommandOption add_list(CLI::App& app, const std::string& names, std::vector<Value>& values, const std::string& help) {
  CLI::Option* option = app.add_option(names, values, help);
  if (!option->get_positional()) option->allow_extra_args(false);
  return CommandOption(option);
}

// "bench ldm": the names from below the program.
std::string full_name(const CLI::App* app) {
  const CLI::App* parent = app->get_parent();
  if (parent == nullptr) return {};
  const std::string above = full_name(parent);
  return above.empty() ? app->get_name() : above + " " + app->get_name();
}

OptionPage page_of(const CLI::Option& option) {
  OptionPage page;
  for (const std::string& name : option.get_snames()) page.names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) page.names.push_back("--" + name);
  if (option.get_positional()) page.word = option.get_name();
  page.help = option.get_description();
  page.required = option.get_required();
  if (option.get_items_expected_max() == 0) return page;  // a flag
  page.default_value = option.get_default_str();
  page.value = option.get_type_name();  // "TEXT", "INT in [0 - 9]", "TEXT:{a,b}"
  const std::size_t open = page.value.find(":{");
  if (open == std::string::npos) return page;
  page.choices = CLI::detail::split(page.value.substr(open + 2, page.value.find('}', open) - open - 2), ',');
  page.value.resize(open);
  return page;
}

// The commands that the line got to, outermost first.
std::vector<const CLI::App*> commands_of_line(const CLI::App& app) {
  std::vector<const CLI::App*> commands{&app};
  while (!commands.back()->get_subcommands().empty()) commands.push_back(commands.back()->get_subcommands().front());
  return commands;
}

std::string refused_option(const std::vector<const CLI::App*>& commands, const std::string& word) {
  std::vector<std::string> known;
  for (const CLI::App* command : commands) {
    for (const CLI::Option* option : command->get_options()) {
      for (const std::string& name : option->get_lnames()) known.push_back("--" + name);
    }
  }
  if (std::find(known.begin(), known.end(), word) != known.end())
    return fmt::format("'{}' stands before the command that it belongs to: put it at the end", word);
  return fmt::format("unknown option '{}'{}", word, did_you_mean(word, known));
}

std::string refused_word(const CLI::App& command, const std::string& word) {
  std::vector<std::string> known;
  for (const CLI::App* one : command.get_subcommands([](const CLI::App*) { return true; }))
    known.push_back(one->get_name());
  if (known.empty()) return fmt::format("'{}' was not expected", word);
  return fmt::format("unknown command '{}'{}", word, did_you_mean(word, known));
}

// A line that cannot be read is refused for its first word that nothing knows, rather than for what is missing.
std::string cause_of_refusal(const CLI::App& app, const CLI::ParseError& error) {
  const std::vector<const CLI::App*> commands = commands_of_line(app);
  const std::vector<std::string> unknown = app.remaining(true);  // in the order of the line
  std::string cause = error.what();
  if (!unknown.empty()) {
    const std::string& word = unknown.front();
    cause = word.starts_with("-") ? refused_option(commands, word.substr(0, word.find('=')))
                                  : refused_word(*commands.back(), word);
  }
  std::string line;
  for (const CLI::App* command : commands) line += command->get_name() + " ";
  const std::string inside = commands.size() > 1 ? commands.back()->get_name() + ": " : "";
  return fmt::format("{}{}; see `{}--help`", inside, cause, line);
}

}  // namespace

CommandOption& CommandOption::required() {
  option_->required();
  return *this;
}

CommandOption& CommandOption::default_shown() {
  option_->capture_default_str();
  return *this;
}

CommandOption& CommandOption::within(double low, double high) {
  const auto refuse = [low, high](const std::string& word) -> std::string {
    char* end = nullptr;
    const double value = std::strtod(word.c_str(), &end);
    const bool good = end != word.c_str() && *end == '\0' && value >= low && value <= high;
    return good ? "" : fmt::format("Value {} not in range {} to {}", word, low, high);
  };
  option_->check(CLI::Validator(refuse, fmt::format("in [{} - {}]", low, high)));
  return *this;
}

CommandOption& CommandOption::one_of(const std::vector<std::string>& values) {
  option_->check(CLI::IsMember(values));
  return *this;
}

CommandOption& CommandOption::commas() {
  option_->delimiter(',');
  return *this;
}

CommandOption& CommandOption::many() {
  option_->allow_extra_args(true);
  return *this;
}

CommandOption& CommandOption::excludes(const CommandOption& other) {
  option_->excludes(other.option_);
  return *this;
}

Command Command::add(const std::string& name, const std::string& help) {
  return Command(app_->add_subcommand(name, help), texts_);
}

void Command::require_command() { app_->require_subcommand(1); }

CommandOption Command::option(const std::string& names, std::string& value, const std::string& help) {
  return add_single(*app_, names, value, help);
}
CommandOption Command::option(const std::string& names, int& value, const std::string& help) {
  return add_single(*app_, names, value, help);
}
CommandOption Command::option(const std::string& names, std::int64_t& value, const std::string& help) {
  return add_single(*app_, names, value, help);
}
CommandOption Command::option(const std::string& names, std::uint64_t& value, const std::string& help) {
  return add_single(*app_, names, value, help);
}
CommandOption Command::option(const std::string& names, double& value, const std::string& help) {
  return add_single(*app_, names, value, help);
}
CommandOption Command::option(const std::string& names, std::optional<std::string>& value, const std::string& help) {
  return add_single(*app_, names, value, help);
}
CommandOption Command::option(const std::string& names, std::optional<std::int64_t>& value, const std::string& help) {
  return add_single(*app_, names, value, help);
}
CommandOption Command::option(const std::string& names, std::optional<double>& value, const std::string& help) {
  return add_single(*app_, names, value, help);
}
CommandOption Command::option(const std::string& names, std::vector<std::string>& values, const std::string& help) {
  return add_list(*app_, names, values, help);
}
CommandOption Command::option(const std::string& names, std::vector<std::int64_t>& values, const std::string& help) {
  return add_list(*app_, names, values, help);
}

CommandOption Command::flag(const std::string& names, bool& value, const std::string& help) {
  return CommandOption(app_->add_flag(names, value, help));
}

void Command::more_help(std::function<std::string()> text) {
  texts_->more[app_] = text;
  app_->footer(std::move(text));
}

void Command::settings(const std::string& title, std::function<std::vector<SettingGroup>()> groups) {
  texts_->settings[app_] = groups;
  app_->footer([title, groups = std::move(groups)] {
    std::string text = title + " (key, type, default, range):\n";
    for (const SettingGroup& group : groups()) {
      if (!group.title.empty()) text += "\n" + group.title + ":\n";
      text += describe_fields(group.fields);
    }
    return text;
  });
}

void Command::run(std::function<void()> action) {
  app_->callback([name = full_name(app_), action = std::move(action)] { with_context(name, action); });
}

CommandPage Command::page() const {
  CommandPage page;
  page.name = app_->get_name();
  page.help = app_->get_description();
  for (const CLI::Option* option : app_->get_options()) page.options.push_back(page_of(*option));
  if (const auto found = texts_->settings.find(app_); found != texts_->settings.end()) page.settings = found->second();
  if (const auto found = texts_->more.find(app_); found != texts_->more.end()) page.more = found->second();
  for (CLI::App* below : app_->get_subcommands([](const CLI::App*) { return true; }))
    page.commands.push_back(Command(below, texts_).page());
  return page;
}

std::vector<std::pair<std::string, std::string>> Command::help_texts() const {
  const std::string name = full_name(app_), program = app_->get_parent() == nullptr ? app_->get_name() : "domainfusion";
  std::string file = name.empty() ? program : name;
  std::replace(file.begin(), file.end(), ' ', '-');
  // help() of the program would be that of the command that runs now.
  const std::string line = name.empty() ? program : program + " " + name;
  std::vector<std::pair<std::string, std::string>> texts{
      {file, app_->get_formatter()->make_help(app_, line, CLI::AppFormatMode::Normal)}};
  for (CLI::App* below : app_->get_subcommands([](const CLI::App*) { return true; })) {
    for (auto& text : Command(below, texts_).help_texts()) texts.push_back(std::move(text));
  }
  return texts;
}

CommandLine::CommandLine(const std::string& name, const std::string& description, const std::string& version)
    : app_(std::make_unique<CLI::App>(description, name)) {
  app_->set_version_flag("--version", version);
  app_->require_subcommand(1);
  app_->fallthrough();
}

CommandLine::~CommandLine() = default;

Command CommandLine::root() { return Command(app_.get(), &texts_); }

void CommandLine::run(int argc, char** argv, std::function<void()> prepare) {
  app_->parse_complete_callback(std::move(prepare));
  try {
    app_->parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    check<ConfigError>(error.get_exit_code() == 0, "{}", cause_of_refusal(*app_, error));
    app_->exit(error);  // --help, --version
  }
}

}  // namespace domainfusion
