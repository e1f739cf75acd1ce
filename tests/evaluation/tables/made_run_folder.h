#pragma once
// Folders of finished runs, made by hand.

#include <nlohmann/json.hpp>
#include <string>

#include "temporary_folder.h"

namespace domainfusion {

// run.json of an "erm" run on the domains art, photo and sketch.
inline nlohmann::json made_description(const std::string& target, std::int64_t trial = 0) {
  return {{"dataset", "set"},
          {"config",
           {{"algorithm", "erm"},
            {"test_domain", target},
            {"seed", 1},
            {"trial_seed", trial},
            {"holdout_fraction", 0.2},
            {"data", {{"root", "/data/set"}}}}},
          {"provenance", {{"code", "1"}, {"data_hash", "1111"}}},
          {"domains", {"art", "photo", "sketch"}},
          {"classes", {"cat", "dog"}},
          {"images", {{"art", 10}, {"photo", 10}, {"sketch", 10}}}};
}

inline void make_run_folder(const TemporaryFolder& place, const std::string& name, const nlohmann::json& description,
                            double accuracy) {
  const std::string target = description.at("config").at("test_domain");
  nlohmann::json sources = nlohmann::json::object();
  for (const std::string domain : description.at("domains")) {
    if (domain != target) sources[domain] = 0.5;
  }
  const nlohmann::json step{{"type", "step"}, {"step", 0}, {"loss", nullptr}};  // a loss that was NaN
  const nlohmann::json validation{
      {"type", "validation"}, {"step", 1}, {"accuracy", sources}, {"mean_accuracy", 0.5}, {"mean_loss", 1.0}};
  const nlohmann::json test{
      {"type", "test"}, {"domain", target}, {"step", 1}, {"accuracy", accuracy}, {"confusion", {{5, 0}, {0, 5}}}};
  place.write(name + "/run.json", description.dump());
  place.write(name + "/records.jsonl", step.dump() + "\n" + validation.dump() + "\n" + test.dump() + "\n");
}

}  // namespace domainfusion
