#include "domainfusion/diffusion/generation/folder_generation.h"

#include <torch/types.h>

#include <map>
#include <set>

#include "domainfusion/core/error.h"
#include "domainfusion/core/machine/blas.h"
#include "domainfusion/core/progress.h"
#include "domainfusion/data/sets/image_files.h"
#include "domainfusion/data/transforms/image_tensor.h"
#include "domainfusion/data/transforms/resize.h"
#include "domainfusion/diffusion/generation/checked_generation.h"
#include "domainfusion/diffusion/generation/generation_folder.h"
#include "domainfusion/io/files/content_hash.h"
#include "domainfusion/io/files/file_bytes.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// "a/b.jpg" -> "a/b.png"; pictures that differ in their ending alone keep it: "a/b.jpg.png", and so does one that would
// then take another's name, or a folder's.
std::map<std::string, std::string> output_names(const std::vector<std::string>& sources) {
  const auto plain = [](const std::string& source) {
    return fs::path(source).replace_extension(".png").generic_string();
  };
  const auto with_ending = [](const std::string& source) { return source + ".png"; };
  std::map<std::string, int> users;
  std::set<std::string> taken;
  for (const std::string& source : sources) {
    ++users[plain(source)];
    for (fs::path folder = fs::path(source).parent_path(); !folder.empty(); folder = folder.parent_path())
      taken.insert(folder.generic_string());
  }
  std::map<std::string, std::string> names;
  for (const std::string& source : sources) {
    const bool alone = users[plain(source)] == 1;
    names[source] = alone ? plain(source) : with_ending(source);
    if (!alone) taken.insert(names[source]);
  }
  for (bool changed = true; changed;) {
    changed = false;
    for (auto& [source, name] : names) {
      if (name == with_ending(source) || !taken.contains(name)) continue;
      name = with_ending(source);
      taken.insert(name);
      changed = true;
    }
  }
  return names;
}

bool is_inside(const fs::path& path, const fs::path& folder) {
  std::error_code error;  // of a path that cannot be: whoever opens it says so
  const fs::path relative = fs::weakly_canonical(path, error).lexically_relative(fs::weakly_canonical(folder, error));
  return !relative.empty() && *relative.begin() != "..";
}

std::string filled_in(std::string prompt, const std::string& folder) {
  const std::string place = "{folder}";
  for (auto at = prompt.find(place); at != std::string::npos; at = prompt.find(place, at + folder.size())) {
    prompt.replace(at, place.size(), folder);
  }
  return prompt;
}

bool is_same_size(const Image& a, const Image& b) { return a.height == b.height && a.width == b.width; }

class FolderGeneration {
 public:
  FolderGeneration(const LatentDiffusion& model, const GenerateConfig& config, const fs::path& images,
                   const fs::path& out);
  FolderReport run(const std::function<bool()>& should_stop);

 private:
  // A picture that has been read and brought to its size.
  struct Item {
    std::string source, hash;
    Image image;
  };

  void check_usable() const;
  void embed_prompts() const;
  json options() const;
  std::optional<Item> read(const std::string& source);
  Image resized(const Image& image) const;
  std::string folder_of(const std::string& source) const;
  void make(const std::vector<Item>& group);
  ImageToImageRequest request_for(const std::vector<Item>& group) const;
  json record_of(const Item& item) const;

  const LatentDiffusion& model_;
  GenerateConfig config_;
  fs::path images_;
  std::vector<std::string> sources_;
  std::map<std::string, std::string> outputs_;
  std::string scheduler_;
  std::optional<GenerationFolder> folder_;
  FolderReport report_;
};

FolderGeneration::FolderGeneration(const LatentDiffusion& model, const GenerateConfig& config, const fs::path& images,
                                   const fs::path& out)
    : model_(model), config_(config), images_(images) {
  config_.settle(model.few_step_kind());
  tell_sampling("", config_, model.few_step_kind());
  std::error_code error;
  check<IoError>(fs::is_directory(images, error), "--images {}: is not a folder{}", images.string(),
                 error ? ": " + error.message() : "");
  check<ConfigError>(!is_inside(out, images),
                     "--out {} lies inside --images {}: its pictures would be taken for sources", out.string(),
                     images.string());
  sources_ = image_files_below(images);
  check<IoError>(!sources_.empty(), "--images {}: no pictures (JPEG, PNG or WebP) in it or below", images.string());
  outputs_ = output_names(sources_);
  check_usable();
  scheduler_ = config_.mode == GenerationMode::kInversion
                   ? "ddim"
                   : resolved_scheduler_name(config_.request().scheduler, model.scheduler_config());
  folder_.emplace(out, options(), json{{"options", {{"alpha", name_of(Alpha::kDrop)}}}});
  embed_prompts();
}

// All prompts are known now: the text encoder need not stay.
void FolderGeneration::embed_prompts() const {
  std::set<std::string> prompts{config_.negative_prompt};
  for (const std::string& source : sources_) {
    prompts.insert(filled_in(config_.prompt, folder_of(source)));
    if (config_.mode == GenerationMode::kInversion)
      prompts.insert(filled_in(config_.inversion_prompt, folder_of(source)));
  }
  for (const std::string& prompt : prompts) model_.embed({prompt});
  model_.release(LdmPart::kTextEncoder);
}

void FolderGeneration::check_usable() const {
  model_.use_vae_tiles(config_.vae_tile_px);
  prepare_scheduler(model_.scheduler_config(), config_.request());
  const std::int64_t factor = model_.vae()->config().downsampling_factor();
  check<ConfigError>(config_.size_px % factor == 0, "size_px = {}: expected a multiple of {}, the VAE's factor",
                     config_.size_px, factor);
}

