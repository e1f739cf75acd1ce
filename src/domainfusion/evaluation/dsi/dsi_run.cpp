#include "domainfusion/evaluation/dsi/dsi_run.h"

#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
#include <chrono>

#include "domainfusion/core/json_text.h"
#include "domainfusion/core/log.h"
#include "domainfusion/core/machine/blas.h"
#include "domainfusion/data/protocol/split.h"
#include "domainfusion/data/transforms/image_tensor.h"
#include "domainfusion/data/transforms/train_augmentation.h"
#include "domainfusion/diffusion/ldm_provenance.h"
#include "domainfusion/evaluation/dsi/dsi_answers.h"
#include "domainfusion/evaluation/dsi/dsi_translator.h"
#include "domainfusion/evaluation/tables/run_result.h"
#include "domainfusion/io/files/atomic_file.h"
#include "domainfusion/metrics/classification.h"
#include "domainfusion/training/guards/ldm_guard.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::size_t kClassifierBatch = 64;

// Images of one domain with their logits.
struct Answered {
  std::int64_t domain = 0;
  at::Tensor label_N;
  DsiLogits logits;
  std::vector<std::vector<std::int64_t>> translated;  // images, by source domain and start
};

double accuracy(const Answered& images, const at::Tensor& predicted_N) {
  return (predicted_N == images.label_N).to(torch::kFloat64).mean().item<double>();
}

class DsiRun {
 public:
  DsiRun(const DsiConfig& config, const DsiRequest& request);
  json run();

 private:
  void check_run() const;
  void split_domains();
  void open_translators();
  at::Tensor logits_of(const at::Tensor& image_NCHW);
  at::Tensor clean_logits(std::int64_t domain, const std::vector<std::int64_t>& indices, at::Tensor& label_N);
  at::Tensor translated_logits(std::size_t translator, std::int64_t domain, const std::vector<std::int64_t>& indices,
                               std::int64_t start_step, const at::Tensor& clean_nK);
  Answered answered(std::int64_t domain, const std::vector<std::int64_t>& indices,
                    const std::vector<DsiSubset>& subsets, double threshold);
  double chosen_threshold(json& record);
  json subset_record(const Answered& target, DsiSubset subset, double threshold) const;
  json test_record_of(const Answered& target, double threshold) const;
  json ldm_records() const;
  json translated_record(const Answered& target) const;

  DsiConfig config_;
  const DsiRequest& request_;
  RunResult result_;
  TrainedModel model_;
  std::shared_ptr<const DomainDataset> dataset_;
  std::int64_t target_ = 0;
  std::vector<std::int64_t> sources_;
  std::vector<Split> splits_;
  std::vector<std::string> domains_;  // with a translator, in the order of the request
  std::vector<DsiTranslator> translators_;
  DsiSubset headline_ = 0;
};

// The translators share the options, so a few steps are for those that are all made for them.
DsiConfig settled(DsiConfig config, const DsiRequest& request) {
  FewStepKind kind;
  for (const auto& [domain, path] : request.ldms) {
    kind = few_step_kind(path, request.ldm_options.loras);
    if (!kind.few_step) break;
  }
  config.settle(kind);
  tell_sampling("", config, kind);
  return config;
}

DsiRun::DsiRun(const DsiConfig& config, const DsiRequest& request)
    : config_(settled(config, request)), request_(request), result_(read_run(request.run)) {
  check_run();
  model_ = load_trained_model(request.run, request.model, request.ldm_options.placement.device);
  config_.check_usable(static_cast<std::int64_t>(model_.class_names.size()));
  dataset_ = dataset_of(model_, request.data);
  split_domains();
  open_translators();
  headline_ = subset_of(config.subset, domains_);
}

