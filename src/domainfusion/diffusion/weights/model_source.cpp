#include "domainfusion/diffusion/weights/model_source.h"

#include "domainfusion/core/error.h"
#include "domainfusion/diffusion/text/clip_tokenizer.h"
#include "domainfusion/diffusion/weights/compvis_file.h"
#include "domainfusion/diffusion/weights/diffusers_folder.h"
#include "domainfusion/fetch/cache/hub_cache.h"
#include "domainfusion/fetch/cache/known_weights.h"

namespace domainfusion {

namespace fs = std::filesystem;

std::string folder_of(LdmPart part) {
  switch (part) {
    case LdmPart::kVae:
      return "vae";
    case LdmPart::kUnet:
      return "unet";
    default:
      return "text_encoder";
  }
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

std::vector<LdmFile> tokenizer_files(const fs::path& folder) {
  std::vector<LdmFile> files;
  for (const char* name :
       {"vocab.json", "merges.txt", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"}) {
    if (fs::exists(folder / name)) files.push_back({std::string("tokenizer/") + name, folder / name, {}});
  }
  const fs::path whole = folder / "tokenizer.json";
  if (fs::exists(whole) && ClipTokenizer::load(folder).needs_tokenizer_json())
    files.push_back({"tokenizer/tokenizer.json", whole, {}});
  return files;
}

}  // namespace domainfusion