// Everything that decides an image; how many are made at a time does not.
json FolderGeneration::options() const {
  GenerateConfig config = config_;
  json options = fields_of(config).to_json();
  options.erase("batch_size");
  options.erase("preset");                                             // what it decided stands there
  const auto& [weights_hash, own_size_px, dtype] = model_.identity();  // the size is an option
  return {{"options", options}, {"scheduler", scheduler_}, {"dtype", dtype}, {"weights_hash", weights_hash}};
}

Image FolderGeneration::resized(const Image& image) const {
  const auto factor = static_cast<int>(model_.vae()->config().downsampling_factor());
  const auto side = static_cast<int>(config_.size_px);
  const int height = side > 0 ? side : image.height / factor * factor,
            width = side > 0 ? side : image.width / factor * factor;
  check<FormatError>(height > 0 && width > 0, "{} x {} pixels; expected at least {} x {}, or give --size", image.width,
                     image.height, factor, factor);
  return height == image.height && width == image.width ? image : resize(image, height, width, Filter::kLanczos);
}

// A picture that cannot be read is reported; the others are made all the same.
std::optional<FolderGeneration::Item> FolderGeneration::read(const std::string& source) {
  try {
    const std::string bytes = read_file(images_ / source);
    return Item{source, sha256_hex(bytes), resized(decode_image(bytes, source, config_.alpha))};
  } catch (const Error& error) {
    report_.broken.push_back({source, error.what()});
  } catch (const std::bad_alloc&) {
    report_.broken.push_back({source, "not enough memory to decode it"});
  }
  return std::nullopt;
}

std::string FolderGeneration::folder_of(const std::string& source) const {
  const fs::path parent = fs::path(source).parent_path();
  return (parent.empty() ? fs::absolute(images_).lexically_normal() / "" : parent / "")
      .parent_path()
      .filename()
      .string();
}

ImageToImageRequest FolderGeneration::request_for(const std::vector<Item>& group) const {
  ImageToImageRequest request = config_.request();
  std::vector<at::Tensor> images;
  for (const Item& item : group) {
    images.push_back(image_to_tensor01(item.image));
    request.prompts.push_back(filled_in(config_.prompt, folder_of(item.source)));
    request.inversion_prompts.push_back(filled_in(config_.inversion_prompt, folder_of(item.source)));
    request.noise_streams.emplace_back(static_cast<std::uint64_t>(config_.seed), "generate",
                                       std::initializer_list<std::uint64_t>{leading_bits(item.hash)});
  }
  request.image01_N3HW = at::stack(images);
  return request;
}

json FolderGeneration::record_of(const Item& item) const {
  GenerateConfig config = config_;
  json record = fields_of(config).to_json();
  record.erase("batch_size");
  record.erase("preset");
  record.erase("size_px");
  const auto& [weights_hash, own_size_px, dtype] = model_.identity();
  record.update({{"prompt", filled_in(config_.prompt, folder_of(item.source))},
                 {"inversion_prompt", filled_in(config_.inversion_prompt, folder_of(item.source))},
                 {"scheduler", scheduler_},
                 {"dtype", dtype},
                 {"width", item.image.width},
                 {"height", item.image.height},
                 {"weights_hash", weights_hash}});
  return record;
}

// A group is made whole, also where some of its images lie there already, so that a run that goes on gives the very
// bits of one that was never ended.
void FolderGeneration::make(const std::vector<Item>& group) {
  std::vector<bool> finished;
  for (const Item& item : group) finished.push_back(folder_->has(item.source, item.hash));
  const auto kept = std::count(finished.begin(), finished.end(), true);
  report_.kept += kept;
  if (static_cast<std::size_t>(kept) == group.size()) return;
  const ImageToImageRequest request = request_for(group);
  const CheckedValues made = checked_image_to_image(model_, request);
  report_.retried += made.retried;
  for (std::size_t i = 0; i < group.size(); ++i) {
    if (finished[i]) continue;
    const auto row = static_cast<std::int64_t>(i);
    // A source of one colour may stay one.
    if (!made.failures[i].empty() &&
        (made.failures[i] == kNotFinite || !is_failed(request.image01_N3HW[row], kConstantPixels))) {
      report_.failed.push_back({group[i].source, made.failures[i]});
      continue;
    }
    folder_->add(group[i].source, group[i].hash, outputs_.at(group[i].source),
                 tensor01_to_image(made.values_N[row].cpu()), record_of(group[i]));
    ++report_.made;
  }
}

FolderReport FolderGeneration::run(const std::function<bool()>& should_stop) {
  if (model_.placement().device.is_cpu()) warn_of_slow_blas();
  Progress progress("generate", static_cast<std::int64_t>(sources_.size()), "images");
  std::vector<Item> group;
  const auto flush = [&] {
    if (!group.empty()) make(group);
    group.clear();
    report_.stopped = should_stop && should_stop();
  };
  for (std::size_t i = 0; i < sources_.size() && !report_.stopped; ++i) {
    std::optional<Item> item = read(sources_[i]);
    if (item && !group.empty() && !is_same_size(item->image, group[0].image)) flush();
    if (item) group.push_back(std::move(*item));
    if (group.size() == static_cast<std::size_t>(config_.batch_size)) flush();
    progress.update(static_cast<std::int64_t>(i + 1));
  }
  if (!report_.stopped) flush();
  report_.stopped = report_.stopped && report_.made + report_.kept < static_cast<std::int64_t>(sources_.size());
  progress.finish();
  return report_;
}

}  // namespace

FolderReport generate_folder(const LatentDiffusion& model, const GenerateConfig& config, const fs::path& images,
                             const fs::path& out, const std::function<bool()>& should_stop) {
  return FolderGeneration(model, config, images, out).run(should_stop);
}

}  // namespace domainfusion
