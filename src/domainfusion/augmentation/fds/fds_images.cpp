#include "domainfusion/augmentation/fds/fds_images.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <chrono>
#include <numeric>
#include <set>

#include "domainfusion/augmentation/candidates/generation_time.h"
#include "domainfusion/augmentation/fds/uncertainty.h"
#include "domainfusion/core/json_text.h"
#include "domainfusion/core/machine/parallel.h"
#include "domainfusion/core/progress.h"
#include "domainfusion/data/batch.h"
#include "domainfusion/data/transforms/image_tensor.h"
#include "domainfusion/diffusion/generation/checked_generation.h"
#include "domainfusion/distributed/ranks.h"
#include "domainfusion/io/files/atomic_file.h"
#include "domainfusion/io/files/content_hash.h"

namespace domainfusion {

namespace {

using nlohmann::json;
using State = CandidateStore::State;

constexpr std::int64_t kJudgedTogether = 64;

std::string word_of(MixtureSampler sampler) {
  for (const auto& [word, value] : mixture_samplers()) {
    if (value == sampler) return word;
  }
  throw Error("a sampler without a word");
}

// What of the options decides an image.
json options_of(const FdsConfig& config, const LatentDiffusion& model) {
  const auto& [weights_hash, size_px, dtype] = model.identity();  // the first stands in the key itself
  json options{{"mode", "mixture"},
               {"sampler", word_of(config.sampler)},
               {"steps", *config.steps},
               {"share", {config.share_min, config.share_max}},
               {"guidance_scale", {*config.guidance_min, *config.guidance_max}},
               {"scheduler", resolved_scheduler_name(*config.scheduler, model.scheduler_config())},
               {"negative_prompt", config.negative_prompt},
               {"size_px", size_px},
               {"dtype", dtype}};
  if (config.sampler == MixtureSampler::kTrajectories) options["apart"] = config.apart;
  return options;
}

void check_told_apart(const std::vector<std::vector<std::string>>& prompts) {
  std::set<std::string> different;
  std::size_t all = 0;
  for (const auto& of_domain : prompts) {
    different.insert(of_domain.begin(), of_domain.end());
    all += of_domain.size();
  }
  check<ConfigError>(
      different.size() == all,
      "fds.prompt_template gives {} domains and {} classes {} different prompts: it must hold {{domain}} "
      "and {{class}}, and their words must differ",
      prompts.size(), prompts[0].size(), different.size());
}

double mean_or_zero(double sum, std::int64_t count) { return count == 0 ? 0 : sum / static_cast<double>(count); }

}  // namespace

struct FdsImages::Draws {
  double share, guidance;
  RandomStream noise;

