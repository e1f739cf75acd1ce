#include "domainfusion/io/folders/leases.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <random>

#include "domainfusion/core/error.h"
#include "domainfusion/core/json_text.h"
#include "domainfusion/core/log.h"
#include "domainfusion/io/files/atomic_file.h"
#include "domainfusion/io/files/file_bytes.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

std::optional<std::string> try_read(const fs::path& file) {
  try {
    return read_file(file);
  } catch (const Error&) {
    return std::nullopt;
  }
}

// A process is known by its number on a machine (one boot of it, one container's count of processes) and the moment of
// its start, in ticks since that boot.
std::string this_machine() {
  std::error_code none;
  return try_read("/proc/sys/kernel/random/boot_id").value_or("").substr(0, 36) + " " +
         fs::read_symlink("/proc/self/ns/pid", none).string();
}

std::string start_of_process(std::int64_t process) {
  const std::string line = try_read(fmt::format("/proc/{}/stat", process)).value_or("");
  // Behind the program's name, which may hold anything, the 20th word.
  std::size_t place = line.rfind(')');
  for (int word = 0; word < 20 && place != std::string::npos; ++word) place = line.find(' ', place + 1);
  return place == std::string::npos ? "" : line.substr(place + 1, line.find(' ', place + 1) - place - 1);
}

std::string host_name() {
  char name[256] = {};
  ::gethostname(name, sizeof name - 1);
  std::string host = name;
  for (char& c : host) c = std::isalnum(static_cast<unsigned char>(c)) ? c : '-';
  return host;
}

std::optional<json> description_of(const fs::path& worker) {
  const auto text = try_read(worker);
  auto description = text ? try_parse_json(*text) : std::nullopt;
  if (description && !description->is_object()) description.reset();
  return description;
}

std::string word_of(const json& object, const char* key) {
  return object.contains(key) && object[key].is_string() ? object[key].get<std::string>() : "";
}

std::int64_t number_of(const json& object, const char* key) {
  return object.contains(key) && object[key].is_number_integer() ? object[key].get<std::int64_t>() : 0;
}

std::string beat_of(const json& description) { return std::to_string(number_of(description, "beat")); }

bool ran_here(const json& description) { return word_of(description, "machine") == this_machine(); }

bool lives_here(const json& description) {
  const std::string start = word_of(description, "started");
  return !start.empty() && start_of_process(number_of(description, "process")) == start;
}

fs::path file_of_worker(const fs::path& folder, const std::string& id) { return folder / "workers" / (id + ".json"); }

// Whether nobody has to wait for this worker: its file is gone, or it ran on this machine and ended.
bool has_left(const fs::path& folder, const std::string& id) {
  const auto description = description_of(file_of_worker(folder, id));
  return !description || (ran_here(*description) && !lives_here(*description));
}

// Who was killed on this machine can remove nothing any more.
void remove_the_dead(const fs::path& folder) {
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(folder / "workers", none)) {
    const auto description = description_of(entry.path());
    if (description && ran_here(*description) && !lives_here(*description)) fs::remove(entry.path(), none);
  }
}

void make_shared_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  check<IoError>(!error, "the folder '{}', in which processes share their work, cannot be made: {}", folder.string(),
                 error.message());
}

}  // namespace

Leases::Leases(fs::path folder, LeaseTimes times)
    : folder_(std::move(folder)),
      times_(times),
      id_(fmt::format("{}-{}-{:08x}", host_name(), ::getpid(), std::random_device{}())) {}

Leases::~Leases() {
  if (!heart_) return;
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  stopping_.notify_all();
  heart_->join();
  std::error_code ignored;
  for (const std::string& name : held_) fs::remove(folder_ / "leases" / name, ignored);
  remove_what_was_left();
  fs::remove(file_of_worker(folder_, id_), ignored);
  fs::remove(folder_ / "leases", ignored);  // if they are empty
  fs::remove(folder_ / "workers", ignored);
}

void Leases::write_worker() {
  write_file_atomically(file_of_worker(folder_, id_), json_text({{"id", id_},
                                                                 {"host", host_name()},
                                                                 {"machine", this_machine()},
                                                                 {"process", ::getpid()},
                                                                 {"started", start_of_process(::getpid())},
                                                                 {"beat", beats_},
                                                                 {"facts", facts_}}));
}

void Leases::become_worker() {
  make_shared_folder(folder_ / "leases");
  make_shared_folder(folder_ / "workers");
  if (heart_) return;
  remove_the_dead(folder_);
  write_worker();
  heart_ = std::make_unique<std::thread>([this] { beat(); });
}

