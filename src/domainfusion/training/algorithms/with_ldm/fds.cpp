#include "domainfusion/training/algorithms/with_ldm/fds.h"

#include <torch/types.h>

#include "domainfusion/core/log.h"
#include "domainfusion/core/progress.h"
#include "domainfusion/data/data_config.h"
#include "domainfusion/io/files/file_hashes.h"
#include "domainfusion/training/algorithms/with_ldm/frozen_ldm.h"
#include "domainfusion/training/guards/weights_guard.h"
#include "domainfusion/training/records/checkpoint.h"

namespace domainfusion {

FdsImages Fds::images(LatentDiffusion ldm, std::shared_ptr<const DomainDataset> source_in, const HoldoutGuard& holdout,
                      const TrainingConfig& config, const std::filesystem::path& store) const {
  CandidatePrompts prompts(config_.prompt_template, config_.negative_prompt,
                           prompt_words(*source_in, source_in->domain_names(), config).classes(),
                           source_descriptions(*source_in, holdout, config).of_domain,
                           target_guard(*source_in, holdout, config));
  ldm.tokenizer().check_told_apart(prompts.all());
  warn_of_guidance("fds.", *config_.guidance_max, ldm.few_step_kind());
  return FdsImages(config_, std::move(source_in), prompts, std::move(ldm), CandidateStore(store));
}

PlannedWork Fds::planned_work(const WorkSizes& sizes) const {
  const std::int64_t pairs = sizes.sources * (sizes.sources - 1) / 2;
  PlannedWork work;
  work.generated_images = pairs * sizes.classes * config_.images_per_class;
  const auto generated = static_cast<double>(work.generated_images);
  work.unet_images = work.generation_unet_images =
      generated * static_cast<double>(unet_passes(sizes.ldm_scheduler, config_.sampling(), config_.is_guided()));
  work.vae_images = work.generation_vae_images = generated;
  work.stored_images = work.generated_images;
  work.unet_batch = config_.batch_images * rows_per_image(config_.sampling(), config_.is_guided());
  work.vae_batch = config_.batch_images;
  // The judge sees each image once; the pairs' images are trained on.
  work.classifier_images = generated + 3.0 * static_cast<double>(pairs * sizes.batch_size * sizes.steps);
  return work;
}

void Fds::prepare(TrainingContext& context) {
  Algorithm::prepare(context);
  load_judge();
  const LatentDiffusion ldm = load_frozen_ldm(context);
  told_descriptions(context);
  weights_hash_ = ldm.weights_hash();
  images_ = std::make_unique<FdsImages>(
      images(ldm, context.source_in, *context.holdout, context.config, context.candidate_folder()));
  // Before the images: what a run that was killed has made counts as used.
  images_->write_list(context.candidate_list());
}

void Fds::load_judge() {
  check<ConfigError>(!config_.judge.empty(),
                     "fds needs a classifier that judges its images: train ERM with the same options, and name its "
                     "folder with --set fds.judge=RUN");
  std::filesystem::path weights = config_.judge;
  if (std::filesystem::is_directory(weights)) weights /= "best.safetensors";
  check_judge_provenance("fds.judge", weights, *context().holdout, context().config);
  judge_ = context().another_classifier(context().seed);
  with_context("fds.judge: its network must be this run's", [&] { load_model(weights, judge_); });
  judge_->eval();
  judge_hash_ = FileHashes().sha256(weights);
}

FdsJudge Fds::judge() const {
  return {[classifier = judge_](const at::Tensor& image_NCHW) mutable { return classifier->forward(image_NCHW); },
          context().config.loader.image_size_px, context().device};
}

void Fds::before_step(std::int64_t) {
  if (images_) make_environments();
}

void Fds::make_environments() {
  const std::vector<std::int64_t> places =
      kept_.defined()
          ? std::vector<std::int64_t>(kept_.data_ptr<std::int64_t>(), kept_.data_ptr<std::int64_t>() + kept_.numel())
          : images_->all_places();
  const std::optional<FdsReport> report = images_->generate(places, context().stop_requested);
  if (!report) throw Interrupted();
  log_info("fds: {} images in '{}', {} of them made now in {}, {} failed", report->images,
           images_->store().folder().string(), report->made, format_seconds(report->seconds), report->failed);
  if (!kept_.defined()) choose();
  const std::vector<std::int64_t> kept(kept_.data_ptr<std::int64_t>(), kept_.data_ptr<std::int64_t>() + kept_.numel());
  context().train_on(kept_in_memory(images_->with_environments(kept), context().config.data,
                                    context().source_in->number_of_domains()));
  images_.reset();
  judge_ = nullptr;
}

void Fds::choose() {
  const FdsChoice choice = images_->choose(judge(), [this] { context().stop_point(); });
  nlohmann::json pairs = nlohmann::json::array();
  for (const FdsVerdict& verdict : choice.pairs) {
    log_info("fds: {}: {} of {} images are right, of which {} are trained on", verdict.pair, verdict.right,
             verdict.images, verdict.kept);
    if (!verdict.short_of.empty())
      log_warning(
          "fds: {}: fewer than fds.kept_per_class = {} images are right of {}: more fds.images_per_class give more",
          verdict.pair, config_.kept_per_class, fmt::join(verdict.short_of, ", "));
    pairs.push_back(verdict.to_json());
  }
  kept_ = torch::tensor(choice.kept, torch::kInt64);
  context().write_record({{"type", "fds"}, {"step", 0}, {"images", images_->size()}, {"pairs", pairs}});
}

void Fds::save(TensorMap& tensors, nlohmann::json& state) const {
  state["ldm"] = weights_hash_;
  state["judge"] = judge_hash_;
  if (kept_.defined()) tensors["kept"] = kept_;
}

void Fds::load(const TensorMap& tensors, const nlohmann::json& state) {
  check_same_ldm(images_->model(), context(), state);
  check<ConfigError>(state.value("judge", "") == judge_hash_,
                     "--resume: the run was started with another judge than '{}' now: name that one with fds.judge, or "
                     "start a new run",
                     config_.judge);
  if (const auto kept = tensors.find("kept"); kept != tensors.end()) {
    kept_ = kept->second.to(torch::kCPU, torch::kInt64).contiguous();
    check<FormatError>(kept_.dim() == 1 && kept_.numel() > 0 && kept_.min().item<std::int64_t>() >= 0 &&
                           kept_.max().item<std::int64_t>() < images_->size(),
                       "the checkpoint names images that this run does not make: start a new run");
  }
  if (context().config.averaging.method != "none") make_environments();
}

}  // namespace domainfusion