  Draws(const FdsConfig& config, RandomStream stream)
      : share(stream.uniform(config.share_min, config.share_max)),
        guidance(stream.uniform(*config.guidance_min, *config.guidance_max)),
        noise(std::move(stream)) {}
};

json FdsVerdict::to_json() const {
  return {{"pair", pair},
          {"images", images},
          {"right", right},
          {"kept", kept},
          {"entropy_of_right", entropy_of_right},
          {"entropy_of_kept", entropy_of_kept}};
}

FdsImages::FdsImages(FdsConfig config, std::shared_ptr<const DomainDataset> source_in, const CandidatePrompts& prompts,
                     LatentDiffusion model, CandidateStore store)
    : config_(std::move(config)), source_in_(std::move(source_in)), model_(std::move(model)), store_(std::move(store)) {
  config_.check_values();
  const std::int64_t domains = source_in_->number_of_domains();
  check<ConfigError>(domains >= 2, "fds mixes pairs of source domains, and there is only '{}': it needs two",
                     source_in_->domain_names().at(0));
  for (std::int64_t domain = 0; domain < domains; ++domain) {
    prompts_.emplace_back();
    for (std::int64_t label = 0; label < source_in_->number_of_classes(); ++label)
      prompts_.back().push_back(prompts.prompt(label, domain));
    for (std::int64_t second = domain + 1; second < domains; ++second) pairs_.emplace_back(domain, second);
  }
  check_told_apart(prompts_);
  with_context("fds", [&] {
    check_mixture_sampling(model_.scheduler_config(), config_.sampling());
    check<ConfigError>(!model_.embeds_guidance() || config_.guidance_min == config_.guidance_max,
                       "guidance_min = {} and guidance_max = {}: this model takes the scale as an input, one for a "
                       "whole batch; give both the same value",
                       *config_.guidance_min, *config_.guidance_max);
    options_ = options_of(config_, model_);
  });
  keys_.resize(static_cast<std::size_t>(pairs() * source_in_->number_of_classes() * config_.images_per_class));
  parallel_for_each(keys_.size(),
                    [&](std::size_t i) { keys_[i] = key_of(image(static_cast<std::int64_t>(i))).hash(); });
  look_up();
}

FdsImage FdsImages::image(std::int64_t place) const {
  const auto& [first, second] = pairs_.at(static_cast<std::size_t>(pair_of(place)));
  return {first, second, group_of(place) % source_in_->number_of_classes(), place % config_.images_per_class};
}

std::string FdsImages::pair_name(std::int64_t pair) const {
  const auto& [first, second] = pairs_.at(static_cast<std::size_t>(pair));
  const auto name = [&](std::int64_t domain) { return source_in_->domain_names()[static_cast<std::size_t>(domain)]; };
  return name(first) + " + " + name(second);
}

std::vector<std::int64_t> FdsImages::all_places() const {
  std::vector<std::int64_t> places(keys_.size());
  std::iota(places.begin(), places.end(), 0);
  return places;
}

const std::string& FdsImages::prompt(std::int64_t domain, std::int64_t label) const {
  return prompts_[static_cast<std::size_t>(domain)][static_cast<std::size_t>(label)];
}

CandidateKey FdsImages::key_of(const FdsImage& image) const {
  const std::string &first = prompt(image.first, image.label), &second = prompt(image.second, image.label);
  return {"noise",
          model_.identity().weights_hash,
          options_,
          fmt::format("{} + {}", first, second),
          {{"purpose", "fds"}, {"seed", config_.seed}, {"first", first}, {"second", second}, {"number", image.number}}};
}

RandomStream FdsImages::stream_of(const FdsImage& image) const {
  return {static_cast<std::uint64_t>(config_.seed),
          "fds",
          {leading_bits(sha256_hex(prompt(image.first, image.label))),
           leading_bits(sha256_hex(prompt(image.second, image.label))), static_cast<std::uint64_t>(image.number)}};
}

void FdsImages::look_up() {
  states_.resize(keys_.size());
  parallel_for_each(keys_.size(), [&](std::size_t i) { states_[i] = store_.state(keys_[i]); });
}

std::vector<std::int64_t> FdsImages::missing_of(const std::vector<std::int64_t>& places) const {
  std::vector<std::int64_t> missing;
  std::copy_if(places.begin(), places.end(), std::back_inserter(missing),
               [&](std::int64_t place) { return state(place) == State::kAbsent || state(place) == State::kBroken; });
  return missing;
}

double FdsImages::estimated_seconds() const {
  const std::int64_t count = missing();
  if (count == 0) return 0;
  const auto passes =
      static_cast<double>(unet_passes(model_.scheduler_config(), config_.sampling(), config_.is_guided()));
  const GenerationTimes times = measure_generation(model_);
  return static_cast<double>(count) * (passes * times.unet_seconds + times.vae_seconds);
}

void FdsImages::write_list(const std::filesystem::path& file) const {
  std::string lines;
  for (std::int64_t place = 0; place < size(); ++place) {
    const FdsImage made = image(place);
    const json line{{"pair", pair_name(pair_of(place))},
                    {"class", source_in_->class_names()[static_cast<std::size_t>(made.label)]},
                    {"number", made.number},
                    {"key", key(place)}};
    lines += json_text(line) + "\n";
  }
  write_file_atomically(file, lines);
}

CandidateJob FdsImages::job(const std::string& what) const { return {what, options_, size(), keys_}; }

void FdsImages::make(const std::vector<std::int64_t>& places, FdsReport& report) {
  MixtureRequest request{config_.sampling(), {}, {}, {}};
  for (const std::int64_t place : places) {
    const FdsImage wanted = image(place);
    Draws draws(config_, stream_of(wanted));
    request.mixtures.push_back(
        {prompt(wanted.first, wanted.label), prompt(wanted.second, wanted.label), draws.share, draws.guidance});
    request.noise_streams.push_back(std::move(draws.noise));
  }
  const CheckedValues made = checked_mixed_images(model_, request);
  for (std::size_t i = 0; i < places.size(); ++i) {
    const CandidateKey key = key_of(image(places[i]));
    const json facts{{"share", request.mixtures[i].first_share},
                     {"guidance_scale", request.mixtures[i].guidance_scale}};
    if (made.failures[i].empty()) {
      store_.add_image(key, tensor01_to_image(made.values_N[static_cast<std::int64_t>(i)].cpu()), facts);
    } else {
      store_.add_failure(key, made.failures[i], facts);
    }
  }
  report.made += std::ssize(places);
  report.retried += made.retried;
}

std::optional<FdsReport> FdsImages::generate(const std::vector<std::int64_t>& places,
                                             const std::function<bool()>& should_stop) {
  const auto start = std::chrono::steady_clock::now();
  FdsReport report;
  report.images = std::ssize(places);
  const std::vector<std::int64_t> missing = missing_of(places);
  std::vector<std::string> keys;
  for (const std::int64_t place : missing) keys.push_back(key(place));
  Progress progress("fds", std::ssize(missing), "images");
  const auto make_some = [&](const std::vector<std::size_t>& of_missing) {
    std::vector<std::int64_t> now;
    for (const std::size_t i : of_missing) now.push_back(missing[i]);
    make(now, report);
  };
  const bool whole = CandidateFarm(store_).complete(keys, config_.batch_images, make_some,
                                                    {should_stop, [&](std::int64_t done) { progress.update(done); }});
  if (!whole) return std::nullopt;
  if (!missing.empty()) progress.finish();
  look_up();
  for (const std::int64_t place : places) report.failed += state(place) == State::kFailed;
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return report;
}

// Batches are the same whoever judges them.
at::Tensor FdsImages::judged(const FdsJudge& judge, const std::function<void()>& stop_point) const {
  const c10::NoGradGuard no_grad;
  at::Tensor values = at::zeros({size(), 2}, at::kDouble);  // right, entropy
  Ranks* const ranks = current_ranks();
  const auto set = with_environments(all_places());
  std::int64_t batch = 0;
  std::vector<std::int64_t> good;
  for (std::int64_t place = 0; place < size(); ++place) {
    if (state(place) == State::kGood) good.push_back(place);
  }
  std::size_t begin_of_pair = 0;
  for (std::int64_t pair = 0; pair < pairs(); ++pair) {
    const std::int64_t domain = source_in_->number_of_domains() + pair, images = set->size(domain);
    for (std::int64_t begin = 0; begin < images; begin += kJudgedTogether, ++batch) {
      if (ranks != nullptr && batch % ranks->size() != ranks->rank()) continue;
      if (stop_point && ranks == nullptr) stop_point();  // ranks stop together, before a step
      std::vector<std::int64_t> indices(static_cast<std::size_t>(std::min(kJudgedTogether, images - begin)));
      std::iota(indices.begin(), indices.end(), begin);
      const Batch shown = evaluation_batch(*set, domain, indices, judge.image_size_px);
      const at::Tensor logits = judge.logits(shown.image_NCHW.to(judge.device)).to(at::kCPU);
      const at::Tensor of_batch =
          at::stack({logits.argmax(1).eq(shown.label_N).to(at::kDouble), answer_entropy(logits)}, 1);
      const auto first = good.begin() + static_cast<std::ptrdiff_t>(begin_of_pair) + begin;
      const std::vector<std::int64_t> places(first, first + std::ssize(indices));
      values.index_copy_(0, at::tensor(places, at::kLong), of_batch);
    }
    begin_of_pair += static_cast<std::size_t>(images);
  }
  if (ranks != nullptr) ranks->sum(values);
  return values;
}

FdsChoice FdsImages::choose(const FdsJudge& judge, const std::function<void()>& stop_point) const {
  const at::Tensor values = judged(judge, stop_point);
  const auto value = values.accessor<double, 2>();
  FdsChoice choice;
  for (std::int64_t pair = 0; pair < pairs(); ++pair) {
    FdsVerdict& verdict = choice.pairs.emplace_back();
    verdict.pair = pair_name(pair);
    for (std::int64_t label = 0; label < source_in_->number_of_classes(); ++label) {
      const std::int64_t begin = (pair * source_in_->number_of_classes() + label) * config_.images_per_class;
      std::vector<JudgedImage> group;
      for (std::int64_t place = begin; place < begin + config_.images_per_class; ++place) {
        group.push_back({value[place][0] == 1, value[place][1]});
        verdict.images += state(place) == State::kGood;
        verdict.right += group.back().right;
        if (group.back().right) verdict.entropy_of_right += group.back().entropy;
      }
      const std::vector<std::size_t> kept = most_uncertain(group, config_.kept_per_class);
      for (const std::size_t i : kept) {
        choice.kept.push_back(begin + static_cast<std::int64_t>(i));
        verdict.entropy_of_kept += group[i].entropy;
      }
      verdict.kept += std::ssize(kept);
      if (std::ssize(kept) < config_.kept_per_class)
        verdict.short_of.push_back(source_in_->class_names()[static_cast<std::size_t>(label)]);
    }
    verdict.entropy_of_right = mean_or_zero(verdict.entropy_of_right, verdict.right);
    verdict.entropy_of_kept = mean_or_zero(verdict.entropy_of_kept, verdict.kept);
  }
  check<ConfigError>(!choice.kept.empty(),
                     "fds: the judge sees the class of none of the {} images that were made, so that there is nothing "
                     "to train on: does the LDM know these classes and domains, and fds.prompt_template its captions?",
                     size());
  return choice;
}

std::shared_ptr<const EnvironmentsDataset> FdsImages::with_environments(const std::vector<std::int64_t>& places) const {
  std::vector<GeneratedEnvironment> environments;
  for (std::int64_t pair = 0; pair < pairs(); ++pair) environments.push_back({"fds: " + pair_name(pair), {}});
  for (const std::int64_t place : places) {
    if (state(place) != State::kGood) continue;
    const FdsImage made = image(place);
    GeneratedEnvironment& environment = environments[static_cast<std::size_t>(pair_of(place))];
    SampleInfo info;
    info.label = made.label;
    info.path = fmt::format("{}/{}/{}.png", environment.name,
                            source_in_->class_names()[static_cast<std::size_t>(made.label)], made.number);
    environment.images.push_back({std::move(info), key(place)});
  }
  return std::make_shared<EnvironmentsDataset>(source_in_, store_, std::move(environments));
}

}  // namespace domainfusion
