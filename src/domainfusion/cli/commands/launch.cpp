// domainfusion launch: one of its own commands as several ranks.

#include "domainfusion/cli/commands.h"
#include "domainfusion/cli/processes/launcher.h"
#include "domainfusion/cli/processes/rank_command.h"
#include "domainfusion/core/error.h"
#include "domainfusion/core/machine/threads.h"
#include "domainfusion/training/records/stop_signal.h"

namespace domainfusion {
namespace {

struct LaunchArguments {
  std::int64_t ranks = 2, nodes = 1, node = 0;
  std::string master;
  std::vector<std::string> command;
};

void set_master(const std::string& master, LaunchRequest& request) {
  const std::size_t colon = master.rfind(':');
  char* end = nullptr;
  const std::string port = colon == std::string::npos ? "" : master.substr(colon + 1);
  request.master_port = std::strtol(port.c_str(), &end, 10);
  check<ConfigError>(colon != 0 && !port.empty() && *end == 0 && request.master_port > 0 && request.master_port < 65536,
                     "--master '{}': expected HOST:PORT", master);
  request.master_address = master.substr(0, colon);
}

void launch_command(const LaunchArguments& arguments) {
  LaunchRequest request;
  request.ranks = arguments.ranks;
  request.nodes = arguments.nodes;
  request.node = arguments.node;
  check<ConfigError>(arguments.node < arguments.nodes, "--node {} of --nodes {}: nodes are numbered from 0",
                     arguments.node, arguments.nodes);
  check<ConfigError>(arguments.nodes == 1 || !arguments.master.empty(),
                     "--nodes {}: name where node 0 is, --master HOST:PORT, on each of them", arguments.nodes);
  if (!arguments.master.empty()) set_master(arguments.master, request);
  const std::int64_t threads = std::max<std::int64_t>(1, numeric_threads() / arguments.ranks);
  request.command = {std::filesystem::read_symlink("/proc/self/exe").string(), "--threads", std::to_string(threads),
                     "--timeout", fmt::format("{}", std::chrono::duration<double>(rank_settings().timeout).count())};
  if (!rank_settings().interface.empty())
    request.command.insert(request.command.end(), {"--interface", rank_settings().interface});
  request.command.insert(request.command.end(), arguments.command.begin(), arguments.command.end());
  const StopSignal stop;
  launch(request, [&] { return stop.requested(); });
}

}  // namespace

void add_launch_command(Command& app) {
  Command command =
      app.add("launch", "a command as several processes that work on one thing together: launch -n 2 -- train …");
  auto arguments = std::make_shared<LaunchArguments>();
  command
      .option("-n,--ranks", arguments->ranks, "processes on this machine; they share its threads, and each takes a GPU")
      .within(1, 4096)
      .default_shown();
  command.option("--nodes", arguments->nodes, "machines; the same command runs on each of them")
      .within(1, 4096)
      .default_shown();
  command.option("--node", arguments->node, "which of them this one is, from 0").within(0, 4095).default_shown();
  command.option("--master", arguments->master,
                 "HOST:PORT of node 0, where ranks meet; default: a free port of this machine");
  command.option("command", arguments->command, "behind --: the command (train, …) with its options").required().many();
  command.run([arguments] { launch_command(*arguments); });
}

}  // namespace domainfusion
