#include "domainfusion/augmentation/rounds/rounds_ahead.h"

#include <algorithm>
#include <filesystem>

namespace domainfusion {

std::string RoundsAhead::Unit::name() const { return fmt::format("round-{:04d}-group-{:06d}", round, group); }

RoundsAhead::RoundsAhead(AugmentationRounds& rounds, const StoredCandidates& candidates, std::filesystem::path store,
                         std::string what)
    : rounds_(rounds), candidates_(candidates), store_(std::move(store)) {
  const RoundPlan& plan = rounds.plan();
  for (std::int64_t round = 0; round < plan.rounds(); ++round) {
    for (std::int64_t group = 0; group < rounds.groups(round); ++group) units_.push_back({round, group});
  }
  job_ = {std::move(what), rounds.identity(), plan.images_of_run() * plan.candidates(), {}};
  job_.options["groups"] = std::ssize(units_);  // which units there are
}

bool RoundsAhead::is_missing(const std::string& unit) const {
  const auto keys = unit_of_job(store_.folder(), job_, unit);
  return !keys || std::any_of(keys->begin(), keys->end(), [this](const std::string& key) {
    return !std::filesystem::exists(store_.path(key, ".json"));
  });
}

std::optional<std::int64_t> RoundsAhead::make(const FarmHooks& hooks) {
  std::vector<std::string> names;
  for (const Unit& unit : units_) names.push_back(unit.name());
  const std::string prefix = job_.id() + "-";  // leases of several jobs lie in one folder
  std::vector<std::string> leases;
  for (const std::string& name : names) leases.push_back(prefix + name);
  std::int64_t seen_to = 0;
  const auto make_unit = [&](const std::vector<std::size_t>& places) {
    for (const std::size_t place : places) {
      const auto request = rounds_.request_of_group(units_[place].round, units_[place].group);
      candidates_.candidate_latents(request.z_Nchw, request.prompts, request.noise);
      write_unit_of_job(store_.folder(), job_, names[place],
                        candidates_.hashes(request.z_Nchw, request.prompts, request.noise));
      seen_to += std::ssize(request.prompts);
    }
  };
  CandidateFarm farm(store_.folder(),
                     [&](const std::string& lease) { return is_missing(lease.substr(prefix.size())); });
  if (!farm.complete(leases, 1, make_unit, hooks)) return std::nullopt;
  return seen_to;
}

}  // namespace domainfusion
