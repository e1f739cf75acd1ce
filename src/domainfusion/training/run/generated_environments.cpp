#include "domainfusion/training/run/generated_environments.h"

#include <unordered_map>

#include "domainfusion/augmentation/candidates/environments_dataset.h"
#include "domainfusion/augmentation/candidates/store_upkeep.h"
#include "domainfusion/core/machine/parallel.h"
#include "domainfusion/diffusion/ldm_provenance.h"
#include "domainfusion/io/files/content_hash.h"

namespace domainfusion {
namespace {

using nlohmann::json;

// Empty where there is no text.
std::string text_of(const json& object, const char* pointer) {
  const json value = object.value(json::json_pointer(pointer), json());
  return value.is_string() ? value.get<std::string>() : "";
}

std::unordered_map<std::string, SampleInfo> infos_by_pixels(const DomainDataset& set) {
  std::vector<std::pair<std::int64_t, std::int64_t>> places;
  for (std::int64_t d = 0; d < set.number_of_domains(); ++d) {
    for (std::int64_t i = 0; i < set.size(d); ++i) places.emplace_back(d, i);
  }
  std::vector<std::string> identities(places.size());
  parallel_for_each(places.size(),
                    [&](std::size_t i) { identities[i] = set.pixel_identity(places[i].first, places[i].second); });
  std::unordered_map<std::string, SampleInfo> infos;
  for (std::size_t i = 0; i < places.size(); ++i)
    infos.emplace(identities[i], set.info(places[i].first, places[i].second));
  return infos;
}

}  // namespace

std::string GeneratedEnvironments::summary() const {
  std::vector<std::string> parts;
  for (const auto& [description, count] : images) parts.push_back(fmt::format("{} towards \"{}\"", count, description));
  return fmt::format("{} images; left out: {} of other images, {} whose prompt names the held-out domain",
                     fmt::join(parts, ", "), of_other_images, refused);
}

json GeneratedEnvironments::record() const {
  return {{"type", "generated"}, {"step", 0},    {"images", images},
          {"refused", refused},  {"hash", hash}, {"of_other_images", of_other_images}};
}

GeneratedEnvironments with_generated_environments(std::shared_ptr<const DomainDataset> source_in,
                                                  const std::filesystem::path& folder, const TargetGuard& guard) {
  check<ConfigError>(std::filesystem::is_directory(folder),
                     "data.generated = '{}': there is no such folder; `domainfusion augment` makes a candidate store",
                     folder.string());
  const auto infos = infos_by_pixels(*source_in);
  const CandidateStore store(folder);
  GeneratedEnvironments made;
  std::map<std::string, std::vector<StoredImage>> generated;
  std::string used;
  for_each_provenance(folder, [&](const json& provenance) {
    const std::string file = text_of(provenance, "/file"), towards = text_of(provenance, "/key/noise/towards");
    if (text_of(provenance, "/key/noise/purpose") != "cdga" || !file.ends_with(".png")) return;
    const auto source = infos.find(text_of(provenance, "/key/source"));
    if (source == infos.end()) {
      ++made.of_other_images;
    } else if (!guard.allows(text_of(provenance, "/key/prompt")) || !guard.allows(towards)) {
      ++made.refused;
    } else {
      StoredImage image{source->second, file.substr(0, file.size() - 4)};
      image.info.path += "/" + towards;
      used += image.key + "\n";
      generated[towards].push_back(std::move(image));
    }
  });
  check<ConfigError>(
      !generated.empty(),
      "data.generated = '{}' has no translation of this run's source images ({} of other images, {} whose "
      "prompt names the held-out domain): make some with `domainfusion augment` for this set, split and "
      "held-out domain",
      folder.string(), made.of_other_images, made.refused);
  std::vector<GeneratedEnvironment> environments;
  for (auto& [description, images] : generated) {
    made.images[description] = std::ssize(images);
    environments.push_back({"generated: " + description, std::move(images)});
  }
  made.hash = recorded_hash(sha256_hex(used));
  made.set = std::make_shared<EnvironmentsDataset>(std::move(source_in), store, std::move(environments));
  return made;
}

}  // namespace domainfusion
