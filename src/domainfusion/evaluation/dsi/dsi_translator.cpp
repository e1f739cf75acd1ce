#include "domainfusion/evaluation/dsi/dsi_translator.h"

#include <torch/types.h>

#include <set>

#include "domainfusion/core/error.h"
#include "domainfusion/core/json_text.h"
#include "domainfusion/data/batch.h"
#include "domainfusion/data/transforms/image_tensor.h"
#include "domainfusion/diffusion/generation/checked_generation.h"
#include "domainfusion/io/files/content_hash.h"
#include "domainfusion/training/records/stop_signal.h"

namespace domainfusion {

namespace fs = std::filesystem;

DsiTranslator::DsiTranslator(LatentDiffusion ldm, const DsiConfig& config, fs::path store)
    : ldm_(std::move(ldm)), config_(config), root_(std::move(store)) {
  for (const std::int64_t start : config.start_steps) prepare_scheduler(ldm_.scheduler_config(), config.request(start));
}

std::int64_t DsiTranslator::size_px() const {
  return config_.image_size_px > 0 ? config_.image_size_px : ldm_.image_size_px();
}

// Everything that decides a translation; how many are made at a time does not.
nlohmann::json DsiTranslator::options(std::int64_t start_step) const {
  const auto& [weights_hash, own_size_px, dtype] = ldm_.identity();  // size_px() may be another
  const ImageToImageRequest request = config_.request(start_step);
  return {{"weights_hash", weights_hash},   {"dtype", dtype},
          {"start_step", start_step},       {"steps", request.steps},
          {"scheduler", request.scheduler}, {"eta", config_.eta},
          {"prompt", config_.prompt},       {"guidance_scale", request.guidance_scale},
          {"image_size_px", size_px()},     {"seed", config_.seed}};
}

GenerationFolder& DsiTranslator::store_of(std::int64_t start_step) {
  if (const auto known = stores_.find(start_step); known != stores_.end()) return known->second;
  const nlohmann::json described = options(start_step);
  const fs::path path = root_ / sha256_hex(json_text(described)).substr(0, 16);
  return stores_.try_emplace(start_step, path, described).first->second;
}

void DsiTranslator::make(const DomainDataset& dataset, std::int64_t domain, const std::vector<std::int64_t>& indices,
                         const std::vector<std::string>& hashes, std::int64_t start_step) {
  ImageToImageRequest request = config_.request(start_step);
  request.image01_N3HW = plain_images01(dataset, domain, indices, size_px());
  request.prompts.assign(indices.size(), config_.prompt);
  const std::uint64_t model = leading_bits(ldm_.weights_hash());
  for (const std::string& hash : hashes) {
    request.noise_streams.emplace_back(
        static_cast<std::uint64_t>(config_.seed), "dsi",
        std::initializer_list<std::uint64_t>{leading_bits(hash), model, static_cast<std::uint64_t>(start_step)});
  }
  const CheckedValues made = checked_image_to_image(ldm_, request);
  for (std::size_t i = 0; i < hashes.size(); ++i) {
    const auto row = static_cast<std::int64_t>(i);
    // A source of one colour may stay one.
    if (!made.failures[i].empty() &&
        (made.failures[i] == kNotFinite || !is_failed(request.image01_N3HW[row], kConstantPixels))) {
      ++failed_;
      continue;
    }
    store_of(start_step)
        .add(hashes[i], hashes[i], hashes[i] + ".png", tensor01_to_image(made.values_N[row].cpu()),
             {{"path", dataset.info(domain, indices[i]).path}});
    ++made_;
  }
}

std::vector<std::optional<Image>> DsiTranslator::translate(const DomainDataset& dataset, std::int64_t domain,
                                                           std::span<const std::int64_t> indices,
                                                           std::int64_t start_step,
                                                           const std::function<bool()>& should_stop) {
  std::vector<std::string> all_hashes, hashes;
  std::vector<std::int64_t> group;
  std::set<std::string> asked;
  const auto flush = [&] {
    if (!group.empty()) make(dataset, domain, group, hashes, start_step);
    group.clear();
    hashes.clear();
    if (should_stop && should_stop()) throw Interrupted{};
  };
  const GenerationFolder& store = store_of(start_step);
  for (const std::int64_t index : indices) {
    const std::string& hash = all_hashes.emplace_back(dataset.pixel_identity(domain, index));
    if (!asked.insert(hash).second) continue;  // equal pictures
    if (store.has(hash, hash)) {
      ++found_;
      continue;
    }
    group.push_back(index);
    hashes.push_back(hash);
    if (group.size() == static_cast<std::size_t>(config_.batch_size)) flush();
  }
  flush();
  std::vector<std::optional<Image>> images;
  for (const std::string& hash : all_hashes) {
    images.emplace_back();
    if (store.has(hash, hash)) images.back() = read_image(store.path() / (hash + ".png"));
  }
  return images;
}

void DsiTranslator::release() {
  for (const LdmPart part : ldm_.source().parts()) ldm_.release(part);
}

}  // namespace domainfusion
