#include "domainfusion/diffusion/diffusers_writer.h"

#include <torch/types.h>
#include <unistd.h>

#include "domainfusion/core/error.h"
#include "domainfusion/core/json_text.h"
#include "domainfusion/io/files/atomic_file.h"
#include "domainfusion/io/files/file_bytes.h"
#include "domainfusion/io/files/json_file.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// A folder under another name until it is complete.
class NewFolder {
 public:
  explicit NewFolder(fs::path target) : target_(std::move(target)) {
    if (!target_.has_filename()) target_ = target_.parent_path();
    check<ConfigError>(!fs::exists(fs::symlink_status(target_)), "'{}' is there already; choose another path",
                       target_.string());
    temporary_ = target_.string() + fmt::format(".partial-{}", ::getpid());
    std::error_code error;
    fs::create_directory(temporary_, error);
    check<IoError>(!error, "'{}' cannot be made: {}; check that its folder exists", target_.string(), error.message());
  }
  ~NewFolder() {
    std::error_code ignored;
    if (!temporary_.empty()) fs::remove_all(temporary_, ignored);
  }
  NewFolder(const NewFolder&) = delete;
  NewFolder& operator=(const NewFolder&) = delete;

  const fs::path& path() const { return temporary_; }
  void commit() {
    std::error_code error;
    fs::rename(temporary_, target_, error);
    check<IoError>(!error, "'{}' cannot be put in place: {}", target_.string(), error.message());
    temporary_.clear();
  }

 private:
  fs::path target_, temporary_;
};

void write_json(const fs::path& path, const json& object) {
  fs::create_directories(path.parent_path());
  write_file_atomically(path, json_text(object, 2) + "\n");
}

// Loading says which tensors are missing, unexpected or mis-shaped.
void check_fits(const LatentDiffusion& model, LdmPart part) {
  const bool was_loaded = model.is_loaded(part);
  if (part == LdmPart::kVae) model.vae();
  if (part == LdmPart::kUnet) model.unet();
  if (part == LdmPart::kTextEncoder) model.text_encoder();
  if (part == LdmPart::kTextEncoder2) model.second_text_encoder();
  if (!was_loaded) model.release(part);
}

void write_part(const fs::path& folder, LdmPart part, const json& config, const TensorMap& weights) {
  const fs::path below = folder / folder_of(part);
  write_json(below / "config.json", config);
  const bool text = part == LdmPart::kTextEncoder || part == LdmPart::kTextEncoder2;
  const char* name = text ? "model.safetensors" : "diffusion_pytorch_model.safetensors";
  save_tensors(below / name, weights, {{"format", "pt"}});
}

void copy_part(const fs::path& folder, const LatentDiffusion& model, LdmPart part, std::optional<at::ScalarType> type) {
  check_fits(model, part);
  write_part(folder, part, model.source().config(part), converted(model.source().weights(part), type));
}

json model_index(const LatentDiffusion& model) {
  const auto part = [](const char* library, const std::string& type) { return json::array({library, type}); };
  const std::string vae = model.source().config(LdmPart::kVae).value("_class_name", "AutoencoderKL");
  json index{{"_class_name", model.is_xl() ? "StableDiffusionXLPipeline" : "StableDiffusionPipeline"},
             {"feature_extractor", {nullptr, nullptr}},
             {"vae", part("diffusers", vae)},
             {"unet", part("diffusers", "UNet2DConditionModel")},
             {"text_encoder", part("transformers", "CLIPTextModel")},
             {"tokenizer", part("transformers", "CLIPTokenizer")},
             {"scheduler", part("diffusers", model.scheduler_config().value("_class_name", "DDIMScheduler"))}};
  if (model.is_xl()) {
    index["text_encoder_2"] = part("transformers", "CLIPTextModelWithProjection");
    index["tokenizer_2"] = part("transformers", "CLIPTokenizer");
    index["force_zeros_for_empty_prompt"] = model.source().zeros_for_empty_prompt();
  } else {
    index["requires_safety_checker"] = false;
    index["safety_checker"] = {nullptr, nullptr};
  }
  return index;
}

void write_tokenizer(const fs::path& folder, const fs::path& from, const std::string& name) {
  fs::create_directories(folder / name);
  for (const LdmFile& file : tokenizer_files(from, name)) {
    write_file_atomically(folder / file.name, read_file(file.path));
  }
}

// SDXL's second tokenizer; one that is the first with another padding is written as such.
void write_second_tokenizer(const fs::path& folder, const ModelSource& source) {
  if (!source.second_tokenizer_folder().empty())
    return write_tokenizer(folder, source.second_tokenizer_folder(), "tokenizer_2");
  write_tokenizer(folder, source.tokenizer_folder(), "tokenizer_2");
  for (const char* name : {"tokenizer_config.json", "special_tokens_map.json"}) {
    const fs::path file = folder / "tokenizer_2" / name;
    json settings = fs::exists(file) ? read_json_object(file) : json::object();
    settings["pad_token"] = "!";
    write_json(file, settings);
  }
}

void write_small_files(const fs::path& folder, const LatentDiffusion& model) {
  write_json(folder / "scheduler/scheduler_config.json", model.scheduler_config());
  write_json(folder / "model_index.json", model_index(model));
  write_tokenizer(folder, model.source().tokenizer_folder(), "tokenizer");
  if (model.is_xl()) write_second_tokenizer(folder, model.source());
}

}  // namespace

TensorMap converted(TensorMap tensors, std::optional<at::ScalarType> type) {
  for (auto& [name, tensor] : tensors) {
    if (type && tensor.is_floating_point()) tensor = tensor.to(*type);
  }
  return tensors;
}

void write_diffusers_folder(const fs::path& folder, const LatentDiffusion& model, std::optional<at::ScalarType> type) {
  NewFolder made(folder);
  for (const LdmPart part : model.source().parts()) copy_part(made.path(), model, part, type);
  write_small_files(made.path(), model);
  if (model.provenance() != nullptr) write_json(made.path() / "domainfusion.json", *model.provenance());
  made.commit();
}

void write_with_unet(const fs::path& folder, const LatentDiffusion& model, const TensorMap& unet,
                     std::int64_t image_size_px, const json& provenance) {
  for (const LdmPart part : model.source().parts()) {
    if (part != LdmPart::kUnet) copy_part(folder, model, part, {});
  }
  json config = model.source().config(LdmPart::kUnet);
  if (image_size_px != model.image_size_px()) {
    const std::int64_t factor = model.image_size_px() / model.latent_shape()[1];
    config["sample_size"] = image_size_px / factor;
  }
  write_part(folder, LdmPart::kUnet, config, unet);
  write_small_files(folder, model);
  write_json(folder / "domainfusion.json", provenance);
}

}  // namespace domainfusion
