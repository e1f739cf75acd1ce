// domainfusion augment: makes the images of CDGA or FDS, or the candidates of DomainFusion's rounds, ahead of the runs
// that train on them or beside these.

#include "domainfusion/augmentation/candidates/candidate_farm.h"
#include "domainfusion/cli/commands.h"
#include "domainfusion/cli/ldm_arguments.h"
#include "domainfusion/cli/processes/farm_workers.h"
#include "domainfusion/config/config_file.h"
#include "domainfusion/core/log.h"
#include "domainfusion/core/machine/blas.h"
#include "domainfusion/core/progress.h"
#include "domainfusion/data/transforms/resize.h"
#include "domainfusion/io/folders/scratch_folder.h"
#include "domainfusion/report/picture_grid.h"
#include "domainfusion/training/algorithms/with_ldm/cdga.h"
#include "domainfusion/training/algorithms/with_ldm/domainfusion.h"
#include "domainfusion/training/algorithms/with_ldm/fds.h"
#include "domainfusion/training/guards/guarded_ldm.h"
#include "domainfusion/training/guards/source_split.h"
#include "domainfusion/training/run/trainer.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;

struct AugmentArguments {
  std::string algorithm = "cdga", data, test_domain, ldm, vae, tokenizer, recipe, out;
  std::vector<std::string> loras, overrides;
  std::size_t pictures = 8;
  std::int64_t workers = 1;
  bool slurm = false, yes = false, skip_broken_images = false;
};

RunSetup setup_of(const AugmentArguments& arguments) {
  std::vector<std::pair<std::string, nlohmann::json>> options{{"algorithm", arguments.algorithm},
                                                              {"candidates", arguments.out}};
  if (arguments.algorithm == "domainfusion") options.emplace_back("domainfusion.latent_distillation", "off");
  const auto add = [&](const char* key, const std::string& value) {
    if (!value.empty()) options.emplace_back(key, value);
  };
  add("data.root", arguments.data);
  add("test_domain", arguments.test_domain);
  add("ldm", arguments.ldm);
  add("ldm_tokenizer", arguments.tokenizer);
  add("ldm_vae", arguments.vae);
  if (!arguments.loras.empty()) options.emplace_back("ldm_loras", arguments.loras);
  if (arguments.skip_broken_images) options.emplace_back("data.skip_broken_images", true);
  return make_run_setup(arguments.recipe, arguments.overrides, options);
}

// The same command for one worker.
std::vector<std::string> command_of_worker(const AugmentArguments& arguments) {
  WorkerOptions options({"augment", "--yes", "--pictures", "0"});
  options.add("--algorithm", arguments.algorithm);
  options.add_path("--data", arguments.data);
  options.add("--test-domain", arguments.test_domain);
  options.add_path("--ldm", arguments.ldm);
  options.add_path("--vae", arguments.vae);
  options.add_path("--tokenizer", arguments.tokenizer);
  options.add_path("--recipe", arguments.recipe);
  options.add_path("--out", arguments.out);
  options.add_each("--lora", arguments.loras);
  options.add_each("--set", arguments.overrides);
  if (arguments.skip_broken_images) options.add_word("--skip-broken-images");
  return options.words();
}

void check_cost(double seconds, const AugmentArguments& arguments, double limit_hours) {
  seconds /= static_cast<double>(arguments.workers);
  log_info("this takes about {}", format_seconds(seconds));
  check<ConfigError>(
      arguments.yes || seconds <= limit_hours * 3600,
      "they would take about {}, over the limit of {} h (cost_limit_hours): pass --yes to start nevertheless",
      format_seconds(seconds), limit_hours);
}

constexpr int kSidePx = 64;  // of a source image of which nothing could be made

// Rows of a source image, at the size of the model, and what was made of it, spread evenly over the set.
PictureGrid contact_sheet(const CdgaImages& images, const DomainDataset& source_in, std::size_t rows) {
  std::vector<std::vector<const CdgaImage*>> of_parent;
  for (const CdgaImage& image : images.images()) {
    if (of_parent.empty() || of_parent.back().front()->parent != image.parent) of_parent.emplace_back();
    of_parent.back().push_back(&image);
  }
  PictureGrid grid;
  rows = std::min(rows, of_parent.size());
  for (std::size_t row = 0; row < rows; ++row) {
    const auto& made = of_parent[row * of_parent.size() / rows];
    const SampleInfo& parent = source_in.info(made.front()->parent.domain, made.front()->parent.index);
    grid.rows.push_back({source_in.class_names()[static_cast<std::size_t>(parent.label)], {}});
    auto& cells = grid.rows.back().cells;
    int side = kSidePx;
    const auto domain = [&](std::int64_t d) { return source_in.domain_names()[static_cast<std::size_t>(d)]; };
    cells.push_back({Image{}, domain(parent.domain)});
    for (const CdgaImage* image : made) {
      const bool good = images.store().state(image->key) == CandidateStore::State::kGood;
      cells.push_back({good ? images.store().image(image->key) : Image{}, "to " + images.name_of(image->destination)});
      if (good) side = cells.back().image.width;
    }
    cells.front().image =
        resize(source_in.image(parent.domain, made.front()->parent.index), side, side, Filter::kLanczos);
  }
  return grid;
}

