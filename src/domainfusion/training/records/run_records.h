#pragma once
// The typed lines of records.jsonl: training writes them, evaluation and report read them.

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace domainfusion {

// The classifier's answers on images that it was trained on.
struct FitCounts {
  std::int64_t images = 0, correct = 0;
  double loss = 0;  // cross-entropy, summed over the images

  FitCounts& operator+=(const FitCounts& other);
};

// {"type": "step"}: what one optimizer step says of itself ("loss", …).
struct StepRecord {
  std::int64_t step = 0;  // from 0
  std::map<std::string, double> scalars;
  FitCounts fit{};  // of the step's source images; written as "accuracy"
};

// {"type": "validation"}: the source domains' OUT images, without augmentation. "model" says whose answers they are:
// absent, those of the model in training; "swad", for instance, those of an average of its weights, once, at the end.
struct ValidationRecord {
  std::int64_t step = 0;                   // optimizer steps done before it
  std::map<std::string, double> accuracy;  // by source domain
  double mean_accuracy = 0;                // over source domains: what selects the model
  double mean_loss = 0;                    // cross-entropy, mean over source domains
  std::string model{};                     // empty: the model in training
};

// Training accuracy from which on a run counts as fitted: below it, systems differ by how far they came.
inline constexpr double kFittedAccuracy = 0.95;

// {"type": "fit"}: how well the model in training, at its end, fits the source images of its last epoch; what is
// counted says training_fit.h.
struct FitRecord {
  std::int64_t step = 0;    // optimizer steps done
  double accuracy = 0;      // training accuracy
  double loss = 0;          // cross-entropy, mean over the images
  std::int64_t images = 0;  // counted

  bool under_fitted() const { return accuracy < kFittedAccuracy; }
};

// {"type": "test"}: the held-out domain's IN images (DomainBed's rule), once, with the selected model; and once more,
// with "model", for an average of weights.
struct TestRecord {
  std::string domain;
  std::int64_t step = 0;  // of the selected model; of an average: optimizer steps done when it was complete
  double accuracy = 0;
  std::vector<std::vector<std::int64_t>> confusion;  // [true class][predicted class]
  std::string model{};                               // empty: the selected model
};

// {"type": "guard"}: what kept the held-out domain away, and what could not be kept away.
struct GuardRecord {
  std::string domain;
  // Paths of source images whose files lie in the held-out domain too.
  std::vector<std::string> source_images_in_target;
  // The file of classifier.weights, where nobody can tell what those were trained on; else empty.
  std::string weights_of_unknown_origin{};
};

// {"type": "cross_validation"}: in leave-one-domain-out runs, what stands beside each validation: accuracy on the two
// held-out domains, each of which validates the choice for the other.
struct CrossValidationRecord {
  std::int64_t step = 0;
  std::map<std::string, double> in_accuracy, out_accuracy;  // by held-out domain
};

// {"type": "oracle"}: accuracy on both splits of the held-out domain, after training, of the selected model and of the
// last one, and with "model" of an average. For DomainBed's oracle selection and tables in its form; nothing in a run
// is chosen by it.
struct OracleRecord {
  std::string domain;
  std::int64_t step = 0;  // optimizer steps of that model
  double in_accuracy = 0, out_accuracy = 0;
  std::string model;  // as in TestRecord
};

nlohmann::json to_json(const StepRecord& record);
nlohmann::json to_json(const ValidationRecord& record);
nlohmann::json to_json(const FitRecord& record);
nlohmann::json to_json(const TestRecord& record);
nlohmann::json to_json(const GuardRecord& record);
nlohmann::json to_json(const CrossValidationRecord& record);
nlohmann::json to_json(const OracleRecord& record);
// FormatError that names the missing or wrong field.
StepRecord step_record(const nlohmann::json& line);
ValidationRecord validation_record(const nlohmann::json& line);
FitRecord fit_record(const nlohmann::json& line);
TestRecord test_record(const nlohmann::json& line);
GuardRecord guard_record(const nlohmann::json& line);
CrossValidationRecord cross_validation_record(const nlohmann::json& line);
OracleRecord oracle_record(const nlohmann::json& line);

}  // namespace domainfusion