void DsiRun::check_run() const {
  check<ConfigError>(result_.test.has_value(),
                     "'{}' is not finished: the held-out domain is looked at after training only",
                     request_.run.string());
  check<ConfigError>(request_.model == kSelectedModel ||
                         (result_.average_test.has_value() && result_.average_test->model == request_.model),
                     "'{}' has no figures of its model '{}' yet: `domainfusion train --resume` completes the run",
                     request_.run.string(), request_.model);
  check<ConfigError>(!request_.ldms.empty(), "no translator: name one for each source domain, --ldm DOMAIN=FOLDER");
  for (const auto& [domain, path] : request_.ldms) {
    check<ConfigError>(domain != result_.test_domain && domain != result_.cross_validation_domain,
                       "--ldm {}={}: '{}' is held out in '{}'; name models of source domains only", domain,
                       path.string(), domain, request_.run.string());
  }
}

void DsiRun::split_domains() {
  target_ = dataset_->domain_index(result_.test_domain);
  for (std::int64_t d = 0; d < dataset_->number_of_domains(); ++d) {
    splits_.push_back(holdout_split(dataset_->size(d), model_.config.trial_seed, d, model_.config.holdout_fraction));
    const std::string& name = dataset_->domain_names()[static_cast<std::size_t>(d)];
    if (d != target_ && name != result_.cross_validation_domain) sources_.push_back(d);
  }
}

void DsiRun::open_translators() {
  std::vector<std::int64_t> held_out{target_};
  if (!result_.cross_validation_domain.empty())
    held_out.push_back(dataset_->domain_index(result_.cross_validation_domain));
  std::vector<std::vector<std::int64_t>> out;
  for (const Split& split : splits_) out.push_back(split.out);
  const HoldoutGuard guard(dataset_, held_out, out);
  for (const auto& [domain, path] : request_.ldms) domains_.push_back(domain);
  dataset_->domain_indices(domains_);
  for (const std::int64_t source : sources_) {
    const std::string& name = dataset_->domain_names()[static_cast<std::size_t>(source)];
    if (std::find(domains_.begin(), domains_.end(), name) == domains_.end()) {
      log_warning("no translator to the source domain '{}': answers are means without it", name);
    }
  }
  if (request_.ldm_options.placement.device.is_cpu()) warn_of_slow_blas();
  for (const auto& [domain, path] : request_.ldms) {
    const LatentDiffusion ldm = LatentDiffusion::open(path, request_.ldm_options);
    check_ldm_provenance(ldm, guard);
    const LdmProvenance record = ldm_provenance(ldm);
    check<ConfigError>(!record.recorded || record.domains.contains(domain),
                       "--ldm {}={}: the model was trained on {}, never on '{}'; are two models interchanged?", domain,
                       path.string(), fmt::join(record.domains, ", "), domain);
    for (std::size_t d = 0; d < translators_.size(); ++d) {
      check<ConfigError>(translators_[d].ldm().weights_hash() != ldm.weights_hash(),
                         "--ldm {}={}: the same model as that of '{}'; finetune one for each domain", domain,
                         path.string(), domains_[d]);
    }
    translators_.emplace_back(ldm, config_,
                              request_.translations.empty() ? request_.run / "dsi" : request_.translations);
  }
}

at::Tensor DsiRun::logits_of(const at::Tensor& image_NCHW) {
  torch::NoGradGuard no_grad;
  std::vector<at::Tensor> parts;
  for (const at::Tensor& part : image_NCHW.split(kClassifierBatch)) {
    parts.push_back(model_.classifier->forward(part.to(request_.ldm_options.placement.device)).cpu());
  }
  return torch::cat(parts);
}

at::Tensor DsiRun::clean_logits(std::int64_t domain, const std::vector<std::int64_t>& indices, at::Tensor& label_N) {
  std::vector<at::Tensor> logits, labels;
  const std::span<const std::int64_t> all(indices);
  for (std::size_t begin = 0; begin < all.size(); begin += kClassifierBatch) {
    const Batch batch =
        evaluation_batch(*dataset_, domain, all.subspan(begin, std::min(kClassifierBatch, all.size() - begin)),
                         model_.config.loader.image_size_px);
    logits.push_back(logits_of(batch.image_NCHW));
    labels.push_back(batch.label_N);
  }
  label_N = torch::cat(labels);
  return torch::cat(logits);
}