// Rows of the first images of a class between two domains, spread evenly over classes and pairs.
PictureGrid contact_sheet(const FdsImages& images, const DomainDataset& source_in, std::size_t rows) {
  constexpr std::int64_t kCells = 6;
  const std::int64_t groups = images.pairs() * source_in.number_of_classes(), in_group = images.size() / groups;
  PictureGrid grid;
  const auto count = std::min(static_cast<std::int64_t>(rows), groups);
  for (std::int64_t row = 0; row < count; ++row) {
    const std::int64_t first = row * groups / count * in_group;
    const std::string& name = source_in.class_names()[static_cast<std::size_t>(images.image(first).label)];
    grid.rows.push_back({name + ", " + images.pair_name(first / in_group / source_in.number_of_classes()), {}});
    for (std::int64_t place = first; place < first + std::min(kCells, in_group); ++place) {
      const bool good = images.store().state(images.key(place)) == CandidateStore::State::kGood;
      grid.rows.back().cells.push_back({good ? images.store().image(images.key(place)) : Image{}, ""});
    }
  }
  return grid;
}

template <class Images>
void write_sheet(const std::string& name, const Images& images, const SourceSplit& split,
                 const AugmentArguments& arguments) {
  if (arguments.pictures == 0) return;
  PictureGrid grid = contact_sheet(images, *split.source_in, arguments.pictures);
  grid.title = name + " without " + split.guard->target_name();
  const fs::path file =
      fs::path(arguments.out) / "pictures" / fmt::format("without-{}.png", split.guard->target_name());
  fs::create_directories(file.parent_path());
  write_picture_grid(file, grid);
  fmt::print("pictures: {}\n", file.string());
}

// Writes the job; true: others do the work, now or later, and there is nothing left for this process.
bool is_left_to_others(const CandidateJob& job, const AugmentArguments& arguments,
                       const std::function<bool()>& stop_requested) {
  write_job(arguments.out, job);
  if (arguments.slurm) {
    write_slurm_workers(arguments.out, command_of_worker(arguments), arguments.workers);
    return true;
  }
  if (arguments.workers > 1)
    run_workers(arguments.out, command_of_worker(arguments), arguments.workers, job, stop_requested);
  return false;
}

[[noreturn]] void end_stopped() {
  log_info("stopped; the same command continues");
  throw Interrupted();
}

// Makes what `images` lacks by `generate` and tells of it. `name`: of the system, to people.
template <class Images>
void augment_images(const std::string& name, Images images, const auto& generate, const RunSetup& setup,
                    const SourceSplit& split, const AugmentArguments& arguments) {
  log_info("{} images, of which {} are to be made", images.job(name).candidates, images.missing());
  check_cost(images.estimated_seconds(), arguments, setup.config.cost_limit_hours);
  const StopSignal stop;
  const auto stop_requested = [&] { return stop.requested(); };
  if (images.model().placement().device.is_cpu()) warn_of_slow_blas();
  if (is_left_to_others(images.job(fmt::format("{} without {}", setup.config.algorithm, split.guard->target_name())),
                        arguments, stop_requested))
    return;
  const auto report = generate(images, stop_requested);
  if (!report) end_stopped();
  fmt::print("{} images made here, {} by others or before, {} made again in float32, {} failed; in {}, {}\n",
             report->made, report->found(), report->retried, report->failed, arguments.out,
             format_seconds(report->seconds));
  write_sheet(name, images, split, arguments);
}

void augment_sources(RunSetup& setup, const SourceSplit& split, const AugmentArguments& arguments) {
  const LatentDiffusion ldm = load_ldm(setup.config, device_of(setup.config.device));
  check_ldm_provenance(ldm, *split.guard);
  if (const auto* fds = dynamic_cast<const Fds*>(setup.algorithm.get())) {
    augment_images(
        "FDS", fds->images(ldm, split.source_in, *split.guard, setup.config, arguments.out),
        [](FdsImages& images, const auto& stop) { return images.generate(images.all_places(), stop); }, setup, split,
        arguments);
  } else {
    const auto& cdga = dynamic_cast<const Cdga&>(*setup.algorithm);
    augment_images(
        "CDGA", cdga.images(ldm, split.source_in, *split.guard, setup.config, arguments.out),
        [](CdgaImages& images, const auto& stop) { return images.generate(stop); }, setup, split, arguments);
  }
}

