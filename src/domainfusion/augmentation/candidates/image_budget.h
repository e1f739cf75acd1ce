#pragma once
// How many images a run may generate, at which steps its rounds stand, and which raw images each round covers.

#include <cstdint>
#include <memory>
#include <vector>

#include "domainfusion/config/config_fields.h"
#include "domainfusion/data/batch_loader.h"
#include "domainfusion/data/sets/domain_dataset.h"

namespace domainfusion {

// CDGA's number of generated images: every image once towards every other source domain, n_IN (source domains - 1).
std::int64_t cdga_images(std::int64_t images_in, std::int64_t source_domains);

struct BudgetConfig {
  std::int64_t first_round_epoch = 0;
  std::int64_t every_epochs = 5;  // T
  double budget_share = 0.03;
  std::int64_t images_per_round = 0;

  void describe(ConfigFields& fields);
};

// The steps before which a round runs, ascending: (first_round_epoch + k T) epochs, all before `total_steps` (a round
// at the very end would serve nothing). T = 0: the first one only. ConfigError unless both are >= 1.
std::vector<std::int64_t> round_steps(const BudgetConfig& config, std::int64_t steps_per_epoch,
                                      std::int64_t total_steps);

// A raw image, by its place in its dataset.
struct ParentId {
  std::int64_t domain = 0;
  std::int64_t index = 0;

  auto operator<=>(const ParentId&) const = default;
};

// The selected images in an endless cycle: one image of each (domain, class) group in turn until the group is used up,
// groups and the images in them in an order drawn from the seed. Any window of at most size() places holds each image
// at most once.
class ImageWalk {
 public:
  // ConfigError if nothing is selected.
  ImageWalk(const DomainDataset& dataset, const std::vector<DomainSelection>& selections, std::uint64_t seed);

  std::int64_t size() const { return static_cast<std::int64_t>(order_.size()); }
  // Pairs of domain and class that have images.
  std::int64_t groups() const { return groups_; }
  // `count` <= size() images from place `first` >= 0 of the cycle.
  std::vector<ParentId> window(std::int64_t first, std::int64_t count) const;

 private:
  std::int64_t groups_;
  std::vector<ParentId> order_;
};

// The raw images that each round of a run covers: an even share of the run's budget, a pure function of the arguments.
// Shares are rounded up from the start of the run, so that a budget of few images pays for the first rounds.
class RoundPlan {
 public:
  // candidates: generated images per covered image. ConfigError if the budget covers no image at all (the message says
  // what would).
  RoundPlan(const BudgetConfig& config, std::int64_t images_in, std::int64_t source_domains, std::int64_t candidates,
            std::int64_t rounds);

  std::int64_t rounds() const { return static_cast<std::int64_t>(first_.size()) - 1; }
  // Place in the walk where round `round` starts, and how many images it covers. ConfigError unless 0 <= round <
  // rounds().
  std::int64_t first(std::int64_t round) const;
  std::int64_t count(std::int64_t round) const;
  std::int64_t images_of_run() const { return first_.back(); }
  std::int64_t candidates() const { return candidates_; }
  std::int64_t cdga() const { return cdga_; }
  // Whether rounding down, as versions before did, would give the same rounds.
  bool is_evenly_shared() const { return evenly_shared_; }

 private:
  std::vector<std::int64_t> first_;  // rounds + 1 places
  bool evenly_shared_ = true;
  std::int64_t candidates_, cdga_;
};

}  // namespace domainfusion
