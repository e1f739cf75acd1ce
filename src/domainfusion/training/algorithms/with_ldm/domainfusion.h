#pragma once
// DomainFusion (ECCV 2024): cross-entropy on raw and synthetic images plus latent distillation,
//   L = CE(raw) + lambda_syn CE(synthetic) + L_LD,
// (what is synthetic in a step: synthetic_batches.h), with one frozen latent diffusion model as teacher
// (distillation/distillation_teacher.h) and as augmenter (augmentation/round.h).

#include <memory>
#include <optional>
#include <vector>

#include "domainfusion/augmentation/rounds/rounds_ahead.h"
#include "domainfusion/data/sets/known_datasets.h"
#include "domainfusion/distillation/teachers/distillation_teacher.h"
#include "domainfusion/training/algorithm.h"
#include "domainfusion/training/algorithms/with_ldm/domainfusion_options.h"
#include "domainfusion/training/algorithms/with_ldm/synthetic_batches.h"
#include "domainfusion/training/guards/guarded_ldm.h"

namespace domainfusion {

class DomainFusion final : public Algorithm {
 public:
  void describe(ConfigFields& fields) override;
  void settle(const TrainingConfig& run) override { options_.augmentation.settle(few_step_kind_of(run)); }
  // ConfigError: no LDM given, an LDM that saw the target, a prompt that names it, options that do not go together.
  void prepare(TrainingContext& context) override;
  bool takes_generated_images() const override { return false; }  // it makes its own
  PlannedWork planned_work(const WorkSizes& sizes) const override;
  std::string fixed_length() const override;
  double estimated_extra_seconds() override;
  bool loss_is_mean_over_images() const override { return false; }  // synthetic images and distillation go by the step
  // Before the first step the premise gate, where latent_distillation = auto, then the latent curve's; before a round's
  // step the round.
  void before_step(std::int64_t step) override;
  // The candidates of all rounds, in the store that the options name; `what`: for CandidateJob. To be asked after
  // prepare() in a run folder of nobody's. ConfigError where there are no rounds.
  RoundsAhead rounds_ahead(std::string what);
  void save(TensorMap& tensors, nlohmann::json& state) const override;
  void load(const TensorMap& tensors, const nlohmann::json& state) override;

 protected:
  at::Tensor loss(std::int64_t step, const Batch& raw, StepRecord& record) override;

 private:
  void prepare_rounds();
  void load_fidelity_classifier();
  StyleJudge style_judge() const;
  void prepare_distillation();
  void choose_encoder();
  void ask_premise();
  nlohmann::json measured_premise();
  const std::string& curves_identity();
  std::filesystem::path verdict_file(const char* gate, const std::string& options) const;
  std::string gate_options();
  std::string premise_options();
  void run_round(std::int64_t round);
  RoundHooks round_hooks();
  at::Tensor distilled_images(const std::vector<ImageKey>& keys) const;
  at::Tensor distillation_loss(std::int64_t step, const Batch& batch, const at::Tensor& logits_NK, StepRecord& record);
  PromptWords words() const;
  TargetGuard guard() const;
  StyleWords told_styles(const std::map<std::int64_t, std::string>& description_of_source) const;
  std::unique_ptr<CandidateGenerator> make_candidates() const;

  DomainFusionOptions options_;

  std::optional<LatentDiffusion> ldm_;
  std::unique_ptr<DistillationTeacher> distillation_;  // nullptr: off
  bool encoder_chosen_ = false;
  std::optional<std::int64_t> known_curve_points_;  // of the run that is resumed
  nlohmann::json gate_record_;                      // the curve gate's verdict; null: no gate ran
  nlohmann::json premise_record_;                   // likewise the premise gate's
  std::optional<std::string> curves_identity_;

  std::unique_ptr<CandidateGenerator> candidates_;
  std::unique_ptr<AugmentationRounds> rounds_;
  std::vector<std::int64_t> round_steps_;
  std::int64_t active_round_ = -1;
  std::shared_ptr<const SyntheticDataset> synthetic_;  // of the active round
  std::optional<SyntheticBatches> synthetic_batches_;  // none while the synthetic set is empty
  Classifier fidelity_classifier_{nullptr};
};

}  // namespace domainfusion
