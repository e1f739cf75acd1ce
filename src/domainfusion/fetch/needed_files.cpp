#include "domainfusion/fetch/needed_files.h"

#include <algorithm>
#include <cctype>
#include <optional>
#include <set>
#include <string_view>
#include <tuple>

#include "domainfusion/core/error.h"

namespace domainfusion {
namespace {

// Parts of a pipeline that its images do not depend on.
const std::set<std::string> kLeftOut = {"safety_checker", "feature_extractor", "image_encoder"};
// What files of weights are called, after diffusers and transformers.
const std::set<std::string_view> kStems = {"diffusion_pytorch_model", "model", "pytorch_model"};

bool in_folder(const std::string& file, const std::string& folder) {
  const std::size_t slash = file.rfind('/');
  return folder == (slash == std::string::npos ? "" : file.substr(0, slash));
}

std::string name_in_folder(const std::string& file) { return file.substr(file.rfind('/') + 1); }

bool is_text(const std::string& name) { return name.ends_with(".json") || name.ends_with(".txt"); }

// What tells the files of one copy of the weights from those of another.
struct Copy {
  std::string variant, format;
  auto operator<=>(const Copy&) const = default;
};

// The name without the "-00001-of-00002" of a shard.
std::string without_shard(const std::string& name) {
  const std::size_t of = name.find("-of-");
  const std::size_t begin = of == std::string::npos ? of : name.rfind('-', of - 1);
  if (of == std::string::npos || of == 0 || begin == std::string::npos) return name;
  std::size_t end = of + 4;
  while (end < name.size() && std::isdigit(static_cast<unsigned char>(name[end]))) ++end;
  return name.substr(0, begin) + name.substr(end);
}

// "diffusion_pytorch_model.fp16.safetensors", "model-00001-of-00002.fp16.safetensors",
// "model.safetensors.index.fp16.json"; nothing for other files.
std::optional<Copy> copy_of(const std::string& name) {
  const std::string whole = without_shard(name);
  std::vector<std::string> parts;
  for (std::size_t begin = 0; begin <= whole.size();) {
    const std::size_t dot = std::min(whole.find('.', begin), whole.size());
    parts.push_back(whole.substr(begin, dot - begin));
    begin = dot + 1;
  }
  if (parts.size() < 2 || !kStems.contains(parts[0])) return std::nullopt;
  const auto is_format = [](const std::string& part) { return part == "safetensors" || part == "bin"; };
  if (parts.back() == "json") {  // an index
    const auto index = std::find(parts.begin(), parts.end(), "index");
    if (index == parts.end() || !is_format(*(index - 1))) return std::nullopt;
    const std::string variant = index + 2 < parts.end() ? *(index + 1) : parts.size() > 4 ? parts[1] : "";
    return Copy{variant, *(index - 1)};
  }
  if (!is_format(parts.back()) || parts.size() > 3) return std::nullopt;
  return Copy{parts.size() == 3 ? parts[1] : "", parts.back()};
}

// The copy of a folder's weights that is taken; nothing where it has none.
std::optional<Copy> chosen_copy(const std::vector<std::string>& all, const std::string& folder,
                                const std::string& variant) {
  const auto rank = [&](const Copy& copy) {
    return std::tuple(copy.variant != variant, !copy.variant.empty(), copy.format != "safetensors", copy.variant);
  };
  std::optional<Copy> chosen;
  for (const std::string& file : all) {
    const std::string name = name_in_folder(file);
    const auto copy = in_folder(file, folder) && !is_text(name) ? copy_of(name) : std::nullopt;
    if (copy && (!chosen || rank(*copy) < rank(*chosen))) chosen = copy;
  }
  return chosen;
}

// Folders of the parts with a class, as {"unet": ["diffusers", "UNet2DConditionModel"]} names them.
std::vector<std::string> parts_of(const nlohmann::json& model_index) {
  std::vector<std::string> parts;
  for (const auto& [name, value] : model_index.items()) {
    const bool is_part = value.is_array() && value.size() == 2 && value[0].is_string() && value[1].is_string();
    if (is_part && !kLeftOut.contains(name)) parts.push_back(name);
  }
  return parts;
}

bool holds_weights(const std::string& part) {
  return part.find("tokenizer") == std::string::npos && part.find("scheduler") == std::string::npos;
}

}  // namespace

std::vector<std::string> needed_files(const std::vector<std::string>& all, const nlohmann::json& model_index,
                                      const std::string& variant) {
  const bool pipeline = model_index.is_object();
  const auto parts = pipeline ? parts_of(model_index) : std::vector<std::string>{""};
  std::set<std::string> needed;
  if (pipeline) needed.insert("model_index.json");
  for (const std::string& part : parts) {
    const auto copy = chosen_copy(all, part, variant);
    check<ConfigError>(copy || (pipeline && !holds_weights(part)),
                       "{} no weights in the layout of diffusers or transformers; name files with --file, of: {}",
                       part.empty() ? "it holds" : "its part '" + part + "' holds", fmt::join(all, ", "));
    for (const std::string& file : all) {
      const std::string name = name_in_folder(file);
      if (!in_folder(file, part)) continue;
      const auto of_weights = copy_of(name);
      if (of_weights ? of_weights == copy : is_text(name)) needed.insert(file);
    }
  }
  std::vector<std::string> ordered;
  std::copy_if(all.begin(), all.end(), std::back_inserter(ordered),
               [&](const std::string& file) { return needed.contains(file); });
  return ordered;
}

}  // namespace domainfusion
