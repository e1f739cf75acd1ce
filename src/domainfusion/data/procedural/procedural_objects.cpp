#include "domainfusion/data/procedural/procedural_objects.h"

#include "domainfusion/core/error.h"
#include "domainfusion/core/machine/parallel.h"
#include "domainfusion/core/random/random.h"
#include "domainfusion/data/procedural/drawing/object_classes.h"
#include "domainfusion/data/procedural/styles/renderers.h"

namespace domainfusion {
namespace {

struct Item {
  int domain, label;
  std::int64_t index;
};

std::int64_t images_of(const ProceduralObjectsConfig& config, int domain) {
  if (domain >= kProceduralDomains) return config.style_images_per_class;
  return procedural_domains()[domain].name == "sketch" ? config.sketch_images_per_class : config.images_per_class;
}

std::vector<Item> items_of(const ProceduralObjectsConfig& config) {
  std::vector<Item> items;
  for (int domain = 0; domain < static_cast<int>(procedural_domains().size()); ++domain) {
    const std::int64_t count = images_of(config, domain);
    for (int label = 0; label < static_cast<int>(procedural_class_names().size()); ++label) {
      for (std::int64_t index = 0; index < count; ++index) items.push_back({domain, label, index});
    }
  }
  return items;
}

std::filesystem::path folder_of(const Item& item) {
  return std::filesystem::path(procedural_domains()[item.domain].name) / procedural_class_names()[item.label];
}

void make_folders(const std::filesystem::path& root, const ProceduralObjectsConfig& config) {
  for (int domain = 0; domain < static_cast<int>(procedural_domains().size()); ++domain) {
    if (images_of(config, domain) == 0) continue;
    for (int label = 0; label < static_cast<int>(procedural_class_names().size()); ++label) {
      const std::filesystem::path folder = root / folder_of({domain, label, 0});
      std::error_code error;
      std::filesystem::create_directories(folder, error);
      check<IoError>(!error, "cannot make the folder '{}': {}; choose a folder that can be written", folder.string(),
                     error.message());
    }
  }
}

void write_item(const std::filesystem::path& root, std::int64_t seed, const Item& item) {
  write_png(root / folder_of(item) / fmt::format("{:04}.png", item.index),
            procedural_object(seed, item.domain, item.label, item.index));
}

}  // namespace

void ProceduralObjectsConfig::describe(ConfigFields& fields) {
  fields.integer("seed", seed, {0}, "seed of the whole set");
  fields.integer("images_per_class", images_per_class, {0, 9999},
                 "images per class in photo, painting and cartoon; 0: none");
  fields.integer("sketch_images_per_class", sketch_images_per_class, {0, 9999}, "images per class in sketch; 0: none");
  fields.integer("style_images_per_class", style_images_per_class, {0, 9999},
                 "images per class in each further style (watercolour, mosaic, …), a domain of its own; 0: none");
}

const std::vector<ProceduralDomain>& procedural_domains() {
  static const std::vector<ProceduralDomain> domains = {{"photo", render_photo},
                                                        {"painting", render_painting},
                                                        {"cartoon", render_cartoon},
                                                        {"sketch", render_sketch},
                                                        {"watercolour", render_watercolour},
                                                        {"mosaic", render_mosaic},
                                                        {"stained_glass", render_stained_glass},
                                                        {"embroidery", render_embroidery},
                                                        {"pixel_art", render_pixel_art},
                                                        {"clay", render_clay},
                                                        {"woodcut", render_woodcut},
                                                        {"chalkboard", render_chalkboard},
                                                        {"neon", render_neon},
                                                        {"silhouette", render_silhouette}};
  return domains;
}

std::vector<std::string> procedural_domain_names() {
  const std::vector<std::string> all = procedural_style_names();
  return {all.begin(), all.begin() + kProceduralDomains};
}

std::vector<std::string> procedural_style_names() {
  std::vector<std::string> names;
  for (const ProceduralDomain& domain : procedural_domains()) names.push_back(domain.name);
  return names;
}

Image procedural_object(std::int64_t seed, int domain, int label, std::int64_t index) {
  const auto& domains = procedural_domains();
  check<ConfigError>(domain >= 0 && domain < static_cast<int>(domains.size()),
                     "procedural object: domain {} is outside 0 … {}", domain, domains.size() - 1);
  check<ConfigError>(index >= 0, "procedural object: index {} is negative", index);
  const auto stream = [&](std::string_view purpose) {
    return RandomStream(
        static_cast<std::uint64_t>(seed), purpose,
        {static_cast<std::uint64_t>(domain), static_cast<std::uint64_t>(label), static_cast<std::uint64_t>(index)});
  };
  RandomStream shape = stream("procedural shape"), pose = stream("procedural pose"), style = stream("procedural style");
  const Drawing drawing =
      draw_parts(make_object(label, shape), random_pose(kProceduralImageSizePx, pose), kProceduralImageSizePx);
  return to_image(domains[domain].render(drawing, style));
}

std::int64_t write_procedural_objects(const std::filesystem::path& root, const ProceduralObjectsConfig& config) {
  const std::vector<Item> items = items_of(config);
  make_folders(root, config);
  parallel_for_each(items.size(), [&](std::size_t i) { write_item(root, config.seed, items[i]); });
  return static_cast<std::int64_t>(items.size());
}

}  // namespace domainfusion
