#pragma once
// Images that a diffusion model made of the source images, as further domains for any algorithm.

#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "domainfusion/augmentation/prompts.h"
#include "domainfusion/data/sets/domain_dataset.h"

namespace domainfusion {

struct GeneratedEnvironments {
  std::shared_ptr<const DomainDataset> set;    // the source domains, then the generated ones
  std::map<std::string, std::int64_t> images;  // generated, by the destination's description
  std::int64_t of_other_images = 0;            // entries whose source is none of the run's IN images: left out
  std::int64_t refused = 0;                    // entries whose prompt names the target: left out
  std::string hash;                            // of the entries that are used

  std::string summary() const;
  // {"type": "generated"}, of step 0.
  nlohmann::json record() const;
};

// What the candidate store `folder` has of CDGA's translations of images of `source_in`: one further domain for each
// destination, in the order of their descriptions; an image has its source's class. Translations towards an image's own
// domain count as any. ConfigError if there is none.
GeneratedEnvironments with_generated_environments(std::shared_ptr<const DomainDataset> source_in,
                                                  const std::filesystem::path& folder, const TargetGuard& guard);

}  // namespace domainfusion
