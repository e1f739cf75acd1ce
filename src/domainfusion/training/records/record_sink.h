#pragma once
// Something that follows a run's records as they are written to records.jsonl.

#include <cstdint>
#include <nlohmann/json.hpp>

namespace domainfusion {

class RecordSink {
 public:
  virtual ~RecordSink() = default;
  // Called before the first record: those of optimizer step `step` (from 0) and later, and those of the end of the run,
  // are void and will be written again. 0 for a new run.
  virtual void rewind(std::int64_t step) = 0;
  virtual void write(const nlohmann::json& record) = 0;
};

// How many optimizer steps are done once what `record` tells of has happened: a validation or test (of whichever kind)
// or a fit says so itself, other records name the step (from 0) in or before which they were made. 0 where a record
// names no step.
inline std::int64_t steps_done_at(const nlohmann::json& record) {
  if (!record.contains("step")) return 0;
  const std::string type = record.value("type", "");
  const bool counts_steps =
      type == "validation" || type == "cross_validation" || type == "fit" || type == "test" || type == "oracle";
  return record.at("step").get<std::int64_t>() + (counts_steps ? 0 : 1);
}

}  // namespace domainfusion
