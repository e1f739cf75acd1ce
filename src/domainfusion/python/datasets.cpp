// Sets of images, the source domains of a run, and its batches.
#include <torch/types.h>

#include "domainfusion/data/data_config.h"
#include "domainfusion/data/transforms/image_tensor.h"
#include "domainfusion/python/sources.h"
#include "domainfusion/training/guards/guarded_ldm.h"

namespace domainfusion {
namespace {

// uint8 [H, W, 3], a copy of the picture.
at::Tensor tensor_of(const Image& image) {
  at::Tensor rgb = torch::empty({image.height, image.width, 3}, torch::kUInt8);
  std::copy(image.rgb.begin(), image.rgb.end(), rgb.data_ptr<std::uint8_t>());
  return rgb;
}

void check_place(const DomainDataset& set, std::int64_t domain, std::int64_t index) {
  check<ConfigError>(domain >= 0 && domain < set.number_of_domains(), "domain {}: expected 0 … {}", domain,
                     set.number_of_domains() - 1);
  check<ConfigError>(index >= 0 && index < set.size(domain), "image {} of domain {}: expected 0 … {}", index, domain,
                     set.size(domain) - 1);
}

std::shared_ptr<const DomainDataset> opened_set(const std::filesystem::path& root, const nlohmann::json& options) {
  DataConfig config;
  config.cache = ImageCache::kNone;  // a memory with a lock does not survive the fork of DataLoader's workers
  fields_of(config).from_json(options.is_null() ? nlohmann::json::object() : options);
  config.root = root.string();
  return open_dataset(config, /*fewest_classes=*/1);
}

// view "plain": in [0, 1], in its own size or as a square as a diffusion model wants it; "evaluation": normalised, as
// validation shows it to a classifier.
at::Tensor image_of_view(const DomainDataset& set, std::int64_t domain, std::int64_t index,
                         std::optional<std::int64_t> size_px, const std::string& view) {
  check_place(set, domain, index);
  check<ConfigError>(view == "plain" || view == "evaluation", "view = '{}': expected plain or evaluation", view);
  const std::int64_t indices[] = {index};
  if (view == "evaluation") {
    check<ConfigError>(size_px.has_value(), "view = evaluation needs a size_px");
    return evaluation_batch(set, domain, indices, *size_px).image_NCHW[0];
  }
  return size_px ? plain_images01(set, domain, indices, *size_px)[0] : image_to_tensor01(set.image(domain, index));
}

void bind_sets(py::module_& module) {
  module.def(
      "read_image", [](const std::filesystem::path& path) { return tensor_of(read_image(path)); }, py::arg("path"),
      Unlocked(), "A picture (JPEG, PNG, WebP, GIF) as uint8 [H, W, 3], as PIL's convert('RGB') reads it.");
  py::class_<DomainDataset, std::shared_ptr<DomainDataset>>(
      module, "NativeImages", "The set behind domainfusion.Images, which is the one to be used.")
      .def_property_readonly("class_names", &DomainDataset::class_names)
      .def_property_readonly("domain_names", &DomainDataset::domain_names)
      .def(
          "size",
          [](const DomainDataset& set, std::int64_t domain) {
            check<ConfigError>(domain >= 0 && domain < set.number_of_domains(), "domain {}: expected 0 … {}", domain,
                               set.number_of_domains() - 1);
            return set.size(domain);
          },
          py::arg("domain"))
      .def(
          "label",
          [](const DomainDataset& set, std::int64_t domain, std::int64_t index) {
            check_place(set, domain, index);
            return set.info(domain, index).label;
          },
          py::arg("domain"), py::arg("index"))
      .def(
          "path",
          [](const DomainDataset& set, std::int64_t domain, std::int64_t index) {
            check_place(set, domain, index);
            return set.info(domain, index).path;
          },
          py::arg("domain"), py::arg("index"))
      .def("image", &image_of_view, py::arg("domain"), py::arg("index"), py::arg("size_px"), py::arg("view"),
           Unlocked());
  module.def(
      "open_images",
      [](const std::filesystem::path& root, const nlohmann::json& options) {
        return std::const_pointer_cast<DomainDataset>(opened_set(root, options));
      },
      py::arg("root"), py::arg("options"), Unlocked());
}

void bind_loader(py::module_& module) {
  py::class_<Batch>(module, "Batch", "N images with their places in the set.")
      .def_readonly("images", &Batch::image_NCHW, "float32 [N, 3, S, S], augmented, normalised (denormalise())")
      .def_readonly("labels", &Batch::label_N, "int64 [N]")
      .def_readonly("domains", &Batch::domain_N, "int64 [N]")
      .def_readonly("indices", &Batch::index_N, "int64 [N], within the domain");
  py::class_<BatchLoader>(module, "BatchLoader",
                          "Endless minibatches of augmented images, prepared ahead by threads of its own.")
      .def("batch", &BatchLoader::batch, py::arg("step"), Unlocked(),
           "The batch of `step` >= 0: a pure function of set, options, seed, purpose and step.")
      .def_property_readonly("images_per_step", &BatchLoader::images_per_step);
}

nlohmann::json domain_words(const Sources& sources) {
  const SourceSplit& split = sources.split;
  const SourceDescriptions descriptions = source_descriptions(*split.source_in, *split.guard, sources.setup.config);
  nlohmann::json words = nlohmann::json::object();
  for (const auto& [domain, text] : descriptions.of_domain)
    words[split.source_in->domain_names()[static_cast<std::size_t>(domain)]] = text;
  return words;
}

std::unique_ptr<BatchLoader> new_loader(const Sources& sources, const std::string& purpose,
                                        std::optional<std::int64_t> batch_size) {
  LoaderConfig config = sources.setup.config.loader;
  config.batch_size = batch_size.value_or(config.batch_size * sources.setup.algorithm->batch_multiplier());
  check<ConfigError>(config.batch_size >= 1, "batch_size = {}: expected at least 1", config.batch_size);
  const auto& set = sources.split.source_in;
  return std::make_unique<BatchLoader>(set, every_image_of(*set), config, sources.seed(), purpose);
}

}  // namespace

Sources::Sources(const std::filesystem::path& recipe,
                 const std::vector<std::pair<std::string, nlohmann::json>>& options)
    : setup(make_run_setup(recipe, {}, options)), split(split_sources(open_dataset(setup.config.data), setup.config)) {}

std::int64_t Sources::steps_per_epoch() const {
  std::int64_t images = 0;
  for (std::int64_t d = 0; d < split.source_in->number_of_domains(); ++d) images += split.source_in->size(d);
  return setup.config.steps_per_epoch(images, split.source_in->number_of_domains());
}

void bind_datasets(py::module_& module) {
  bind_sets(module);
  bind_loader(module);
  const auto images = [](const std::shared_ptr<const DomainDataset>& set) {
    return std::const_pointer_cast<DomainDataset>(set);
  };
  py::class_<Sources, std::shared_ptr<Sources>>(module, "NativeSources",
                                                "What is behind domainfusion.Sources, which is the one to be used.")
      .def(py::init([](const std::filesystem::path& recipe, const nlohmann::json& options) {
             std::vector<std::pair<std::string, nlohmann::json>> list;
             for (const auto& [key, value] : options.items()) list.emplace_back(key, value);
             return std::make_shared<Sources>(recipe, list);
           }),
           py::arg("recipe"), py::arg("options"), Unlocked())
      .def_property_readonly("train", [images](const Sources& s) { return images(s.split.source_in); })
      .def_property_readonly("validation", [images](const Sources& s) { return images(s.split.source_out); })
      .def_property_readonly("held_out", [](const Sources& s) { return s.split.guard->held_out_names(); })
      .def_property_readonly("config", [](Sources& s) { return s.setup.fields().to_json(); })
      .def_property_readonly(
          "class_words",
          [](const Sources& s) {
            return prompt_words(*s.split.source_in, s.split.source_in->domain_names(), s.setup.config).classes();
          })
      .def_property_readonly("domain_words", &domain_words)
      .def_property_readonly("steps_per_epoch", &Sources::steps_per_epoch)
      .def_property_readonly("total_steps",
                             [](const Sources& s) { return s.setup.config.total_steps(s.steps_per_epoch()); })
      .def("loader", &new_loader, py::arg("purpose"), py::arg("batch_size"), Unlocked())
      .def(
          "check_ldm",
          [](const Sources& s, const LatentDiffusion& ldm) { return checked_ldm_record(ldm, *s.split.guard); },
          py::arg("ldm"), Unlocked())
      .def(
          "check_prompt",
          [](const Sources& s, const std::string& prompt) {
            target_guard(*s.split.source_in, *s.split.guard, s.setup.config).check_prompt(prompt, "prompt");
          },
          py::arg("prompt"));
}

}  // namespace domainfusion
