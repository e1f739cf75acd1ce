#pragma once
// The folder of one run: what is written there, and the laws that keep a run from being lost.
//
//   run.json                  the whole configuration, class and domain names
//   records.jsonl             typed records (run_records.h)
//   checkpoint.safetensors    everything that --resume needs
//   checkpoint-STEP.safetensors  those of all validations, with keep_checkpoints
//   candidates.jsonl          keys of the images in a candidate store that the run uses (candidates/: a store of its
//   own) events.out.tfevents.…     the records for TensorBoard cost.json                 time and memory that it took
//   (run_cost.h) best.safetensors          the selected model, with torchvision's names swad.safetensors          an
//   average of weights, named after its method, once the run is finished

#include <cstdint>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "domainfusion/io/files/json_lines.h"
#include "domainfusion/io/folders/folder_lock.h"
#include "domainfusion/training/records/record_sink.h"

namespace domainfusion {

constexpr const char* kCandidateList = "candidates.jsonl";

enum class RunMode { kNew, kResume, kOverwrite };

class RunFolder {
 public:
  // kNew: `path` must be absent or empty. kResume: a run there is continued (an absent one is started); its run.json
  // must equal `description` but for keys that cannot change results; a key that it lacks, because an older version
  // wrote it, counts as having its value in `defaults`. kOverwrite: what an earlier run left there is removed; a folder
  // that holds other files and no run.json is refused. Creates the folder, writes run.json and holds a lock until
  // destruction. ConfigError for a breach of these laws, naming remedy or differing keys; IoError if the folder cannot
  // be made (a path below a regular file, say) or another process trains in it.
  RunFolder(std::filesystem::path path, RunMode mode, const nlohmann::json& description,
            nlohmann::json defaults = nlohmann::json::object());
  RunFolder(const RunFolder&) = delete;
  RunFolder& operator=(const RunFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path checkpoint_file() const { return path_ / "checkpoint.safetensors"; }
  std::filesystem::path best_file() const { return path_ / "best.safetensors"; }

  // Appends to records.jsonl, then tells the sink.
  void write_record(const nlohmann::json& record);
  // Every record and rewinding from here on is told to `sink` (may be null).
  void set_sink(std::shared_ptr<RecordSink> sink) { sink_ = std::move(sink); }
  // Removes the folder again if this object found nothing there (or was told to overwrite it): a run that was refused
  // leaves nothing that the next try would stumble over.
  void discard_if_fresh();
  // Drops the records that a resumed run will write again: those of step `step` and later, validations after `step`
  // steps, and all that come after training.
  void rewind_records(std::int64_t step);

 private:
  JsonLinesWriter& records();

  std::filesystem::path path_;
  std::optional<FolderLock> lock_;
  bool fresh_ = false;
  std::unique_ptr<JsonLinesWriter> records_;
  std::shared_ptr<RecordSink> sink_;
};

// Whether the entry of run.json that a JSON pointer names ("/config/loader/workers") can change a run's numbers; others
// say where and how fast it happens.
bool changes_results(const std::string& pointer);

// run.json of `run`; IoError that says what a run folder is when there is none, FormatError if it is broken.
nlohmann::json read_run_description(const std::filesystem::path& run);

}  // namespace domainfusion
