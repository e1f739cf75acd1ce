#pragma once
// A folder that holds one result, a run or a model say, and belongs to one process at a time. A kill at any moment
// leaves it in a state that the next opening understands, and what lies there is lost only when its successor starts.

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "domainfusion/io/folders/folder_lock.h"

namespace domainfusion {

enum class FolderMode {
  kNew,        // the folder must be absent or hold nothing
  kResume,     // a result there is continued; where there is none, one is begun
  kOverwrite,  // a result there gives way to a new one
};

class OwnedFolder {
 public:
  // subject: what the folder is ("run folder"), for messages. marker: the file that tells it from other folders
  // ("run.json"), a JSON description of what is made there.
  struct Kind {
    std::string subject, marker;
  };

  // Makes the folder and holds a lock on it until destruction. Under the lock, what killed processes left is cleared
  // up: partial files go, also from the folders directly below but for those with a lock of their own; a result that
  // was being overwritten comes back. kOverwrite then sets the old result aside until keep(). ConfigError for a breach
  // of the mode's law, naming the remedy, and for a folder that holds other files and no marker: nothing there is
  // touched. IoError if the folder cannot be made or another process has it.
  OwnedFolder(std::filesystem::path path, FolderMode mode, Kind kind);
  // Without keep(), the folder is as it was before: absent, empty, or with the result that was to be overwritten. What
  // was resumed stays as it is.
  ~OwnedFolder();
  OwnedFolder(const OwnedFolder&) = delete;
  OwnedFolder& operator=(const OwnedFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }  // absolute
  // Whether a result lies here that is continued.
  bool resumed() const { return resumed_; }
  // The marker's content. IoError, FormatError.
  nlohmann::json description() const;
  // Writes the marker. What is new begins with this call, before any other file. IoError.
  void begin(const nlohmann::json& description);
  // begin(); of a resumed result, ConfigError that names the differences unless its description is the same. `before`:
  // what stands in descriptions that is not in those of earlier versions.
  void begin_or_continue(const nlohmann::json& description, nlohmann::json before = nlohmann::json::object());
  // The result begun here can be made as asked: it stays, and what it replaces is removed.
  void keep();

 private:
  bool is_of_kind() const;
  bool holds_nothing() const;
  void check_law(FolderMode mode) const;
  void remove_partial_files() const;
  void set_aside() const;
  void put_back() const;
  void remove_content() const;

  std::filesystem::path path_;
  Kind kind_;
  bool made_ = false, resumed_ = false, kept_ = false;
  std::optional<FolderLock> lock_;
};

}  // namespace domainfusion
