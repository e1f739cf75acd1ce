#pragma once
// Weights of finished runs averaged: all of them (uniform; DiWA, Rame et al., NeurIPS 2022), or those that help on the
// source domains' OUT images (greedy; Wortsman et al., ICML 2022).

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "domainfusion/data/sets/domain_dataset.h"
#include "domainfusion/io/folders/owned_folder.h"

namespace domainfusion {

enum class SoupRecipe { kUniform, kGreedy };

struct SoupRequest {
  std::vector<std::filesystem::path> runs;  // finished, at least two
  SoupRecipe recipe = SoupRecipe::kUniform;
  std::filesystem::path out;  // becomes a run folder, whose selected model is the average
  FolderMode mode = FolderMode::kNew;
  std::string device = "auto";
  // The set of the runs; nullptr: from where the first run had it.
  std::shared_ptr<const DomainDataset> dataset = nullptr;
};

struct SoupResult {
  std::vector<std::filesystem::path> members;  // in the order in which they were taken
  double source_accuracy = 0;                  // of the average: mean over the source domains' OUT images
  double target_accuracy = 0;                  // on the held-out domain's IN images
};

// Greedy: the run with the best source validation, then, in the order of theirs, each run with which the average is no
// worse; nothing is chosen by the target. Parameters and batch norm's statistics are averaged in float64. The folder
// has the first member's run.json, with "soup" in it, and records of validation, test and oracle. ConfigError for runs
// that are not finished, or differ in network, classes, held-out domain, split or images.
SoupResult make_soup(const SoupRequest& request);

}  // namespace domainfusion
