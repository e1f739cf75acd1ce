#pragma once
// A run's records as TensorBoard events. records.jsonl stays the truth: events are made of its lines and of the
// pictures of rounds.

#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "domainfusion/report/tensorboard/event_file.h"
#include "domainfusion/training/records/record_sink.h"

namespace domainfusion {

// Steps are counted as steps_done_at counts them. Tags: "train/loss" of step records, "validation/accuracy/<domain>",
// "validation/mean_accuracy", "validation/mean_loss", "test/accuracy"; of another model than the selected one ("model"
// in its record) "test/<model>_accuracy" and "test/<model>_source_accuracy"; the numbers of other records as
// "<type>/<name>"; a round's pictures as "rounds". Events that cannot be written are warned of once and then left out:
// they never stop a run.
class EventLog : public RecordSink {
 public:
  // run: the run folder; config: the "config" of its run.json, shown as hyper-parameters.
  EventLog(std::filesystem::path run, nlohmann::json config);

  // Goes on in one file, without what earlier ones say of later steps and of the end of the run.
  void rewind(std::int64_t step) override;
  void write(const nlohmann::json& record) override;

 private:
  void attempt(const std::function<void()>& action);
  void write_events(const nlohmann::json& record);

  std::filesystem::path run_;
  nlohmann::json config_;
  std::unique_ptr<EventFileWriter> file_;
  bool failed_ = false;
};

}  // namespace domainfusion
