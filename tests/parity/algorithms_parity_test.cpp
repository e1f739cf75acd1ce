// DomainBed's algorithms against its own updates (the README.txt beside each updates.json says what was run): losses of
// every update, weights and answers after the last.
#include <gtest/gtest.h>
#include <torch/nn/modules/linear.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <set>

#include "domainfusion/nn/state_dict.h"
#include "domainfusion/training/algorithms/alignment/feature_matching.h"
#include "domainfusion/training/algorithms/shared/domain_algorithm.h"
#include "domainfusion/training/make_optimizer.h"
#include "domainfusion/training/options/hparam_ranges.h"
#include "domainfusion/training/records/checkpoint.h"
#include "domainfusion/training/run/trainer.h"
#include "parity/case_folders.h"
#include "parity/reference_cases.h"
#include "parity/tensor_comparison.h"

namespace domainfusion {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

struct UpdatesCase {
  fs::path folder;
  std::string algorithm;  // DomainBed's name
  friend void PrintTo(const UpdatesCase& one, std::ostream* out) {
    *out << one.algorithm << " of " << one.folder.string();
  }
};

std::vector<UpdatesCase> updates_cases() {
  std::vector<UpdatesCase> all;
  for (const auto& folder : case_folders("algorithms", "updates.json")) {
    const json updates = json::parse(std::ifstream(folder / "updates.json"));
    for (const auto& [name, facts] : updates.at("algorithms").items()) all.push_back({folder, name});
  }
  return all;
}

// DomainBed's MLP featurizer.
class MlpBackbone final : public Backbone {
 public:
  MlpBackbone(std::int64_t inputs, std::int64_t width, std::int64_t depth) : width_(width) {
    layers_.push_back(register_module("input", torch::nn::Linear(inputs, width)));
    const auto hiddens = register_module("hiddens", std::make_shared<torch::nn::Module>());
    for (std::int64_t i = 0; i < depth - 2; ++i)
      layers_.push_back(hiddens->register_module(std::to_string(i), torch::nn::Linear(width, width)));
    layers_.push_back(register_module("output", torch::nn::Linear(width, width)));
  }
  at::Tensor features(const at::Tensor& x) override {
    at::Tensor value = layers_.front()(x);
    for (std::size_t i = 1; i < layers_.size(); ++i) value = layers_[i](value.relu());
    return value;
  }
  int64_t feature_size() const override { return width_; }
  std::string head_name() const override { return "fc"; }
  void initialise(std::uint64_t) override {}

 private:
  std::int64_t width_;
  std::vector<torch::nn::Linear> layers_;
};

// Sizes alone.
class NamedDomains final : public DomainDataset {
 public:
  NamedDomains(std::int64_t domains, std::int64_t classes) : domains_(named(domains)), classes_(named(classes)) {}
  const std::vector<std::string>& class_names() const override { return classes_; }
  const std::vector<std::string>& domain_names() const override { return domains_; }
  std::int64_t size(std::int64_t) const override { return 1; }
  const SampleInfo& info(std::int64_t, std::int64_t) const override { return info_; }
  Image image(std::int64_t, std::int64_t) const override { return {}; }
  std::string file_hash(std::int64_t, std::int64_t) const override { return {}; }

 private:
  static std::vector<std::string> named(std::int64_t count) {
    std::vector<std::string> names;
    for (std::int64_t i = 0; i < count; ++i) names.push_back(std::to_string(i));
    return names;
  }
  std::vector<std::string> domains_, classes_;
  SampleInfo info_;
};

// The recorded draws of an update, in order.
class RecordedDraws final : public StepDraws {
 public:
  RecordedDraws(const TensorMap& tensors, std::int64_t first, std::vector<std::int64_t> cuts)
      : StepDraws(RandomStream(0, "none")), tensors_(tensors), next_(first), cuts_(std::move(cuts)) {}
  std::int64_t below(std::int64_t) override { return cuts_.at(next_cut_++); }
  at::Tensor permutation(std::int64_t n) override { return taken("permutation", {n}).to(torch::kLong); }
  double beta(double) override { return taken("beta", {1}).item<double>(); }
  at::Tensor uniform(at::IntArrayRef sizes) override { return taken("uniform", sizes); }

