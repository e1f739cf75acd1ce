#include "domainfusion/diffusion/ldm_provenance.h"

#include "domainfusion/core/error.h"

namespace domainfusion {
namespace {

constexpr std::size_t kRecordedDigits = 16;

std::set<std::string> texts_of(const nlohmann::json& record, const char* key, const std::string& folder) {
  try {
    return record.at(key).get<std::set<std::string>>();
  } catch (const nlohmann::json::exception&) {
    throw FormatError(fmt::format("'{}/domainfusion.json': '{}' is missing or no list of texts", folder, key));
  }
}

bool flag_of(const nlohmann::json& record, const char* key, const std::string& folder) {
  const auto found = record.find(key);
  if (found == record.end()) return true;
  check<FormatError>(found->is_boolean(), "'{}/domainfusion.json': '{}' is neither true nor false", folder, key);
  return *found;
}

// Records of older versions hold all digits.
std::set<std::string> image_hashes_of(const nlohmann::json& record, const std::string& folder) {
  std::set<std::string> hashes;
  for (const std::string& hash : texts_of(record, "image_hashes", folder)) hashes.insert(recorded_hash(hash));
  return hashes;
}

}  // namespace

std::string recorded_hash(const std::string& sha256) { return sha256.substr(0, kRecordedDigits); }

LdmProvenance ldm_provenance(const LatentDiffusion& ldm) {
  const nlohmann::json* record = ldm.provenance();
  if (!record) return {};
  const std::string folder = ldm.folder().string();
  check<ConfigError>(flag_of(*record, "finished", folder),
                     "LDM '{}': its training is not finished; continue it with --resume", folder);
  return {true, flag_of(*record, "base_recorded", folder), texts_of(*record, "domains", folder),
          image_hashes_of(*record, folder),
          record->contains("captions") ? texts_of(*record, "captions", folder) : std::set<std::string>{}};
}

}  // namespace domainfusion
