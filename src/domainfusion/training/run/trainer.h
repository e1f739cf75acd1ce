#pragma once
// One run: from a set, a configuration and an algorithm to a trained model and its figure on the held-out domain.

#include <chrono>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "domainfusion/io/folders/scratch_folder.h"
#include "domainfusion/training/algorithm.h"
#include "domainfusion/training/averaging/weight_averaging.h"
#include "domainfusion/training/guards/source_split.h"
#include "domainfusion/training/records/checkpoint.h"
#include "domainfusion/training/records/run_cost.h"
#include "domainfusion/training/records/run_folder.h"
#include "domainfusion/training/records/stop_signal.h"
#include "domainfusion/training/records/training_fit.h"
#include "domainfusion/training/run/generated_environments.h"
#include "domainfusion/training/run/validation.h"

namespace domainfusion {

// A configuration and the algorithm that carries its own part of it.
struct RunSetup {
  TrainingConfig config;
  std::unique_ptr<Algorithm> algorithm;

  // Options of run and algorithm; refers to this object.
  ConfigFields fields();
};
// From DomainBed's hyper-parameters where hparams = "domainbed", then a recipe (empty path: none), then `overrides`
// ("a.b=c"), then `options` (key, value), the later winning. ConfigError, IoError, FormatError.
RunSetup make_run_setup(const std::filesystem::path& recipe, const std::vector<std::string>& overrides,
                        const std::vector<std::pair<std::string, nlohmann::json>>& options);

// The set's known name ("PACS"), else that of its folder.
std::string dataset_name(const DomainDataset& dataset, const TrainingConfig& config);

struct TrainerOptions {
  std::filesystem::path run_folder;
  RunMode mode = RunMode::kNew;
  bool accept_cost = false;                    // --yes
  std::shared_ptr<RecordSink> sink = nullptr;  // told of every record; may be null
  // To repeat a run that got more steps than it was begun with: its earlier ends (RunFolder).
  std::vector<std::int64_t> earlier_ends = {};
};

// Among ranks (current_ranks()) every rank has a Trainer of its own with the same options: they share out batches,
// validation and test, take the same steps, and rank 0 writes the run.
class Trainer {
 public:
  // Splits the set, checks the configuration against it and opens the run folder.
  // ConfigError: no or unknown test domain, no source domain; what holdout_split, RunFolder and Classifier throw.
  Trainer(RunSetup setup, std::shared_ptr<const DomainDataset> dataset, TrainerOptions options);
  ~Trainer();

  // Trains to the end, selects by mean source validation accuracy, evaluates the held-out domain once with the selected
  // model, and returns that; with averaging, validates and evaluates the average once too. nullopt if SIGINT or SIGTERM
  // stopped it: a checkpoint was written then, and a run with RunMode::kResume continues it with, on CPU, the bits of
  // an uninterrupted run. Error if the loss or a weight is not finite: the last good checkpoint stays.
  std::optional<TestRecord> run();

 private:
  nlohmann::json description();
  void split_domains();
  void make_context();
  void take_generated_images();
  void share_work();
  void announce() const;
  void look_for_leaks();
  void prepare_algorithm();
  void check_cost();
  std::optional<Checkpoint> restore();
  bool train_from(std::int64_t first_step);
  void train_step(std::int64_t step);
  ValidationRecord source_validation(std::int64_t steps_done);
  bool validates_after(std::int64_t steps_done) const;
  void validate(std::int64_t steps_done);
  void save_best();
  void write_checkpoint(std::int64_t steps_done);
  bool is_checkpoint_due() const;
  void keep_checkpoint(std::int64_t steps_done);
  void check_optimizer_options() const;
  std::string fixed_length() const;
  void cross_validate(std::int64_t steps_done);
  void report_fit();
  void test_last_model();
  TestRecord test(std::int64_t step, const std::string& model);
  TestRecord test_selected();
  void test_average();
  void load_average(const AveragedWeights& average);
  Figures held_out_figures(std::int64_t domain, const std::vector<std::int64_t>& indices);
  void write_oracle(std::int64_t step, double in_accuracy, const std::string& model);
  ImageView validation_view(std::int64_t steps_done, std::int64_t domain) const;
  Predictor predictor();

  RunSetup setup_;
  TrainerOptions options_;
  std::shared_ptr<const DomainDataset> dataset_;
  std::vector<std::int64_t> held_out_;  // the target, then the cross-validation domain where there is one
  std::vector<std::int64_t> sources_;
  std::vector<Split> splits_;  // by domain of dataset_
  std::shared_ptr<const DomainDataset> source_out_;
  std::unique_ptr<HoldoutGuard> guard_;
  std::unique_ptr<RunFolder> folder_;
  std::optional<ScratchFolder> scratch_;  // of a rank that writes no results
  std::optional<RunCostMeter> cost_;
  std::unique_ptr<Optimizer> optimizer_;
  std::unique_ptr<WeightAveraging> averaging_;        // nullptr: none
  std::unique_ptr<GeneratedEnvironments> generated_;  // nullptr: none
  std::shared_ptr<const DomainDataset> raw_images_;   // the source images, and the generated ones
  std::unique_ptr<BatchLoader> loader_;
  TrainingContext context_;
  StopSignal stop_;
  std::int64_t best_step_ = -1;
  double best_accuracy_ = -1;
  StepRecord last_step_;
  std::optional<LastEpochFit> fit_;
  std::int64_t resumed_step_ = 0;
  std::int64_t steps_done_ = 0;
  std::chrono::steady_clock::time_point last_checkpoint_ = std::chrono::steady_clock::now();
};

}  // namespace domainfusion
