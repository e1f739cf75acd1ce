#pragma once
// The embedded data set: everyday objects drawn in four domains, made from a seed in a few seconds, for trials without
// any download. Every image is a pure function of (seed, domain, class, index): equal on every machine, whatever the
// threads.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "domainfusion/config/config_fields.h"
#include "domainfusion/io/images/image.h"

namespace domainfusion {

inline constexpr int kProceduralImageSizePx = 64;
inline constexpr int kProceduralDomains = 4;  // of the set itself; styles beyond them follow

struct ProceduralObjectsConfig {
  std::int64_t seed = 0;
  std::int64_t images_per_class = 120;         // photo, painting and cartoon
  std::int64_t sketch_images_per_class = 100;  // the domain that is usually held out
  std::int64_t style_images_per_class = 0;     // each of the styles beyond the four domains
  void describe(ConfigFields& fields);
};

// photo, painting, cartoon, sketch
std::vector<std::string> procedural_domain_names();
// The four domains, and after them the styles that an LDM of the set may know beside them: watercolour, mosaic,
// stained_glass, embroidery, pixel_art, clay, woodcut, chalkboard, neon, silhouette.
std::vector<std::string> procedural_style_names();
// apple, car, cat, cup, fish, house, tree: label order
const std::vector<std::string>& procedural_class_names();

// 64x64 px, in the domain or style of that place in procedural_style_names(). ConfigError if `domain`, `label` or
// `index` is out of range (index: 0 and up).
Image procedural_object(std::int64_t seed, int domain, int label, std::int64_t index);

// Writes `root`/<domain>/<class>/<nnnn>.png on all CPUs; returns the number of images. Existing files of the same names
// are replaced. IoError if a file cannot be written.
std::int64_t write_procedural_objects(const std::filesystem::path& root, const ProceduralObjectsConfig& config);

}  // namespace domainfusion
