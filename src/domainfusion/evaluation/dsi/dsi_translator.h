#pragma once
// Translates images into one source domain, and remembers what it has translated.

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "domainfusion/data/sets/domain_dataset.h"
#include "domainfusion/diffusion/generation/generation_folder.h"
#include "domainfusion/diffusion/latent_diffusion.h"
#include "domainfusion/evaluation/dsi/dsi_config.h"

namespace domainfusion {

class DsiTranslator {
 public:
  // Translations lie below `store`, one folder (see GenerationFolder) for each model, start and options, each picture
  // named after the hash of its source: whatever run asks for it again finds it. One process at a time: IoError from
  // translate() while another one has the folder. `config` outlives the object.
  DsiTranslator(LatentDiffusion ldm, const DsiConfig& config, std::filesystem::path store);
  DsiTranslator(DsiTranslator&&) = default;
  DsiTranslator(const DsiTranslator&) = delete;
  DsiTranslator& operator=(const DsiTranslator&) = delete;

  // The images translated from `start_step`, as 8-bit pictures of the model's size; none where the model made no image
  // (not finite, black or constant). should_stop is asked between batches, and Interrupted thrown if it says so;
  // nothing that was made is lost.
  std::vector<std::optional<Image>> translate(const DomainDataset& dataset, std::int64_t domain,
                                              std::span<const std::int64_t> indices, std::int64_t start_step,
                                              const std::function<bool()>& should_stop = {});
  // Gives the networks' memory back until they are needed again.
  void release();

  const LatentDiffusion& ldm() const { return ldm_; }
  std::int64_t made() const { return made_; }    // pictures, by this object
  std::int64_t found() const { return found_; }  // in the store
  std::int64_t failed() const { return failed_; }

 private:
  GenerationFolder& store_of(std::int64_t start_step);
  nlohmann::json options(std::int64_t start_step) const;
  std::int64_t size_px() const;
  void make(const DomainDataset& dataset, std::int64_t domain, const std::vector<std::int64_t>& indices,
            const std::vector<std::string>& hashes, std::int64_t start_step);

  LatentDiffusion ldm_;
  const DsiConfig& config_;
  std::filesystem::path root_;
  std::map<std::int64_t, GenerationFolder> stores_;
  std::int64_t made_ = 0, found_ = 0, failed_ = 0;
};

}  // namespace domainfusion