 private:
  at::Tensor taken(const std::string& kind, at::IntArrayRef sizes) {
    const std::string key = fmt::format("all.draw.{:03}.{}", next_++, kind);
    const auto found = tensors_.find(key);
    check(found != tensors_.end(), "no recorded {}", key);
    check(found->second.sizes() == sizes, "{} has another shape", key);
    return found->second;
  }
  const TensorMap& tensors_;
  std::int64_t next_;
  std::vector<std::int64_t> cuts_;  // in place of CausIRL's draws, which were not recorded
  std::size_t next_cut_ = 0;
};

// Which of our algorithms DomainBed calls so; empty: none.
std::string our_name(const std::string& domainbed_name) {
  for (const std::string& name : algorithms().names()) {
    if (domainbed_algorithm(name) == domainbed_name) return name;
  }
  return {};
}

// Where a weight of DomainBed's lies in our classifier; empty: elsewhere.
std::string classifier_weight(const std::string& name) {
  for (const char* prefix : {"featurizer.", "network_f.", "network.net.0.", "featurizer_label."}) {
    if (name.starts_with(prefix)) return name.substr(std::string(prefix).size());
  }
  for (const char* prefix : {"classifier.", "network_c.", "network.net.1.", "classifier_label_1."}) {
    if (name.starts_with(prefix)) return "fc." + name.substr(std::string(prefix).size());
  }
  return {};
}

// How our records call a figure of an update; empty: not at all.
std::string our_figure(const std::string& algorithm, const std::string& name) {
  static const std::set<std::string> loss_is_cross_entropy{"CORAL", "MMD", "CausIRL_CORAL", "CausIRL_MMD", "SD", "IGA"};
  static const std::map<std::string, std::string> renamed{
      {"IRM_penalty", "irm_penalty"}, {"IB_penalty", "ib_penalty"}, {"gen_loss", "loss"},
      {"disc_loss", "loss"},          {"total_loss", "loss"},       {"clf_loss", "nll"},
      {"bn_loss", "penalty"},         {"loss_total", "loss"},       {"loss_clf_int", "nll"}};
  if (name == "loss" && loss_is_cross_entropy.contains(algorithm)) return "nll";
  if (name == "penalty" && algorithm == "IRM") return "irm_penalty";
  if (name == "nll" && algorithm == "VREx") return {};           // there: the last domain's
  if (name == "nll" && algorithm.starts_with("IB_")) return {};  // there: the sum with the penalties
  const auto found = renamed.find(name);
  return found == renamed.end() ? name : found->second;
}

// An algorithm of ours in the place of DomainBed's.
class Replica {
 public:
  Replica(const UpdatesCase& one, const json& plan, const json& facts)
      : facts_(facts),
        tensors_(load_tensors(one.folder / (one.algorithm + ".safetensors"))),
        setup_(make_run_setup({}, {}, {{"algorithm", our_name(one.algorithm)}})) {
    const json& hparams = facts.at("hparams");
    ConfigFields fields = setup_.fields();
    for (const auto& [name, value] : hparams.items()) {
      const std::string key = setup_.config.algorithm + "." + name;
      if (fields.knows(key)) fields.at(key).set(value);
    }
    TrainingConfig& config = setup_.config;
    config.optimizer.lr = hparams.contains("lr_g") ? hparams["lr_g"] : hparams.at("lr");
    config.optimizer.weight_decay = hparams.at("weight_decay");
    config.loader.batch_size = plan.at("batch");
    context_.config = config;
    context_.total_steps = plan.at("steps");
    context_.environments = plan.at("domains");
    context_.source_in = std::make_shared<NamedDomains>(plan.at("domains"), plan.at("classes"));
    const auto classifier = [config, inputs = plan.at("inputs").get<std::int64_t>(),
                             width = hparams.at("mlp_width").get<std::int64_t>(),
                             depth = hparams.at("mlp_depth").get<std::int64_t>(),
                             classes = plan.at("classes").get<std::int64_t>()](std::uint64_t seed) {
      return Classifier(std::make_shared<MlpBackbone>(inputs, width, depth), config.classifier, classes, seed);
    };
    context_.another_classifier = classifier;
    context_.classifier = classifier(1);
    add_networks(*setup_.algorithm, context_.classifier,
                 {context_.classifier, classifier, plan.at("domains"), 0, context_.seed});
    optimizer_ = make_optimizer(config.optimizer, context_.classifier->parameters());
    context_.optimizer = optimizer_.get();
    setup_.algorithm->prepare(context_);
    take_weights();
    if (auto* algorithm = dynamic_cast<DomainAlgorithm*>(setup_.algorithm.get())) {
      algorithm->set_draws([this](std::int64_t step) {
        const json& update = facts_.at("updates").at(static_cast<std::size_t>(step));
        return std::make_unique<RecordedDraws>(tensors_, update.at("first_draw"), cuts_);
      });
    }
  }

