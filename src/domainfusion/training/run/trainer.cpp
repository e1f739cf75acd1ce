#include "domainfusion/training/run/trainer.h"

#include <torch/types.h>

#include <algorithm>
#include <cmath>

#include "domainfusion/core/log.h"
#include "domainfusion/core/machine/blas.h"
#include "domainfusion/core/machine/placement.h"
#include "domainfusion/core/machine/threads.h"
#include "domainfusion/core/progress.h"
#include "domainfusion/data/sets/known_datasets.h"
#include "domainfusion/distributed/device_of_rank.h"
#include "domainfusion/distributed/row_share.h"
#include "domainfusion/metrics/classification.h"
#include "domainfusion/nn/memory/tensor_memory.h"
#include "domainfusion/nn/state_dict.h"
#include "domainfusion/training/averaging/batch_norm_statistics.h"
#include "domainfusion/training/guards/guarded_ldm.h"
#include "domainfusion/training/guards/weights_guard.h"
#include "domainfusion/training/make_optimizer.h"
#include "domainfusion/training/options/hparams.h"
#include "domainfusion/training/records/provenance.h"

namespace domainfusion {
namespace {

using nlohmann::json;

// DomainBed draws other values for some sets, so it matters which set this is.
void check_benchmark(const DomainDataset& dataset, const TrainingConfig& config) {
  const KnownDataset* known = find_known_dataset(dataset.domain_names(), dataset.class_names());
  if (config.hparams == HparamSource::kNone || known == nullptr || known->steps == 0) return;
  check<ConfigError>(
      find_known_dataset(config.benchmark) == known,
      "hparams = domainbed with benchmark = '{}', but these are the images of {}: set benchmark = \"{}\"",
      config.benchmark, known->name, known->name);
}

std::vector<std::int64_t> first_indices(std::int64_t n) {
  std::vector<std::int64_t> indices(static_cast<std::size_t>(n));
  for (std::int64_t i = 0; i < n; ++i) indices[static_cast<std::size_t>(i)] = i;
  return indices;
}

// As in a run's description. Options come with the behaviour of before as their default.
json defaults_of(const std::string& algorithm) {
  return {{"config", make_run_setup({}, {}, {{"algorithm", algorithm}}).fields().to_json()}};
}

// Among ranks one opens the folder; the others read it.
std::unique_ptr<RunFolder> run_folder_of_rank(const TrainerOptions& options, const std::function<json()>& description,
                                              const ResumeRules& rules) {
  std::unique_ptr<RunFolder> folder;
  if (writes_results()) folder = std::make_unique<RunFolder>(options.run_folder, options.mode, description(), rules);
  if (current_ranks() != nullptr) current_ranks()->meet();
  return folder ? std::move(folder) : std::make_unique<RunFolder>(options.run_folder);
}

// Ranks that hold other weights than rank 0 would drift further apart: a fault of a machine or of this program.
void check_equal_weights(const Classifier& classifier, std::int64_t steps_done) {
  Ranks* const ranks = current_ranks();
  if (ranks == nullptr) return;
  const torch::NoGradGuard no_grad;
  std::vector<at::Tensor> sums;
  for (const at::Tensor& parameter : classifier->parameters())
    sums.push_back(parameter.detach().to(torch::kCPU).contiguous().view(torch::kInt32).sum());
  const std::vector<at::Tensor> all = ranks->gather(torch::stack(sums));
  for (std::size_t rank = 1; rank < all.size(); ++rank) {
    check<DistributedError>(all[rank].equal(all[0]),
                            "after {} steps rank {} holds other weights than rank 0: do all ranks run the same program "
                            "on devices of one kind?",
                            steps_done, rank);
  }
}

}  // namespace

std::string dataset_name(const DomainDataset& dataset, const TrainingConfig& config) {
  const KnownDataset* known = find_known_dataset(dataset.domain_names(), dataset.class_names());
  if (known) return known->name;
  const auto root =
      std::filesystem::absolute(config.data.root + "/").lexically_normal();  // "." and ".." have names too
  return root.parent_path().filename().string();
}

Trainer::Trainer(RunSetup setup, std::shared_ptr<const DomainDataset> dataset, TrainerOptions options)
    : setup_(std::move(setup)), options_(std::move(options)), dataset_(std::move(dataset)) {
  split_domains();
  check_benchmark(*dataset_, setup_.config);
  make_context();
  folder_ = run_folder_of_rank(options_, [this] { return description(); },
                               {.defaults = defaults_of(setup_.config.algorithm),
                                .steps_per_epoch = context_.steps_per_epoch,
                                .fixed_length = fixed_length()});
  folder_->set_sink(options_.sink);
  cost_.emplace(folder_->path());
  context_.run_folder = folder_->path();
  if (current_ranks() != nullptr) share_work();
}

// Ranks make candidates together, in one store; what else an algorithm keeps beside a run, each rank has for itself.
void Trainer::share_work() {
  if (context_.config.candidates.empty()) context_.config.candidates = (folder_->path() / "candidates").string();
  if (!writes_results()) {
    scratch_.emplace("domainfusion-rank");
    context_.run_folder = scratch_->path();
  }
  if (!setup_.algorithm->splits_batches())
    log_info("{}: a step needs the whole batch, which every rank computes: right, and no faster than one of them",
             setup_.config.algorithm);
}

Trainer::~Trainer() = default;

json Trainer::description() {
  json sizes = json::object();
  for (std::int64_t d = 0; d < dataset_->number_of_domains(); ++d) {
    sizes[dataset_->domain_names()[static_cast<std::size_t>(d)]] = dataset_->size(d);
  }
  json description = {{"format", 1},
                      {"dataset", dataset_name(*dataset_, setup_.config)},
                      {"config", setup_.fields().to_json()},
                      {"hparams", hparams_in_use(setup_.config, setup_.fields().to_json())},
                      {"provenance", provenance_of(setup_.config, *dataset_, *context_.source_in)},
                      {"domains", dataset_->domain_names()},
                      {"classes", dataset_->class_names()},
                      {"images", sizes}};
  if (generated_) description["generated"] = generated_->hash;
  if (!options_.earlier_ends.empty()) description["earlier_ends"] = options_.earlier_ends;
  return description;
}

std::string Trainer::fixed_length() const {
  const LrDecay decay = setup_.config.optimizer.decay;
  if (decay == LrDecay::kLinear || decay == LrDecay::kCosine) return "optimizer.decay is spread over all of its steps";
  return setup_.algorithm->fixed_length();
}

void Trainer::split_domains() {
  SourceSplit split = split_sources(dataset_, setup_.config);
  held_out_ = std::move(split.held_out);
  sources_ = std::move(split.sources);
  splits_ = std::move(split.splits);
  context_.source_in = std::move(split.source_in);
  source_out_ = std::move(split.source_out);
  guard_ = std::move(split.guard);
}

void Trainer::make_context() {
  const TrainingConfig& config = setup_.config;
  std::int64_t in_images = 0;
  for (std::int64_t d = 0; d < context_.source_in->number_of_domains(); ++d) in_images += context_.source_in->size(d);
  check<ConfigError>(
      !config.classifier.freeze_batch_norm || !config.classifier.weights.empty(),
      "classifier.freeze_batch_norm keeps the statistics of pretrained weights: name them with classifier.weights");
  context_.config = config;
  context_.config.classifier.image_size_px = config.loader.image_size_px;
  context_.device = device_of_rank(config.device);
  check<ConfigError>(
      config.precision != "float16",
      "precision = float16: its gradients vanish without loss scaling, which is not offered; use bfloat16");
  context_.precision = {context_.device, dtype_of(config.precision)};
  context_.seed = static_cast<std::uint64_t>(config.seed);
  context_.steps_per_epoch = config.steps_per_epoch(in_images, static_cast<std::int64_t>(sources_.size()));
  context_.total_steps = config.total_steps(context_.steps_per_epoch);
  take_generated_images();
  context_.another_classifier = [config = context_.config.classifier, classes = dataset_->number_of_classes(),
                                 device = context_.device](std::uint64_t seed) {
    Classifier another(config, classes, seed);
    another->to(device);
    return another;
  };
  context_.classifier = context_.another_classifier(context_.seed);
  add_networks(*setup_.algorithm, context_.classifier,
               {context_.classifier, context_.another_classifier, context_.environments, config.loader.image_size_px,
                context_.seed});
  context_.classifier->to(context_.device);
  optimizer_ = make_optimizer(config.optimizer, context_.classifier->parameters());
  optimizer_->scale_lr(context_.classifier->head_parameters(), config.optimizer.head_lr_multiplier);
  context_.optimizer = optimizer_.get();
  averaging_ = make_averaging(config.averaging);
  fit_.emplace(context_.steps_per_epoch);
  context_.holdout = guard_.get();
  const auto make_loader = [config, seed = context_.seed](std::shared_ptr<const DomainDataset> set,
                                                          const std::string& purpose, std::int64_t batch_size) {
    LoaderConfig loader = config.loader;
    loader.batch_size = batch_size;
    std::vector<DomainSelection> selections = every_image_of(*set);
    return std::make_unique<BatchLoader>(std::move(set), std::move(selections), loader, seed, purpose);
  };
  context_.make_loader = make_loader;
  const std::int64_t raw_batch = config.loader.batch_size * setup_.algorithm->batch_multiplier();
  context_.train_on = [this, make_loader, raw_batch](std::shared_ptr<const DomainDataset> set) {
    const SharedRowsScope rows(sharing_ranks(*setup_.algorithm, setup_.config),
                               setup_.config.optimizer.accumulation_steps);
    loader_ = make_loader(std::move(set), "raw", raw_batch);
  };
  context_.train_on(raw_images_);
  check_optimizer_options();
  context_.write_record = [this](const json& record) {
    // What belongs to steps before a resume stands in the file already.
    if (record.value("step", resumed_step_) >= resumed_step_) folder_->write_record(record);
  };
  context_.stop_requested = [this] { return stop_.requested(); };
}

void Trainer::take_generated_images() {
  const TrainingConfig& config = setup_.config;
  raw_images_ = context_.source_in;
  context_.environments = context_.source_in->number_of_domains();
  if (config.generated.empty()) return;
  check<ConfigError>(setup_.algorithm->takes_generated_images(),
                     "data.generated: {} makes the images that it trains on itself; leave the option empty, or choose "
                     "another algorithm",
                     config.algorithm);
  generated_ = std::make_unique<GeneratedEnvironments>(with_generated_environments(
      context_.source_in, config.generated, target_guard(*context_.source_in, *guard_, config)));
  raw_images_ = kept_in_memory(generated_->set, config.data, context_.environments);
  context_.environments = generated_->set->number_of_domains();
}

void Trainer::check_optimizer_options() const {
  const std::int64_t parts = setup_.config.optimizer.accumulation_steps, images = loader_->images_per_step();
  check<ConfigError>(parts <= images,
                     "optimizer.accumulation_steps = {}: a step has {} images; expected at most that many parts", parts,
                     images);
  if (const Ranks* ranks = sharing_ranks(*setup_.algorithm, setup_.config))
    check<ConfigError>(parts * ranks->size() <= images,
                       "a step has {} images, in {} parts for {} ranks: expected at least one image for each", images,
                       parts, ranks->size());
  check<ConfigError>(parts == 1 || setup_.algorithm->loss_is_mean_over_images(),
                     "optimizer.accumulation_steps = {}: a batch of {} cannot be worked in parts; set it to 1", parts,
                     setup_.config.algorithm);
  check<ConfigError>(setup_.config.optimizer.sharpness == Sharpness::kNone || setup_.algorithm->follows_one_gradient(),
                     "optimizer.sharpness: a step of {} is more than one along a gradient; set it to none",
                     setup_.config.algorithm);
  check<ConfigError>(setup_.config.optimizer.warmup_steps < context_.total_steps,
                     "optimizer.warmup_steps = {}: the run has {} steps; expected fewer",
                     setup_.config.optimizer.warmup_steps, context_.total_steps);
}

void Trainer::check_cost() {
  const double seconds = setup_.algorithm->estimated_extra_seconds();
  if (seconds < 60) return;
  log_info("{} adds about {} to plain training", setup_.config.algorithm, format_seconds(seconds));
  check<ConfigError>(
      options_.accept_cost || seconds <= setup_.config.cost_limit_hours * 3600,
      "this run would take about {} more than plain training, over the limit of {} h (cost_limit_hours): pass "
      "--yes to start it nevertheless",
      format_seconds(seconds), setup_.config.cost_limit_hours);
}

void Trainer::prepare_algorithm() {
  if (generated_) {
    log_info("data.generated: {}", generated_->summary());
    context_.write_record(generated_->record());
  }
  setup_.algorithm->prepare(context_);
  check_cost();
  folder_->keep();
}

void Trainer::announce() const {
  std::int64_t in = 0, out = 0;
  for (std::int64_t d = 0; d < source_out_->number_of_domains(); ++d) {
    in += context_.source_in->size(d);
    out += source_out_->size(d);
  }
  log_info("{}: {} images of {} to learn from, {} to select the model; '{}' is held out", setup_.config.algorithm, in,
           fmt::join(context_.source_in->domain_names(), ", "), out, fmt::join(guard_->held_out_names(), "' and '"));
  log_info("{} with {:.1f} M parameters {} at {} px, {} steps of {} images ({} an epoch) on {}",
           setup_.config.classifier.backbone, static_cast<double>(parameter_count(*context_.classifier)) * 1e-6,
           setup_.config.classifier.start(), setup_.config.loader.image_size_px, context_.total_steps,
           loader_->images_per_step(), context_.steps_per_epoch, context_.device.str());
}

void Trainer::look_for_leaks() {
  GuardRecord record{guard_->target_name(), guard_->source_images_in_target()};
  const std::string& weights = setup_.config.classifier.weights;
  if (!weights.empty() && !check_weights_provenance("classifier.weights", weights, *guard_, setup_.config)) {
    record.weights_of_unknown_origin = weights;
    log_info("nobody can tell what '{}' was trained on: that it never saw '{}' cannot be checked", weights,
             record.domain);
  }
  if (!record.source_images_in_target.empty()) {
    log_warning(
        "{} source images also lie in the held-out domain '{}' (equal files; the first is {}): its accuracy may be too "
        "high",
        record.source_images_in_target.size(), record.domain, record.source_images_in_target.front());
  }
  context_.write_record(to_json(record));
}

std::optional<TestRecord> Trainer::run() {
  const KeptTensorMemory memory;
  if (context_.device.is_cpu()) warn_of_slow_blas();
  announce();
  const std::optional<Checkpoint> checkpoint = restore();
  try {
    look_for_leaks();
    prepare_algorithm();
    if (checkpoint) setup_.algorithm->load(checkpoint->algorithm_tensors, checkpoint->algorithm_state);
    // The run may have been killed before it could.
    if (checkpoint && resumed_step_ == best_step_ && step_of_model(folder_->best_file()) != best_step_) save_best();
    if (checkpoint && averaging_) averaging_->load(checkpoint->averaging_tensors, checkpoint->averaging_state);
    if (!train_from(checkpoint ? checkpoint->step : 0)) return std::nullopt;
    report_fit();
    test_last_model();
    const TestRecord selected = test_selected();
    if (averaging_) test_average();
    if (writes_results()) cost_->save(steps_done_);
    return selected;
  } catch (const Interrupted&) {
    // Stopped before the first step or after the last: the next start does that work again.
    log_info("stopped; --resume continues");
    return std::nullopt;
  }
}

std::optional<Checkpoint> Trainer::restore() {
  if (options_.mode != RunMode::kResume || !std::filesystem::exists(folder_->checkpoint_file())) {
    folder_->rewind_records(0);
    return std::nullopt;
  }
  Checkpoint checkpoint = load_checkpoint(folder_->checkpoint_file(), context_.classifier, *optimizer_);
  best_step_ = checkpoint.best_step;
  best_accuracy_ = checkpoint.best_accuracy;
  resumed_step_ = checkpoint.step;
  fit_->load(checkpoint.fit_tensors);
  folder_->rewind_records(resumed_step_);
  keep_checkpoint(resumed_step_);
  log_info("resumed at step {} of {}", checkpoint.step, context_.total_steps);
  return checkpoint;
}

bool Trainer::train_from(std::int64_t first_step) {
  const std::int64_t total = context_.total_steps;
  Progress progress("training", total, "images", static_cast<double>(loader_->images_per_step()), first_step);
  std::int64_t step = first_step;
  context_.classifier->train();
  try {
    for (; step < total && !(averaging_ && averaging_->ends_training()); ++step) {
      if (any_rank(stop_.requested())) throw Interrupted();
      train_step(step);
      progress.update(step + 1, fmt::format("loss {:.3f}", last_step_.scalars["loss"]));
      if (validates_after(step + 1)) {
        validate(step + 1);
      } else if (is_checkpoint_due()) {
        write_checkpoint(step + 1);
      }
    }
  } catch (const Interrupted&) {
    write_checkpoint(step);
    progress.finish();
    log_info("stopped after {} of {} steps; a checkpoint is written, --resume continues", step, total);
    return false;
  }
  steps_done_ = step;
  if (step < total)
    log_info("{}: the average is complete after {} of {} steps", setup_.config.averaging.method, step, total);
  progress.finish(fmt::format("source validation {:.1f} % at step {}", 100 * best_accuracy_, best_step_));
  return true;
}

void Trainer::train_step(std::int64_t step) {
  optimizer_->set_lr(setup_.config.optimizer.lr_at(step, context_.total_steps));
  setup_.algorithm->before_step(step);
  context_.classifier->begin_step(context_.seed, step);
  last_step_ = setup_.algorithm->update(step, loader_->batch(step).on(context_.device));
  last_step_.scalars["lr"] = optimizer_->lr();
  fit_->add(last_step_.fit);
  folder_->write_record(to_json(last_step_));
  if (averaging_) averaging_->after_step(step, *context_.classifier);
}

Predictor Trainer::predictor() {
  return [this](const at::Tensor& image_NCHW) { return setup_.algorithm->predict(image_NCHW); };
}

ValidationRecord Trainer::source_validation(std::int64_t steps_done) {
  ValidationRecord record;
  record.step = steps_done;
  context_.classifier->eval();
  std::vector<double> accuracies, losses;
  for (std::int64_t d = 0; d < source_out_->number_of_domains(); ++d) {
    const Figures figures =
        evaluate_images(predictor(), *source_out_, d, first_indices(source_out_->size(d)),
                        setup_.config.loader.image_size_px, context_.device, validation_view(steps_done, d));
    record.accuracy[source_out_->domain_names()[static_cast<std::size_t>(d)]] = figures.accuracy();
    accuracies.push_back(figures.accuracy());
    losses.push_back(figures.mean_loss);
  }
  record.mean_accuracy = mean_of(accuracies);
  record.mean_loss = mean_of(losses);
  context_.classifier->train();
  return record;
}

void Trainer::validate(std::int64_t steps_done) {
  check_equal_weights(context_.classifier, steps_done);
  setup_.algorithm->begin_evaluation();
  const ValidationRecord record = source_validation(steps_done);
  setup_.algorithm->end_evaluation();
  check(std::isfinite(record.mean_loss),
        "the source validation loss after {} steps is {}: training has diverged (learning rate {}); {}", steps_done,
        record.mean_loss, optimizer_->lr(), kAfterDivergence);
  const bool best = record.mean_accuracy > best_accuracy_;
  if (best) {
    best_accuracy_ = record.mean_accuracy;
    best_step_ = steps_done;
  }
  folder_->write_record(to_json(record));
  if (averaging_) averaging_->after_validation(record.mean_loss);
  cross_validate(steps_done);
  write_checkpoint(steps_done);
  // In this order: after a kill in between, the checkpoint holds the model that is missing.
  if (best) save_best();
  keep_checkpoint(steps_done);
}

void Trainer::save_best() {
  if (!writes_results()) return;
  setup_.algorithm->begin_evaluation();
  save_model(folder_->best_file(), context_.classifier, best_step_, best_accuracy_);
  setup_.algorithm->end_evaluation();
}

bool Trainer::validates_after(std::int64_t steps_done) const {
  const auto& ends = folder_->earlier_ends();
  return setup_.config.validates_after(steps_done, context_.total_steps) ||
         std::find(ends.begin(), ends.end(), steps_done) != ends.end();
}

// A draw per step, domain and image: the same whatever the batches.
ImageView Trainer::validation_view(std::int64_t steps_done, std::int64_t domain) const {
  if (!setup_.config.augment_validation) return {};
  return [loader = setup_.config.loader, seed = context_.seed, steps_done, domain](const Image& image,
                                                                                   std::int64_t index) {
    RandomStream stream(seed, "validation.augment",
                        {static_cast<std::uint64_t>(steps_done), static_cast<std::uint64_t>(domain),
                         static_cast<std::uint64_t>(index)});
    return image_of(augmented(image, draw_augmentation(image.height, image.width, loader.augmentation, stream),
                              static_cast<int>(loader.image_size_px)));
  };
}

Figures Trainer::held_out_figures(std::int64_t domain, const std::vector<std::int64_t>& indices) {
  return evaluate_images(predictor(), *dataset_, domain, indices, setup_.config.loader.image_size_px, context_.device);
}

void Trainer::cross_validate(std::int64_t steps_done) {
  if (held_out_.size() < 2) return;
  CrossValidationRecord record{steps_done, {}, {}};
  setup_.algorithm->begin_evaluation();
  context_.classifier->eval();
  for (const std::int64_t domain : held_out_) {
    const std::string& name = dataset_->domain_names()[static_cast<std::size_t>(domain)];
    const Split& split = splits_[static_cast<std::size_t>(domain)];
    record.in_accuracy[name] = held_out_figures(domain, split.in).accuracy();
    record.out_accuracy[name] = held_out_figures(domain, split.out).accuracy();
  }
  context_.classifier->train();
  setup_.algorithm->end_evaluation();
  folder_->write_record(to_json(record));
}

void Trainer::write_checkpoint(std::int64_t steps_done) {
  last_checkpoint_ = std::chrono::steady_clock::now();
  if (!writes_results()) return;
  Checkpoint checkpoint;
  checkpoint.step = steps_done;
  checkpoint.best_step = best_step_;
  checkpoint.best_accuracy = best_accuracy_;
  setup_.algorithm->save(checkpoint.algorithm_tensors, checkpoint.algorithm_state);
  if (averaging_) averaging_->save(checkpoint.averaging_tensors, checkpoint.averaging_state);
  checkpoint.fit_tensors = fit_->save();
  save_checkpoint(folder_->checkpoint_file(), checkpoint, context_.classifier, *optimizer_);
  cost_->save(steps_done);
}

bool Trainer::is_checkpoint_due() const {
  const std::chrono::duration<double, std::ratio<60>> since = std::chrono::steady_clock::now() - last_checkpoint_;
  return setup_.config.checkpoint_minutes > 0 && since.count() >= setup_.config.checkpoint_minutes;
}

// A link: the file is replaced by the next checkpoint, not rewritten.
void Trainer::keep_checkpoint(std::int64_t steps_done) {
  if (!writes_results() || !setup_.config.keep_checkpoints || !validates_after(steps_done)) return;
  const auto kept = folder_->path() / fmt::format("checkpoint-{}.safetensors", steps_done);
  std::error_code failure;
  std::filesystem::remove(kept, failure);
  std::filesystem::create_hard_link(folder_->checkpoint_file(), kept, failure);
  if (failure) std::filesystem::copy_file(folder_->checkpoint_file(), kept, failure);
  check<IoError>(!failure, "'{}' cannot be written: {}", kept.string(), failure.message());
}

void Trainer::write_oracle(std::int64_t step, double in_accuracy, const std::string& model) {
  const std::int64_t target = held_out_.front();
  const double out_accuracy = held_out_figures(target, splits_[static_cast<std::size_t>(target)].out).accuracy();
  folder_->write_record(to_json(OracleRecord{guard_->target_name(), step, in_accuracy, out_accuracy, model}));
}

void Trainer::report_fit() {
  if (const auto fit = fit_->record(steps_done_)) folder_->write_record(to_json(*fit));
}

void Trainer::test_last_model() {
  if (steps_done_ == best_step_) return;  // test_selected() looks at that model
  context_.classifier->eval();
  const std::int64_t target = held_out_.front();
  setup_.algorithm->begin_evaluation();
  write_oracle(steps_done_, held_out_figures(target, splits_[static_cast<std::size_t>(target)].in).accuracy(), "");
  setup_.algorithm->end_evaluation();
}

TestRecord Trainer::test(std::int64_t step, const std::string& model) {
  context_.classifier->eval();
  const std::int64_t target = held_out_.front();
  const Figures figures = held_out_figures(target, splits_[static_cast<std::size_t>(target)].in);
  write_oracle(step, figures.accuracy(), model);
  return {guard_->target_name(), step, figures.accuracy(), rows_of(figures.confusion_KK), model};
}

TestRecord Trainer::test_selected() {
  if (current_ranks() != nullptr) current_ranks()->meet();  // until the model is written
  const auto saved = step_of_model(folder_->best_file()).value_or(best_step_);
  check<FormatError>(saved == best_step_,
                     "'{}' holds the model after {} steps, and the run selected that after {} steps: its files are not "
                     "of one run; start it anew with --overwrite",
                     folder_->best_file().string(), saved, best_step_);
  load_model(folder_->best_file(), context_.classifier);
  const TestRecord record = test(best_step_, "");
  folder_->write_record(to_json(record));
  return record;
}

// Leaves the average in the classifier, in train mode.
void Trainer::load_average(const AveragedWeights& average) {
  TensorMap weights = state_dict_of(*context_.classifier);
  for (const auto& [name, tensor] : average.weights) weights[name] = tensor;
  load_state_dict(*context_.classifier, weights, "averaged weights");
  context_.classifier->train();
  if (average.has_buffers || !takes_batch_statistics(*context_.classifier)) return;
  const std::int64_t batches = setup_.config.averaging.batch_norm_steps;
  log_info("taking batch norm's statistics of the averaged model from {} training batches", batches);
  // As in the released code, the batches that training would have gone on with.
  const SharedRowsScope rows(sharing_ranks(*setup_.algorithm, setup_.config));
  retake_batch_statistics(*context_.classifier, batches, [&](std::int64_t batch) {
    context_.stop_point();
    setup_.algorithm->logits(loader_->batch(average.next_step + batch).image_NCHW.to(context_.device));
  });
}

void Trainer::test_average() {
  const std::string& method = setup_.config.averaging.method;
  const AveragedWeights average = averaging_->average();
  load_average(average);
  ValidationRecord validation = source_validation(average.next_step);
  const TestRecord tested = test(average.next_step, method);
  validation.model = method;
  if (writes_results())
    save_model(folder_->path() / (method + ".safetensors"), context_.classifier, average.next_step,
               validation.mean_accuracy);
  json description = average.record;
  description.update({{"type", "average"}, {"model", method}, {"step", average.next_step}});
  for (const json& record : {description, to_json(validation), to_json(tested)}) folder_->write_record(record);
}

}  // namespace domainfusion
