#include "domainfusion/evaluation/dsi/dsi_answers.h"

#include <torch/types.h>

#include <algorithm>
#include <limits>
#include <sstream>

#include "domainfusion/core/error.h"

namespace domainfusion {
namespace {

constexpr const char* kClean = "clean";

at::Tensor confidence(const at::Tensor& logits_NK) { return logits_NK.softmax(1).amax(1); }

at::Tensor mean_of(const DsiLogits& logits, DsiSubset subset, std::int64_t start) {
  std::vector<at::Tensor> members;
  if (subset & 1u) members.push_back(logits.clean_NK);
  for (std::int64_t d = 0; d < logits.translated_TDNK.size(1); ++d) {
    if (subset >> (d + 1) & 1u) members.push_back(logits.translated_TDNK[start][d]);
  }
  return torch::stack(members).mean(0);
}

}  // namespace

std::vector<DsiSubset> every_subset(std::size_t domains) {
  check<ConfigError>(domains >= 1 && domains <= 16, "{} source domains with a model: expected 1 … 16", domains);
  std::vector<DsiSubset> all;
  for (DsiSubset subset = 1; subset < (DsiSubset{2} << domains); ++subset) all.push_back(subset);
  return all;
}

std::string name_of(DsiSubset subset, const std::vector<std::string>& domains) {
  std::vector<std::string> names;
  if (subset & 1u) names.emplace_back(kClean);
  for (std::size_t d = 0; d < domains.size(); ++d) {
    if (subset >> (d + 1) & 1u) names.push_back(domains[d]);
  }
  return fmt::format("{}", fmt::join(names, "+"));
}

DsiSubset subset_of(const std::string& name, const std::vector<std::string>& domains) {
  if (name == "all") return every_subset(domains.size()).back();
  DsiSubset subset = 0;
  std::istringstream words(name);
  for (std::string word; std::getline(words, word, '+');) {
    const auto place = std::find(domains.begin(), domains.end(), word);
    check<ConfigError>(word == kClean || place != domains.end(), "subset = {}: '{}' is none of all, clean, {}", name,
                       word, fmt::join(domains, ", "));
    const DsiSubset bit = word == kClean ? 1u : DsiSubset{2} << (place - domains.begin());
    check<ConfigError>(!(subset & bit), "subset = {}: '{}' comes twice", name, word);
    subset |= bit;
  }
  check<ConfigError>(subset != 0, "subset is empty: expected all, or names joined by + of clean, {}",
                     fmt::join(domains, ", "));
  return subset;
}

DsiAnswers dsi_answers(const DsiLogits& logits, DsiSubset subset, double threshold, std::int64_t starts) {
  DsiAnswers answers{logits.clean_NK.argmax(1), torch::full({logits.clean_NK.size(0)}, -1, torch::kInt64)};
  answers.accepted_at_N.masked_fill_(confidence(logits.clean_NK) > threshold, 0);
  for (std::int64_t start = 0; start < starts; ++start) {
    const at::Tensor open_N = answers.accepted_at_N == -1;
    const at::Tensor mean_NK = mean_of(logits, subset, start);
    check(!(open_N & mean_NK.isnan().any(1)).any().item<bool>(),
          "DSI: a translation that an answer needs is missing (start {} of {})", start + 1, starts);
    const at::Tensor accepted_N = open_N & (confidence(mean_NK) > threshold);
    answers.predicted_N = torch::where(accepted_N, mean_NK.argmax(1), answers.predicted_N);
    answers.accepted_at_N.masked_fill_(accepted_N, start + 1);
  }
  return answers;
}

at::Tensor needed_translations(const DsiLogits& logits, const std::vector<DsiSubset>& subsets, double threshold,
                               std::int64_t start) {
  const std::int64_t domains = logits.translated_TDNK.size(1), images = logits.clean_NK.size(0);
  at::Tensor needed_DN = torch::zeros({domains, images}, torch::kBool);
  for (const DsiSubset subset : subsets) {
    const at::Tensor open_N = dsi_answers(logits, subset, threshold, start).accepted_at_N == -1;
    for (std::int64_t d = 0; d < domains; ++d) {
      if (subset >> (d + 1) & 1u) needed_DN[d].logical_or_(open_N);
    }
  }
  return needed_DN;
}

DsiLogits collect_dsi_logits(const at::Tensor& clean_NK, std::size_t domains, std::int64_t starts,
                             const std::vector<DsiSubset>& subsets, double threshold,
                             const TranslatedLogits& translated) {
  const auto count = static_cast<std::int64_t>(domains);
  DsiLogits logits{clean_NK, torch::full({starts, count, clean_NK.size(0), clean_NK.size(1)},
                                         std::numeric_limits<float>::quiet_NaN())};
  for (std::int64_t start = 0; start < starts; ++start) {
    const at::Tensor needed_DN = needed_translations(logits, subsets, threshold, start);
    if (!needed_DN.any().item<bool>()) break;
    for (std::int64_t d = 0; d < count; ++d) {
      const at::Tensor rows_n = needed_DN[d].nonzero().flatten();
      if (rows_n.numel() == 0) continue;
      const auto* first = rows_n.data_ptr<std::int64_t>();
      logits.translated_TDNK[start][d].index_copy_(
          0, rows_n, translated(static_cast<std::size_t>(d), start, {first, first + rows_n.numel()}));
    }
  }
  return logits;
}

}  // namespace domainfusion
