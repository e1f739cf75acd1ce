#include "domainfusion/evaluation/dsi/dsi_translator.h"

#include <torch/types.h>

#include <unordered_map>

#include "domainfusion/augmentation/candidates/candidate_farm.h"
#include "domainfusion/core/error.h"
#include "domainfusion/data/batch.h"
#include "domainfusion/data/transforms/image_tensor.h"
#include "domainfusion/diffusion/generation/checked_generation.h"
#include "domainfusion/io/files/content_hash.h"
#include "domainfusion/training/records/stop_signal.h"

namespace domainfusion {

DsiTranslator::DsiTranslator(LatentDiffusion ldm, const DsiConfig& config, std::filesystem::path store)
    : ldm_(std::move(ldm)), config_(config), store_(std::move(store)) {
  for (const std::int64_t start : config.start_steps) prepare_scheduler(ldm_.scheduler_config(), config.request(start));
}

std::int64_t DsiTranslator::size_px() const {
  return config_.image_size_px > 0 ? config_.image_size_px : ldm_.image_size_px();
}

nlohmann::json DsiTranslator::options(std::int64_t start_step) const {
  nlohmann::json options = generation_options(ldm_, config_.request(start_step));
  options["eta"] = config_.eta;
  options["size_px"] = size_px();  // the model's own may be another
  return options;
}

CandidateKey DsiTranslator::key_of(const std::string& source, std::int64_t start_step) const {
  return {source,
          ldm_.weights_hash(),
          options(start_step),
          config_.prompt,
          {{"purpose", "dsi"}, {"seed", config_.seed}, {"start_step", start_step}}};
}

void DsiTranslator::make(const DomainDataset& dataset, std::int64_t domain, const std::vector<std::int64_t>& indices,
                         const std::vector<std::string>& sources, std::int64_t start_step) {
  ImageToImageRequest request = config_.request(start_step);
  request.image01_N3HW = plain_images01(dataset, domain, indices, size_px());
  request.prompts.assign(indices.size(), config_.prompt);
  const std::uint64_t model = leading_bits(ldm_.weights_hash());
  for (const std::string& source : sources) {
    request.noise_streams.emplace_back(
        static_cast<std::uint64_t>(config_.seed), "dsi",
        std::initializer_list<std::uint64_t>{leading_bits(source), model, static_cast<std::uint64_t>(start_step)});
  }
  const CheckedValues made = checked_image_to_image(ldm_, request);
  for (std::size_t i = 0; i < sources.size(); ++i) {
    const auto row = static_cast<std::int64_t>(i);
    const CandidateKey key = key_of(sources[i], start_step);
    const nlohmann::json facts{{"parent", dataset.info(domain, indices[i]).path}};
    // A source of one colour may stay one.
    if (!made.failures[i].empty() &&
        (made.failures[i] == kNotFinite || !is_failed(request.image01_N3HW[row], kConstantPixels)))
      store_.add_failure(key, made.failures[i], facts);
    else
      store_.add_image(key, tensor01_to_image(made.values_N[row].cpu()), facts);
  }
  made_ += std::ssize(sources);
}

std::vector<std::optional<Image>> DsiTranslator::translate(const DomainDataset& dataset, std::int64_t domain,
                                                           std::span<const std::int64_t> indices,
                                                           std::int64_t start_step,
                                                           const std::function<bool()>& should_stop) {
  std::vector<std::size_t> place_of;  // by image: in what follows, of which equal pictures share one
  std::vector<std::int64_t> first;
  std::vector<std::string> sources, keys;
  std::unordered_map<std::string, std::size_t> known;
  for (const std::int64_t index : indices) {
    const std::string& source = dataset.pixel_identity(domain, index);
    const auto [place, is_new] = known.try_emplace(source, keys.size());
    place_of.push_back(place->second);
    if (!is_new) continue;
    first.push_back(index);
    sources.push_back(source);
    keys.push_back(key_of(source, start_step).hash());
  }
  const std::int64_t made_before = made_;
  const auto make_some = [&](const std::vector<std::size_t>& places) {
    std::vector<std::int64_t> of_places;
    std::vector<std::string> their_sources;
    for (const std::size_t place : places) {
      of_places.push_back(first[place]);
      their_sources.push_back(sources[place]);
    }
    make(dataset, domain, of_places, their_sources, start_step);
  };
  if (!CandidateFarm(store_).complete(keys, config_.batch_size, make_some, {should_stop, {}})) throw Interrupted{};
  found_ += std::ssize(keys) - (made_ - made_before);
  std::vector<std::optional<Image>> made;
  for (const std::string& key : keys) {
    const bool good = store_.state(key) == CandidateStore::State::kGood;
    failed_ += good ? 0 : 1;
    made.push_back(good ? std::optional(store_.image(key)) : std::nullopt);
  }
  std::vector<std::optional<Image>> images;
  for (const std::size_t place : place_of) images.push_back(made[place]);
  return images;
}

void DsiTranslator::release() {
  for (const LdmPart part : ldm_.source().parts()) ldm_.release(part);
}

}  // namespace domainfusion
