#include "domainfusion/diffusion/weights/few_step.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <vector>

#include "domainfusion/core/error.h"
#include "domainfusion/diffusion/weights/diffusers_folder.h"
#include "domainfusion/fetch/cache/hub_cache.h"
#include "domainfusion/io/files/json_file.h"
#include "domainfusion/io/files/readable_text.h"
#include "domainfusion/io/weights/weights_file.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// A word of a name, and the sampler that its makers name for such models.
struct KnownWord {
  std::string_view word, scheduler;
};
constexpr std::array<KnownWord, 12> kWords{{{"turbo", "euler:trailing"},
                                            {"lcm", "lcm"},
                                            {"lightning", "euler:trailing"},
                                            {"hyper", "ddim:trailing"},
                                            {"hypersd", "ddim:trailing"},
                                            {"hypersdxl", "ddim:trailing"},
                                            {"tcd", "ddim:trailing"},
                                            {"pcm", "ddim:trailing"},
                                            {"dmd", "lcm"},
                                            {"dmd2", "lcm"},
                                            {"sdxs", "euler:trailing"},
                                            {"flash", "lcm"}}};
// Fewer of these words stand for a model by themselves: "hyper" and "flash" name many things.
constexpr std::array<std::string_view, 2> kWithSd{"hyper", "flash"};
constexpr std::int64_t kMostSteps = 8;   // of a few
constexpr double kEmbeddedGuidance = 8;  // that latent consistency models of this kind are shown with

std::vector<std::string> words_of_name(const std::string& name) {
  std::vector<std::string> words{""};
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) != 0) {
      words.back() += static_cast<char>(std::tolower(byte));
    } else if (!words.back().empty()) {
      words.emplace_back();
    }
  }
  return words;
}

// "4step", "4steps", "step4" or "4" before "step": that number.
std::optional<std::int64_t> steps_in(const std::vector<std::string>& words) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    const bool step = word == "step" || word == "steps";
    const std::string digits = step && i > 0 ? words[i - 1] : word.substr(0, word.find("step"));
    const bool named = step || word.ends_with("step") || word.ends_with("steps");
    if (named && digits.size() == 1 && digits[0] >= '1' && digits[0] <= '0' + kMostSteps) return digits[0] - '0';
  }
  return std::nullopt;
}

bool counts(const KnownWord& known, const std::vector<std::string>& words) {
  const auto found = std::find(words.begin(), words.end(), known.word);
  if (found == words.end()) return false;
  if (std::find(kWithSd.begin(), kWithSd.end(), known.word) == kWithSd.end()) return true;
  return found + 1 != words.end() && (found + 1)->starts_with("sd");
}

// The folder of a model in diffusers' layout, or none.
std::optional<fs::path> folder_of_model(const fs::path& model) {
  if (!fs::is_directory(model)) return std::nullopt;
  return is_hub_cache(model) ? hub_snapshot(model, is_whole_model) : model;
}

json small_file(const fs::path& path) { return fs::is_regular_file(path) ? read_json_object(path) : json::object(); }

std::string text_at(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

// The path's own name, that of the hub's repository it lies in, and that which the files were saved under.
std::vector<std::string> names_of(const fs::path& model, const std::optional<fs::path>& folder) {
  const fs::path plain = fs::absolute(model).lexically_normal() / "";
  std::vector<std::string> names{plain.parent_path().filename().string()};
  if (const fs::path above = plain.parent_path().parent_path(); above.filename() == "snapshots")
    names.push_back(above.parent_path().filename().string());
  if (folder) {
    for (const char* file : {"model_index.json", "unet/config.json"})
      names.push_back(fs::path(text_at(small_file(*folder / file), "_name_or_path")).filename().string());
  }
  return names;
}

// The file's own name; where that is a library's for any LoRA, those of its folder and repository; what it was trained
// as.
std::vector<std::string> names_of_lora(const fs::path& path) {
  const fs::path plain = fs::absolute(path).lexically_normal();
  std::vector<std::string> names{plain.filename().string()};
  if (plain.stem() == "pytorch_lora_weights" || plain.stem() == "adapter_model") {
    const fs::path folder = plain.parent_path();
    names.push_back(folder.filename().string());
    if (folder.parent_path().filename() == "snapshots")
      names.push_back(folder.parent_path().parent_path().filename().string());
  }
  const TensorMetadata metadata = WeightsFile::open(path).metadata();
  for (const char* key : {"ss_output_name", "modelspec.title"}) {
    if (const auto found = metadata.find(key); found != metadata.end()) names.push_back(found->second);
  }
  return names;
}

FewStepKind kind_of_scheduler(const json& config) {
  const std::string type = text_at(config, "_class_name");
  FewStepKind kind;
  if (type == "LCMScheduler" || type == "TCDScheduler") {
    kind = {.few_step = true, .reason = fmt::format("its sampler is {}", type)};
    if (type == "TCDScheduler") kind.scheduler = "ddim:trailing";
  } else if (type.starts_with("Euler") && text_at(config, "timestep_spacing") == "trailing" &&
             config.value("rescale_betas_zero_snr", json(false)) != json(true)) {
    kind = {.few_step = true, .reason = fmt::format("its sampler is {} with trailing timesteps, as Turbo's", type)};
  }
  return kind;
}

}  // namespace

FewStepKind few_step_kind_of_name(const std::string& name) {
  const std::vector<std::string> words = words_of_name(name);
  FewStepKind kind;
  for (const KnownWord& known : kWords) {
    if (!counts(known, words)) continue;
    kind = {.few_step = true,
            .reason = fmt::format("'{}' stands in its name, '{}'", known.word, readable_text(name)),
            .scheduler = std::string(known.scheduler)};
    // One step is taken as two of which image-to-image at strength 0.5 leaves one.
    if (const auto steps = steps_in(words)) kind.steps = std::max<std::int64_t>(*steps, 2);
    return kind;
  }
  return kind;
}

FewStepKind few_step_kind(const fs::path& model, const std::vector<LoraChoice>& loras) {
  try {
    if (const fs::path base = base_of_lora_folder(model); !base.empty()) return few_step_kind(base, loras);
    for (const LoraChoice& lora : loras) {
      for (const std::string& name : names_of_lora(lora.path)) {
        if (FewStepKind kind = few_step_kind_of_name(name); kind.few_step) return kind;
      }
    }
    const auto folder = folder_of_model(model);
    const FewStepKind by_scheduler =
        folder ? kind_of_scheduler(small_file(*folder / "scheduler/scheduler_config.json")) : FewStepKind{};
    FewStepKind kind = by_scheduler;
    for (const std::string& name : names_of(model, folder)) {
      const FewStepKind by_name = few_step_kind_of_name(name);
      if (!by_name.few_step) continue;
      kind = by_name;
      // The model's own sampler, where it is one for a few steps.
      if (by_scheduler.few_step) kind.scheduler = by_scheduler.scheduler;
      break;
    }
    const json embedded =
        folder ? small_file(*folder / "unet/config.json").value("time_cond_proj_dim", json()) : json();
    if (kind.few_step && embedded.is_number_integer()) kind.guidance_scale = kEmbeddedGuidance;
    return kind;
  } catch (const Error&) {
    return {};
  } catch (const fs::filesystem_error&) {
    return {};
  }
}

}  // namespace domainfusion