at::Tensor DsiRun::translated_logits(std::size_t translator, std::int64_t domain,
                                     const std::vector<std::int64_t>& indices, std::int64_t start_step,
                                     const at::Tensor& clean_nK) {
  const auto images = translators_[translator].translate(*dataset_, domain, indices, start_step, request_.should_stop);
  if (translators_.size() > 1) translators_[translator].release();
  at::Tensor logits_nK = clean_nK.clone();
  const auto size = static_cast<int>(model_.config.loader.image_size_px);
  for (std::size_t begin = 0; begin < images.size(); begin += kClassifierBatch) {
    std::vector<at::Tensor> parts;
    std::vector<std::int64_t> rows;
    for (std::size_t i = begin; i < std::min(images.size(), begin + kClassifierBatch); ++i) {
      if (!images[i]) continue;
      parts.push_back(normalise(image_to_tensor01(evaluation_view(*images[i], size))));
      rows.push_back(static_cast<std::int64_t>(i));
    }
    if (!rows.empty()) logits_nK.index_copy_(0, torch::tensor(rows), logits_of(torch::stack(parts)));
  }
  return logits_nK;
}

Answered DsiRun::answered(std::int64_t domain, const std::vector<std::int64_t>& indices,
                          const std::vector<DsiSubset>& subsets, double threshold) {
  Answered images;
  images.domain = domain;
  images.translated.assign(domains_.size(), std::vector<std::int64_t>(config_.start_steps.size(), 0));
  const at::Tensor clean_NK = clean_logits(domain, indices, images.label_N);
  const auto ask = [&](std::size_t translator, std::int64_t start, const std::vector<std::int64_t>& rows) {
    const auto step = static_cast<std::size_t>(start);
    images.translated[translator][step] = std::ssize(rows);
    log_info("'{}' into '{}' from step {} of {}: {} of {} images",
             dataset_->domain_names()[static_cast<std::size_t>(domain)], domains_[translator],
             config_.start_steps[step], *config_.steps, rows.size(), indices.size());
    std::vector<std::int64_t> chosen;
    for (const std::int64_t row : rows) chosen.push_back(indices[static_cast<std::size_t>(row)]);
    return translated_logits(translator, domain, chosen, config_.start_steps[step],
                             clean_NK.index_select(0, torch::tensor(rows)));
  };
  images.logits =
      collect_dsi_logits(clean_NK, domains_.size(), std::ssize(config_.start_steps), subsets, threshold, ask);
  return images;
}

// By the mean accuracy over source domains on their OUT images; the target is not looked at yet.
double DsiRun::chosen_threshold(json& record) {
  const std::vector<double> candidates = config_.thresholds();
  record["threshold_from"] = config_.threshold_from == DsiThresholdFrom::kFixed ? "fixed" : "source_validation";
  if (config_.threshold_from == DsiThresholdFrom::kFixed) return candidates.front();
  std::vector<Answered> sources;
  for (const std::int64_t domain : sources_) {
    sources.push_back(answered(domain, splits_[static_cast<std::size_t>(domain)].out, {headline_}, candidates.back()));
  }
  double best = candidates.front(), best_accuracy = -1;
  record["candidates"] = json::array();
  for (const double threshold : candidates) {
    double sum = 0;
    for (const Answered& source : sources) {
      sum += accuracy(source,
                      dsi_answers(source.logits, headline_, threshold, std::ssize(config_.start_steps)).predicted_N);
    }
    const double mean = sum / static_cast<double>(sources.size());
    record["candidates"].push_back({{"threshold", threshold}, {"mean_accuracy", mean}});
    if (mean > best_accuracy) {
      best = threshold;
      best_accuracy = mean;
    }
  }
  return best;
}

