// domainfusion pretrain: trains a compact latent diffusion model on the IN images of named domains.
#include <filesystem>
#include <fstream>

#include "domainfusion/cli/commands.h"
#include "domainfusion/cli/ldm_arguments.h"
#include "domainfusion/cli/output_folder.h"
#include "domainfusion/cli/processes/rank_command.h"
#include "domainfusion/config/config_file.h"
#include "domainfusion/core/log.h"
#include "domainfusion/data/data_config.h"
#include "domainfusion/data/sets/known_datasets.h"
#include "domainfusion/distributed/device_of_rank.h"
#include "domainfusion/io/folders/scratch_folder.h"
#include "domainfusion/ldm_training/ldm_pretraining.h"
#include "domainfusion/report/picture_grid.h"
#include "domainfusion/training/records/stop_signal.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;

struct PretrainArguments {
  std::string data, descriptions, recipe, device = "auto", dtype = "float32";
  std::vector<std::string> domains, also, overrides;
  OutputFolder output;
  bool skip_broken_images = false;
};

void write_pictures(const fs::path& folder, const LdmPictures& pictures) {
  PictureGrid grid;
  grid.title = pictures.name;
  for (std::size_t row = 0; row < pictures.rows.size(); ++row) {
    grid.rows.push_back({pictures.row_names[row], {}});
    for (const Image& image : pictures.rows[row]) grid.rows.back().cells.push_back({image, ""});
  }
  fs::create_directories(folder);
  write_picture_grid(folder / (pictures.name + ".png"), grid);
}

FurtherLdmImages further_images(const DataConfig& data) {
  FurtherLdmImages further{open_dataset(data, 1), {}, {}};
  const PromptWords words(further.dataset->domain_names(), further.dataset->class_names(), data.descriptions);
  further.domain_descriptions = words.domains(further.dataset->domain_names());
  further.class_words = words.classes();
  return further;
}

void pretrain(const PretrainArguments& arguments) {
  LdmPretrainingConfig config;
  const ConfigFields fields = fields_of(config);
  if (!arguments.recipe.empty()) apply_recipe(fields, arguments.recipe);
  for (const std::string& assignment : arguments.overrides) apply_override(fields, assignment);

  DataConfig data;
  data.root = arguments.data;
  data.descriptions = arguments.descriptions;
  data.skip_broken_images = arguments.skip_broken_images;
  data.alpha = config.alpha;
  const auto dataset = open_dataset(data);
  with_context("--domains", [&] { dataset->domain_indices(arguments.domains); });
  const PromptWords words(dataset->domain_names(), dataset->class_names(), arguments.descriptions);
  LdmPretrainingRequest request;
  request.domains = arguments.domains;
  request.domain_descriptions = words.domains(arguments.domains);
  request.class_words = words.classes();
  for (const std::string& folder : arguments.also) {
    data.root = folder;
    request.further.push_back(with_context("--also", [&] { return further_images(data); }));
  }
  request.out = arguments.output.out;
  request.placement = placement_of(arguments.device, arguments.dtype);
  request.placement.device = device_of_rank(arguments.device);
  request.resume = arguments.output.resume;
  request.on_pictures = [&](const LdmPictures& pictures) { write_pictures(request.out / "pictures", pictures); };
  nlohmann::json description = {{"data", arguments.data},
                                {"domains", request.domains},
                                {"domain_descriptions", request.domain_descriptions},
                                {"options", fields.to_json()}};
  if (!arguments.also.empty()) description["also"] = arguments.also;
  if (arguments.dtype != "float32") description["dtype"] = arguments.dtype;
  if (!arguments.descriptions.empty()) description["class_words"] = request.class_words;
  std::optional<OwnedFolder> folder;  // rank 0's
  std::optional<ScratchFolder> scratch;
  if (writes_results()) {
    folder.emplace(request.out, arguments.output.mode(),
                   OwnedFolder::Kind{"folder of a pretrained LDM", "pretrain.json"});
    folder->begin_or_continue(description);
    request.on_start = [&] { folder->keep(); };
  } else {
    request.out = scratch.emplace("domainfusion-rank").path();
    request.on_pictures = {};
  }
  const StopSignal stop;
  request.should_stop = [&] { return stop.requested(); };
  if (!pretrain_ldm(*dataset, config, request)) {
    log_info("stopped; continue with the same command and --resume");
    throw Interrupted();
  }
  if (!writes_results()) return;
  fmt::print("LDM written to {}; pictures of its training lie in {}\n", request.out.string(),
             (request.out / "pictures").string());
}

}  // namespace

void add_pretrain_command(Command& app) {
  Command command = app.add("pretrain", "train a compact latent diffusion model on source domains");
  auto arguments = std::make_shared<PretrainArguments>();
  command.option("--data", arguments->data, "folder <domain>/<class>/<image>").required();
  command.option("--domains", arguments->domains, "domains to learn from, a,b,…: never the one to be tested on")
      .required()
      .commas();
  command.option("--also", arguments->also,
                 "another such folder, all of whose images are learned from: things and styles that no classifier "
                 "is trained on; may be given often");
  arguments->output.add_to(command, "the LDM").required();
  command.option("--descriptions", arguments->descriptions, "JSON file with the words for domains and classes");
  add_placement_options(command, arguments->device, arguments->dtype);
  command.option("--recipe", arguments->recipe, "TOML file of options");
  command.option("--set", arguments->overrides, "one option, key=value; may be given often");
  command.flag("--skip-broken-images", arguments->skip_broken_images, "list and leave out images that cannot be read");
  command.settings("Options of recipes and --set", [] { return settings_of<LdmPretrainingConfig>(); });
  command.run([arguments] { run_as_rank([&] { pretrain(*arguments); }); });
}

}  // namespace domainfusion
