#include "domainfusion/augmentation/candidates/store_upkeep.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <tuple>

#include "domainfusion/augmentation/candidates/candidate_store.h"
#include "domainfusion/core/json_text.h"
#include "domainfusion/core/machine/parallel.h"
#include "domainfusion/io/files/atomic_file.h"
#include "domainfusion/io/files/file_bytes.h"
#include "domainfusion/io/files/json_lines.h"

namespace domainfusion {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::size_t kHashDigits = 64;

bool is_hexadecimal(const std::string& text) { return text.find_first_not_of("0123456789abcdef") == std::string::npos; }

// Only files whose names are a store's own, so that nothing else is ever counted or removed.
bool is_store_file(const fs::path& file) {
  const std::string hash = file.filename().string().substr(0, kHashDigits);
  return hash.size() == kHashDigits && is_hexadecimal(hash) && file.parent_path().filename() == hash.substr(0, 2);
}

std::vector<fs::path> files_of(const fs::path& store) {
  check<IoError>(fs::is_directory(store), "'{}' is no folder: name the folder of a candidate store", store.string());
  std::vector<fs::path> files;
  for (const auto& part : fs::directory_iterator(store)) {
    if (!part.is_directory()) continue;
    for (const auto& entry : fs::directory_iterator(part.path())) {
      if (entry.is_regular_file() && is_store_file(entry.path())) files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::vector<fs::path> provenance_files(const fs::path& store) {
  std::vector<fs::path> files = files_of(store);
  std::erase_if(files, [](const fs::path& file) { return file.extension() != ".json"; });
  return files;
}

// A live writer's files are younger.
bool is_old(const fs::path& file) {
  std::error_code gone;
  const auto written = fs::last_write_time(file, gone);
  return !gone && fs::file_time_type::clock::now() - written > std::chrono::hours(1);
}

std::int64_t size_of(const fs::path& file) {
  std::error_code gone;
  const auto bytes = fs::file_size(file, gone);
  return gone ? 0 : static_cast<std::int64_t>(bytes);
}

// Empty and 0 where there is something else: what anyone may have written is no reason to end.
std::string text_at(const json& object, const char* pointer) {
  const json::json_pointer at(pointer);
  return object.contains(at) && object[at].is_string() ? object[at].get<std::string>() : "";
}

std::int64_t integer_at(const json& object, const char* pointer) {
  const json::json_pointer at(pointer);
  return object.contains(at) && object[at].is_number_integer() ? object[at].get<std::int64_t>() : 0;
}

}  // namespace

void for_each_provenance(const fs::path& store, const std::function<void(const json&)>& visit) {
  for (const fs::path& file : provenance_files(store)) {
    if (!fs::exists(file)) continue;  // collected meanwhile
    const json provenance = try_parse_json(read_file(file)).value_or(nullptr);
    if (provenance.is_object() && provenance.value("key", json()).is_object()) visit(provenance);
  }
}

std::vector<StoreGroup> groups_of_store(const fs::path& store) {
  std::map<std::tuple<std::string, std::string, std::string>, StoreGroup> groups;
  std::map<StoreGroup*, std::set<std::string>> sources;
  for_each_provenance(store, [&](const json& provenance) {
    const json& key = provenance["key"];
    const std::string named = text_at(key, "/noise/purpose"), ldm = text_at(key, "/ldm");
    const std::string purpose = named.empty() ? "round" : named;  // a round's noise is its numbers alone
    const json options = key.value("options", json::object());
    StoreGroup& group = groups[{purpose, ldm, json_text(options)}];
    group.purpose = purpose;
    group.weights_hash = ldm;
    group.options = options;
    ++group.entries;
    group.failed += provenance.contains("failure");
    group.bytes += integer_at(provenance, "/bytes");
    sources[&group].insert(text_at(key, "/source"));
  });
  std::vector<StoreGroup> list;
  for (auto& [name, group] : groups) {
    group.sources = static_cast<std::int64_t>(sources[&group].size());
    list.push_back(group);
  }
  return list;
}

StoreVerification verify_store(const fs::path& store) {
  const std::vector<fs::path> entries = provenance_files(store);
  std::vector<CandidateStore::State> states(entries.size());
  parallel_for_each(entries.size(), [&](std::size_t i) { states[i] = state_of_entry(entries[i]); });
  StoreVerification found{static_cast<std::int64_t>(entries.size()), {}};
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (states[i] == CandidateStore::State::kBroken) found.broken.push_back(entries[i]);
  }
  return found;
}

std::vector<fs::path> StoreWaste::files() const {
  std::vector<fs::path> all;
  for (const auto* list : {&parts, &broken, &unused}) all.insert(all.end(), list->begin(), list->end());
  return all;
}

StoreWaste waste_of_store(const fs::path& store, const std::optional<std::set<std::string>>& used) {
  std::set<std::string> entries, broken;
  const std::vector<fs::path> files = files_of(store);
  for (const fs::path& file : files) {
    if (file.extension() == ".json") entries.insert(file.stem().string());
  }
  for (const fs::path& file : verify_store(store).broken) broken.insert(file.stem().string());
  StoreWaste waste;
  for (const fs::path& file : files) {
    const std::string key = file.stem();
    if (is_partial_file(file) || !entries.contains(key)) {
      if (is_old(file)) waste.parts.push_back(file);
    } else if (broken.contains(key)) {
      waste.broken.push_back(file);
    } else if (used && !used->contains(key)) {
      waste.unused.push_back(file);
    }
  }
  for (const fs::path& file : waste.files()) waste.bytes += size_of(file);
  return waste;
}

std::set<std::string> keys_in_list(const fs::path& file) {
  std::set<std::string> keys;
  if (!fs::exists(file)) return keys;
  for (const json& line : read_json_lines(file)) {
    check<FormatError>(line.is_object() && line.value("key", json()).is_string(), "{}: a line names no candidate: {}",
                       file.string(), json_text(line).substr(0, 200));
    keys.insert(line["key"]);
  }
  return keys;
}

}  // namespace domainfusion
