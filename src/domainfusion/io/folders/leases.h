#pragma once
// Pieces of work in a shared folder that one process at a time does, whatever machine it is on.
//
//   <folder>/leases/<name>       made with O_EXCL by who does the piece called <name>; holds its worker's id
//   <folder>/workers/<id>.json   a worker: host, process, a number that grows with every heartbeat, what it tells
//
// A worker is gone if its process is (where it ran on this machine), if its file is, or if its number stood still for
// `lost` on the watcher's own clock that only goes forward: no two clocks are ever compared. What it had is taken over.
// A lease saves double work and nothing else: where a file system or a machine that slept breaks the rule, two do the
// same piece. So the results of a piece must be equal whoever writes them, and each file of them whole or absent.

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace domainfusion {

struct LeaseTimes {
  std::chrono::milliseconds heartbeat{5000};
  std::chrono::milliseconds lost{60000};
};

class Leases {
 public:
  // Touches nothing until the first claim.
  explicit Leases(std::filesystem::path folder, LeaseTimes times = {});
  // Gives back what is still held.
  ~Leases();
  Leases(const Leases&) = delete;
  Leases& operator=(const Leases&) = delete;

  // Whether the piece is this object's now. `name`: of letters, digits, '-' and '.'. After a claim look once more
  // whether the piece is done: its last holder may just have finished it. IoError: the folder is not writable, the disk
  // is full. Thread-safe, like all that follows.
  bool claim(const std::string& name);
  void release(const std::string& name);
  // What others read of this worker from its next heartbeat on.
  void tell(nlohmann::json facts);

 private:
  enum class Sign { kHeld, kGone };

  void become_worker();
  void write_worker();
  void beat();
  bool create(const std::filesystem::path& lease) const;
  void take_away(const std::filesystem::path& lease, const std::string& holder) const;
  void remove_what_was_left() const;
  Sign sign_of(const std::string& holder);

  struct Seen {
    std::string beat;
    std::chrono::steady_clock::time_point since;
  };

  std::filesystem::path folder_;
  LeaseTimes times_;
  std::string id_;
  std::mutex mutex_;
  std::condition_variable stopping_;
  bool stop_ = false;
  std::int64_t beats_ = 0;
  nlohmann::json facts_ = nlohmann::json::object();
  std::set<std::string> held_;
  std::map<std::string, Seen> seen_;
  std::unique_ptr<std::thread> heart_;
};

// A worker as its file tells of it.
struct LeaseWorker {
  std::string id, host;
  std::int64_t process = 0;
  nlohmann::json facts;
};

// Those that are at work now: a process of this machine that lives, or one of another machine whose number grows while
// this waits, at most for `patience`. Files that cannot be read are passed over.
std::vector<LeaseWorker> workers_in(const std::filesystem::path& folder, std::chrono::milliseconds patience);

}  // namespace domainfusion
