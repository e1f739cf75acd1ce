#pragma once
// What a finished or unfinished run folder says of itself.

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "domainfusion/training/records/run_records.h"

namespace domainfusion {

// What `domainfusion dsi` found (dsi/dsi_run.h).
struct DsiResult {
  TestRecord test;        // `model`: "dsi" or "swad + dsi"
  nlohmann::json record;  // the whole file
};

struct RunResult {
  std::filesystem::path path;
  std::string algorithm;
  std::string soup;                       // "uniform soup" or "greedy soup" of an average of runs (soup.h), else empty
  std::string dataset;                    // its known name, else the name of its folder
  std::vector<std::string> domain_names;  // all of the set, sorted
  std::string test_domain;
  std::string cross_validation_domain;  // empty but in leave-one-domain-out runs
  std::int64_t seed = 0;
  std::int64_t trial_seed = 0;
  std::int64_t hparams_seed = 0;
  nlohmann::json config;      // of run.json
  nlohmann::json provenance;  // code, data and weights (training/provenance.h); null in older runs
  nlohmann::json hparams;     // in DomainBed's terms; null unless hparams = "domainbed"
  std::vector<std::string> class_names;
  std::map<std::string, std::int64_t> images;  // by domain
  std::vector<double> step_losses;             // of training, by step
  std::vector<ValidationRecord> validations;   // in the order of the file
  std::int64_t generated_images = 0;           // by the LDM, candidates included
  bool ldm_of_unknown_origin = false;          // the LDM does not say what it was trained on
  std::optional<GuardRecord> guard;            // absent in runs of older versions
  std::vector<CrossValidationRecord> cross_validations;
  std::vector<OracleRecord> oracles;
  std::optional<FitRecord> fit;    // of the training images; absent until the run is finished, and in older versions
  std::optional<TestRecord> test;  // absent until the run is finished
  // The same two of the averaged model (`model` names it: "swad", …), of a finished run with weight averaging.
  std::optional<ValidationRecord> average_validation;
  std::optional<TestRecord> average_test;
  std::vector<DsiResult> dsi;  // of the selected model, then of the average

  // Whether everything that the run promises is there: its test and, with weight averaging, that of the average.
  bool finished() const;
};

// Reads run.json and records.jsonl. IoError if `run` is no run folder, FormatError if a file is broken.
RunResult read_run(const std::filesystem::path& run);

// Training-domain validation (DomainBed): the record with the largest mean source accuracy, the first one on ties;
// nullptr when there is none.
const ValidationRecord* select_by_source_validation(std::span<const ValidationRecord> validations);

}  // namespace domainfusion