  StepRecord update(std::int64_t step, const Batch& raw) {
    find_cuts(step, raw);
    optimizer_->set_lr(context_.config.optimizer.lr);
    setup_.algorithm->before_step(step);
    context_.classifier->begin_step(1, step);
    return setup_.algorithm->update(step, raw);
  }

  // Every weight there after the last update that we have a counterpart of, and the answers: up to `tolerance` of
  // their rms.
  void expect_final(double tolerance) {
    const TensorMap classifier = state_dict_of(*context_.classifier);
    TensorMap own;
    json state;
    setup_.algorithm->save(own, state);
    int compared = 0;
    for (const auto& [key, expected] : tensors_) {
      if (!key.starts_with("final.") || !expected.is_floating_point()) continue;
      const std::string name = key.substr(6), place = place_in(classifier, name);
      if (place.empty() && !own.contains(name)) continue;
      expect_close(place.empty() ? own.at(name) : classifier.at(place), expected,
                   {.of_rms = tolerance, .absolute = 1e-7}, name);
      ++compared;
    }
    EXPECT_GE(compared, 4);
    setup_.algorithm->begin_evaluation();
    context_.classifier->eval();
    const torch::NoGradGuard no_grad;
    expect_close(setup_.algorithm->predict(tensors_.at("probe")), tensors_.at("probe.logits"), {.of_rms = tolerance},
                 "answers");
  }

 private:
  static std::string place_in(const TensorMap& classifier, const std::string& name) {
    const std::string beside = fmt::format("{}.{}", kBesideClassifier, name);
    return classifier.contains(beside) ? beside : classifier_weight(name);
  }

  // CausIRL's places where domains are cut were not recorded: those that give the recorded penalty.
  void find_cuts(std::int64_t step, const Batch& raw) {
    const auto* algorithm = dynamic_cast<const CausIrl*>(setup_.algorithm.get());
    if (!algorithm) return;
    const double expected = facts_.at("updates").at(static_cast<std::size_t>(step)).at("penalty");
    const torch::NoGradGuard no_grad;
    const std::int64_t domains = context_.environments, images = raw.size() / domains;
    std::vector<at::Tensor> features_NF;
    for (std::int64_t d = 0; d < domains; ++d)
      features_NF.push_back(context_.classifier->features(raw.image_NCHW.narrow(0, d * images, images)));
    double nearest = std::numeric_limits<double>::infinity();
    std::vector<std::int64_t> cuts(static_cast<std::size_t>(domains), 0);
    for (std::size_t place = 0; place < cuts.size();) {
      const double off = std::abs(algorithm->penalty_of_cuts(features_NF, cuts).item<double>() - expected);
      if (off < nearest) {
        nearest = off;
        cuts_ = cuts;
      }
      for (place = 0; place < cuts.size() && ++cuts[place] == images; ++place) cuts[place] = 0;
    }
  }

