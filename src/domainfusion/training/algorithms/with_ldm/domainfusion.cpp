#include "domainfusion/training/algorithms/with_ldm/domainfusion.h"

#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>

#include "domainfusion/augmentation/candidates/stored_candidates.h"
#include "domainfusion/augmentation/rounds/ldm_candidates.h"
#include "domainfusion/core/json_text.h"
#include "domainfusion/core/log.h"
#include "domainfusion/data/transforms/image_tensor.h"
#include "domainfusion/distillation/distillation_sources.h"
#include "domainfusion/distillation/teachers/latent_distillation.h"
#include "domainfusion/distillation/teachers/premise.h"
#include "domainfusion/io/files/atomic_file.h"
#include "domainfusion/io/files/content_hash.h"
#include "domainfusion/io/files/file_hashes.h"
#include "domainfusion/io/files/json_file.h"
#include "domainfusion/training/algorithms/with_ldm/domainfusion_plan.h"
#include "domainfusion/training/algorithms/with_ldm/frozen_ldm.h"
#include "domainfusion/training/guards/guarded_ldm.h"
#include "domainfusion/training/guards/weights_guard.h"
#include "domainfusion/training/records/checkpoint.h"

namespace domainfusion {
namespace {

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

void DomainFusion::describe(ConfigFields& fields) { options_.describe(fields); }

void DomainFusion::prepare(TrainingContext& context) {
  Algorithm::prepare(context);
  options_.validate();
  ldm_ = load_frozen_ldm(context);
  if (options_.domainfusion.online_augmentation) prepare_rounds();
  if (options_.domainfusion.latent_distillation == AutoSwitch::kOff) return;
  if (!context.config.ldm_vae.empty())
    log_info(
        "distillation works on the latents of the VAE '{}' too; curves and gates are those of this pair of VAE and "
        "U-Net, and are measured for it",
        context.config.ldm_vae);
  prepare_distillation();
}

PromptWords DomainFusion::words() const {
  return prompt_words(*context().source_in, context().source_in->domain_names(), context().config);
}

TargetGuard DomainFusion::guard() const {
  return target_guard(*context().source_in, *context().holdout, context().config);
}

std::unique_ptr<CandidateGenerator> DomainFusion::make_candidates() const {
  auto made = std::make_unique<LdmCandidates>(*ldm_, options_.augmentation);
  if (context().config.candidates.empty()) return made;
  return std::make_unique<StoredCandidates>(std::move(made), generation_options(*ldm_, options_.augmentation.request()),
                                            CandidateStore(context().config.candidates), context().candidate_list(),
                                            [this] { context().stop_point(); });
}

StyleWords DomainFusion::told_styles(const std::map<std::int64_t, std::string>& description_of_source) const {
  const RoundConfig& config = options_.augmentation;
  std::vector<std::string> taken;
  if (config.style_mix == StyleMix::kBoth) {
    for (const auto& [domain, description] : description_of_source) taken.push_back(description);
  }
  StyleWords styles = style_words(config.styles, "augmentation", config.prompt_template, guard(), taken);
  if (config.styles.styles.empty()) return styles;
  tell_styles(styles, *ldm_);
  context().write_record(styles.record());
  return styles;
}

void DomainFusion::prepare_rounds() {
  const auto description_of_source = told_descriptions(context()).of_domain;
  CandidatePrompts prompts(options_.augmentation.prompt_template, options_.augmentation.negative_prompt,
                           words().classes(), description_of_source, guard(), told_styles(description_of_source).used,
                           options_.augmentation.style_mix);
  ldm_->tokenizer().check_told_apart(prompts.all());
  tell_sampling("augmentation.", options_.augmentation, ldm_->few_step_kind());
  context().write_record(sampling_record(options_.augmentation, ldm_->few_step_kind()));
  candidates_ = make_candidates();
  round_steps_ = round_steps(options_.augmentation.budget, context().steps_per_epoch, context().total_steps);
  check<ConfigError>(
      !round_steps_.empty(),
      "augmentation.first_round_epoch = {} is not before the end of the run ({} steps, {} an epoch), so there "
      "would be no round: lower it, or switch domainfusion.online_augmentation off",
      options_.augmentation.budget.first_round_epoch, context().total_steps, context().steps_per_epoch);
  const std::filesystem::path synthetic = context().run_folder / "synthetic";
  if (!options_.domainfusion.synthetic_from.empty() && !std::filesystem::exists(synthetic)) {
    copy_synthetic_set(std::filesystem::path(options_.domainfusion.synthetic_from) / "synthetic", synthetic);
  }
  load_fidelity_classifier();
  const auto make = [&] {
    return std::make_unique<AugmentationRounds>(
        options_.augmentation, context().source_in, every_image_of(*context().source_in), std::move(prompts),
        *candidates_, synthetic,
        options_.augmentation.seed < 0 ? context().seed : static_cast<std::uint64_t>(options_.augmentation.seed),
        static_cast<std::int64_t>(round_steps_.size()), style_judge());
  };
  const std::string& from = options_.domainfusion.synthetic_from;
  rounds_ = from.empty() ? make() : with_context(fmt::format("domainfusion.synthetic_from = {}", from), make);
}

RoundsAhead DomainFusion::rounds_ahead(std::string what) {
  const auto* stored = dynamic_cast<const StoredCandidates*>(candidates_.get());
  check<ConfigError>(rounds_ != nullptr && stored != nullptr,
                     "these options ask for no rounds of augmentation: set domainfusion.online_augmentation = true");
  return RoundsAhead(*rounds_, *stored, context().config.candidates, std::move(what));
}

void DomainFusion::load_fidelity_classifier() {
  if (options_.domainfusion.fidelity_weights.empty()) return;
  check_weights_provenance("domainfusion.fidelity_weights", options_.domainfusion.fidelity_weights, *context().holdout,
                           context().config);
  fidelity_classifier_ =
      Classifier(context().config.classifier, context().source_in->number_of_classes(), context().seed);
  load_model(options_.domainfusion.fidelity_weights, fidelity_classifier_);
  fidelity_classifier_->eval();
}

// It steers what the run learns from, where fidelity alone only looks on: so it is held to more.
StyleJudge DomainFusion::style_judge() const {
  if (options_.augmentation.combination.rule != CombineRule::kMode || fidelity_classifier_.is_empty()) return {};
  check_judge_provenance("domainfusion.fidelity_weights", options_.domainfusion.fidelity_weights, *context().holdout,
                         context().config);
  const std::int64_t size_px = context().config.loader.image_size_px;
  const auto logits = [judge = fidelity_classifier_, size_px](const at::Tensor& image01_N3SS) mutable {
    return judge->forward(normalise(resized01(image01_N3SS, size_px)));
  };
  // Sets from before the classifier's size counted keep their identity where it is the LDM's.
  const std::string at_size = size_px == ldm_->image_size_px() ? "" : fmt::format(" at {} px", size_px);
  return {logits, FileHashes().sha256(options_.domainfusion.fidelity_weights) + at_size};
}

void DomainFusion::prepare_distillation() {
  const TargetGuard target = guard();
  distillation_ = distillation_teachers().make(
      options_.distillation.teacher, options_.distillation, ldm_functions_of(*ldm_), words().classes(),
      [this](const std::vector<ImageKey>& keys) { return distilled_images(keys); }, context().seed);
  for (const std::string& prompt : distillation_->prompts()) target.check_prompt(prompt, "distillation prompt");
  distillation_->check_batch_size(context().config.loader.batch_size * context().source_in->number_of_domains());
}

std::string DomainFusion::fixed_length() const {
  if (!options_.domainfusion.online_augmentation) return {};
  return "the rounds of domainfusion and their budget of images are spread over all of its steps";
}

PlannedWork DomainFusion::planned_work(const WorkSizes& sizes) const { return planned_work_of(options_, sizes); }

double DomainFusion::estimated_extra_seconds() {
  return ldm_seconds(planned_work(context().work_sizes(ldm_->scheduler_config())), measure_generation(*ldm_));
}

// Names model and images where runs share curves; of a run's own folder there is nothing to tell apart.
const std::string& DomainFusion::curves_identity() {
  if (!curves_identity_) {
    const DomainDataset& set = *context().source_in;
    curves_identity_ = options_.distillation.curve.folder.empty()
                           ? ""
                           : curve_identity(*ldm_, set, labelled_keys(set, every_image_of(set)));
  }
  return *curves_identity_;
}

// All that the curve gate's verdict depends on: the curves, and the options of g and of the gate.
std::string DomainFusion::gate_options() {
  DistillationConfig config = options_.distillation;
  nlohmann::json options = fields_of(config).to_json();
  for (const char* key : {"lambda_ld_mode", "lambda_ld", "share", "g_mode", "control", "fraction", "images_per_pass"})
    options.erase(key);
  for (const char* key : {"folder", "limit_mb"}) options.at("curve").erase(key);
  return json_text({{"curves", curves_identity()}, {"distillation", options}, {"prompts", distillation_->prompts()}});
}

// The same of the premise gate's.
std::string DomainFusion::premise_options() {
  DistillationConfig config = options_.distillation;
  const nlohmann::json all = fields_of(config).to_json();
  nlohmann::json options;
  for (const char* key : {"weighting", "jacobian", "t_min", "t_max", "guidance"}) options[key] = all.at(key);
  const PremiseRequest request = premise_gate_request();
  return json_text({{"curves", curves_identity()},
                    {"distillation", options},
                    {"prompts", distillation_->prompts()},
                    {"images", request.images},
                    {"draws", request.draws},
                    {"confidences", request.confidences}});
}

// Beside the curves where runs share these, else in the run's own folder.
std::filesystem::path DomainFusion::verdict_file(const char* gate, const std::string& options) const {
  const std::string& folder = options_.distillation.curve.folder;
  if (folder.empty()) return context().run_folder / fmt::format("{}_gate.json", gate);
  return std::filesystem::path(folder) / fmt::format("{}gate-{}.json",
                                                     std::string_view(gate) == "curve" ? "" : fmt::format("{}-", gate),
                                                     sha256_hex(options).substr(0, 16));
}

nlohmann::json DomainFusion::measured_premise() {
  const std::string options = premise_options();
  const std::filesystem::path file = verdict_file("premise", options);
  if (std::filesystem::exists(file)) {
    const nlohmann::json verdict = read_json_object(file).value("verdict", nlohmann::json::object());
    check<FormatError>(
        verdict.is_object() && verdict.contains("negative_share") && verdict.at("negative_share").is_number(),
        "'{}' holds no verdict of the premise gate; remove it, and the premise is measured anew", file.string());
    return verdict;
  }
  const LdmFunctions ldm = ldm_functions_of(*ldm_);
  const DomainDataset& set = *context().source_in;
  const nlohmann::json verdict = measure_premise(ldm, options_.distillation, distillation_->conditions(),
                                                 plain_image_source(context().source_in, ldm.image_size_px),
                                                 labelled_keys(set, every_image_of(set)), kPremiseGateSeed,
                                                 premise_gate_request(), [this] { context().stop_point(); })
                                     .to_json();
  std::filesystem::create_directories(file.parent_path());
  write_file_atomically(file, json_text({{"of", options}, {"verdict", verdict}}, 1));
  return verdict;
}

// latent_distillation = auto: an LDM to which more confident images are harder to denoise would lower confidence,
// whatever the image shows, and is no teacher.
void DomainFusion::ask_premise() {
  if (premise_record_.is_null()) premise_record_ = measured_premise();
  const double share = premise_record_.at("negative_share");
  premise_record_.update(
      {{"type", "premise_gate"}, {"step", 0}, {"distillation", lowers_confidence(share) ? "off" : "on"}});
  context().write_record(premise_record_);
  log_info("{}", premise_verdict(share));
  if (lowers_confidence(share)) distillation_.reset();
}

// The gate costs hundreds of passes with gradients through the LDM: what it found is kept at once, so that neither a
// kill before the first checkpoint nor another run of the same curves measures it again.
void DomainFusion::choose_encoder() {
  const std::vector<LabelledKey> images = labelled_keys(*context().source_in, every_image_of(*context().source_in));
  const std::string options = gate_options();
  const std::filesystem::path file = verdict_file("curve", options);
  if (!known_curve_points_ && std::filesystem::exists(file)) {
    const nlohmann::json verdict = read_json_object(file).value("verdict", nlohmann::json());
    gate_record_ = with_context(file.string(), [&] { return CurveGateResult::from_json(verdict).to_json(); });
    known_curve_points_ = gate_record_.at("chosen_points").get<std::int64_t>();
  }
  const auto gate =
      distillation_->prepare(images, curves_identity(), known_curve_points_, [this] { context().stop_point(); });
  encoder_chosen_ = true;  // only now: a run stopped inside the gate must measure it again
  if (gate) {
    gate_record_ = gate->to_json();
    write_file_atomically(file, json_text({{"of", options}, {"verdict", gate_record_}}, 1));  // "of" is for people
  }
  if (gate_record_.is_null()) return;
  gate_record_["type"] = "curve_gate";
  gate_record_["step"] = 0;
  context().write_record(gate_record_);
}

void DomainFusion::before_step(std::int64_t step) {
  if (distillation_ && !encoder_chosen_) {
    if (options_.domainfusion.latent_distillation == AutoSwitch::kAuto && asks_for_premise(options_.distillation))
      ask_premise();
    if (distillation_) choose_encoder();
  }
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
  const bool used =
      options_.domainfusion.lambda_syn > 0 || options_.distillation.images == DistilledImages::kRawAndSynthetic;
  synthetic_batches_.reset();
  if (used && synthetic_->total() > 0)
    synthetic_batches_.emplace(options_.domainfusion.synthetic_batches, context(), synthetic_);
  active_round_ = round;
}

at::Tensor DomainFusion::loss(std::int64_t step, const Batch& raw, StepRecord& record) {
  std::optional<Batch> synthetic;
  if (synthetic_batches_) synthetic = synthetic_batches_->batch(step, raw.image_NCHW.device());
  const Batch all = synthetic ? joined(raw, *synthetic) : raw;
  const at::Tensor logits = Algorithm::logits(all.image_NCHW);
  at::Tensor total = raw_loss(logits.narrow(0, 0, raw.size()), raw, record);
  record.scalars["loss_raw"] = total.item<double>();
  if (synthetic) {
    const std::int64_t first = raw.size(), count = synthetic->size();
    const at::Tensor loss = classification_loss(logits.narrow(0, first, count), all.label_N.narrow(0, first, count));
    record.scalars["loss_synthetic"] = loss.item<double>();
    total = total + options_.domainfusion.lambda_syn * synthetic_batches_->weight(count, first) * loss;
  }
  if (distillation_) {
    const Batch& distilled = options_.distillation.images == DistilledImages::kRaw ? raw : all;
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
  if (options_.distillation.view == DistillationView::kAugmented) {
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
  // The rounds are on disk, all draws are counter-based: only the gates' choices are state.
  save_ldm(*ldm_, state);
  if (distillation_ && encoder_chosen_) state["curve_points"] = distillation_->curve_points();
  if (!gate_record_.is_null()) state["curve_gate"] = gate_record_;
  if (!premise_record_.is_null()) state["premise_gate"] = premise_record_;
}

void DomainFusion::load(const TensorMap&, const nlohmann::json& state) {
  check_same_ldm(*ldm_, context(), state);
  if (state.contains("curve_gate")) gate_record_ = state.at("curve_gate");
  if (state.contains("premise_gate")) premise_record_ = state.at("premise_gate");
  if (state.contains("curve_points")) known_curve_points_ = state.at("curve_points").get<std::int64_t>();
}

}  // namespace domainfusion
