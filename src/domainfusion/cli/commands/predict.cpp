// domainfusion predict: a run's model on picture files, one JSON line each.
#include <torch/torch.h>

#include <CLI/CLI.hpp>

#include "domainfusion/cli/commands.h"
#include "domainfusion/evaluation/trained_model.h"

namespace domainfusion {
namespace {

nlohmann::ordered_json prediction(TrainedModel& model, const std::string& path) {
  const at::Tensor probability_K = model.probabilities(read_image(path));
  const auto best = static_cast<std::size_t>(probability_K.argmax().item<std::int64_t>());
  nlohmann::ordered_json all = nlohmann::ordered_json::object();
  for (std::size_t k = 0; k < model.class_names.size(); ++k) {
    all[model.class_names[k]] = probability_K[static_cast<std::int64_t>(k)].item<float>();
  }
  return {{"image", path},
          {"class", model.class_names[best]},
          {"probability", all[model.class_names[best]]},
          {"probabilities", all}};
}

void predict(const std::string& run, const std::string& which, const std::vector<std::string>& images) {
  TrainedModel model = load_trained_model(run, which);
  for (const std::string& path : images) {
    fmt::print("{}\n", prediction(model, path).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  }
}

}  // namespace

void add_predict_command(CLI::App& app) {
  auto* command = app.add_subcommand("predict", "classify picture files with a run's model; prints JSON lines");
  auto run = std::make_shared<std::string>();
  auto model = std::make_shared<std::string>(kSelectedModel);
  auto images = std::make_shared<std::vector<std::string>>();
  command->add_option("run", *run, "run folder")->required();
  command->add_option("images", *images, "JPEG, PNG or WebP files")->required();
  command->add_option("--model", *model, kModelHelp)->capture_default_str();
  command->callback([run, model, images] { with_context("predict", [&] { predict(*run, *model, *images); }); });
}

}  // namespace domainfusion