json DsiRun::subset_record(const Answered& target, DsiSubset subset, double threshold) const {
  const std::int64_t starts = std::ssize(config_.start_steps);
  const DsiAnswers answers = dsi_answers(target.logits, subset, threshold, starts);
  const auto share = [&](std::int64_t place) {
    return (answers.accepted_at_N == place).to(torch::kFloat64).mean().item<double>();
  };
  json by_start = json::array();
  for (std::int64_t start = 1; start <= starts; ++start) by_start.push_back(share(start));
  return {{"subset", name_of(subset, domains_)},
          {"accuracy", accuracy(target, answers.predicted_N)},
          {"accepted", {{"clean", share(0)}, {"by_start", by_start}, {"never", share(-1)}}}};
}

json DsiRun::test_record_of(const Answered& target, double threshold) const {
  const DsiAnswers answers = dsi_answers(target.logits, headline_, threshold, std::ssize(config_.start_steps));
  const at::Tensor confusion_KK = confusion_matrix(target.label_N, answers.predicted_N, dataset_->number_of_classes());
  const std::string model = request_.model == kSelectedModel ? "dsi" : request_.model + " + dsi";
  const TestRecord& alone = request_.model == kSelectedModel ? *result_.test : result_.average_test.value();
  return to_json(TestRecord{result_.test_domain, alone.step, accuracy_of(confusion_KK), rows_of(confusion_KK), model});
}

json DsiRun::ldm_records() const {
  json list = json::array();
  for (std::size_t d = 0; d < domains_.size(); ++d) {
    const LatentDiffusion& ldm = translators_[d].ldm();
    list.push_back({{"domain", domains_[d]},
                    {"folder", ldm.folder().string()},
                    {"weights_hash", ldm.weights_hash()},
                    {"recorded", ldm_provenance(ldm).recorded}});
  }
  return list;
}

json DsiRun::translated_record(const Answered& target) const {
  json by_domain = json::object();
  for (std::size_t d = 0; d < domains_.size(); ++d) by_domain[domains_[d]] = target.translated[d];
  return by_domain;
}

json DsiRun::run() {
  const auto begin = std::chrono::steady_clock::now();
  DsiConfig config = config_;
  json record{{"options", fields_of(config).to_json()}, {"ldms", ldm_records()}};
  const double threshold = chosen_threshold(record);
  const std::vector<DsiSubset> subsets =
      config_.report_subsets ? every_subset(domains_.size()) : std::vector{headline_};
  const Answered target = answered(target_, splits_[static_cast<std::size_t>(target_)].in, subsets, threshold);
  record["threshold"] = threshold;
  record["headline"] = name_of(headline_, domains_);
  record["clean_accuracy"] = accuracy(target, target.logits.clean_NK.argmax(1));
  record["test"] = test_record_of(target, threshold);
  record["subsets"] = json::array();
  for (const DsiSubset subset : subsets) record["subsets"].push_back(subset_record(target, subset, threshold));
  record["images"] = target.label_N.size(0);
  record["translated"] = translated_record(target);
  record["made"] = record["found"] = record["failed"] = 0;
  for (const DsiTranslator& translator : translators_) {
    record["made"] = record["made"].get<std::int64_t>() + translator.made();
    record["found"] = record["found"].get<std::int64_t>() + translator.found();
    record["failed"] = record["failed"].get<std::int64_t>() + translator.failed();
  }
  record["seconds"] = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  write_file_atomically(dsi_record(request_.run, request_.model), json_text(record, 2) + "\n");
  return record;
}

}  // namespace

fs::path dsi_record(const fs::path& run, const std::string& model) {
  return run / (model == kSelectedModel ? "dsi.json" : "dsi-" + model + ".json");
}

json run_dsi(const DsiConfig& config, const DsiRequest& request) { return DsiRun(config, request).run(); }

}  // namespace domainfusion
