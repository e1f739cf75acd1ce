#include "domainfusion/augmentation/rounds/selection.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

namespace domainfusion {

namespace {

std::vector<double> finite_values(const at::Tensor& similarities_N, std::string_view what) {
  const at::Tensor values = similarities_N.to(at::kCPU, at::kDouble).contiguous();
  std::vector<double> list(values.data_ptr<double>(), values.data_ptr<double>() + values.numel());
  for (std::size_t i = 0; i < list.size(); ++i) {
    check(std::isfinite(list[i]),
          "{} similarity of candidate {} is {}, expected a finite number; drop candidates that are "
          "not finite before the selection",
          what, i, list[i]);
  }
  return list;
}

}  // namespace

void SelectionConfig::describe(ConfigFields& fields) {
  const std::vector<std::pair<std::string, SimilarityForm>> words = {{"cosine", SimilarityForm::kCosine},
                                                                     {"l2", SimilarityForm::kL2}};
  fields.choice("style_similarity", style_similarity, words, "how styles are compared");
  fields.choice("content_similarity", content_similarity, words, "how contents are compared");
}

Selection select_candidates(const Decomposition& decomposition, const StyleContent& x, const StyleContent& candidates,
                            const SelectionConfig& config) {
  Selection selection;
  selection.style_similarities =
      finite_values(decomposition.style_similarity(x, candidates, config.style_similarity), "style");
  selection.content_similarities =
      finite_values(decomposition.content_similarity(x, candidates, config.content_similarity), "content");
  // min_element and max_element both return the first of equal elements.
  const auto& styles = selection.style_similarities;
  const auto& contents = selection.content_similarities;
  selection.style = std::min_element(styles.begin(), styles.end()) - styles.begin();
  selection.content = std::max_element(contents.begin(), contents.end()) - contents.begin();
  return selection;
}

}  // namespace domainfusion
