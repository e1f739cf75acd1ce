#pragma once
// DSI's rule (domain-specific translations at test time): which answer an image gets, from the logits of the image and
// of its translations into the source domains. Pure functions.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace domainfusion {

// Whose logits are averaged: bit 0 the image itself, bit d + 1 its translation into source domain d.
using DsiSubset = std::uint32_t;

// All non-empty ones, the image alone first, everything last; 1 <= domains <= 16.
std::vector<DsiSubset> every_subset(std::size_t domains);
// "clean+photo+sketch", and back; "all" is everything. ConfigError for an unknown or doubled name.
std::string name_of(DsiSubset subset, const std::vector<std::string>& domains);
DsiSubset subset_of(const std::string& name, const std::vector<std::string>& domains);

struct DsiLogits {
  at::Tensor clean_NK;         // float32
  at::Tensor translated_TDNK;  // by start (ascending) and source domain; NaN where an image was not translated
};

struct DsiAnswers {
  at::Tensor predicted_N;    // int64
  at::Tensor accepted_at_N;  // int64: 0 for the image's own answer, i for the i-th start, -1 for none
};

// The image's own answer is accepted if its largest softmax is above `threshold`; else, start by start, the first plain
// mean of the subset's raw logits whose largest softmax is; else the image's own answer stays. Only the first `starts`
// starts are looked at. Error if an answer is needed that was not computed.
DsiAnswers dsi_answers(const DsiLogits& logits, DsiSubset subset, double threshold, std::int64_t starts);

// bool [D, N]: translations at start `start` that one of `subsets` needs, none of whose earlier answers was accepted.
at::Tensor needed_translations(const DsiLogits& logits, const std::vector<DsiSubset>& subsets, double threshold,
                               std::int64_t start);

// Logits [n, K] of the images `rows`, translated into a domain from a start.
using TranslatedLogits =
    std::function<at::Tensor(std::size_t domain, std::int64_t start, const std::vector<std::int64_t>& rows)>;

// Asks for what the subsets need, start by start, up to `threshold`, and ends early when nothing is needed any more.
DsiLogits collect_dsi_logits(const at::Tensor& clean_NK, std::size_t domains, std::int64_t starts,
                             const std::vector<DsiSubset>& subsets, double threshold,
                             const TranslatedLogits& translated);

}  // namespace domainfusion
