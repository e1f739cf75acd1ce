#include "domainfusion/augmentation/candidates/candidate_farm.h"

#include <unistd.h>

#include <algorithm>
#include <set>
#include <thread>

#include "domainfusion/core/json_text.h"
#include "domainfusion/core/random/random.h"
#include "domainfusion/io/files/atomic_file.h"
#include "domainfusion/io/files/content_hash.h"
#include "domainfusion/io/files/json_file.h"

namespace domainfusion {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// What a process has claimed for a batch; given back at its end, also where it fails.
class Claims {
 public:
  explicit Claims(Leases& leases) : leases_(leases) {}
  ~Claims() {
    for (const std::string& name : names_) leases_.release(name);
  }
  Claims(const Claims&) = delete;
  Claims& operator=(const Claims&) = delete;

  bool add(const std::string& name) {
    if (!leases_.claim(name)) return false;
    names_.push_back(name);
    return true;
  }

 private:
  Leases& leases_;
  std::vector<std::string> names_;
};

fs::path folder_of_jobs(const fs::path& store) { return store / "jobs"; }

fs::path file_of_unit(const fs::path& store, const CandidateJob& job, const std::string& unit) {
  return folder_of_jobs(store) / job.id() / (unit + ".json");
}

void write_shared_file(const fs::path& file, const std::string& text) {
  std::error_code error;
  fs::create_directories(file.parent_path(), error);
  check<IoError>(!error, "the folder '{}' cannot be made: {}", file.parent_path().string(), error.message());
  write_file_atomically(file, text);
}

std::vector<fs::path> json_files_in(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(folder, none)) {
    if (entry.path().extension() == ".json" && !is_partial_file(entry.path())) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::optional<json> try_read_object(const fs::path& file) {
  try {
    return fs::exists(file) ? std::optional(read_json_object(file)) : std::nullopt;
  } catch (const Error&) {
    return std::nullopt;
  }
}

std::optional<std::vector<std::string>> keys_in(const fs::path& file) {
  const auto object = try_read_object(file);
  try {
    if (object) return object->at("keys").get<std::vector<std::string>>();
  } catch (const json::exception&) {
  }
  return std::nullopt;
}

// Its own and those of its units as they stand in the store now.
std::set<std::string> all_keys(const fs::path& store, const CandidateJob& job) {
  std::set<std::string> keys(job.keys.begin(), job.keys.end());
  for (const fs::path& unit : json_files_in(folder_of_jobs(store) / job.id())) {
    const auto of_unit = keys_in(unit);
    if (of_unit) keys.insert(of_unit->begin(), of_unit->end());
  }
  return keys;
}

}  // namespace

CandidateFarm::CandidateFarm(const CandidateStore& store, LeaseTimes times)
    : CandidateFarm(
          store.folder(),
          [store](const std::string& key) {
            const CandidateStore::State state = store.state(key);
            return state == CandidateStore::State::kAbsent || state == CandidateStore::State::kBroken;
          },
          times) {
  counts_ = true;
}

CandidateFarm::CandidateFarm(fs::path folder, std::function<bool(const std::string& name)> is_missing, LeaseTimes times)
    : folder_(std::move(folder)),
      is_missing_(std::move(is_missing)),
      times_(times),
      start_(std::chrono::steady_clock::now()) {}

// Candidates count, not what they are parts of.
void CandidateFarm::tell(Leases& leases) const {
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start_;
  if (counts_) leases.tell({{"made", made_}, {"seconds", seconds.count()}});
}

bool CandidateFarm::complete(const std::vector<std::string>& names, std::int64_t batch,
                             const std::function<void(const std::vector<std::size_t>& places)>& make,
                             const FarmHooks& hooks) {
  Leases leases(folder_, times_);
  tell(leases);
  std::vector<std::size_t> open(names.size());
  for (std::size_t i = 0; i < open.size(); ++i) open[i] = i;
  const auto stopped = [&] { return hooks.should_stop && hooks.should_stop(); };
  const auto size = static_cast<std::size_t>(batch);
  while (!open.empty()) {
    const std::size_t batches = (open.size() + size - 1) / size;
    const std::size_t begin = RandomStream(static_cast<std::uint64_t>(::getpid()), "farm begin").below(batches);
    std::vector<std::size_t> left;  // to others
    bool worked = false;
    std::size_t passed = 0;
    for (std::size_t b = 0; b < batches; ++b) {
      if (stopped()) return false;
      const std::size_t first = (begin + b) % batches * size, end = std::min(open.size(), first + size);
      Claims claims(leases);
      std::vector<std::size_t> mine;
      for (std::size_t i = first; i < end; ++i) {
        const std::string& name = names[open[i]];
        if (!is_missing_(name)) continue;
        if (!claims.add(name)) {
          left.push_back(open[i]);
        } else if (is_missing_(name)) {  // its last holder may just have finished it
          mine.push_back(open[i]);
        }
      }
      if (!mine.empty()) {
        make(mine);
        made_ += std::ssize(mine);
        tell(leases);
        worked = true;
      }
      passed += end - first;
      if (hooks.progress) hooks.progress(static_cast<std::int64_t>(names.size() - open.size() + passed - left.size()));
    }
    std::sort(left.begin(), left.end());
    open = std::move(left);
    if (!open.empty() && !worked) std::this_thread::sleep_for(times_.heartbeat / 20);
  }
  return true;
}

std::string CandidateJob::id() const {
  return sha256_hex(json_text({{"what", what}, {"options", options}, {"candidates", candidates}})).substr(0, 16);
}

void write_job(const fs::path& store, const CandidateJob& job) {
  write_shared_file(
      folder_of_jobs(store) / (job.id() + ".json"),
      json_text({{"what", job.what}, {"options", job.options}, {"candidates", job.candidates}, {"keys", job.keys}}));
}

void write_unit_of_job(const fs::path& store, const CandidateJob& job, const std::string& unit,
                       const std::vector<std::string>& keys) {
  write_shared_file(file_of_unit(store, job, unit), json_text({{"keys", keys}}));
}

std::optional<std::vector<std::string>> unit_of_job(const fs::path& store, const CandidateJob& job,
                                                    const std::string& unit) {
  return keys_in(file_of_unit(store, job, unit));
}

std::vector<CandidateJob> jobs_of_store(const fs::path& store) {
  std::vector<CandidateJob> jobs;
  for (const fs::path& file : json_files_in(folder_of_jobs(store))) {
    const auto object = try_read_object(file);
    if (!object) continue;
    try {
      CandidateJob job{object->at("what"), object->at("options"), object->at("candidates"), object->at("keys")};
      const std::set<std::string> keys = all_keys(store, job);
      job.keys.assign(keys.begin(), keys.end());
      jobs.push_back(std::move(job));
    } catch (const json::exception&) {
    }
  }
  return jobs;
}

std::int64_t missing_of_job(const CandidateStore& store, const CandidateJob& job) {
  std::int64_t there = 0;
  for (const std::string& key : all_keys(store.folder(), job)) there += fs::exists(store.path(key, ".json"));
  return job.candidates - there;
}

FarmPace pace_of_store(const fs::path& store, LeaseTimes times) {
  FarmPace pace;
  for (const LeaseWorker& worker : workers_in(store, times.heartbeat * 5 / 4)) {
    if (!worker.facts.is_object()) continue;
    const json made = worker.facts.value("made", json()), seconds = worker.facts.value("seconds", json());
    if (!made.is_number() || !seconds.is_number()) continue;
    pace.workers.push_back(worker);
    if (seconds > 0) pace.images_per_second += made.get<double>() / seconds.get<double>();
  }
  return pace;
}

}  // namespace domainfusion
