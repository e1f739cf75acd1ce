// The command line: options common to all commands, and what becomes of errors.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <exception>

#include "domainfusion/cli/commands.h"
#include "domainfusion/core/error.h"
#include "domainfusion/core/log.h"
#include "domainfusion/core/machine/threads.h"
#include "domainfusion/core/nearest_name.h"

namespace domainfusion {
namespace {

void prepare_process(int threads) {
  set_threads(threads);
  // A full disk or a reader that went away is an error of a write, not the end of the process.
  std::signal(SIGXFSZ, SIG_IGN);
  std::signal(SIGPIPE, SIG_IGN);
  if (const std::string warning = slow_blas_warning(); !warning.empty()) log_warning("{}", warning);
}

int report(std::string_view message, ExitCode code) {
  std::fflush(stdout);
  fmt::print(stderr, "error: {}\n", message);
  return static_cast<int>(code);
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
int report_line(const CLI::App& app, const CLI::ParseError& error) {
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
  return report(fmt::format("{}{}; see `{}--help`", inside, cause, line), ExitCode::kConfig);
}

int run(int argc, char** argv) {
  CLI::App app("DomainFusion: domain generalization with a frozen latent diffusion model", "domainfusion");
  int threads = 0;
  app.add_option("--threads", threads, "numeric threads; 0: all available CPUs")->capture_default_str();
  app.set_version_flag("--version", DOMAINFUSION_VERSION);
  app.require_subcommand(1);
  app.fallthrough();
  add_demo_command(app);
  add_demo_data_command(app);
  add_data_command(app);
  add_plan_command(app);
  add_train_command(app);
  add_evaluate_command(app);
  add_export_command(app);
  add_compare_command(app);
  add_reproduce_command(app);
  add_sweep_command(app);
  add_tables_command(app);
  add_predict_command(app);
  add_pretrain_command(app);
  add_finetune_command(app);
  add_dsi_command(app);
  add_bench_command(app);
  add_generate_command(app);
  add_augment_command(app);
  add_store_command(app);
  add_convert_command(app);
  add_inspect_command(app);
  app.parse_complete_callback([&threads] { prepare_process(threads); });
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
    return report_line(app, error);
  }
  // A result that could not be printed in full is a failure.
  check<IoError>(std::fflush(stdout) == 0, "standard output cannot be written: is the disk full?");
  return 0;
}

}  // namespace
}  // namespace domainfusion

int main(int argc, char** argv) {
  using namespace domainfusion;
  try {
    return run(argc, argv);
  } catch (const Error& error) {
    return report(error.what(), error.exit_code());
  } catch (const std::exception& error) {
    // libtorch's messages carry a backtrace after the first line.
    const std::string_view message = error.what();
    return report(message.substr(0, message.find('\n')), ExitCode::kFailure);
  }
}
