#pragma once
// What an algorithm for domain generalization is to the Trainer.

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "domainfusion/classifiers/classifier.h"
#include "domainfusion/core/machine/placement.h"
#include "domainfusion/core/registry.h"
#include "domainfusion/data/batch_loader.h"
#include "domainfusion/data/sets/domain_dataset.h"
#include "domainfusion/io/weights/tensor_file.h"
#include "domainfusion/training/guards/holdout_guard.h"
#include "domainfusion/training/optimizers/optimizer.h"
#include "domainfusion/training/options/training_config.h"
#include "domainfusion/training/records/planned_work.h"
#include "domainfusion/training/records/run_folder.h"
#include "domainfusion/training/records/run_records.h"
#include "domainfusion/training/records/stop_signal.h"

namespace domainfusion {

class GradientBuckets;
class Ranks;

// What an algorithm may use during a run. It outlives the algorithm's calls.
struct TrainingContext {
  TrainingConfig config;
  Classifier classifier{nullptr};
  Optimizer* optimizer = nullptr;
  // The IN images of the source domains and nothing else: domain d of 0 … sources-1, index i of 0 … size(d)-1. OUT and
  // target images cannot be reached through it. Batch::domain_N and Batch::index_N of the raw batches count in it.
  std::shared_ptr<const DomainDataset> source_in;
  std::int64_t environments = 0;  // domains of a raw batch: the sources, and those of data.generated
  // Says whether images (by hash) or words (by name) belong to what must not be used.
  const HoldoutGuard* holdout = nullptr;
  at::Device device = at::kCPU;
  Placement precision;  // of the classifier's products; its weights are float32
  std::uint64_t seed = 0;
  std::int64_t total_steps = 0;
  std::int64_t steps_per_epoch = 0;
  std::filesystem::path run_folder;  // for files of the algorithm's own, in subfolders that it names
  // An augmenting loader over all images of any set: batch_size images of each non-empty domain per step, drawn and
  // augmented from (seed, purpose, step). ConfigError if the set is empty. The set may not change while the loader
  // lives.
  std::function<std::unique_ptr<BatchLoader>(std::shared_ptr<const DomainDataset>, const std::string& purpose,
                                             std::int64_t batch_size)>
      make_loader;
  // Steps from the next one on take their raw batches from `set` instead of source_in: an augmenting loader like that
  // of make_loader. To be called in before_step() of a run's first step, resumed runs too.
  std::function<void(std::shared_ptr<const DomainDataset>)> train_on;
  // Another network like `classifier` as the run began it, with its start weights and, for those that are drawn, this
  // seed.
  std::function<Classifier(std::uint64_t seed)> another_classifier;
  // A typed line in records.jsonl; it must have "type", and "step" (the step before which or in which it was made).
  std::function<void(const nlohmann::json&)> write_record;
  std::function<bool()> stop_requested;

  // Where generated candidates are kept: config.candidates, or a folder of the run's own.
  std::filesystem::path candidate_folder() const {
    return config.candidates.empty() ? run_folder / "candidates" : std::filesystem::path(config.candidates);
  }
  // The list of those that the run uses.
  std::filesystem::path candidate_list() const { return run_folder / kCandidateList; }

  // To be called in long work where it can be taken up again: throws Interrupted once a stop is wanted.
  void stop_point() const {
    if (stop_requested()) throw Interrupted();
  }
  // `scheduler`: that of the LDM in use, an empty object if there is none.
  WorkSizes work_sizes(nlohmann::json scheduler = WorkSizes().ldm_scheduler) const;
  // True before the first step of epoch 0, every, 2 * every, …
  bool starts_every(std::int64_t step, std::int64_t every_epochs) const {
    return step % (steps_per_epoch * every_epochs) == 0;
  }
};

// What add_networks() may know of the run.
struct NetworkRequest {
  Classifier classifier;
  std::function<Classifier(std::uint64_t seed)> another;  // as TrainingContext::another_classifier
  std::int64_t environments = 0;                          // TrainingContext::environments
  std::int64_t image_size_px = 0;
  std::uint64_t seed = 0;
};

// The life of an algorithm: defaults(); describe() and setting of options; settle(); add_networks(); prepare(); load()
// if a run is resumed; then, for each step, before_step() and update().
class Algorithm {
 public:
  Algorithm();
  virtual ~Algorithm();

  // Adds the algorithm's own options to the run's, in groups of its naming.
  virtual void describe(ConfigFields& fields) {}
  // Gives options that nobody named and that the run's LDM decides their values; no network is loaded for it.
  virtual void settle(const TrainingConfig& run) {}
  // The run's options where this algorithm's usual values are others.
  virtual void defaults(TrainingConfig& config) const {}
  // Registers in `beside` what is trained with the classifier by the run's optimizer, averaged with it and kept with
  // the selected model, but gives no answers: answers are the classifier's.
  virtual void add_networks(torch::nn::Module& beside, const NetworkRequest& request) {}
  // The raw batch holds this many times config.loader.batch_size images of each source domain.
  virtual std::int64_t batch_multiplier() const { return 1; }
  // Checks its needs and makes what it works with. The default keeps the context.
  virtual void prepare(TrainingContext& context) { context_ = &context; }
  // What the algorithm adds to plain training, asked once its options are set, before prepare().
  virtual PlannedWork planned_work(const WorkSizes& sizes) const { return {}; }
  // Seconds that this algorithm adds to plain training, asked after prepare(); 0 where that is negligible.
  virtual double estimated_extra_seconds() { return 0; }

