#include "domainfusion/diffusion/weights/model_source.h"

#include "domainfusion/core/error.h"
#include "domainfusion/diffusion/text/clip_tokenizer.h"
#include "domainfusion/diffusion/weights/compvis_file.h"
#include "domainfusion/diffusion/weights/diffusers_folder.h"
#include "domainfusion/fetch/cache/hub_cache.h"
#include "domainfusion/fetch/cache/known_weights.h"
#include "domainfusion/io/files/json_file.h"

namespace domainfusion {

namespace fs = std::filesystem;

std::string folder_of(LdmPart part) {
  switch (part) {
    case LdmPart::kVae:
      return "vae";
    case LdmPart::kUnet:
      return "unet";
    case LdmPart::kTextEncoder:
      return "text_encoder";
    default:
      return "text_encoder_2";
  }
}

fs::path base_of_lora_folder(const fs::path& folder) {
  const fs::path record = folder / "domainfusion.json";
  if (!fs::is_regular_file(folder / kLoraFile) || !fs::is_regular_file(record)) return {};
  const nlohmann::json whole = read_json_object(record), written = whole.value("base", nlohmann::json::object());
  const nlohmann::json base = written.is_object() ? written.value("folder", nlohmann::json()) : nlohmann::json();
  check<FormatError>(base.is_string(), "'{}' does not say which model its LoRA belongs to", record.string());
  const fs::path path = base.get<std::string>();
  const fs::path beside = fs::absolute(folder).lexically_normal().parent_path() / path.filename();
  if (fs::exists(path)) return path;
  check<IoError>(fs::exists(beside),
                 "'{}' is a LoRA for the model '{}', which is not there (nor '{}'): put the model back, or name it "
                 "with --ldm and this folder with --lora",
                 folder.string(), path.string(), beside.string());
  return beside;
}

std::unique_ptr<ModelSource> open_model(const fs::path& given, const LdmOptions& options) {
  const fs::path path = located_weights(given);
  check<IoError>(
      fs::is_directory(path) || fs::is_regular_file(path),
      "is not a folder or file; expected a diffusers folder (unet, vae, text_encoder, tokenizer, scheduler), a folder "
      "of the hub's cache (models--…), one file in CompVis' layout, or what `domainfusion fetch` brought");
  if (fs::is_regular_file(path)) return std::make_unique<CompvisFile>(path, options);
  return std::make_unique<DiffusersFolder>(is_hub_cache(path) ? hub_snapshot(path, is_whole_model) : path, options);
}

std::vector<LdmFile> tokenizer_files(const fs::path& folder, const std::string& name) {
  std::vector<LdmFile> files;
  for (const char* file :
       {"vocab.json", "merges.txt", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"}) {
    if (fs::exists(folder / file)) files.push_back({name + "/" + file, folder / file, {}});
  }
  const fs::path whole = folder / "tokenizer.json";
  if (fs::exists(whole) && ClipTokenizer::load(folder).needs_tokenizer_json())
    files.push_back({name + "/tokenizer.json", whole, {}});
  return files;
}

}  // namespace domainfusion
