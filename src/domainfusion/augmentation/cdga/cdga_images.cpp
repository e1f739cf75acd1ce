#include "domainfusion/augmentation/cdga/cdga_images.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <chrono>
#include <unordered_map>

#include "domainfusion/augmentation/candidates/generation_time.h"
#include "domainfusion/augmentation/candidates/model_image.h"
#include "domainfusion/core/json_text.h"
#include "domainfusion/core/machine/parallel.h"
#include "domainfusion/core/progress.h"
#include "domainfusion/diffusion/generation/checked_generation.h"
#include "domainfusion/io/files/atomic_file.h"
#include "domainfusion/io/files/content_hash.h"

namespace domainfusion {

namespace {

using nlohmann::json;
using State = CandidateStore::State;

bool is_missing(State state) { return state == State::kAbsent || state == State::kBroken; }

std::vector<std::vector<std::string>> identities_of(const DomainDataset& set) {
  std::vector<std::vector<std::string>> identities;
  for (std::int64_t domain = 0; domain < set.number_of_domains(); ++domain) {
    std::vector<std::string>& list = identities.emplace_back(static_cast<std::size_t>(set.size(domain)));
    parallel_for_each(list.size(),
                      [&](std::size_t i) { list[i] = set.pixel_identity(domain, static_cast<std::int64_t>(i)); });
  }
  return identities;
}

}  // namespace

const LatentDiffusion& CdgaModels::towards(std::int64_t destination) const {
  const auto own = of_destination.find(destination);
  return own == of_destination.end() ? all : own->second;
}

CdgaImages::CdgaImages(CdgaConfig config, std::shared_ptr<const DomainDataset> source_in,
                       std::map<std::int64_t, std::string> destinations, CandidatePrompts prompts, CdgaModels models,
                       CandidateStore store)
    : config_(std::move(config)),
      source_in_(std::move(source_in)),
      destinations_(std::move(destinations)),
      prompts_(std::move(prompts)),
      models_(std::move(models)),
      store_(std::move(store)) {
  with_context("cdga", [&] {
    for (const auto& [destination, description] : destinations_) {
      prepare_scheduler(models_.towards(destination).scheduler_config(), config_.request());
      options_[destination] = generation_options(models_.towards(destination), config_.request());
    }
    identities_ = identities_of(*source_in_);
    list_images();
  });
  look_up();
}

const std::string& CdgaImages::name_of(std::int64_t destination) const {
  if (destination >= source_in_->number_of_domains()) return destinations_.at(destination);
  return source_in_->domain_names()[static_cast<std::size_t>(destination)];
}

void CdgaImages::list_images() {
  for (std::int64_t domain = 0; domain < source_in_->number_of_domains(); ++domain) {
    for (std::int64_t index = 0; index < source_in_->size(domain); ++index) {
      for (const auto& [destination, description] : destinations_) {
        if (destination == domain && !config_.self_pairs) continue;
        for (std::int64_t copy = 0; copy < config_.copies; ++copy) {
          images_.push_back({{domain, index}, destination, copy, {}, images_.size()});
        }
      }
    }
  }
  check<ConfigError>(
      !images_.empty(),
      "no source image has another source domain to be translated to: there must be two source domains, or "
      "say cdga.self_pairs = true, or name cdga.styles");
  parallel_for_each(images_.size(), [&](std::size_t i) { images_[i].key = key_of(images_[i]).hash(); });
  std::unordered_map<std::string, std::size_t> first;
  for (std::size_t i = 0; i < images_.size(); ++i) images_[i].first = first.emplace(images_[i].key, i).first->second;
}

void CdgaImages::look_up() {
  states_.resize(images_.size());
  parallel_for_each(images_.size(), [&](std::size_t i) { states_[i] = store_.state(images_[i].key); });
}

CandidateKey CdgaImages::key_of(const CdgaImage& image) const {
  const auto& [domain, index] = image.parent;
  return {identities_[static_cast<std::size_t>(domain)][static_cast<std::size_t>(index)],
          models_.towards(image.destination).identity().weights_hash,
          options_.at(image.destination),
          prompt_of(image),
          {{"purpose", "cdga"},
           {"seed", config_.seed},
           {"towards", destinations_.at(image.destination)},
           {"copy", image.copy}}};
}

const std::string& CdgaImages::prompt_of(const CdgaImage& image) const {
  return prompts_.prompt(source_in_->info(image.parent.domain, image.parent.index).label, image.destination);
}

std::vector<std::size_t> CdgaImages::missing_places() const {
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < images_.size(); ++i) {
    if (images_[i].first == i && is_missing(states_[i])) places.push_back(i);
  }
  return places;
}

