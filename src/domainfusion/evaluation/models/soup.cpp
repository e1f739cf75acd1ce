#include "domainfusion/evaluation/models/soup.h"

#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
#include <numeric>

#include "domainfusion/core/json_context.h"
#include "domainfusion/core/json_text.h"
#include "domainfusion/core/log.h"
#include "domainfusion/evaluation/models/trained_model.h"
#include "domainfusion/io/files/json_lines.h"
#include "domainfusion/metrics/classification.h"
#include "domainfusion/nn/state_dict.h"
#include "domainfusion/training/guards/source_split.h"
#include "domainfusion/training/records/checkpoint.h"
#include "domainfusion/training/records/run_folder.h"
#include "domainfusion/training/records/run_records.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

struct Member {
  fs::path run;
  json description;
  std::int64_t step = 0;       // of its selected model
  double source_accuracy = 0;  // by which that was selected
};

Member member_of(const fs::path& run) {
  Member member{run, read_run_description(run)};
  bool tested = false;
  for (const json& line : read_json_lines(run / "records.jsonl")) {
    const std::string type = line.is_object() ? line.value("type", "") : "";
    if (type == "validation" && validation_record(line).model.empty()) {
      const ValidationRecord record = validation_record(line);
      if (record.mean_accuracy > member.source_accuracy) {
        member.source_accuracy = record.mean_accuracy;
        member.step = record.step;
      }
    }
    tested = tested || type == "test";
  }
  check<ConfigError>(tested, "'{}' is not finished: continue it with --resume first", run.string());
  return member;
}

// What runs of one soup have in common.
json common_ground(const json& description) {
  json ground;
  const json& config = description.at("config");
  for (const char* key : {"test_domain", "cross_validation_domain", "source_domains", "trial_seed", "holdout_fraction"})
    ground[key] = config.value(key, json());
  ground["classifier"] = config.at("classifier");
  for (const char* key : {"weights", "weights_key", "dropout", "freeze_batch_norm"}) ground["classifier"].erase(key);
  ground["classes"] = description.at("classes");
  ground["images"] = description.at("images");
  ground["data_hash"] = description.value(json::json_pointer("/provenance/data_hash"), json());
  return ground;
}

void check_common_ground(const std::vector<Member>& members) {
  const json first = common_ground(members.front().description);
  for (const Member& member : members) {
    const json ground = common_ground(member.description);
    for (const auto& [key, value] : first.items()) {
      check<ConfigError>(
          ground.at(key) == value, "'{}' and '{}' differ in {} ({} and {}): such weights have no common mean",
          members.front().run.string(), member.run.string(), key, json_text(value), json_text(ground.at(key)));
    }
  }
}

// The sum of models' weights, and how many.
class Mixture {
 public:
  void add(const fs::path& run) {
    for (const auto& [name, tensor] : load_tensors(run / (std::string(kSelectedModel) + ".safetensors"))) {
      if (name.starts_with(std::string(kBesideClassifier) + ".")) continue;
      at::Tensor& sum = sum_[name];
      if (!tensor.is_floating_point()) {
        if (!sum.defined()) sum = tensor.clone();
      } else {
        const at::Tensor wide = tensor.to(torch::kFloat64);
        sum = sum.defined() ? sum + wide : wide;
      }
    }
    ++count_;
  }
  TensorMap mean() const {
    TensorMap mean;
    for (const auto& [name, sum] : sum_)
      mean[name] = sum.is_floating_point() ? (sum / static_cast<double>(count_)).to(torch::kFloat32) : sum;
    return mean;
  }

 private:
  TensorMap sum_;
  std::int64_t count_ = 0;
};

class Kitchen {
 public:
  Kitchen(const SoupRequest& request, const fs::path& first_run)
      : model_(load_trained_model(first_run, kSelectedModel, device_of(request.device))),
        dataset_(request.dataset ? request.dataset : dataset_of(model_)),
        split_(split_sources(dataset_, model_.config)) {}

