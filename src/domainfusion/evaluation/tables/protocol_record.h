#pragma once
// What a run's model at one step answers on every domain, in DomainBed's terms: the one form that selection and tables
// work on, whether this program or DomainBed made the run.

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace domainfusion {

// An environment is a domain by its place among the set's sorted domains.
struct ProtocolRecord {
  std::string dataset, algorithm;
  std::vector<std::int64_t> test_envs;  // held out: one, or two in leave-one-domain-out runs
  std::int64_t trial_seed = 0, hparams_seed = 0;
  std::int64_t step = 0;                // from 0: the last optimizer step before the answers
  std::vector<double> in_acc, out_acc;  // [0, 1] by environment; NaN where it was not looked at

  bool single_target() const { return test_envs.size() == 1; }
};

// A line of DomainBed's results.jsonl. FormatError that names what is missing.
ProtocolRecord protocol_record(const nlohmann::json& line);

// The fields of such a line that `record` determines; accuracies that are not known are left out.
nlohmann::json to_json(const ProtocolRecord& record);

}  // namespace domainfusion