  // Work at an exact step before it (a round of augmentation, say). May throw Interrupted from context.stop_point();
  // the call is then made again when the run is resumed.
  virtual void before_step(std::int64_t step) {}
  // One optimizer step on the raw batch (already on the device). The default: zero gradients, loss(), backward,
  // clipping, step. With optimizer.accumulation_steps = K over 1, the batch is worked in K parts one after the other,
  // and the gradients are those of the whole batch up to rounding; but batch norm in train mode sees the parts, and
  // dropout draws for each of them. Error if the loss or, where it is clipped, the gradient is not
  // finite; the weights are then as before. Among ranks, where splits_batches(), each works on its rows and all take
  // the step of the whole batch; figures of the record are the whole batch's.
  virtual StepRecord update(std::int64_t step, const Batch& raw);

  // All state beside classifier and optimizer; loading it continues identically.
  virtual void save(TensorMap& tensors, nlohmann::json& state) const {}
  virtual void load(const TensorMap& tensors, const nlohmann::json& state) {}

  // Why a run of this algorithm cannot get more steps once it is begun; empty: it can. Asked once its options are set.
  virtual std::string fixed_length() const { return {}; }
  // Whether generated images may become further domains of its batches (data.generated).
  virtual bool takes_generated_images() const { return true; }
  // Whether the classifier answers an image alone, so that it can be used without the algorithm.
  virtual bool classifier_answers_alone() const { return true; }
  // Whether update() takes one step along add_gradients(), as optimizer.sharpness needs it.
  virtual bool follows_one_gradient() const { return true; }
  // Whether loss() of a batch is the mean of the losses of its parts, as accumulation needs it.
  virtual bool loss_is_mean_over_images() const { return true; }

  // Whether ranks may share out the rows of a batch: each gets its rows alone, and their losses' mean is followed,
  // batch norm seeing all rows. Where not, every rank computes the whole batch: right, and no faster. An algorithm with
  // an update() of its own has to see to the sums over ranks itself (GradientBuckets) before it may say yes.
  virtual bool splits_batches() const { return loss_is_mean_over_images(); }

  // The classifier's logits_NK, float32, of normalised images, computed in the run's precision.
  at::Tensor logits(const at::Tensor& image_NCHW);
  // The two halves of it: features [N, F], float32, before dropout, and what the head makes of them.
  at::Tensor features(const at::Tensor& image_NCHW);
  at::Tensor classify(const at::Tensor& feature_NF);
  // Around validation and whatever else looks at the model in training: between the two the classifier has the weights
  // that answer, which are those that are selected and saved; a checkpoint keeps those that are trained.
  virtual void begin_evaluation() {}
  virtual void end_evaluation() {}
  // logits_NK of normalised images for validation and test; the classifier is in eval mode, no gradients.
  virtual at::Tensor predict(const at::Tensor& image_NCHW) { return logits(image_NCHW); }

 protected:
  // The scalar whose gradient the default update() follows; names its parts in `record`.
  // The default: raw_loss() of the raw batch's logits.
  virtual at::Tensor loss(std::int64_t step, const Batch& raw, StepRecord& record);
  // Mean cross-entropy of the raw batch, from the logits_NK that are trained on: the one place where training accuracy
  // is counted (record.fit), so that loss() has to come by here once.
  at::Tensor raw_loss(const at::Tensor& logits_NK, const Batch& raw, StepRecord& record) const;
  // That count alone, for a loss that raw_loss() does not have a part in.
  void count_fit(const at::Tensor& logits_NK, const Batch& raw, StepRecord& record) const;
  // Adds the step's gradients to the parameters', which have none, and returns the loss. The default: of loss(), in
  // optimizer.accumulation_steps parts.
  virtual double add_gradients(std::int64_t step, const Batch& raw, StepRecord& record);
  // Whether gradients are taken a second time in this step, at other weights (optimizer.sharpness): what an algorithm
  // learns from a step beside them it has learnt already.
  bool is_second_look() const { return second_look_; }
  // Error that says what to do if the step's loss is not finite.
  void check_loss(std::int64_t step, double loss) const;
  // Which rows of the raw batch are images of source_in: bool [N]. The default: all but those of data.generated.
  virtual at::Tensor source_rows(const Batch& raw) const;
  TrainingContext& context() { return *context_; }
  const TrainingContext& context() const { return *context_; }

 private:
  double add_gradients_of(std::int64_t step, const Batch& part, double share, StepRecord& record);
  void look_again(std::int64_t step, const Batch& raw);

  TrainingContext* context_ = nullptr;
  std::unique_ptr<GradientBuckets> buckets_;  // among ranks
  bool second_look_ = false;
};

// The ranks that share out this run's batches; nullptr: there is one process, or every rank computes the whole batch.
Ranks* sharing_ranks(const Algorithm& algorithm, const TrainingConfig& config);

// Registers the networks that the algorithm adds, as the classifier's child; before its optimizer is made.
void add_networks(Algorithm& algorithm, Classifier& classifier, const NetworkRequest& request);

// Mean cross-entropy of logits_NK and int64 label_N.
at::Tensor classification_loss(const at::Tensor& logits_NK, const at::Tensor& label_N);

using AlgorithmRegistry = Registry<Algorithm>;
const AlgorithmRegistry& algorithms();

}  // namespace domainfusion
