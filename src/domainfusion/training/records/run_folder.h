#pragma once
// The folder of one run: what is written there, and the laws that keep a run from being lost.
//
//   run.json                     the whole configuration, class and domain names
//   records.jsonl                typed records (run_records.h)
//   checkpoint.safetensors       everything that --resume needs
//   checkpoint-STEP.safetensors  those of all validations, with keep_checkpoints
//   candidates.jsonl             keys of the images in a candidate store that the run uses (candidates/: a store of its
//                                own)
//   events.out.tfevents.…        the records for TensorBoard
//   report.html                  the records for a browser, with report.live
//   cost.json                    time and memory that it took (run_cost.h)
//   best.safetensors             the selected model, with torchvision's names
//   swad.safetensors             an average of weights, named after its method, once the run is finished

#include <cstdint>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "domainfusion/io/files/json_lines.h"
#include "domainfusion/io/folders/owned_folder.h"
#include "domainfusion/training/records/record_sink.h"

namespace domainfusion {

constexpr const char* kCandidateList = "candidates.jsonl";

using RunMode = FolderMode;

// What RunFolder needs to know to compare a run with its description of before.
struct ResumeRules {
  // As a description; a key that run.json lacks, because an older version wrote it, counts as having its value here.
  nlohmann::json defaults = nlohmann::json::object();
  std::int64_t steps_per_epoch = 1;
  std::string fixed_length{};  // why the run cannot get more steps than it was started with; empty: it can
};

class RunFolder {
 public:
  // An OwnedFolder with run.json as its marker, which is written. In a run that is continued, `description` must equal
  // run.json but for keys that cannot change results and for a number of steps that grows, where `rules` allow it; the
  // images must be the same, the start weights too while there is no checkpoint. run.json keeps the provenance with
  // which the run was started. ConfigError for a breach of these laws, naming remedy or differing keys; IoError.
  RunFolder(const std::filesystem::path& path, RunMode mode, nlohmann::json description, ResumeRules rules = {});
  // As a reader of the folder that another rank has opened: nothing is written by it. IoError, FormatError.
  explicit RunFolder(const std::filesystem::path& path);
  RunFolder(const RunFolder&) = delete;
  RunFolder& operator=(const RunFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path checkpoint_file() const { return path() / "checkpoint.safetensors"; }
  std::filesystem::path best_file() const { return path() / "best.safetensors"; }
  // The numbers of steps after which the run was at its end before it got more; it is validated there.
  const std::vector<std::int64_t>& earlier_ends() const { return earlier_ends_; }

  // The run can start (OwnedFolder::keep): until then, nothing that lay here is lost and nothing stays.
  void keep();
  // Appends to records.jsonl, then tells the sink.
  void write_record(const nlohmann::json& record);
  // Every record and rewinding from here on is told to `sink` (may be null).
  void set_sink(std::shared_ptr<RecordSink> sink) { sink_ = std::move(sink); }
  // Drops the records that a resumed run will write again: those of step `step` and later, validations after `step`
  // steps, and all that come after training.
  void rewind_records(std::int64_t step);

 private:
  void continue_run(nlohmann::json& description, ResumeRules rules) const;
  void check_provenance(const nlohmann::json& before, const nlohmann::json& now) const;
  JsonLinesWriter& records();

  std::optional<OwnedFolder> folder_;  // nothing: another rank's
  std::filesystem::path path_;         // absolute
  std::vector<std::int64_t> earlier_ends_;
  std::unique_ptr<JsonLinesWriter> records_;
  std::shared_ptr<RecordSink> sink_;
};

// Whether the entry of run.json that a JSON pointer names ("/config/loader/workers") can change a run's numbers; others
// say where and how fast it happens.
bool changes_results(const std::string& pointer);

// run.json of `run`; IoError that says what a run folder is when there is none, FormatError if it is broken.
nlohmann::json read_run_description(const std::filesystem::path& run);

}  // namespace domainfusion
