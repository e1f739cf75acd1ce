// domainfusion inspect premise | latent-curve: what latent distillation can expect of an LDM, measured before a run.

#include "domainfusion/cli/commands.h"
#include "domainfusion/cli/ldm_arguments.h"
#include "domainfusion/config/config_file.h"
#include "domainfusion/core/json_text.h"
#include "domainfusion/data/data_config.h"
#include "domainfusion/data/protocol/split.h"
#include "domainfusion/data/sets/known_datasets.h"
#include "domainfusion/distillation/curves/curve_gate.h"
#include "domainfusion/distillation/distillation_sources.h"
#include "domainfusion/distillation/teachers/premise.h"
#include "domainfusion/io/files/atomic_file.h"
#include "domainfusion/report/line_plot.h"

namespace domainfusion {
namespace {

// Options that both commands take.
struct InspectArguments {
  LdmArguments model;
  std::string data, descriptions, json;
  std::vector<std::string> domains, overrides;
  std::int64_t images = 64, size_px = 0;
  std::uint64_t seed = 0;
};

// Model, images and options, ready to measure.
struct Inspection {
  DistillationConfig config;
  LdmFunctions ldm;
  std::shared_ptr<const DomainDataset> dataset;
  std::vector<LabelledKey> images;
  ImageSource source;
  std::vector<std::string> class_words;

  ClassConditions conditions() const { return ClassConditions(ldm, config, class_words); }
};

// The training part of the split of trial 0, as an LDM trained here has seen it.
std::vector<LabelledKey> training_images(const DomainDataset& dataset, const std::vector<std::string>& domains) {
  std::vector<DomainSelection> selections;
  for (std::int64_t domain : dataset.domain_indices(domains)) {
    selections.push_back({domain, holdout_split(dataset.size(domain), 0, domain).in});
  }
  return labelled_keys(dataset, selections);
}

Inspection prepare(const InspectArguments& arguments) {
  Inspection made;
  made.config.curve.gate_images = arguments.images;
  for (const std::string& assignment : arguments.overrides) apply_override(fields_of(made.config), assignment);
  made.config.validate();
  DataConfig data;
  data.root = arguments.data;
  data.descriptions = arguments.descriptions;
  made.dataset = open_dataset(data);
  made.class_words =
      PromptWords(made.dataset->domain_names(), made.dataset->class_names(), arguments.descriptions).classes();
  made.images = training_images(*made.dataset, arguments.domains);
  made.ldm = ldm_functions_of(LatentDiffusion::load(arguments.model.ldm, arguments.model.options()));
  if (arguments.size_px > 0) made.ldm.image_size_px = arguments.size_px;
  made.source = plain_image_source(made.dataset, made.ldm.image_size_px);
  return made;
}

template <class Result>
void print_result(const Result& result, const std::string& json_path) {
  fmt::print("{}", result.table());
  if (!json_path.empty()) write_file_atomically(json_path, json_text(result.to_json(), 2) + "\n");
}

// One quantity of the premise over p.
Image premise_plot(const PremiseResult& result, const std::string& label,
                   const std::function<MeanAndError(const PremiseRow&)>& of) {
  LinePlot plot{.title = label + " over p", .x_label = "p", .y_label = label, .series = {{}}, .zero_line = true};
  for (const PremiseRow& row : result.rows) {
    plot.series[0].x.push_back(row.p);
    plot.series[0].y.push_back(of(row).mean);
    plot.series[0].error.push_back(of(row).standard_error);
  }
  plot.height_px = 280;
  return render_line_plot(plot);
}

// The loss, g and the share of g < 0, one below the other.
Image premise_picture(const PremiseResult& result) {
  Image picture = premise_plot(result, "L_LD", [](const PremiseRow& row) { return row.loss; });
  for (const Image& below : {premise_plot(result, "g", [](const PremiseRow& row) { return row.g; }),
                             premise_plot(result, "share of g < 0", [](const PremiseRow& row) {
                               return MeanAndError{row.negative_share, 0};
                             })}) {
    picture.height += below.height;
    picture.rgb.insert(picture.rgb.end(), below.rgb.begin(), below.rgb.end());
  }
  return picture;
}

void inspect_premise(const InspectArguments& arguments, PremiseRequest request, const std::string& plot) {
  const Inspection made = prepare(arguments);
  request.images = arguments.images;
  const PremiseResult result =
      measure_premise(made.ldm, made.config, made.conditions(), made.source, made.images, arguments.seed, request);
  print_result(result, arguments.json);
  if (!plot.empty()) write_png(plot, premise_picture(result));
}

void inspect_latent_curve(const InspectArguments& arguments) {
  const Inspection made = prepare(arguments);
  print_result(measure_curve_gate(made.ldm, made.config, made.conditions(), made.source, made.images, arguments.seed,
                                  GateExtent::kAll),
               arguments.json);
}

void add_inspect_distillation_options(Command& command, InspectArguments& arguments) {
  arguments.model.add_to(command);
  command.option("--data", arguments.data, "folder <domain>/<class>/<image>").required();
  command.option("--descriptions", arguments.descriptions, "JSON file with the words for domains and classes");
  command.option("--domains", arguments.domains, "domains to take images from: a,b").required().commas();
  command.option("--images", arguments.images, "images, drawn from the seed").default_shown().within(1, 4096);
  command.option("--size", arguments.size_px, "image size in pixels; 0: the one the model was made for")
      .default_shown()
      .within(0, 4096);
  command.option("--seed", arguments.seed, "of images, timesteps and noise").default_shown();
  command.option("--json", arguments.json, "also write the figures to this file");
  command.option("--set", arguments.overrides, "one option of distillation, key=value; may be given often");
  command.settings("Options of --set", [] { return settings_of<DistillationConfig>(); });
}

}  // namespace

void add_inspect_premise_command(Command& inspect) {
  Command command = inspect.add("premise", "does this LDM raise or lower confidence? loss and gradient over p");
  auto arguments = std::make_shared<InspectArguments>();
  auto request = std::make_shared<PremiseRequest>();
  auto plot = std::make_shared<std::string>();
  add_inspect_distillation_options(command, *arguments);
  command.option("--draws", request->draws, "draws of timestep and noise per image").default_shown().within(1, 100000);
  command.flag("--class-difference", request->class_difference, "also measure the prompt of a wrong class");
  command.option("--plot", *plot, "PNG file for a plot of the table");
  command.run([=] { inspect_premise(*arguments, *request, *plot); });
}

void add_inspect_latent_curve_command(Command& inspect) {
  Command command =
      inspect.add("latent-curve", "can interpolated latents stand in for the encoder? errors of g over K");
  auto arguments = std::make_shared<InspectArguments>();
  add_inspect_distillation_options(command, *arguments);
  command.run([=] { inspect_latent_curve(*arguments); });
}

}  // namespace domainfusion
