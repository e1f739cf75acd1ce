#include "domainfusion/training/algorithms/with_ldm/domainfusion.h"

#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
#include <cmath>

#include "domainfusion/augmentation/candidates/stored_candidates.h"
#include "domainfusion/augmentation/rounds/ldm_candidates.h"
#include "domainfusion/core/log.h"
#include "domainfusion/data/transforms/image_tensor.h"
#include "domainfusion/distillation/distillation_sources.h"
#include "domainfusion/io/files/file_hashes.h"
#include "domainfusion/training/algorithms/with_ldm/frozen_ldm.h"
#include "domainfusion/training/guards/guarded_ldm.h"
#include "domainfusion/training/guards/judge_guard.h"
#include "domainfusion/training/records/checkpoint.h"

namespace domainfusion {
namespace {

// A model of which only the options are asked.
LatentTeacher without_weights(std::int64_t timesteps, at::Device device) {
  LatentTeacher ldm;
  ldm.device = device;
  ldm.embed = [](const std::vector<std::string>& prompts) {
    return torch::zeros({static_cast<std::int64_t>(prompts.size()), 1, 1});
  };
  ldm.alphas_cumprod = torch::ones({timesteps}, torch::kFloat64);
  return ldm;
}

// Raw rows first, then synthetic ones: one batch for both, so that batch norm sees one batch.
Batch joined(const Batch& raw, const Batch& synthetic) {
  const auto join = [](const at::Tensor& a, const at::Tensor& b) { return torch::cat({a, b}); };
  return {join(raw.image_NCHW, synthetic.image_NCHW), join(raw.label_N, synthetic.label_N),
          join(raw.domain_N, synthetic.domain_N), join(raw.index_N, synthetic.index_N)};
}

// Copies a synthetic set, whole or not there. The manifest first: it names no image that is not on the disk by then,
// even if the run that makes them goes on meanwhile.
void copy_synthetic_set(const std::filesystem::path& from, const std::filesystem::path& to) {
  namespace fs = std::filesystem;
  check<ConfigError>(
      fs::exists(from / "manifest.jsonl"),
      "domainfusion.synthetic_from: {} holds no synthetic set; remedy: name the folder of a run that has made one",
      from.parent_path().string());
  const fs::path part = to.string() + ".part";
  std::error_code failure;
  fs::remove_all(part, failure);
  fs::create_directories(part, failure);
  if (!failure) fs::copy_file(from / "manifest.jsonl", part / "manifest.jsonl", failure);
  if (!failure) fs::copy(from, part, fs::copy_options::recursive | fs::copy_options::skip_existing, failure);
  if (!failure) fs::rename(part, to, failure);
  check<IoError>(!failure, "{} cannot be copied to {}: {}", from.string(), to.string(), failure.message());
  log_info("synthetic images taken over from {}", from.string());
}

}  // namespace

void DomainFusionConfig::describe(ConfigFields& fields) {
  fields.boolean("latent_distillation", latent_distillation, "learn from the diffusion model's residuals");
  fields.boolean("online_augmentation", online_augmentation, "run rounds and train on their synthetic images too");
  fields.real("lambda_syn", lambda_syn, {0, 1000}, "weight of the cross-entropy of synthetic images");
  synthetic_batches.describe(fields);
  fields.text(
      "synthetic_from", synthetic_from,
      "folder of a run with the same data, LDM, seed and augmentation options: its synthetic images are taken over, "
      "in which the classifier that is trained has no part; empty: made in this run");
  fields.text(
      "fidelity_weights", fidelity_weights,
      "best.safetensors of an ERM run of the same network: judges whether synthetic images keep their class, and "
      "leads the search of augmentation.combine = mode; empty: not judged");
}

void DomainFusion::describe(ConfigFields& fields) {
  fields.group("domainfusion", config_);
  fields.group("distillation", distillation_config_);
  fields.group("augmentation", round_config_);
}

void DomainFusion::prepare(TrainingContext& context) {
  Algorithm::prepare(context);
  warn_of_idle_options();
  check_shared_styles();
  ldm_ = load_frozen_ldm(context);
  if (config_.online_augmentation) prepare_rounds();
  if (config_.latent_distillation) prepare_distillation();
}

// Options that cannot have their effect: a warning, so that runs which carry them can be resumed and repeated.
void DomainFusion::warn_of_idle_options() const {
  if (config_.online_augmentation) {
    if (round_config_.reference == StyleReference::kRaw &&
        round_config_.combination.rule != CombineRule::kDomainFusion) {
      log_warning(
          "augmentation.reference = raw has no effect: only augmentation.combine = domainfusion compares styles");
    }
    return;
  }
  std::vector<std::string> idle;
  if (config_.latent_distillation && distillation_config_.images == DistilledImages::kRawAndSynthetic)
    idle.emplace_back("distillation.images = raw_and_synthetic");
  if (!config_.synthetic_from.empty()) idle.emplace_back("domainfusion.synthetic_from");
  if (!config_.fidelity_weights.empty()) idle.emplace_back("domainfusion.fidelity_weights");
  for (const std::string& option : idle)
    log_warning("{} has no effect without domainfusion.online_augmentation", option);
}

void DomainFusion::check_shared_styles() const {
  if (config_.synthetic_batches.shared_styles == SharedStyles::kNone) return;
  const std::string option = "domainfusion.shared_styles makes raw images of the synthetic part of a batch";
  check<ConfigError>(config_.online_augmentation && config_.lambda_syn > 0,
                     "{}: it needs domainfusion.online_augmentation and a domainfusion.lambda_syn over 0", option);
  check<ConfigError>(config_.synthetic_batches.repeats == 0,
                     "{}, so domainfusion.synthetic_repeats has nothing to limit: set one of them", option);
  check<ConfigError>(distillation_config_.images == DistilledImages::kRaw,
                     "{}, which distillation.images = raw_and_synthetic cannot distil: set one of them", option);
}

PromptWords DomainFusion::words() const {
  return prompt_words(*context().source_in, context().source_in->domain_names(), context().config);
}

TargetGuard DomainFusion::guard() const {
  return target_guard(*context().source_in, *context().holdout, context().config);
}

std::unique_ptr<CandidateGenerator> DomainFusion::make_candidates() const {
  auto made = std::make_unique<LdmCandidates>(*ldm_, round_config_);
  if (context().config.candidates.empty()) return made;
  return std::make_unique<StoredCandidates>(std::move(made), generation_options(*ldm_, round_config_.request()),
                                            CandidateStore(context().config.candidates), context().candidate_list());
}

void DomainFusion::prepare_rounds() {
  const DomainDataset& set = *context().source_in;
  const PromptWords source_words = words();
  const std::vector<std::string> descriptions = source_words.domains(set.domain_names());
  std::map<std::int64_t, std::string> description_of_source;
  for (std::size_t domain = 0; domain < descriptions.size(); ++domain) {
    description_of_source[static_cast<std::int64_t>(domain)] = descriptions[domain];
  }
  CandidatePrompts prompts(round_config_.prompt_template, round_config_.negative_prompt, source_words.classes(),
                           description_of_source, guard());
  candidates_ = make_candidates();
  round_steps_ = round_steps(round_config_.budget, context().steps_per_epoch, context().total_steps);
  check<ConfigError>(
      !round_steps_.empty(),
      "augmentation.first_round_epoch = {} is not before the end of the run ({} steps, {} an epoch), so there "
      "would be no round: lower it, or switch domainfusion.online_augmentation off",
      round_config_.budget.first_round_epoch, context().total_steps, context().steps_per_epoch);
  const std::filesystem::path synthetic = context().run_folder / "synthetic";
  if (!config_.synthetic_from.empty() && !std::filesystem::exists(synthetic)) {
    copy_synthetic_set(std::filesystem::path(config_.synthetic_from) / "synthetic", synthetic);
  }
  load_fidelity_classifier();
  const auto make = [&] {
    return std::make_unique<AugmentationRounds>(
        round_config_, context().source_in, every_image_of(*context().source_in), std::move(prompts), *candidates_,
        synthetic, round_config_.seed < 0 ? context().seed : static_cast<std::uint64_t>(round_config_.seed),
        static_cast<std::int64_t>(round_steps_.size()), style_judge());
  };
  const std::string& from = config_.synthetic_from;
  rounds_ = from.empty() ? make() : with_context(fmt::format("domainfusion.synthetic_from = {}", from), make);
}

void DomainFusion::load_fidelity_classifier() {
  if (config_.fidelity_weights.empty()) return;
  fidelity_classifier_ =
      Classifier(context().config.classifier, context().source_in->number_of_classes(), context().seed);
  load_model(config_.fidelity_weights, fidelity_classifier_);
  fidelity_classifier_->eval();
}

// It steers what the run learns from, where fidelity alone only looks on: so it is held to more.
StyleJudge DomainFusion::style_judge() const {
  if (round_config_.combination.rule != CombineRule::kMode || fidelity_classifier_.is_empty()) return {};
  check_judge_provenance(config_.fidelity_weights, *context().holdout, context().config);
  const std::int64_t size_px = context().config.loader.image_size_px;
  const auto logits = [judge = fidelity_classifier_, size_px](const at::Tensor& image01_N3SS) mutable {
    return judge->forward(normalise(resized01(image01_N3SS, size_px)));
  };
  // Sets from before the classifier's size counted keep their identity where it is the LDM's.
  const std::string at_size = size_px == ldm_->image_size_px() ? "" : fmt::format(" at {} px", size_px);
  return {logits, FileHashes().sha256(config_.fidelity_weights) + at_size};
}

void DomainFusion::prepare_distillation() {
  const TargetGuard target = guard();
  distillation_ = distillation_teachers().make(
      distillation_config_.teacher, distillation_config_, latent_teacher_of(*ldm_), words().classes(),
      [this](const std::vector<ImageKey>& keys) { return distilled_images(keys); }, context().seed);
  for (const std::string& prompt : distillation_->prompts()) target.check_prompt(prompt, "distillation prompt");
}

PlannedWork DomainFusion::planned_work(const WorkSizes& sizes) const {
  PlannedWork work;
  if (config_.online_augmentation) work += work_of_rounds(sizes);
  if (config_.latent_distillation) work += work_of_distillation(sizes);
  return work;
}

PlannedWork DomainFusion::work_of_rounds(const WorkSizes& sizes) const {
  const auto steps = round_steps(round_config_.budget, sizes.steps_per_epoch, sizes.steps);
  if (steps.empty()) return {};
  const RoundPlan plan(round_config_.budget, sizes.in_images, sizes.sources, round_config_.candidates,
                       static_cast<std::int64_t>(steps.size()));
  PlannedWork work;
  work.generated_images = plan.images_of_run() * plan.candidates();
  const auto generated = static_cast<double>(work.generated_images);
  work.unet_images = generated * static_cast<double>(unet_passes(sizes.ldm_scheduler, round_config_.request()));
  work.vae_images = 2 * generated;
  work.vae_batch = plan.candidates() * std::min(round_config_.batch_images, plan.count(0));
  work.unet_batch = work.vae_batch * rows_per_image(round_config_.guidance_scale);
  // The search for styles passes each image and its gradient through a classifier.
  if (round_config_.combination.rule == CombineRule::kMode) {
    work.classifier_images =
        3.0 * static_cast<double>(plan.images_of_run() * round_config_.combination.search.move_steps);
  }
  if (config_.lambda_syn > 0) {
    const std::int64_t batch = config_.synthetic_batches.size(sizes.batch_size, plan.images_of_run(), sizes.in_images);
    work.classifier_images += 3.0 * static_cast<double>(sizes.sources * batch * (sizes.steps - steps[0]));
  }
  work.stored_images = plan.images_of_run();
  return work;
}

PlannedWork DomainFusion::work_of_distillation(const WorkSizes& sizes) const {
  const std::vector<std::string> classes(static_cast<std::size_t>(sizes.classes), "class");
  const auto teacher =
      distillation_teachers().make(distillation_config_.teacher, distillation_config_,
                                   without_weights(distillation_config_.t_max + 1, sizes.device), classes, nullptr, 0);
  const bool both = config_.online_augmentation && distillation_config_.images == DistilledImages::kRawAndSynthetic;
  const auto batch = static_cast<double>(sizes.batch_size * sizes.sources * (both ? 2 : 1));
  const double drawn = batch * teacher->fraction() * static_cast<double>(sizes.steps);
  const auto images = static_cast<double>(sizes.in_images);
  const TeacherCost cost = teacher->cost();
  PlannedWork work;
  work.unet_images = drawn * cost.unet_per_drawn + cost.unet_of_gate;
  // An image is encoded for its curve when it is drawn for the first time.
  work.vae_images =
      drawn * cost.encoder_per_drawn + std::min(images, drawn) * cost.encoder_per_image + cost.encoder_of_gate;
  const double drawn_in_step = std::ceil(batch * teacher->fraction());
  const auto together = static_cast<double>(distillation_config_.images_per_pass);
  work.unet_batch = std::llround(
      std::min(drawn_in_step * cost.unet_per_drawn, together * rows_per_image(distillation_config_.guidance)));
  work.vae_batch = std::llround(std::max(std::min(drawn_in_step, together) * cost.encoder_per_drawn,
                                         cost.encoder_of_gate > 0 ? 3.0 * std::size(kGateConfidences) : 0));
  return work;
}

double DomainFusion::estimated_extra_seconds() {
  return ldm_seconds(planned_work(context().work_sizes(ldm_->scheduler_config())), measure_generation(*ldm_));
}

void DomainFusion::choose_encoder() {
  const std::vector<LabelledKey> images = labelled_keys(*context().source_in, every_image_of(*context().source_in));
  const std::string identity =
      distillation_config_.curve.folder.empty() ? "" : curve_identity(*ldm_, *context().source_in, images);
  const auto gate = distillation_->prepare(images, identity, known_curve_points_, [this] { context().stop_point(); });
  encoder_chosen_ = true;  // only now: a run stopped inside the gate must measure it again
  if (gate) gate_record_ = gate->to_json();
  if (gate_record_.is_null()) return;
  gate_record_["type"] = "curve_gate";
  gate_record_["step"] = 0;
  context().write_record(gate_record_);
}

void DomainFusion::before_step(std::int64_t step) {
  if (distillation_ && !encoder_chosen_) choose_encoder();
  const auto next = std::upper_bound(round_steps_.begin(), round_steps_.end(), step);
  const std::int64_t round = next - round_steps_.begin() - 1;
  if (round > active_round_) run_round(round);
}

RoundHooks DomainFusion::round_hooks() {
  RoundHooks hooks;
  hooks.should_stop = context().stop_requested;
  if (!fidelity_classifier_.is_empty()) {
    hooks.class_of = [this](const at::Tensor& image01_N3SS) {
      torch::NoGradGuard no_grad;
      const at::Tensor image01_N3HW = resized01(image01_N3SS, context().config.loader.image_size_px);
      return fidelity_classifier_->forward(normalise(image01_N3HW)).argmax(1);
    };
  }
  return hooks;
}

void DomainFusion::run_round(std::int64_t round) {
  const auto summary = rounds_->run(round, round_hooks());
  if (!summary) throw Interrupted();
  log_info("{}", summary->text());
  nlohmann::json record = summary->to_json();
  record["type"] = "round";
  record["step"] = round_steps_[static_cast<std::size_t>(round)];
  context().write_record(record);
  synthetic_ = rounds_->as_of(round);
  const bool used = config_.lambda_syn > 0 || distillation_config_.images == DistilledImages::kRawAndSynthetic;
  synthetic_batches_.reset();
  if (used && synthetic_->total() > 0) synthetic_batches_.emplace(config_.synthetic_batches, context(), synthetic_);
  active_round_ = round;
}

at::Tensor DomainFusion::loss(std::int64_t step, const Batch& raw, StepRecord& record) {
  std::optional<Batch> synthetic;
  if (synthetic_batches_) synthetic = synthetic_batches_->batch(step, raw.image_NCHW.device());
  const Batch all = synthetic ? joined(raw, *synthetic) : raw;
  const at::Tensor logits = Algorithm::logits(all.image_NCHW);
  at::Tensor total = classification_loss(logits.narrow(0, 0, raw.size()), raw.label_N);
  record.scalars["loss_raw"] = total.item<double>();
  if (synthetic) {
    const std::int64_t first = raw.size(), count = synthetic->size();
    const at::Tensor loss = classification_loss(logits.narrow(0, first, count), all.label_N.narrow(0, first, count));
    record.scalars["loss_synthetic"] = loss.item<double>();
    total = total + config_.lambda_syn * synthetic_batches_->weight(count, first) * loss;
  }
  if (distillation_) {
    const Batch& distilled = distillation_config_.images == DistilledImages::kRaw ? raw : all;
    total = total + distillation_loss(step, distilled, logits.narrow(0, 0, distilled.size()), record);
  }
  return total;
}

at::Tensor DomainFusion::distilled_images(const std::vector<ImageKey>& keys) const {
  const std::int64_t raw_domains = context().source_in->number_of_domains(), size_px = ldm_->image_size_px();
  const auto end_of_raw =
      std::find_if(keys.begin(), keys.end(), [&](const ImageKey& key) { return key.domain >= raw_domains; });
  std::vector<at::Tensor> images;
  if (end_of_raw != keys.begin())
    images.push_back(plain_image_source(context().source_in, size_px)({keys.begin(), end_of_raw}));
  if (end_of_raw != keys.end()) {
    std::vector<ImageKey> synthetic(end_of_raw, keys.end());
    for (ImageKey& key : synthetic) key.domain -= raw_domains;
    images.push_back(plain_image_source(synthetic_, size_px)(synthetic));
  }
  return torch::cat(images);
}

at::Tensor DomainFusion::distillation_loss(std::int64_t step, const Batch& batch, const at::Tensor& logits_NK,
                                           StepRecord& record) {
  DistillationBatch distilled{logits_NK, batch.label_N, batch.domain_N, batch.index_N, {}};
  if (distillation_config_.view == DistillationView::kAugmented) {
    distilled.view01_N3HW = resized01(denormalise(batch.image_NCHW), ldm_->image_size_px());
  }
  TeacherStep result = distillation_->teach(distilled, step);
  result.figures["type"] = "distillation";
  result.figures["step"] = step;
  context().write_record(result.figures);
  record.scalars.merge(result.scalars);
  return result.loss;
}

void DomainFusion::save(TensorMap&, nlohmann::json& state) const {
  // The rounds are on disk, all draws are counter-based: only the gate's choice is state.
  save_ldm(*ldm_, state);
  if (distillation_ && encoder_chosen_) state["curve_points"] = distillation_->curve_points();
  if (!gate_record_.is_null()) state["curve_gate"] = gate_record_;
}

void DomainFusion::load(const TensorMap&, const nlohmann::json& state) {
  check_same_ldm(*ldm_, context(), state);
  if (state.contains("curve_gate")) gate_record_ = state.at("curve_gate");
  if (state.contains("curve_points")) known_curve_points_ = state.at("curve_points").get<std::int64_t>();
}

}  // namespace domainfusion