  ValidationRecord validated(const Mixture& mixture, std::int64_t step) {
    load_state_dict(*model_.classifier, mixture.mean(), "averaged weights");
    ValidationRecord record;
    record.step = step;
    std::vector<double> accuracies, losses;
    const DomainDataset& out = *split_.source_out;
    for (std::int64_t d = 0; d < out.number_of_domains(); ++d) {
      std::vector<std::int64_t> all(static_cast<std::size_t>(out.size(d)));
      std::iota(all.begin(), all.end(), 0);
      const Figures figures = figures_on(out, d, all);
      record.accuracy[out.domain_names()[static_cast<std::size_t>(d)]] = figures.accuracy();
      accuracies.push_back(figures.accuracy());
      losses.push_back(figures.mean_loss);
    }
    record.mean_accuracy = mean_of(accuracies);
    record.mean_loss = mean_of(losses);
    return record;
  }
  // Of the weights validated last, on the held-out domain's IN and OUT images.
  std::pair<Figures, Figures> tested() {
    const std::int64_t target = split_.held_out.front();
    const Split& split = split_.splits[static_cast<std::size_t>(target)];
    return {figures_on(*dataset_, target, split.in), figures_on(*dataset_, target, split.out)};
  }
  const Classifier& classifier() const { return model_.classifier; }
  std::string target() const { return model_.config.test_domain; }

 private:
  Figures figures_on(const DomainDataset& set, std::int64_t domain, const std::vector<std::int64_t>& indices) {
    const torch::NoGradGuard no_grad;
    return evaluate_images([&](const at::Tensor& image) { return model_.classifier->forward(image); }, set, domain,
                           indices, model_.config.loader.image_size_px, model_.device);
  }

  TrainedModel model_;
  std::shared_ptr<const DomainDataset> dataset_;
  SourceSplit split_;
};

}  // namespace

SoupResult make_soup(const SoupRequest& request) {
  check<ConfigError>(request.runs.size() >= 2, "a soup of {} run(s): name at least two", request.runs.size());
  check<ConfigError>(request.mode != FolderMode::kResume, "a soup is made in one go: there is nothing to resume");
  std::vector<Member> members;
  for (const fs::path& run : request.runs)
    with_context(fmt::format("'{}'", run.string()), [&] { members.push_back(member_of(run)); });
  check_common_ground(members);
  std::stable_sort(members.begin(), members.end(),
                   [](const Member& a, const Member& b) { return a.source_accuracy > b.source_accuracy; });
  OwnedFolder folder(request.out, request.mode, {"run folder", "run.json"});
  Kitchen kitchen(request, members.front().run);
  const std::int64_t step = std::max_element(members.begin(), members.end(), [](const Member& a, const Member& b) {
                              return a.step < b.step;
                            })->step;
  Mixture mixture;
  SoupResult result;
  ValidationRecord validation;
  for (const Member& member : members) {
    Mixture tried = mixture;
    tried.add(member.run);
    if (request.recipe == SoupRecipe::kGreedy) {
      ValidationRecord with_it = kitchen.validated(tried, step);
      if (!result.members.empty() && with_it.mean_accuracy < validation.mean_accuracy) continue;
      validation = std::move(with_it);
    }
    mixture = std::move(tried);
    result.members.push_back(member.run);
  }
  validation = kitchen.validated(mixture, step);
  const auto [in, out] = kitchen.tested();
  result.source_accuracy = validation.mean_accuracy;
  result.target_accuracy = in.accuracy();

  std::vector<std::string> names;
  for (const fs::path& run : result.members) names.push_back(run.string());
  json description = members.front().description;
  description["soup"] = {{"recipe", request.recipe == SoupRecipe::kGreedy ? "greedy" : "uniform"},
                         {"offered", request.runs.size()},
                         {"members", names}};
  description["config"]["averaging"]["method"] = "none";
  folder.begin(description);
  folder.keep();
  save_model(folder.path() / (std::string(kSelectedModel) + ".safetensors"), kitchen.classifier(), step,
             validation.mean_accuracy);
  JsonLinesWriter records(folder.path() / "records.jsonl");
  records.write(to_json(validation));
  records.write(to_json(OracleRecord{kitchen.target(), step, in.accuracy(), out.accuracy(), ""}));
  records.write(to_json(TestRecord{kitchen.target(), step, in.accuracy(), rows_of(in.confusion_KK)}));
  return result;
}

}  // namespace domainfusion
