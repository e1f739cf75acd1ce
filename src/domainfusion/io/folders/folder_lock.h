#pragma once
// One process at a time in a folder.

#include <filesystem>
#include <string>

namespace domainfusion {

// Holds an exclusive lock on the folder's file "lock" for as long as it lives; a process that ends lets it go.
class FolderLock {
 public:
  // subject: what the folder is, for messages ("run folder 'x'"). IoError: the file cannot be made, or another lock
  // holds it.
  FolderLock(const std::filesystem::path& folder, const std::string& subject);
  ~FolderLock();
  FolderLock(FolderLock&& other) noexcept;
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  int file_ = -1;
};

}  // namespace domainfusion
