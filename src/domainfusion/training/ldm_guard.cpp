#include "domainfusion/training/ldm_guard.h"

#include <set>
#include <string>

#include "domainfusion/core/error.h"
#include "domainfusion/core/log.h"

namespace domainfusion {
namespace {

std::set<std::string> texts_of(const nlohmann::json& record, const char* key, const std::string& folder) {
  try {
    return record.at(key).get<std::set<std::string>>();
  } catch (const nlohmann::json::exception&) {
    throw FormatError(fmt::format("'{}/domainfusion.json': '{}' is missing or no list of texts", folder, key));
  }
}

}  // namespace

LdmProvenanceCheck check_ldm_provenance(const LatentDiffusion& ldm, const HoldoutGuard& holdout) {
  const nlohmann::json* record = ldm.provenance();
  const std::string folder = ldm.folder().string();
  if (!record) {
    log_info("LDM '{}' does not say what it was trained on: that it never saw '{}' cannot be checked", folder,
             holdout.target_name());
    return {};
  }
  const auto finished = record->find("finished");
  check<FormatError>(finished == record->end() || finished->is_boolean(), "'{}/domainfusion.json': 'finished' is neither true nor false",
                     folder);
  check<ConfigError>(finished == record->end() || *finished,
                     "LDM '{}': its training is not finished; continue it with `domainfusion pretrain … --resume`", folder);
  const std::set<std::string> hashes = texts_of(*record, "image_hashes", folder);
  const std::set<std::string> domains = texts_of(*record, "domains", folder);
  for (const std::string& name : holdout.held_out_names()) {
    check<ConfigError>(!domains.contains(name),
                       "LDM '{}' was trained on the test domain '{}': train one on the source domains only", folder,
                       name);
  }
  const std::int64_t target_images = holdout.target_images_among(hashes);
  check<ConfigError>(target_images == 0,
                     "LDM '{}' was trained on {} images of the test domain '{}': train one on the source domains only",
                     folder, target_images, fmt::join(holdout.held_out_names(), "', '"));
  const std::int64_t out_images = holdout.out_images_among(hashes);
  if (out_images > 0) {
    log_warning("LDM '{}' was trained on {} images that validate this run (another trial_seed of the split?): source "
                "validation accuracy may be too high", folder, out_images);
  }
  return {true, out_images};
}

}  // namespace domainfusion