double CdgaImages::estimated_seconds() const {
  const std::int64_t count = missing();
  if (count == 0) return 0;
  return static_cast<double>(count) * measure_generation(models_.all).image_seconds(models_.all, config_.request());
}

void CdgaImages::write_list(const std::filesystem::path& file) const {
  std::string lines;
  for (const CdgaImage& image : images_) {
    const json line{{"parent", source_in_->info(image.parent.domain, image.parent.index).path},
                    {"towards", name_of(image.destination)},
                    {"copy", image.copy},
                    {"key", image.key}};
    lines += json_text(line) + "\n";
  }
  write_file_atomically(file, lines);
}

CandidateJob CdgaImages::job(const std::string& what) const {
  CandidateJob job{what, options_.begin()->second, 0, {}};
  for (const CdgaImage& image : images_) {
    if (&image == &images_[image.first]) job.keys.push_back(image.key);
  }
  job.candidates = std::ssize(job.keys);
  return job;
}

ImageToImageRequest CdgaImages::request_for(const std::vector<std::size_t>& places, std::int64_t size_px) const {
  ImageToImageRequest request = config_.request();
  std::vector<at::Tensor> images;
  for (const std::size_t place : places) {
    const CdgaImage& image = images_[place];
    const auto& [domain, index] = image.parent;
    images.push_back(tensor_of_size(source_in_->image(domain, index), size_px));
    request.prompts.push_back(prompt_of(image));
    request.noise_streams.emplace_back(
        static_cast<std::uint64_t>(config_.seed), "cdga",
        std::initializer_list<std::uint64_t>{
            leading_bits(identities_[static_cast<std::size_t>(domain)][static_cast<std::size_t>(index)]),
            leading_bits(sha256_hex(destinations_.at(image.destination))), static_cast<std::uint64_t>(image.copy)});
  }
  request.image01_N3HW = at::stack(images);
  return request;
}

void CdgaImages::make(const std::vector<std::size_t>& places, CdgaReport& report) {
  std::map<std::int64_t, std::vector<std::size_t>> by_model;  // destinations without a model of their own come as -1
  for (const std::size_t place : places) {
    const std::int64_t destination = images_[place].destination;
    by_model[models_.of_destination.contains(destination) ? destination : -1].push_back(place);
  }
  for (const auto& [destination, own] : by_model) make_with(models_.towards(destination), own, report);
}

void CdgaImages::make_with(const LatentDiffusion& model, const std::vector<std::size_t>& places, CdgaReport& report) {
  const CheckedValues made = checked_image_to_image(model, request_for(places, model.image_size_px()));
  for (std::size_t i = 0; i < places.size(); ++i) {
    const CdgaImage& image = images_[places[i]];
    const json facts{{"parent", source_in_->info(image.parent.domain, image.parent.index).path}};
    if (made.failures[i].empty()) {
      store_.add_image(key_of(image), tensor01_to_image(made.values_N[static_cast<std::int64_t>(i)].cpu()), facts);
    } else {
      store_.add_failure(key_of(image), made.failures[i], facts);
    }
  }
  report.made += static_cast<std::int64_t>(places.size());
  report.retried += made.retried;
}

std::optional<CdgaReport> CdgaImages::generate(const std::function<bool()>& should_stop) {
  const auto start = std::chrono::steady_clock::now();
  CdgaReport report;
  report.images = static_cast<std::int64_t>(images_.size());
  const std::vector<std::size_t> missing = missing_places();
  std::vector<std::string> keys;
  for (const std::size_t place : missing) keys.push_back(images_[place].key);
  Progress progress("cdga", std::ssize(missing), "images");
  const auto make_some = [&](const std::vector<std::size_t>& of_missing) {
    std::vector<std::size_t> places;
    for (const std::size_t i : of_missing) places.push_back(missing[i]);
    make(places, report);
  };
  const bool whole = CandidateFarm(store_).complete(keys, config_.batch_images, make_some,
                                                    {should_stop, [&](std::int64_t done) { progress.update(done); }});
  if (!whole) return std::nullopt;
  if (!missing.empty()) progress.finish();
  look_up();
  for (const CdgaImage& image : images_) report.failed += states_[image.first] == State::kFailed;
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return report;
}

std::shared_ptr<const GeneratedDataset> CdgaImages::dataset() const {
  auto set = std::make_shared<GeneratedDataset>(source_in_, store_);
  for (const CdgaImage& image : images_) {
    if (states_[image.first] != State::kGood) continue;
    const bool is_style = image.destination >= source_in_->number_of_domains();
    const std::string towards = is_style ? fmt::format("style-{}", fmt::join(words_of(name_of(image.destination)), "-"))
                                         : name_of(image.destination);
    set->add(image.parent, fmt::format(".{}.{}.png", towards, image.copy), image.key);
  }
  return set;
}

}  // namespace domainfusion
