#pragma once
// What the network sees: where it looks (Grad-CAM), and how its features lie.

#include <nlohmann/json.hpp>
#include <vector>

#include "domainfusion/evaluation/looks/image_answers.h"
#include "domainfusion/report/html/pictures.h"

namespace domainfusion {

// A picture with what one class owes to each place of it.
struct ClassAttention {
  std::int64_t class_index = 0;
  Image overlay;
};
struct ImageAttention {
  std::size_t image = 0;                // place among all answers
  Image view;                           // as the network sees it
  std::vector<ClassAttention> classes;  // the answer, then the label where that is another one
};

// Of the worst mistakes of the first domain and some of its right answers. Empty for backbones without maps.
std::vector<ImageAttention> attention_of(TrainedModel& model, const DomainDataset& dataset,
                                         const std::vector<DomainAnswers>& domains);

// "feature_map" of "looks": features of at most `most` images, drawn from all domains alike (stream "feature map" of
// seed 0), as points by PCA and by t-SNE.
nlohmann::json feature_map_json(const std::vector<DomainAnswers>& domains, std::int64_t most = 600);

}  // namespace domainfusion