  void take_weights() {
    TensorMap classifier = state_dict_of(*context_.classifier), own;
    json state;
    setup_.algorithm->save(own, state);
    for (const auto& [key, value] : tensors_) {
      if (!key.starts_with("init.")) continue;
      const std::string name = key.substr(5), place = place_in(classifier, name);
      if (!place.empty()) {
        classifier.at(place) = value;
      } else if (own.contains(name)) {
        own[name] = value;
      }
    }
    load_state_dict(*context_.classifier, classifier, "recorded weights");
    setup_.algorithm->load(own, state);
  }

  json facts_;
  TensorMap tensors_;
  std::vector<std::int64_t> cuts_;
  RunSetup setup_;
  TrainingContext context_;
  std::unique_ptr<Optimizer> optimizer_;
};

Batch recorded_batch(const TensorMap& batches, std::int64_t step, std::int64_t domains) {
  std::vector<at::Tensor> x, y, domain;
  for (std::int64_t d = 0; d < domains; ++d) {
    const std::string name = fmt::format("step{}.domain{}.", step, d);
    x.push_back(batches.at(name + "x"));
    y.push_back(batches.at(name + "y"));
    domain.push_back(torch::full_like(y.back(), d));
  }
  return {torch::cat(x), torch::cat(y), torch::cat(domain), torch::arange(torch::cat(y).size(0))};
}

// The narrowest of MMD's kernels, exp(-1000 d), sees what float32 rounds off the squared distance d of a row to itself,
// which depends on the processor's matrix product.
struct UpdateTolerance {
  double figures = 1e-4, weights = 1e-3;
};
UpdateTolerance tolerance_of(const std::string& algorithm) {
  return algorithm == "MMD" ? UpdateTolerance{2e-2, 1e-2} : UpdateTolerance{};
}

class AlgorithmsParity : public testing::TestWithParam<UpdatesCase> {};

}  // namespace

TEST_P(AlgorithmsParity, LossesWeightsAndAnswersAreDomainBeds) {
  const UpdatesCase& one = GetParam();
  if (our_name(one.algorithm).empty()) {
    print_left_out(one.folder, "the algorithm " + one.algorithm + " is not here");
    return;
  }
  if (one.algorithm == "MTL" || one.algorithm == "CausIRL_MMD") {
    print_left_out(one.folder, one.algorithm + ": its draws were not recorded");
    return;
  }
  const json file = json::parse(std::ifstream(one.folder / "updates.json"));
  const json& plan = file.at("plan");
  const json& facts = file.at("algorithms").at(one.algorithm);
  const TensorMap batches = load_tensors(one.folder / "batches.safetensors");
  Replica replica(one, plan, facts);
  const UpdateTolerance tolerance = tolerance_of(one.algorithm);
  for (std::int64_t step = 0; step < plan.at("steps"); ++step) {
    const StepRecord record = replica.update(step, recorded_batch(batches, step, plan.at("domains")));
    for (const auto& [name, expected] : facts.at("updates").at(static_cast<std::size_t>(step)).items()) {
      const std::string figure = our_figure(one.algorithm, name);
      if (name == "first_draw" || figure.empty()) continue;
      ASSERT_TRUE(record.scalars.contains(figure)) << name;
      EXPECT_NEAR(record.scalars.at(figure), expected.get<double>(),
                  tolerance.figures * std::abs(expected.get<double>()) + 1e-6)
          << name << " of update " << step;
    }
  }
  replica.expect_final(tolerance.weights);
}

INSTANTIATE_TEST_SUITE_P(Updates, AlgorithmsParity, testing::ValuesIn(updates_cases()));

}  // namespace domainfusion
