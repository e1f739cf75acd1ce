#pragma once
// Translates images into one source domain, and remembers what it has translated.

#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "domainfusion/augmentation/candidates/candidate_store.h"
#include "domainfusion/data/sets/domain_dataset.h"
#include "domainfusion/diffusion/latent_diffusion.h"
#include "domainfusion/evaluation/dsi/dsi_config.h"

namespace domainfusion {

class DsiTranslator {
 public:
  // `store`: where translations lie, named by the pixels of the source, the model, the start and the options: whatever
  // run asks for one again finds it, and processes that ask for the same at once share the work. `config` outlives the
  // object.
  DsiTranslator(LatentDiffusion ldm, const DsiConfig& config, std::filesystem::path store);
  DsiTranslator(DsiTranslator&&) = default;
  DsiTranslator(const DsiTranslator&) = delete;
  DsiTranslator& operator=(const DsiTranslator&) = delete;

  // The images translated from `start_step`, as 8-bit pictures of the model's size; none where the model made no image
  // (not finite, black or constant). should_stop is asked before each batch, and Interrupted thrown if it says so;
  // nothing that was made is lost.
  std::vector<std::optional<Image>> translate(const DomainDataset& dataset, std::int64_t domain,
                                              std::span<const std::int64_t> indices, std::int64_t start_step,
                                              const std::function<bool()>& should_stop = {});
  // Gives the networks' memory back until they are needed again.
  void release();

  const LatentDiffusion& ldm() const { return ldm_; }
  std::int64_t made() const { return made_; }      // by this object
  std::int64_t found() const { return found_; }    // in the store, or made by others meanwhile
  std::int64_t failed() const { return failed_; }  // of both, those that are no picture

 private:
  nlohmann::json options(std::int64_t start_step) const;
  CandidateKey key_of(const std::string& source, std::int64_t start_step) const;
  std::int64_t size_px() const;
  // Of the images `indices`, whose pixels have the names `sources`.
  void make(const DomainDataset& dataset, std::int64_t domain, const std::vector<std::int64_t>& indices,
            const std::vector<std::string>& sources, std::int64_t start_step);

  LatentDiffusion ldm_;
  const DsiConfig& config_;
  CandidateStore store_;
  std::int64_t made_ = 0, found_ = 0, failed_ = 0;
};

}  // namespace domainfusion
