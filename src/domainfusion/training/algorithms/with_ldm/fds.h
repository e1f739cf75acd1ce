#pragma once
// FDS: cross-entropy on the source images and on images between each two of the source domains
// (augmentation/fds/fds_images.h), which are made and chosen before the first step. Each pair of domains is one more
// domain of a batch: of it too, `loader.batch_size` images are drawn a step.
//
// The LDM and the judge are brought along: one that was trained on all source domains (`pretrain`, or any that its
// record or maker vouches for), and the model of a run of ERM. Both are held against the held-out domain.

#include <memory>

#include "domainfusion/augmentation/fds/fds_images.h"
#include "domainfusion/training/algorithm.h"
#include "domainfusion/training/guards/guarded_ldm.h"

namespace domainfusion {

class Fds final : public Algorithm {
 public:
  void describe(ConfigFields& fields) override { fields.group("fds", config_); }
  void settle(const TrainingConfig& run) override { config_.settle(few_step_kind_of(run)); }
  // ConfigError: no LDM or judge given, one that saw the target, a prompt that names it, a judge of another network.
  void prepare(TrainingContext& context) override;
  bool takes_generated_images() const override { return false; }  // it makes its own
  PlannedWork planned_work(const WorkSizes& sizes) const override;
  double estimated_extra_seconds() override { return images_->estimated_seconds(); }
  // Before the first step of a run, resumed ones too: makes what the store lacks, and chooses unless that is done.
  void before_step(std::int64_t step) override;
  // What was chosen, so that a resumed run asks the judge no more.
  void save(TensorMap& tensors, nlohmann::json& state) const override;
  // With weight averaging makes what the store lacks too: behind the last step, batches for the average are drawn.
  void load(const TensorMap& tensors, const nlohmann::json& state) override;

  // What this algorithm's options generate between these source domains, with images of `store`. The same errors; no
  // judge is needed.
  FdsImages images(LatentDiffusion ldm, std::shared_ptr<const DomainDataset> source_in, const HoldoutGuard& holdout,
                   const TrainingConfig& config, const std::filesystem::path& store) const;

 private:
  void make_environments();
  void choose();
  void load_judge();
  FdsJudge judge() const;

  FdsConfig config_;
  std::string weights_hash_, judge_hash_;
  Classifier judge_{nullptr};
  std::unique_ptr<FdsImages> images_;  // until training begins: the LDM's memory is free then
  at::Tensor kept_;                    // int64 places, once they are chosen
};

}  // namespace domainfusion
