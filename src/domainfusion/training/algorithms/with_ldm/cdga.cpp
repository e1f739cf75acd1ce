#include "domainfusion/training/algorithms/with_ldm/cdga.h"

#include <torch/types.h>
#include <torch/utils.h>

#include "domainfusion/core/log.h"
#include "domainfusion/core/progress.h"
#include "domainfusion/data/caches/cached_dataset.h"
#include "domainfusion/data/sets/joined_dataset.h"
#include "domainfusion/training/algorithms/with_ldm/frozen_ldm.h"
#include "domainfusion/training/guards/guarded_ldm.h"

namespace domainfusion {
namespace {

void check_destinations(const std::vector<std::string>& towards, const HoldoutGuard& holdout) {
  for (const std::string& name : towards) {
    for (const std::string& held_out : holdout.held_out_names()) {
      check<ConfigError>(
          !is_same_name(name, held_out),
          "cdga.towards names the held-out domain '{}': images translated to it would bring its description "
          "into training, as the starred variant CDGA* does, and its accuracy would say nothing about unseen "
          "domains; name source domains only",
          held_out);
    }
  }
}

}  // namespace

std::map<std::int64_t, std::string> Cdga::destinations(const DomainDataset& source_in, const HoldoutGuard& holdout,
                                                       const TrainingConfig& config) const {
  check_destinations(config_.towards, holdout);
  const std::vector<std::string>& names = config_.towards.empty() ? source_in.domain_names() : config_.towards;
  const SourceDescriptions known = source_descriptions(source_in, holdout, config);
  std::map<std::int64_t, std::string> descriptions;
  for (const std::int64_t domain : with_context("cdga.towards", [&] { return source_in.domain_indices(names); })) {
    descriptions[domain] = known.of_domain.at(domain);
  }
  return descriptions;
}

StyleWords Cdga::styles(const DomainDataset& source_in, const HoldoutGuard& holdout,
                        const TrainingConfig& config) const {
  std::vector<std::string> taken;
  for (const auto& [domain, description] : destinations(source_in, holdout, config)) taken.push_back(description);
  return style_words(config_.styles, "cdga", config_.prompt_template, target_guard(source_in, holdout, config), taken);
}

CdgaModels Cdga::models(LatentDiffusion ldm, const std::map<std::int64_t, std::string>& towards,
                        const DomainDataset& source_in, const HoldoutGuard& holdout,
                        const TrainingConfig& config) const {
  CdgaModels models{std::move(ldm)};
  for (const std::string& word : config_.models) {
    with_context("cdga.models", [&] {
      const auto [domain, folder] = named_ldm(word);
      check_destinations({domain}, holdout);
      const std::int64_t destination = source_in.domain_index(domain);
      if (!towards.contains(destination)) {
        log_warning("cdga.models: '{}' has no effect: cdga.towards leaves '{}' out", word, domain);
        return;
      }
      check<ConfigError>(!models.of_destination.contains(destination), "'{}' names a second model for '{}'", word,
                         domain);
      TrainingConfig of_domain = config;
      of_domain.ldm = folder;
      of_domain.ldm_loras.clear();  // of the run's own model
      LatentDiffusion model = load_ldm(of_domain, models.all.placement().device);
      check_ldm_provenance(model, holdout);
      if (config_.preset != SamplingPreset::kFull)
        warn_of_guidance(fmt::format("'{}': cdga.", word), config_.request().guidance_scale, model.few_step_kind());
      models.of_destination.emplace(destination, std::move(model));
    });
  }
  return models;
}

CdgaImages Cdga::images(LatentDiffusion ldm, std::shared_ptr<const DomainDataset> source_in,
                        const HoldoutGuard& holdout, const TrainingConfig& config,
                        const std::filesystem::path& store) const {
  auto towards = destinations(*source_in, holdout, config);
  const StyleWords styled = styles(*source_in, holdout, config);
  tell_styles(styled, ldm);
  tell_sampling("cdga.", config_, ldm.few_step_kind());
  for (const std::string& style : styled.used)
    towards[source_in->number_of_domains() + static_cast<std::int64_t>(&style - styled.used.data())] = style;
  const TargetGuard guard = target_guard(*source_in, holdout, config);
  CandidatePrompts prompts(config_.prompt_template, config_.negative_prompt,
                           prompt_words(*source_in, source_in->domain_names(), config).classes(), towards, guard);
  ldm.tokenizer().check_told_apart(prompts.all());
  CdgaModels translators = models(std::move(ldm), towards, *source_in, holdout, config);
  return CdgaImages(config_, std::move(source_in), towards, std::move(prompts), std::move(translators),
                    CandidateStore(store));
}

PlannedWork Cdga::planned_work(const WorkSizes& sizes) const {
  const auto towards = config_.towards.empty() ? sizes.sources : static_cast<std::int64_t>(config_.towards.size());
  // Every image goes to each destination but its own domain, unless that is asked for too.
  const StyleWords styled = style_words(config_.styles, "cdga", config_.prompt_template, sizes.guard);
  const std::int64_t pairs =
      towards * sizes.sources - (config_.self_pairs ? 0 : towards) + std::ssize(styled.used) * sizes.sources;
  PlannedWork work;
  work.generated_images = sizes.in_images * pairs * config_.copies / sizes.sources;
  const auto generated = static_cast<double>(work.generated_images);
  work.unet_images = work.generation_unet_images =
      generated * static_cast<double>(unet_passes(sizes.ldm_scheduler, config_.request()));
  work.vae_images = work.generation_vae_images = 2 * generated;
  work.stored_images = work.generated_images;
  work.unet_batch = config_.batch_images * rows_per_image(config_.request().guidance_scale);
  work.vae_batch = config_.batch_images;
  return work;
}

void Cdga::prepare(TrainingContext& context) {
  Algorithm::prepare(context);
  const LatentDiffusion ldm = load_frozen_ldm(context);
  told_descriptions(context);
  weights_hash_ = ldm.weights_hash();
  images_ = std::make_unique<CdgaImages>(
      images(ldm, context.source_in, *context.holdout, context.config, context.candidate_folder()));
  for (const auto& [destination, model] : images_->models().of_destination) {
    translators_hashes_.push_back(model.weights_hash());
  }
  context.write_record(sampling_record(config_, ldm.few_step_kind()));
  if (!config_.styles.styles.empty())
    context.write_record(styles(*context.source_in, *context.holdout, context.config).record());
  // Before the images: what a run that was killed has made counts as used.
  images_->write_list(context.candidate_list());
}

void Cdga::before_step(std::int64_t) {
  if (images_) generate();
}

void Cdga::generate() {
  const std::optional<CdgaReport> report = images_->generate(context().stop_requested);
  if (!report) throw Interrupted();
  log_info("cdga: {} images in '{}', {} of them made now in {}, {} failed", report->images,
           images_->store().folder().string(), report->made, format_seconds(report->seconds), report->failed);
  context().write_record({{"type", "cdga"},
                          {"step", 0},
                          {"images", report->images},
                          {"failed", report->failed},
                          {"seconds", report->seconds}});
  const auto generated = kept_in_memory(images_->dataset(), context().config.data);
  context().train_on(std::make_shared<JoinedDataset>(context().source_in, generated));
  images_.reset();
}

at::Tensor Cdga::source_rows(const Batch& raw) const {
  std::vector<std::int64_t> sizes;
  for (std::int64_t d = 0; d < context().source_in->number_of_domains(); ++d)
    sizes.push_back(context().source_in->size(d));
  return raw.index_N < torch::tensor(sizes, torch::kInt64).index_select(0, raw.domain_N);
}

void Cdga::save(TensorMap&, nlohmann::json& state) const {
  state["ldm"] = weights_hash_;
  state["translators"] = translators_hashes_;
}

void Cdga::load(const TensorMap&, const nlohmann::json& state) {
  check_same_ldm(images_->model(), context(), state);
  check<ConfigError>(state.value("translators", translators_hashes_) == translators_hashes_,
                     "--resume: the run was started with other models than those of cdga.models now: name those again, "
                     "or start a new run");
  if (context().config.averaging.method != "none") generate();
}

}  // namespace domainfusion
