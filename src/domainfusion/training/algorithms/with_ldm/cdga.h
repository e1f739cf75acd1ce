#pragma once
// CDGA: cross-entropy on the source images and their translations to the other source domains and to the styles of
// cdga.styles (augmentation/cdga/cdga_images.h), which are made before the first step. A source environment is its
// images and what was made of them: a translated image stays in its parent's domain, and of each environment
// `loader.batch_size` images, times cdga.batch_multiplier, are drawn a step.
//
// The held-out domain is never a destination and its description in no prompt; the variant that uses it (CDGA*) is
// refused.

#include <memory>

#include "domainfusion/augmentation/cdga/cdga_images.h"
#include "domainfusion/training/algorithm.h"
#include "domainfusion/training/guards/guarded_ldm.h"

namespace domainfusion {

class Cdga final : public Algorithm {
 public:
  void describe(ConfigFields& fields) override { fields.group("cdga", config_); }
  void settle(const TrainingConfig& run) override { config_.settle(few_step_kind_of(run)); }
  std::int64_t batch_multiplier() const override { return config_.batch_multiplier; }
  // ConfigError: no LDM given, an LDM that saw the target, a prompt or destination that names it.
  void prepare(TrainingContext& context) override;
  bool takes_generated_images() const override { return false; }  // it makes its own
  PlannedWork planned_work(const WorkSizes& sizes) const override;
  double estimated_extra_seconds() override { return images_->estimated_seconds(); }
  // Before the first step of a run, resumed ones too: makes what the store lacks.
  void before_step(std::int64_t step) override;
  void save(TensorMap& tensors, nlohmann::json& state) const override;
  // With weight averaging makes what the store lacks too: behind the last step, batches for the average are drawn.
  void load(const TensorMap& tensors, const nlohmann::json& state) override;

  // What this algorithm's options generate of the source images, with images of `store`. The same errors.
  CdgaImages images(LatentDiffusion ldm, std::shared_ptr<const DomainDataset> source_in, const HoldoutGuard& holdout,
                    const TrainingConfig& config, const std::filesystem::path& store) const;

 protected:
  // Behind an environment's source images come their translations.
  at::Tensor source_rows(const Batch& raw) const override;

 private:
  // towards: domain -> description, of all destinations.
  CdgaModels models(LatentDiffusion ldm, const std::map<std::int64_t, std::string>& towards,
                    const DomainDataset& source_in, const HoldoutGuard& holdout, const TrainingConfig& config) const;
  std::map<std::int64_t, std::string> destinations(const DomainDataset& source_in, const HoldoutGuard& holdout,
                                                   const TrainingConfig& config) const;

  StyleWords styles(const DomainDataset& source_in, const HoldoutGuard& holdout, const TrainingConfig& config) const;

  void generate();

  CdgaConfig config_;
  std::string weights_hash_;
  std::vector<std::string> translators_hashes_;  // of cdga.models
  std::unique_ptr<CdgaImages> images_;           // until training begins: the LDM's memory is free then
};

}  // namespace domainfusion
