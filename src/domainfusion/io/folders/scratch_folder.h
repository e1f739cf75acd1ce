#pragma once
// A folder for what is of no use behind the end of a process.

#include <filesystem>
#include <string>

namespace domainfusion {

// New and empty, in the system's place for such; removed with its content on destruction.
class ScratchFolder {
 public:
  // `name`: how its name begins. IoError.
  explicit ScratchFolder(const std::string& name);
  ~ScratchFolder();
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace domainfusion
