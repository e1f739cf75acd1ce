// domainfusion augment: makes the images of CDGA ahead of the runs that train on them.

#include "domainfusion/cli/commands.h"
#include "domainfusion/cli/ldm_arguments.h"
#include "domainfusion/config/config_file.h"
#include "domainfusion/core/log.h"
#include "domainfusion/core/machine/blas.h"
#include "domainfusion/core/progress.h"
#include "domainfusion/data/transforms/resize.h"
#include "domainfusion/report/picture_grid.h"
#include "domainfusion/training/algorithms/with_ldm/cdga.h"
#include "domainfusion/training/guards/guarded_ldm.h"
#include "domainfusion/training/guards/source_split.h"
#include "domainfusion/training/run/trainer.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;

struct AugmentArguments {
  std::string data, test_domain, ldm, vae, tokenizer, recipe, out;
  std::vector<std::string> loras, overrides;
  std::size_t pictures = 8;
  bool yes = false, skip_broken_images = false;
};

RunSetup setup_of(const AugmentArguments& arguments) {
  std::vector<std::pair<std::string, nlohmann::json>> options{{"algorithm", "cdga"}};
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

void check_cost(const CdgaImages& images, double limit_hours, bool accepted) {
  const double seconds = images.estimated_seconds();
  log_info("{} images, of which {} are to be made, in about {}", images.images().size(), images.missing(),
           format_seconds(seconds));
  check<ConfigError>(
      accepted || seconds <= limit_hours * 3600,
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

void write_sheet(const CdgaImages& images, const SourceSplit& split, const AugmentArguments& arguments) {
  if (arguments.pictures == 0) return;
  PictureGrid grid = contact_sheet(images, *split.source_in, arguments.pictures);
  grid.title = "CDGA without " + split.guard->target_name();
  const fs::path file =
      fs::path(arguments.out) / "pictures" / fmt::format("without-{}.png", split.guard->target_name());
  fs::create_directories(file.parent_path());
  write_picture_grid(file, grid);
  fmt::print("pictures: {}\n", file.string());
}

void augment(const AugmentArguments& arguments) {
  const RunSetup setup = setup_of(arguments);
  const auto& algorithm = dynamic_cast<const Cdga&>(*setup.algorithm);
  const SourceSplit split = split_sources(open_dataset(setup.config.data), setup.config);
  const LatentDiffusion ldm = load_ldm(setup.config, device_of(setup.config.device));
  check_ldm_provenance(ldm, *split.guard);
  CdgaImages images = algorithm.images(ldm, split.source_in, *split.guard, setup.config, arguments.out);
  check_cost(images, setup.config.cost_limit_hours, arguments.yes);
  const StopSignal stop;
  if (ldm.placement().device.is_cpu()) warn_of_slow_blas();
  const auto report = images.generate([&] { return stop.requested(); });
  if (!report) {
    log_info("stopped; the same command continues");
    throw Interrupted();
  }
  fmt::print("{} images made, {} were there already, {} made again in float32, {} failed; in {}, {}\n", report->made,
             report->found(), report->retried, report->failed, arguments.out, format_seconds(report->seconds));
  write_sheet(images, split, arguments);
}

}  // namespace

void add_augment_command(Command& app) {
  Command command = app.add("augment",
                            "make the images of cdga: every source image towards every other source domain and style, "
                            "into a candidate store");
  auto arguments = std::make_shared<AugmentArguments>();
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
  command.flag("--yes", arguments->yes, "start even if the estimated cost is over cost_limit_hours");
  command.flag("--skip-broken-images", arguments->skip_broken_images, "list and leave out images that cannot be read");
  command.more_help([] {
    Cdga algorithm;
    ConfigFields fields;
    algorithm.describe(fields);
    return "Options of recipes and --set, beside those of `train` (key, type, default, range):\n" +
           describe_fields(fields);
  });
  command.run([arguments] { augment(*arguments); });
}

}  // namespace domainfusion