// A heartbeat that cannot be written (full disk, network) is no reason to end: at worst others do the same work.
void Leases::beat() {
  std::unique_lock lock(mutex_);
  while (!stopping_.wait_for(lock, times_.heartbeat, [this] { return stop_; })) {
    ++beats_;
    try {
      make_shared_folder(folder_ / "workers");
      write_worker();
    } catch (const Error& error) {
      log_warning("{}", error.what());
    }
  }
}

bool Leases::create(const fs::path& lease) const {
  const int file = ::open(lease.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);
  if (file < 0 && errno == EEXIST) return false;
  check<IoError>(file >= 0, "'{}' cannot be made: {}", lease.string(), std::strerror(errno));
  const auto bytes = static_cast<ssize_t>(id_.size());
  const bool written = ::write(file, id_.data(), id_.size()) == bytes;
  const int failure = errno;
  if (::close(file) == 0 && written) return true;
  std::error_code ignored;
  fs::remove(lease, ignored);
  throw IoError(fmt::format("'{}' cannot be written: {}; make room on that disk", lease.string(),
                            std::strerror(written ? errno : failure)));
}

Leases::Sign Leases::sign_of(const std::string& holder) {
  const auto description = description_of(file_of_worker(folder_, holder));
  // A lease without a word in it is just being made, or its writer died on it: watched like a worker's number.
  if (!description && !holder.empty()) return Sign::kGone;
  if (description && ran_here(*description) && !lives_here(*description)) return Sign::kGone;
  const std::string beat = description ? beat_of(*description) : "";
  const auto now = std::chrono::steady_clock::now();
  const auto [place, first] = seen_.try_emplace(holder, Seen{beat, now});
  if (place->second.beat != beat) place->second = {beat, now};
  return now - place->second.since >= times_.lost ? Sign::kGone : Sign::kHeld;
}

// Of several that find the same holder gone, one moves its lease away; who was too late has moved a living one, and
// puts it back.
void Leases::take_away(const fs::path& lease, const std::string& holder) const {
  const fs::path aside = lease.string() + ".of-" + id_;
  std::error_code error;
  fs::rename(lease, aside, error);
  if (error) return;
  if (try_read(aside).value_or("") != holder) fs::create_hard_link(aside, lease, error);
  fs::remove(aside, error);
}

// Leases of pieces that their holders finished and did not live to give back: nobody asks for them any more.
void Leases::remove_what_was_left() const {
  std::vector<fs::path> leases;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(folder_ / "leases", none)) leases.push_back(entry.path());
  for (const fs::path& lease : leases) {
    const auto holder = try_read(lease);
    if (holder && !holder->empty() && has_left(folder_, *holder)) take_away(lease, *holder);
  }
}

bool Leases::claim(const std::string& name) {
  const std::lock_guard lock(mutex_);
  if (held_.contains(name)) return true;
  become_worker();
  const fs::path lease = folder_ / "leases" / name;
  for (int tries = 0; tries < 2; ++tries) {
    if (create(lease)) {
      held_.insert(name);
      return true;
    }
    const auto holder = try_read(lease);
    if (!holder) continue;  // given back meanwhile
    if (sign_of(*holder) == Sign::kHeld) return false;
    log_info("'{}' is taken over from a process that is gone", name);
    take_away(lease, *holder);
    std::error_code ignored;
    if (!holder->empty()) fs::remove(file_of_worker(folder_, *holder), ignored);
  }
  return false;
}

void Leases::release(const std::string& name) {
  const std::lock_guard lock(mutex_);
  if (held_.erase(name) == 0) return;
  std::error_code ignored;
  fs::remove(folder_ / "leases" / name, ignored);
}

void Leases::tell(json facts) {
  const std::lock_guard lock(mutex_);
  facts_ = std::move(facts);
}

std::vector<LeaseWorker> workers_in(const fs::path& folder, std::chrono::milliseconds patience) {
  std::vector<LeaseWorker> at_work;
  std::map<fs::path, std::string> elsewhere;  // beats of those whose processes cannot be looked at
  const auto add = [&](const json& d) {
    at_work.push_back({word_of(d, "id"), word_of(d, "host"), number_of(d, "process"), d.value("facts", json())});
  };
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(folder / "workers", none)) {
    const auto description = description_of(entry.path());
    if (!description || entry.path().extension() != ".json") continue;
    if (!ran_here(*description)) {
      elsewhere[entry.path()] = beat_of(*description);
    } else if (lives_here(*description)) {
      add(*description);
    }
  }
  const auto end = std::chrono::steady_clock::now() + patience;
  while (!elsewhere.empty() && std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    std::erase_if(elsewhere, [&](const auto& worker) {
      const auto now = description_of(worker.first);
      if (!now || beat_of(*now) == worker.second) return !now;
      add(*now);
      return true;
    });
  }
  std::sort(at_work.begin(), at_work.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  return at_work;
}

}  // namespace domainfusion
