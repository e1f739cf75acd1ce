#include "domainfusion/augmentation/candidates/image_budget.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "domainfusion/core/random/random.h"

namespace domainfusion {

namespace {

using Group = std::vector<ParentId>;

std::vector<Group> groups_of(const DomainDataset& dataset, const std::vector<DomainSelection>& selections) {
  std::map<std::pair<std::int64_t, std::int64_t>, Group> groups;
  for (const DomainSelection& selection : selections) {
    std::vector<std::int64_t> indices = selection.indices;
    std::sort(indices.begin(), indices.end());
    for (std::int64_t index : indices) {
      groups[{selection.domain, dataset.info(selection.domain, index).label}].push_back({selection.domain, index});
    }
  }
  std::vector<Group> list;
  for (auto& [key, group] : groups) list.push_back(std::move(group));
  return list;
}

template <class Item>
std::vector<Item> shuffled(const std::vector<Item>& items, RandomStream stream) {
  std::vector<Item> result;
  for (std::int64_t place : stream.permutation(static_cast<std::int64_t>(items.size()))) {
    result.push_back(items[static_cast<std::size_t>(place)]);
  }
  return result;
}

}  // namespace

std::int64_t cdga_images(std::int64_t images_in, std::int64_t source_domains) {
  return images_in * std::max<std::int64_t>(0, source_domains - 1);
}

void BudgetConfig::describe(ConfigFields& fields) {
  fields.integer("first_round_epoch", first_round_epoch, {0, 1'000'000}, "epoch before which the first round runs");
  fields.integer("every_epochs", every_epochs, {0, 1'000'000}, "epochs between rounds (T); 0: one round only");
  fields.real("budget_share", budget_share, {0, 1e6},
              "generated candidates of the whole run as a share of CDGA's image count, spread evenly over the rounds; "
              "0: no limit");
  fields.integer("images_per_round", images_per_round, {0, 1'000'000'000},
                 "raw images that a round covers at most; 0: as many as there are");
}

std::vector<std::int64_t> round_steps(const BudgetConfig& config, std::int64_t steps_per_epoch,
                                      std::int64_t total_steps) {
  check<ConfigError>(steps_per_epoch >= 1 && total_steps >= 1,
                     "rounds need steps: got {} steps per epoch and {} in total, "
                     "expected at least 1",
                     steps_per_epoch, total_steps);
  std::vector<std::int64_t> steps;
  for (std::int64_t epoch = config.first_round_epoch; epoch * steps_per_epoch < total_steps;
       epoch += config.every_epochs) {
    steps.push_back(epoch * steps_per_epoch);
    if (config.every_epochs == 0) break;
  }
  return steps;
}

ImageWalk::ImageWalk(const DomainDataset& dataset, const std::vector<DomainSelection>& selections, std::uint64_t seed) {
  std::vector<Group> groups = shuffled(groups_of(dataset, selections), RandomStream(seed, "augmentation groups"));
  check<ConfigError>(!groups.empty(),
                     "augmentation got no image to start from; give it the IN split of the source domains");
  groups_ = static_cast<std::int64_t>(groups.size());
  std::size_t longest = 0;
  for (Group& group : groups) {
    const auto domain = static_cast<std::uint64_t>(group.front().domain);
    const auto label = static_cast<std::uint64_t>(dataset.info(group.front().domain, group.front().index).label);
    group = shuffled(group, RandomStream(seed, "augmentation walk", {domain, label}));
    longest = std::max(longest, group.size());
  }
  for (std::size_t turn = 0; turn < longest; ++turn) {
    for (const Group& group : groups) {
      if (turn < group.size()) order_.push_back(group[turn]);
    }
  }
}

std::vector<ParentId> ImageWalk::window(std::int64_t first, std::int64_t count) const {
  check<ConfigError>(first >= 0 && count >= 0 && count <= size(),
                     "a window of {} images from place {} of a walk over {} images", count, first, size());
  std::vector<ParentId> images;
  for (std::int64_t i = 0; i < count; ++i) images.push_back(order_[static_cast<std::size_t>((first + i) % size())]);
  return images;
}

RoundPlan::RoundPlan(const BudgetConfig& config, std::int64_t images_in, std::int64_t source_domains,
                     std::int64_t candidates, std::int64_t rounds)
    : first_(1, 0), candidates_(candidates), cdga_(cdga_images(images_in, source_domains)) {
  check<ConfigError>(images_in >= 1 && candidates >= 1 && rounds >= 0,
                     "a plan of {} rounds over {} images with {} candidates each", rounds, images_in, candidates);
  const std::int64_t round_limit =
      config.images_per_round > 0 ? std::min(config.images_per_round, images_in) : images_in;
  std::int64_t run_limit = round_limit * rounds;
  if (config.budget_share > 0) {
    const double images =
        std::floor(config.budget_share * static_cast<double>(cdga_) / static_cast<double>(candidates));
    if (images < static_cast<double>(run_limit)) run_limit = static_cast<std::int64_t>(images);
  }
  check<ConfigError>(
      rounds == 0 || cdga_ > 0 || config.budget_share == 0,
      "augmentation.budget_share is a share of what CDGA would generate, which is nothing for one source "
      "domain: set it to 0 (no limit) and bound the rounds with augmentation.images_per_round");
  check<ConfigError>(rounds == 0 || run_limit >= 1,
                     "augmentation.budget_share = {} of CDGA's {} images does not pay for one image "
                     "with {} candidates; raise it (0: no limit), or take an algorithm without augmentation",
                     config.budget_share, cdga_, candidates);
  for (std::int64_t round = 0; round < rounds; ++round) {
    const std::int64_t share = run_limit * (round + 1), end = (share + rounds - 1) / rounds;
    evenly_shared_ = evenly_shared_ && share % rounds == 0;
    first_.push_back(end);  // no round is over its limit: run_limit <= rounds * round_limit
  }
}

std::int64_t RoundPlan::first(std::int64_t round) const {
  check<ConfigError>(round >= 0 && round < rounds(), "round {} of a run with {} rounds", round, rounds());
  return first_[static_cast<std::size_t>(round)];
}

std::int64_t RoundPlan::count(std::int64_t round) const {
  return first_[static_cast<std::size_t>(round) + 1] - first(round);
}

}  // namespace domainfusion
