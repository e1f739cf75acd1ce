#include "domainfusion/augmentation/rounds/round.h"
#include "domainfusion/core/progress.h"

namespace domainfusion {

namespace {

using nlohmann::json;

json json_of(const RoundFigures& figures) {
  return {{"style_distance", figures.drift.style_distance},
          {"content_similarity", figures.drift.content_similarity},
          {"drift", figures.drift.drift},
          {"class_fidelity", figures.class_fidelity ? json(*figures.class_fidelity) : json(nullptr)}};
}

RoundFigures figures_from_json(const json& object) {
  RoundFigures figures;
  figures.drift = {object.at("style_distance").get<double>(), object.at("content_similarity").get<double>(),
                   object.at("drift").get<double>()};
  if (!object.at("class_fidelity").is_null()) figures.class_fidelity = object.at("class_fidelity").get<double>();
  return figures;
}

std::string text_of(const RoundFigures& figures) {
  return fmt::format("style distance {:.3f}, content similarity {:.3f}, drift {:.3f}, class fidelity {}",
                     figures.drift.style_distance, figures.drift.content_similarity, figures.drift.drift,
                     figures.class_fidelity ? fmt::format("{:.1f} %", 100 * *figures.class_fidelity) : "not measured");
}

// Means of what `drift` and `predicted` read from each record.
RoundFigures mean_figures(const std::vector<const SyntheticRecord*>& records, ImageDrift SyntheticRecord::*drift,
                          std::optional<std::int64_t> SyntheticRecord::*predicted) {
  RoundFigures mean;
  double classified = 0, right = 0;
  for (const SyntheticRecord* record : records) {
    const double share = 1.0 / static_cast<double>(records.size());
    mean.drift.style_distance += share * (record->*drift).style_distance;
    mean.drift.content_similarity += share * (record->*drift).content_similarity;
    mean.drift.drift += share * (record->*drift).drift;
    if (!(record->*predicted)) continue;
    classified += 1;
    right += *(record->*predicted) == record->label ? 1 : 0;
  }
  if (classified > 0) mean.class_fidelity = right / classified;
  return mean;
}

}  // namespace

json RoundSummary::to_json() const {
  return {{"round", round},         {"covered", covered},
          {"unchanged", unchanged}, {"generated", generated},
          {"failed", failed},       {"generated_so_far", generated_so_far},
          {"cdga", cdga},           {"share_of_cdga", share_of_cdga()},
          {"made", json_of(made)},  {"round_trip", json_of(round_trip)},
          {"seconds", seconds}};
}

RoundSummary RoundSummary::from_json(const json& object) {
  RoundSummary s;
  try {
    object.at("round").get_to(s.round);
    object.at("covered").get_to(s.covered);
    object.at(object.contains("unchanged") ? "unchanged" : "kept").get_to(s.unchanged);  // older sets: kept
    object.at("generated").get_to(s.generated);
    object.at("failed").get_to(s.failed);
    object.at("generated_so_far").get_to(s.generated_so_far);
    object.at("cdga").get_to(s.cdga);
    object.at("seconds").get_to(s.seconds);
    s.made = figures_from_json(object.at("made"));
    s.round_trip = figures_from_json(object.at("round_trip"));
  } catch (const json::exception& error) {
    throw FormatError(fmt::format("the stored summary of a round is broken: {}", error.what()));
  }
  return s;
}

std::string RoundSummary::text() const {
  return fmt::format(
      "round {}: {} images from {} candidates ({} failed, {} images kept as they were) in {}\n"
      "  new images:     {}\n"
      "  VAE round trip: {}\n"
      "  generated so far {}, CDGA would generate {} ({:.2f} %)",
      round, covered, generated, failed, unchanged, format_seconds(seconds), text_of(made), text_of(round_trip),
      generated_so_far, cdga, 100 * share_of_cdga());
}

RoundSummary AugmentationRounds::summarise(std::int64_t round, double seconds) const {
  const std::vector<const SyntheticRecord*> records = store_.records(round);
  RoundSummary summary;
  summary.round = round;
  summary.covered = static_cast<std::int64_t>(records.size());
  for (const SyntheticRecord* record : records) {
    summary.unchanged += record->unchanged() ? 1 : 0;
    summary.failed += record->failed();
  }
  summary.generated = summary.covered * config_.candidates;
  summary.generated_so_far = (plan_.first(round) + plan_.count(round)) * config_.candidates;
  summary.cdga = plan_.cdga();
  summary.made = mean_figures(records, &SyntheticRecord::made, &SyntheticRecord::made_class);
  summary.round_trip = mean_figures(records, &SyntheticRecord::round_trip, &SyntheticRecord::round_trip_class);
  summary.seconds = seconds;
  return summary;
}

}  // namespace domainfusion
