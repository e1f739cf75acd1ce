#include "domainfusion/training/records/run_records.h"

#include "domainfusion/core/error.h"
#include "domainfusion/core/json_context.h"
#include "domainfusion/core/json_text.h"

namespace domainfusion {
namespace {

using nlohmann::json;

template <class Read>
auto read_record(const json& line, const char* type, Read read) {
  try {
    check<FormatError>(line.at("type") == type, "record of type {}: expected '{}'", json_text(line.at("type")), type);
    return read();
  } catch (const json::exception& error) {
    throw FormatError(fmt::format("{} record {}: {}", type, json_text(line), plain_text(error)));
  }
}

json with_model(json line, const std::string& model) {
  if (!model.empty()) line["model"] = model;
  return line;
}

}  // namespace

FitCounts& FitCounts::operator+=(const FitCounts& other) {
  images += other.images;
  correct += other.correct;
  loss += other.loss;
  return *this;
}

json to_json(const StepRecord& record) {
  json line = {{"type", "step"}, {"step", record.step}};
  for (const auto& [name, value] : record.scalars) line[name] = value;
  if (record.fit.images > 0)
    line["accuracy"] = static_cast<double>(record.fit.correct) / static_cast<double>(record.fit.images);
  return line;
}

json to_json(const ValidationRecord& record) {
  return with_model({{"type", "validation"},
                     {"step", record.step},
                     {"accuracy", record.accuracy},
                     {"mean_accuracy", record.mean_accuracy},
                     {"mean_loss", record.mean_loss}},
                    record.model);
}

json to_json(const FitRecord& record) {
  return {{"type", "fit"},
          {"step", record.step},
          {"accuracy", record.accuracy},
          {"loss", record.loss},
          {"images", record.images}};
}

json to_json(const TestRecord& record) {
  return with_model({{"type", "test"},
                     {"domain", record.domain},
                     {"step", record.step},
                     {"accuracy", record.accuracy},
                     {"confusion", record.confusion}},
                    record.model);
}

json to_json(const GuardRecord& record) {
  json line{{"type", "guard"},
            {"step", 0},
            {"domain", record.domain},
            {"source_images_in_target", record.source_images_in_target}};
  if (!record.weights_of_unknown_origin.empty()) line["weights_of_unknown_origin"] = record.weights_of_unknown_origin;
  return line;
}

json to_json(const CrossValidationRecord& record) {
  return {{"type", "cross_validation"},
          {"step", record.step},
          {"in_accuracy", record.in_accuracy},
          {"out_accuracy", record.out_accuracy}};
}

json to_json(const OracleRecord& record) {
  return with_model({{"type", "oracle"},
                     {"domain", record.domain},
                     {"step", record.step},
                     {"in_accuracy", record.in_accuracy},
                     {"out_accuracy", record.out_accuracy}},
                    record.model);
}

StepRecord step_record(const json& line) {
  return read_record(line, "step", [&] {
    StepRecord record{line.at("step"), {}};
    for (const auto& [name, value] : line.items()) {
      if (name != "step" && value.is_number()) record.scalars[name] = value;
    }
    return record;
  });
}

ValidationRecord validation_record(const json& line) {
  return read_record(line, "validation", [&] {
    return ValidationRecord{line.at("step"), line.at("accuracy").get<std::map<std::string, double>>(),
                            line.at("mean_accuracy"), line.at("mean_loss"), line.value("model", "")};
  });
}

FitRecord fit_record(const json& line) {
  return read_record(line, "fit", [&] {
    return FitRecord{line.at("step"), line.at("accuracy"), line.at("loss"), line.at("images")};
  });
}

TestRecord test_record(const json& line) {
  return read_record(line, "test", [&] {
    return TestRecord{line.at("domain"), line.at("step"), line.at("accuracy"),
                      line.at("confusion").get<std::vector<std::vector<std::int64_t>>>(), line.value("model", "")};
  });
}

GuardRecord guard_record(const json& line) {
  return read_record(line, "guard", [&] {
    return GuardRecord{line.at("domain"), line.at("source_images_in_target").get<std::vector<std::string>>(),
                       line.value("weights_of_unknown_origin", "")};
  });
}

CrossValidationRecord cross_validation_record(const json& line) {
  return read_record(line, "cross_validation", [&] {
    return CrossValidationRecord{line.at("step"), line.at("in_accuracy").get<std::map<std::string, double>>(),
                                 line.at("out_accuracy").get<std::map<std::string, double>>()};
  });
}

OracleRecord oracle_record(const json& line) {
  return read_record(line, "oracle", [&] {
    return OracleRecord{line.at("domain"), line.at("step"), line.at("in_accuracy"), line.at("out_accuracy"),
                        line.value("model", "")};
  });
}

}  // namespace domainfusion
