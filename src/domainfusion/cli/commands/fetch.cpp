// domainfusion fetch: published weights, from the Hugging Face hub or their own address.
#include <cstdlib>

#include "domainfusion/cli/commands.h"
#include "domainfusion/core/error.h"
#include "domainfusion/core/log.h"
#include "domainfusion/fetch/cache/known_weights.h"
#include "domainfusion/fetch/file_fetch.h"
#include "domainfusion/fetch/hub.h"
#include "domainfusion/fetch/hub_fetch.h"

namespace domainfusion {
namespace {

struct FetchWeightsArguments {
  std::string name, variant;
  std::vector<std::string> files, mirrors;
  int connections = DownloadOptions{}.connections;
  bool list = false;
};

void print_known_weights() {
  for (const KnownWeights& known : known_weights()) {
    fmt::print("{}: {}; {}{}\n", known.name, known.what, known.size, known.fetched() ? " (fetched)" : "");
    fmt::print("  from {}\n", known.source());
    fmt::print("  licence {}: {}\n", known.licence, known.terms);
    fmt::print("  for {}\n",
               known.option.empty() ? "other programs: no option of this one takes it yet" : known.option);
  }
  fmt::print("Any other model of the hub: `domainfusion fetch hf:OWNER/NAME[@REVISION]`\n");
}

void check_not_offline() {
  const char* set = std::getenv("HF_HUB_OFFLINE");
  const std::string value = set == nullptr ? "" : set;
  const bool offline = !value.empty() && value != "0" && value != "false" && value != "FALSE" && value != "no";
  check<ConfigError>(!offline, "HF_HUB_OFFLINE={} forbids to contact the hub: unset it", value);
}

std::string fetch_repository(const HubRepository& repository, const FetchWeightsArguments& arguments) {
  check_not_offline();
  HubFetchRequest request{.repository = repository,
                          .variant = arguments.variant,
                          .files = arguments.files,
                          .endpoint = hub_endpoint(),
                          .cache = hub_cache_folder(),
                          .download = {.connections = arguments.connections, .on_progress = {}}};
  for (const std::string& mirror : arguments.mirrors) {
    try {
      HubFetchRequest there = request;
      there.endpoint = mirror.substr(0, mirror.find_last_not_of('/') + 1);
      return fetch_from_hub(there).snapshot.string();
    } catch (const Error& failed) {
      log_warning("{}; trying the next address", failed.what());
    }
  }
  request.download.token = hub_token();  // for the user's own endpoint, not for mirrors
  return fetch_from_hub(request).snapshot.string();
}

// How the weights are named from now on.
std::string use_of(const KnownWeights* known, const std::string& name) {
  if (known != nullptr && known->option.empty()) return "";
  const bool file = known != nullptr && known->option != "--ldm";
  return fmt::format("; `{}{}{}` finds it", file ? "--set " + known->option : "--ldm", file ? "=" : " ", name);
}

void fetch_weights(const FetchWeightsArguments& arguments) {
  if (arguments.list) return print_known_weights();
  const std::string& name = arguments.name;
  check<ConfigError>(!name.empty(), "name what to fetch; `domainfusion fetch --list` lists what is known");
  const auto named = parse_hub_name(name);
  const KnownWeights* known = named ? nullptr : &known_weights(name);
  if (known) log_info("{}: {}, {}; licence {}: {}", name, known->what, known->size, known->licence, known->terms);
  const auto repository = known ? known->repository : named;
  check<ConfigError>(repository || (arguments.files.empty() && arguments.variant.empty()),
                     "--file and --variant are for models of the hub; '{}' is one file", name);
  const std::string place = repository ? fetch_repository(*repository, arguments)
                                       : fetch_file(*known, arguments.mirrors, {.on_progress = {}}).string();
  fmt::print("{} lies in {}{}\n", name, place, arguments.files.empty() ? use_of(known, name) : "");
}

}  // namespace

void add_fetch_command(Command& app) {
  Command command = app.add("fetch", "download published weights into the caches that programs share");
  auto arguments = std::make_shared<FetchWeightsArguments>();
  command.option("name", arguments->name, "a name of --list, or hf:OWNER/NAME[@REVISION] for a model of the hub");
  command.flag("--list", arguments->list, "what is known by name: size, licence and its terms, whether it is here");
  command.option("--variant", arguments->variant, "precision of the weights, such as fp16; default: full");
  command.option("--file", arguments->files, "this file of the repository alone; may be given often");
  command.option("--mirror", arguments->mirrors,
                 "address to try before HF_ENDPOINT (a mirror of the hub, without your token) or before a file's own "
                 "address (a folder with files of the same names); may be given often");
  command.option("--connections", arguments->connections, "ranges of a large file that come at once")
      .within(1, 16)
      .default_shown();
  command.more_help([] {
    return "Files of the hub come into HF_HUB_CACHE, HF_HOME/hub or ~/.cache/huggingface/hub. The token for gated\n"
           "models is HF_TOKEN, or what HF_HOME/token holds. What was cut off continues with the same command.";
  });
  command.run([arguments] { fetch_weights(*arguments); });
}

}  // namespace domainfusion