// What an algorithm has in a run of these options, but for its classifier.
TrainingContext context_without_training(const RunSetup& setup, const SourceSplit& split, const fs::path& folder,
                                         std::function<bool()> stop_requested) {
  TrainingContext context;
  context.config = setup.config;
  context.source_in = split.source_in;
  context.holdout = split.guard.get();
  context.device = device_of(setup.config.device);
  context.seed = static_cast<std::uint64_t>(setup.config.seed);
  std::int64_t images = 0;
  for (std::int64_t d = 0; d < split.source_in->number_of_domains(); ++d) images += split.source_in->size(d);
  context.steps_per_epoch = setup.config.steps_per_epoch(images, split.source_in->number_of_domains());
  context.total_steps = setup.config.total_steps(context.steps_per_epoch);
  context.run_folder = folder;
  context.write_record = [](const nlohmann::json&) {};
  context.stop_requested = std::move(stop_requested);
  return context;
}

void augment_rounds(RunSetup& setup, const SourceSplit& split, const AugmentArguments& arguments) {
  auto& algorithm = dynamic_cast<DomainFusion&>(*setup.algorithm);
  const ScratchFolder scratch("domainfusion-rounds");  // for the few images that later rounds start from
  const StopSignal stop;
  const auto stop_requested = [&] { return stop.requested(); };
  TrainingContext context = context_without_training(setup, split, scratch.path(), stop_requested);
  algorithm.prepare(context);
  RoundsAhead rounds =
      algorithm.rounds_ahead(fmt::format("rounds of domainfusion without {}", split.guard->target_name()));
  check_cost(algorithm.estimated_extra_seconds(), arguments, setup.config.cost_limit_hours);
  if (context.device.is_cpu()) warn_of_slow_blas();
  if (is_left_to_others(rounds.job(), arguments, stop_requested)) return;
  Progress progress("groups", rounds.groups(), "groups");
  const auto seen_to = rounds.make({stop_requested, [&](std::int64_t groups) { progress.update(groups); }});
  if (!seen_to) end_stopped();
  progress.finish();
  fmt::print("{} candidates of {} rounds, {} of them seen to here; in {}\n", rounds.job().candidates, rounds.rounds(),
             *seen_to, arguments.out);
}

void augment(const AugmentArguments& arguments) {
  RunSetup setup = setup_of(arguments);
  const SourceSplit split = split_sources(open_dataset(setup.config.data), setup.config);
  arguments.algorithm == "domainfusion" ? augment_rounds(setup, split, arguments)
                                        : augment_sources(setup, split, arguments);
}

}  // namespace

void add_augment_command(Command& app) {
  Command command = app.add("augment",
                            "make what an LDM makes for an algorithm, ahead of its runs or beside them, into a "
                            "candidate store; any number of processes that see it share the work");
  auto arguments = std::make_shared<AugmentArguments>();
  command
      .option(
          "--algorithm", arguments->algorithm,
          "cdga: every source image towards every other source domain and style; fds: images between each two source "
          "domains; domainfusion: the candidates of all rounds")
      .one_of({"cdga", "fds", "domainfusion"})
      .default_shown();
  command.option("--data", arguments->data, "folder <domain>/<class>/<image>");
  command.option("--test-domain", arguments->test_domain, "domain that is left out altogether");
  command.option("--ldm", arguments->ldm, "latent diffusion model: folder or CompVis file");
  add_lora_option(command, arguments->loras);
  add_vae_option(command, arguments->vae);
  command.option("--tokenizer", arguments->tokenizer, "tokenizer folder, for a CompVis file, which has none");
  command.option("--out", arguments->out, "candidate store to make or to add to; `train --candidates` takes it")
      .required();
  command.option("--recipe", arguments->recipe, "TOML file of options, like that of the run");
  command.option("--set", arguments->overrides, "one option, key=value; may be given often");
  command.option("--pictures", arguments->pictures, "rows of the contact sheet; 0: none").default_shown();
  command
      .option("--workers", arguments->workers,
              "processes that share the work; each takes a GPU, or its share of the threads")
      .within(1, 1024)
      .default_shown();
  command.flag("--slurm", arguments->slurm,
               "write an array job script of so many workers for Slurm instead of running");
  command.flag("--yes", arguments->yes, "start even if the estimated cost is over cost_limit_hours");
  command.flag("--skip-broken-images", arguments->skip_broken_images, "list and leave out images that cannot be read");
  command.settings("Options of recipes and --set, beside those of `train`", [] {
    std::vector<SettingGroup> groups;
    for (const char* name : {"cdga", "fds", "domainfusion"}) {
      SettingGroup group{fmt::format("Of the algorithm {}", name), {}};
      algorithms().make(name)->describe(group.fields);
      groups.push_back(group);
    }
    return groups;
  });
  command.run([arguments] { augment(*arguments); });
}

}  // namespace domainfusion
