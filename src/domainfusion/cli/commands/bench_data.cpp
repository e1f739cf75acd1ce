// domainfusion bench data: how many augmented images a second the training loader makes of a set.
#include <chrono>

#include "domainfusion/cli/commands.h"
#include "domainfusion/core/error.h"
#include "domainfusion/core/progress.h"
#include "domainfusion/data/batch_loader.h"
#include "domainfusion/data/data_config.h"

namespace domainfusion {
namespace {

struct BenchDataArguments {
  DataConfig data;
  std::vector<std::int64_t> workers{1, 2}, sizes_px{224, 64};
  double seconds = 5;
};

double images_per_second(const std::shared_ptr<const DomainDataset>& dataset, std::int64_t size_px,
                         std::int64_t workers, double least_seconds) {
  LoaderConfig config;
  config.image_size_px = size_px;
  config.workers = workers;
  BatchLoader loader(dataset, every_image_of(*dataset), config, 0, "bench");
  // What lies ready before the clock starts is used up first.
  std::int64_t step = 0;
  for (; step <= config.ahead_steps; ++step) loader.batch(step);
  const std::int64_t first = step;
  const auto start = std::chrono::steady_clock::now();
  double seconds = 0;
  while (seconds < least_seconds) {
    loader.batch(step++);
    seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }
  return static_cast<double>((step - first) * loader.images_per_step()) / seconds;
}

void bench_data(BenchDataArguments arguments) {
  fmt::print("{:>8}{:>8}{:>18}{:>18}{:>8}\n", "size", "workers", "decoded, 1/s", "packed, 1/s", "ratio");
  arguments.data.cache = ImageCache::kNone;
  const auto decoded = open_dataset(arguments.data);
  arguments.data.cache = ImageCache::kPacked;
  const auto packed = open_dataset(arguments.data);
  for (const std::int64_t size_px : arguments.sizes_px) {
    for (const std::int64_t workers : arguments.workers) {
      const double slow = images_per_second(decoded, size_px, workers, arguments.seconds);
      const double fast = images_per_second(packed, size_px, workers, arguments.seconds);
      fmt::print("{:>5} px{:>8}{:>18.0f}{:>18.0f}{:>8.2f}\n", size_px, workers, slow, fast, fast / slow);
      std::fflush(stdout);
    }
  }
}

}  // namespace

void add_bench_data_command(Command& bench) {
  Command command =
      bench.add("data", "augmented images a second from a set: decoded each time, and from the packed cache");
  auto arguments = std::make_shared<BenchDataArguments>();
  command.option("--data", arguments->data.root, "folder <domain>/<class>/<image>").required();
  command.option("--cache-folder", arguments->data.cache_folder,
                 "folder for packed images; default ~/.cache/domainfusion");
  command.option("--workers", arguments->workers, "loader threads; several with commas")
      .commas()
      .within(0, 256)
      .default_shown();
  command.option("--size", arguments->sizes_px, "image sizes in pixels; several with commas")
      .commas()
      .within(8, 4096)
      .default_shown();
  command.option("--seconds", arguments->seconds, "least time of each measurement").within(0.1, 3600.0).default_shown();
  command.run([arguments] { bench_data(*arguments); });
}

}  // namespace domainfusion
