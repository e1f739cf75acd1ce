#pragma once
// Rounds over the tiny set, in a folder of their own.

#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "augmentation/tiny_set.h"
#include "domainfusion/augmentation/rounds/round.h"
#include "domainfusion/io/files/file_bytes.h"
#include "temporary_folder.h"

namespace domainfusion {

class TinyRounds {
 protected:
  TinyRounds() {
    config_.budget.budget_share = 0;
    config_.budget.images_per_round = 7;
    config_.batch_images = 3;
    config_.candidates = 3;
    config_.picture_rows = 1;
  }
  AugmentationRounds rounds(const std::string& folder, std::uint64_t seed = 4, const StyleJudge& judge = {}) const {
    const CandidatePrompts prompts(config_.prompt_template, config_.negative_prompt, set_->class_names(), descriptions_,
                                   {}, config_.styles.styles, config_.style_mix);
    return AugmentationRounds(config_, set_, set_->everything(), prompts, generator_, folder_ / folder, seed, 3, judge);
  }
  // Path -> bytes of every PNG below the folder.
  std::map<std::string, std::string> images_below(const std::string& folder) const {
    namespace fs = std::filesystem;
    std::map<std::string, std::string> images;
    for (const auto& entry : fs::recursive_directory_iterator(folder_ / folder)) {
      if (entry.path().extension() == ".png")
        images[fs::relative(entry.path(), folder_ / folder).string()] = read_file(entry.path());
    }
    return images;
  }
  RoundConfig config_;
  std::map<std::int64_t, std::string> descriptions_{{0, "first"}, {1, "second"}};
  TinyGenerator generator_;
  TemporaryFolder folder_;
  std::shared_ptr<const TinySet> set_ = std::make_shared<TinySet>(std::vector<std::vector<int>>{{4, 3}, {3, 2}});
};

}  // namespace domainfusion
