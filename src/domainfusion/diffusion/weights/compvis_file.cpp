#include "domainfusion/diffusion/weights/compvis_file.h"

#include "domainfusion/core/error.h"
#include "domainfusion/core/json_text.h"
#include "domainfusion/core/log.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;

void say_unknown(const WeightsFile& file, const CompvisNames& names) {
  constexpr std::size_t kMostListed = 20;
  std::vector<std::string> unknown;
  std::size_t count = 0;
  for (const StoredTensor& tensor : file.tensors()) {
    if (names.target_of(tensor.name).use != CompvisNames::Use::kUnknown) continue;
    if (++count <= kMostListed) unknown.push_back(tensor.name);
  }
  if (count == 0) return;
  log_warning("'{}': {} tensors belong to no part of Stable Diffusion and are left out: {}{}",
              file.paths().front().string(), count, fmt::join(unknown, "; "), count > kMostListed ? "; …" : "");
}

void check_tokenizer(const LdmOptions& options) {
  check<ConfigError>(!options.tokenizer.empty(),
                     "is one file of weights, without a tokenizer: name the folder of one (vocab.json and merges.txt, "
                     "or tokenizer.json) with --tokenizer");
}

// The choice that the file does not state, see compvis_config.h.
void say_prediction_type(const CompvisNames& names, const TensorMetadata& metadata, const LdmOptions& options,
                         const CompvisConfig& config) {
  if (!names.has_open_clip() || names.is_xl() || !options.prediction_type.empty() || metadata.contains("global_step"))
    return;
  log_info(
      "the file does not state what its U-Net predicts: {} is taken, as diffusers does; --prediction-type names "
      "another",
      config.scheduler().at("prediction_type").get<std::string>());
}

}  // namespace

TensorShapes shapes_of(const WeightsFile& file) {
  TensorShapes shapes;
  for (const StoredTensor& tensor : file.tensors()) shapes[tensor.name] = tensor.shape;
  return shapes;
}

CompvisFile::CompvisFile(const fs::path& path, LdmOptions options)
    : path_(path),
      options_(std::move(options)),
      file_(WeightsFile::open(path)),
      names_(shapes_of(file_)),
      config_(shapes_of(file_), names_, file_.metadata(), options_.prediction_type) {
  check_tokenizer(options_);
  say_remarks(file_);
  say_unknown(file_, names_);
  say_prediction_type(names_, file_.metadata(), options_, config_);
}

nlohmann::json CompvisFile::config(LdmPart part) const {
  switch (part) {
    case LdmPart::kVae:
      return config_.vae();
    case LdmPart::kUnet:
      return config_.unet();
    case LdmPart::kTextEncoder:
      return config_.text_encoder();
    default:
      return config_.second_text_encoder();
  }
}

TensorMap CompvisFile::weights(LdmPart part) const {
  const auto belongs = [&](const std::string& name) {
    const auto target = names_.target_of(name);
    return target.part == part && target.use != CompvisNames::Use::kUnused && target.use != CompvisNames::Use::kUnknown;
  };
  return compvis_part(load_tensors(file_, belongs), names_, part);
}

std::string CompvisFile::subject(LdmPart part) const { return fmt::format("{}, {}", path_.string(), folder_of(part)); }

std::vector<LdmFile> CompvisFile::files() const {
  std::vector<LdmFile> files{{"scheduler/scheduler_config.json", {}, json_text(config_.scheduler())}};
  for (const fs::path& path : file_.paths()) files.push_back({"model", path, {}});
  for (LdmFile& file : tokenizer_files(options_.tokenizer)) files.push_back(std::move(file));
  return files;
}

}  // namespace domainfusion
