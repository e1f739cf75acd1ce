#pragma once
// What a finished or unfinished run folder says of itself.

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "domainfusion/training/run_records.h"

namespace domainfusion {

struct RunResult {
  std::filesystem::path path;
  std::string algorithm;
  std::string test_domain;
  std::int64_t seed = 0;
  std::int64_t trial_seed = 0;
  std::vector<std::string> class_names;
  std::vector<ValidationRecord> validations;  // in the order of the file
  std::optional<GuardRecord> guard;           // absent in runs of older versions
  std::optional<TestRecord> test;             // absent until the run is finished
  // The same two of the averaged model (`model` names it: "swad", …), of a finished run with weight averaging.
  std::optional<ValidationRecord> average_validation;
  std::optional<TestRecord> average_test;
};

// Reads run.json and records.jsonl. IoError if `run` is no run folder, FormatError if a file is broken.
RunResult read_run(const std::filesystem::path& run);

// Training-domain validation (DomainBed): the record with the largest mean source accuracy, the first one on ties; nullptr when
// there is none.
const ValidationRecord* select_by_source_validation(std::span<const ValidationRecord> validations);

// Over runs that differ in nothing but hyper-parameters: the run whose selected validation accuracy is largest, the last one on
// ties, as DomainBed does; nullptr when none has a validation.
const RunResult* select_run(std::span<const RunResult> runs);

}  // namespace domainfusion
