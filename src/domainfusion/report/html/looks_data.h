#pragma once
// What the page shows of a trained model's answers, image by image.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "domainfusion/data/sets/domain_dataset.h"
#include "domainfusion/report/html/attention_data.h"
#include "domainfusion/report/html/pictures.h"

namespace domainfusion {

class RunLooks {
 public:
  // Opens the selected model of a run and its images, and asks it about them (evaluation/looks). What stands in the way
  // (no model yet, images elsewhere by now) is said in data()["fault"]. The held-out domain is looked at only if the
  // run is `finished`. `most_images`: of a domain.
  RunLooks(const std::filesystem::path& run, bool finished, std::int64_t most_images);

  // "looks" of a run (docs/report-format.md), without pictures.
  const nlohmann::json& data() const { return data_; }
  // Grad-CAM's, the mistakes, the worst first, then some right answers of each class.
  void add_pictures(ReportPictures& pictures);

 private:
  void look(const std::filesystem::path& run, bool finished, std::int64_t most_images);
  void add_attention(ReportPictures& pictures);

  nlohmann::json data_ = nlohmann::json::object();
  std::shared_ptr<const DomainDataset> set_;
  std::string run_;   // its folder
  std::string root_;  // of its images
  std::vector<ImageAttention> attention_;
  std::vector<std::pair<std::int64_t, std::int64_t>> places_;  // domain and index of each of data_["images"]
};

}  // namespace domainfusion
