#pragma once
// The sampling strategy (method section 3, step 3): which candidate gives its style, which its content.

#include <vector>

#include "domainfusion/augmentation/styles/style_content.h"

namespace domainfusion {

struct SelectionConfig {
  SimilarityForm style_similarity = SimilarityForm::kCosine;
  SimilarityForm content_similarity = SimilarityForm::kCosine;

  void describe(ConfigFields& fields);
};

struct Selection {
  std::int64_t style = 0;    // s*: the candidate whose style is least similar to that of x
  std::int64_t content = 0;  // c*: the candidate whose content is most similar to that of x
  std::vector<double> style_similarities, content_similarities;  // one per candidate
};

// x: N = 1; candidates: N >= 1. Ties go to the lowest index; both may be the same candidate.
// Throws ShapeError for no candidates or unequal shapes, Error if a similarity is not finite.
Selection select_candidates(const Decomposition& decomposition, const StyleContent& x, const StyleContent& candidates,
                            const SelectionConfig& config);

}  // namespace domainfusion
