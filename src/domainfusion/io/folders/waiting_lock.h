#pragma once
// One process after the other at a file.

#include <filesystem>
#include <string>

namespace domainfusion {

// Holds the lock `file`, which is made and stays, for as long as it lives; a process that ends lets it go. Waits for
// another holder, which a log line says of `subject`. IoError if the file cannot be made.
class WaitingLock {
 public:
  WaitingLock(const std::filesystem::path& file, const std::string& subject);
  ~WaitingLock();
  WaitingLock(const WaitingLock&) = delete;
  WaitingLock& operator=(const WaitingLock&) = delete;

 private:
  int file_ = -1;
};

}  // namespace domainfusion
