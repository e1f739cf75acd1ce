#include "domainfusion/diffusion/ldm_provenance.h"

#include "domainfusion/core/error.h"

namespace domainfusion {
namespace {

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

}  // namespace

LdmProvenance ldm_provenance(const LatentDiffusion& ldm) {
  const nlohmann::json* record = ldm.provenance();
  if (!record) return {};
  const std::string folder = ldm.folder().string();
  check<ConfigError>(flag_of(*record, "finished", folder),
                     "LDM '{}': its training is not finished; continue it with --resume", folder);
  return {true, flag_of(*record, "base_recorded", folder), texts_of(*record, "domains", folder),
          texts_of(*record, "image_hashes", folder),
          record->contains("captions") ? texts_of(*record, "captions", folder) : std::set<std::string>{}};
}

}  // namespace domainfusion
