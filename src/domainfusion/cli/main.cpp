// The command line: options common to all commands, and what becomes of errors.
#include <csignal>
#include <cstdio>
#include <exception>
#include <iostream>

#include "domainfusion/cli/commands.h"
#include "domainfusion/cli/exit_status.h"
#include "domainfusion/cli/processes/rank_command.h"
#include "domainfusion/core/error.h"
#include "domainfusion/core/machine/threads.h"
#include "domainfusion/training/records/stop_signal.h"

namespace domainfusion {
namespace {

void prepare_process(int threads) {
  set_threads(threads_of_process(threads));
  // A full disk or a reader that went away is an error of a write, not the end of the process.
  std::signal(SIGXFSZ, SIG_IGN);
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGCHLD, SIG_DFL);  // ignored by some launchers, which hides how children end
}

int run(int argc, char** argv) {
  CommandLine line("domainfusion", "DomainFusion: domain generalization with a frozen latent diffusion model",
                   DOMAINFUSION_VERSION);
  int threads = 0;
  Command app = line.root();
  app.option("--threads", threads, "numeric threads; 0: all available CPUs, shared among ranks").default_shown();
  double timeout = 120;
  app.option("--timeout", timeout, "seconds after which a rank that gives no sign of life is lost")
      .within(1, 1e6)
      .default_shown();
  app.option("--interface", rank_settings().interface,
             "network interface between ranks; default: that of the route to the master");
  add_demo_command(app);
  add_demo_data_command(app);
  add_data_command(app);
  add_fetch_command(app);
  add_plan_command(app);
  add_train_command(app);
  add_evaluate_command(app);
  add_export_command(app);
  add_compare_command(app);
  add_report_command(app);
  add_reproduce_command(app);
  add_sweep_command(app);
  add_soup_command(app);
  add_tables_command(app);
  add_predict_command(app);
  add_pretrain_command(app);
  add_finetune_command(app);
  add_dsi_command(app);
  add_bench_command(app);
  add_generate_command(app);
  add_augment_command(app);
  add_store_command(app);
  add_launch_command(app);
  add_convert_command(app);
  add_inspect_command(app);
  add_doctor_command(app);
  add_manual_commands(app, DOMAINFUSION_VERSION);
  app.more_help([] {
    return "Exit codes: 0 done; 1 failed; 2 the command or an option must change; 3 a file cannot be read or written, "
           "or is broken;\n4 another rank was lost; 128 + n stopped by signal n where it can be continued (130: "
           "Ctrl-C, 143: SIGTERM)";
  });
  line.run(argc, argv, [&] {
    rank_settings().timeout = std::chrono::milliseconds(static_cast<std::int64_t>(timeout * 1000));
    prepare_process(threads);
  });
  // A result that could not be printed in full is a failure.
  std::cout.flush();
  check<IoError>(std::fflush(stdout) == 0 && std::ferror(stdout) == 0 && std::cout.good(),
                 "standard output cannot be written: is the disk full, or its reader gone?");
  return 0;
}

}  // namespace
}  // namespace domainfusion

int main(int argc, char** argv) {
  using namespace domainfusion;
  occupy_standard_streams();
  try {
    return run(argc, argv);
  } catch (const Interrupted&) {
    std::fflush(stdout);
    return 128 + StopSignal::number();
  } catch (...) {
    return report(exit_status_of(std::current_exception()));
  }
}
