#include "domainfusion/diffusion/adapted/lora_file.h"

#include <torch/types.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include "domainfusion/core/error.h"
#include "domainfusion/io/files/json_file.h"
#include "domainfusion/io/files/readable_text.h"
#include "domainfusion/io/weights/tensor_file.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kWeight = ".weight";

enum class Piece { kDown, kUp, kMid, kAlpha };

struct Ending {
  std::string_view text;
  Piece piece;
};
// Longer ones first where one ends another.
constexpr std::array<Ending, 16> kEndings{{{".lora_linear_layer.down.weight", Piece::kDown},
                                           {".lora_linear_layer.up.weight", Piece::kUp},
                                           {".lora_A.default.weight", Piece::kDown},
                                           {".lora_B.default.weight", Piece::kUp},
                                           {".lora_down.weight", Piece::kDown},
                                           {".lora_up.weight", Piece::kUp},
                                           {".lora_mid.weight", Piece::kMid},
                                           {".lora_A.weight", Piece::kDown},
                                           {".lora_B.weight", Piece::kUp},
                                           {".lora.down.weight", Piece::kDown},
                                           {".lora.up.weight", Piece::kUp},
                                           {"_lora.down.weight", Piece::kDown},
                                           {"_lora.up.weight", Piece::kUp},
                                           {".lora.alpha", Piece::kAlpha},
                                           {"_lora.alpha", Piece::kAlpha},
                                           {".alpha", Piece::kAlpha}}};

// What other methods than LoRA hold.
constexpr std::array<std::string_view, 5> kOtherMethods{".hada_", ".lokr_", ".dora_scale", ".oft_",
                                                        ".lora_magnitude_vector"};

bool take_front(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

std::string with_underscores(std::string name) {
  std::replace(name.begin(), name.end(), '.', '_');
  return name;
}

// "….attn1.processor.to_out" -> "….attn1.to_out.0": the processors of older diffusers.
std::string without_processor(std::string name) {
  constexpr std::string_view kProcessor = ".processor.";
  const auto at = name.find(kProcessor);
  if (at == std::string::npos) return name;
  name.replace(at, kProcessor.size(), ".");
  return name.ends_with(".to_out") ? name + ".0" : name;
}

struct Place {
  LdmPart part;
  std::string weight;
  auto operator<=>(const Place&) const = default;
};

// Every spelling of every module of the model.
class ModuleNames {
 public:
  explicit ModuleNames(const LoraTargets& targets) {
    for (const auto& [part, names] : targets.names) {
      for (const std::string& name : names) {
        if (name.ends_with(kWeight)) add(part, name, targets.unet_layers);
      }
    }
  }

  std::optional<Place> find(const std::string& module) const {
    const auto found = places_.find(module);
    return found == places_.end() ? std::nullopt : std::optional(found->second);
  }

 private:
  void add(LdmPart part, const std::string& weight, std::int64_t unet_layers) {
    const std::string module = weight.substr(0, weight.size() - kWeight.size());
    const Place place{part, weight};
    if (part == LdmPart::kUnet) {
      places_.emplace("lora_unet_" + with_underscores(module), place);
      const std::string compvis = compvis_unet_name(weight, unet_layers);
      if (!compvis.empty()) {
        const std::string flat = "lora_unet_" + with_underscores(compvis.substr(0, compvis.size() - kWeight.size()));
        places_.emplace(flat, place);
        // An upsampler stands behind the attention of its level, or, where there is none, in its place.
        if (flat.ends_with("_2_conv")) places_.emplace(flat.substr(0, flat.size() - 7) + "_1_conv", place);
      }
      places_.emplace("unet." + module, place);
      places_.emplace(module, place);  // of files of a U-Net alone
      return;
    }
    if (part == LdmPart::kVae) return;
    const bool second = part != LdmPart::kTextEncoder;
    std::vector<std::string> spellings{module};
    // Later versions of transformers leave the level text_model out.
    if (std::string_view rest = module; take_front(rest, "text_model.")) spellings.emplace_back(rest);
    for (const std::string& spelling : spellings) {
      if (!second) places_.emplace("lora_te_" + with_underscores(spelling), place);
      places_.emplace((second ? "lora_te2_" : "lora_te1_") + with_underscores(spelling), place);
      places_.emplace((second ? "text_encoder_2." : "text_encoder.") + spelling, place);
    }
    if (!second) places_.emplace(module, place);
  }

  std::map<std::string, Place> places_;
};

// peft keeps alpha in a file beside the weights: alpha / r, or alpha / sqrt(r) for use_rslora.
struct PeftConfig {
  double alpha = 0;
  bool rank_stabilised = false;
};

std::optional<PeftConfig> peft_config_beside(const fs::path& path) {
  const fs::path file = path.parent_path() / "adapter_config.json";
  if (!path.filename().string().starts_with("adapter_model") || !fs::is_regular_file(file)) return std::nullopt;
  const nlohmann::json config = read_json_object(file);
  const auto alpha = config.find("lora_alpha");
  check<FormatError>(alpha != config.end() && alpha->is_number(), "'{}' states no lora_alpha", file.string());
  check<FormatError>(config.value("use_dora", nlohmann::json(false)) != true,
                     "'{}' is of DoRA, whose magnitudes are not supported", file.string());
  return PeftConfig{*alpha, config.value("use_rslora", nlohmann::json(false)) == true};
}

double number_of(const at::Tensor& tensor, const std::string& name) {
  check<FormatError>(tensor.numel() == 1, "'{}' has shape [{}]; expected one number", name,
                     fmt::join(tensor.sizes(), ", "));
  return tensor.to(torch::kFloat64).item<double>();
}

void check_known(std::vector<std::string> unknown) {
  constexpr std::size_t kMostListed = 12;
  if (unknown.empty()) return;
  const std::size_t count = unknown.size();
  const auto is_other = [](const std::string& name) {
    return std::any_of(kOtherMethods.begin(), kOtherMethods.end(),
                       [&](std::string_view method) { return name.find(method) != std::string::npos; });
  };
  const bool others = std::all_of(unknown.begin(), unknown.end(), is_other);
  unknown.resize(std::min(count, kMostListed));
  for (std::string& name : unknown) name = readable_text(name);
  throw FormatError(fmt::format(
      "{} of its names fit no weight of the model{}: {}{}", count,
      others ? " (they are of LoHa, LoKr, OFT or DoRA, which are not supported)" : "; was it made for another one?",
      fmt::join(unknown, "; "), count > kMostListed ? "; …" : ""));
}

}  // namespace

std::string compvis_unet_name(const std::string& name, std::int64_t layers) {
  using Renames = std::initializer_list<std::pair<std::string_view, std::string_view>>;
  const auto renamed = [](std::string_view text, Renames renames) -> std::optional<std::string> {
    for (const auto& [from, to] : renames) {
      if (take_front(text, from)) return std::string(to) + std::string(text);
    }
    return std::nullopt;
  };
  const auto take_number = [](std::string_view& text) {
    std::int64_t number = 0;
    while (!text.empty() && text[0] >= '0' && text[0] <= '9' && number < 1000) {
      number = number * 10 + (text[0] - '0');
      text.remove_prefix(1);
    }
    take_front(text, ".");
    return number;
  };
  const auto layer_name = [&](std::string_view rest) -> std::string {
    const auto found = renamed(rest, {{"norm1.", "in_layers.0."},
                                      {"conv1.", "in_layers.2."},
                                      {"time_emb_proj.", "emb_layers.1."},
                                      {"norm2.", "out_layers.0."},
                                      {"conv2.", "out_layers.3."},
                                      {"conv_shortcut.", "skip_connection."}});
    return found.value_or("");
  };
  if (auto fixed = renamed(name, {{"conv_in.", "input_blocks.0.0."},
                                  {"time_embedding.linear_1.", "time_embed.0."},
                                  {"time_embedding.linear_2.", "time_embed.2."},
                                  {"add_embedding.linear_1.", "label_emb.0.0."},
                                  {"add_embedding.linear_2.", "label_emb.0.2."},
                                  {"conv_norm_out.", "out.0."},
                                  {"conv_out.", "out.2."},
                                  {"mid_block.attentions.0.", "middle_block.1."}}))
    return *fixed;
  std::string_view rest = name;
  if (take_front(rest, "mid_block.resnets.")) {
    const std::int64_t index = take_number(rest);
    return fmt::format("middle_block.{}.{}", 2 * index, layer_name(rest));
  }
  const bool down = take_front(rest, "down_blocks.");
  if (!down && !take_front(rest, "up_blocks.")) return "";
  const std::int64_t level = take_number(rest), first = level * (layers + 1) + (down ? 1 : 0);
  const char* blocks = down ? "input_blocks" : "output_blocks";
  if (take_front(rest, "resnets.")) {
    const std::int64_t block = first + take_number(rest);
    return fmt::format("{}.{}.0.{}", blocks, block, layer_name(rest));
  }
  if (take_front(rest, "attentions.")) {
    const std::int64_t block = first + take_number(rest);
    return fmt::format("{}.{}.1.{}", blocks, block, rest);
  }
  if (take_front(rest, "downsamplers.0.conv.")) return fmt::format("{}.{}.0.op.{}", blocks, first + layers, rest);
  // Behind the attention; 1 where the level has none.
  if (take_front(rest, "upsamplers.0.conv.")) return fmt::format("{}.{}.2.conv.{}", blocks, first + layers, rest);
  return "";
}

at::Tensor LowRank::delta(at::IntArrayRef shape) const {
  check<FormatError>(down.defined() && up.defined(), "lacks its {} matrix", down.defined() ? "up" : "down");
  check<ShapeError>(down.dim() >= 2 && up.dim() >= 2 && down.size(0) >= 1, "down [{}] and up [{}] are no matrices",
                    fmt::join(down.sizes(), ", "), fmt::join(up.sizes(), ", "));
  const at::Tensor a = down.to(torch::kFloat32).flatten(1), b = up.to(torch::kFloat32).flatten(1);
  const std::int64_t rank = a.size(0);
  const auto fits = [&](std::int64_t elements) {
    std::int64_t expected = 1;
    for (const std::int64_t extent : shape) expected *= extent;
    check<ShapeError>(!shape.empty() && elements == expected && b.size(0) == shape[0],
                      "down [{}] and up [{}] do not make a weight of [{}]", fmt::join(down.sizes(), ", "),
                      fmt::join(up.sizes(), ", "), fmt::join(shape, ", "));
  };
  at::Tensor product;
  if (mid.defined()) {
    check<ShapeError>(mid.dim() == 4 && mid.size(1) == rank && mid.size(0) == b.size(1),
                      "mid [{}] does not lie between down [{}] and up [{}]", fmt::join(mid.sizes(), ", "),
                      fmt::join(down.sizes(), ", "), fmt::join(up.sizes(), ", "));
    fits(b.size(0) * a.size(1) * mid.size(2) * mid.size(3));
    product = at::einsum("op,pqhw,qi->oihw", {b, mid.to(torch::kFloat32), a});
  } else {
    check<ShapeError>(b.size(1) == rank, "down [{}] and up [{}] have different ranks", fmt::join(down.sizes(), ", "),
                      fmt::join(up.sizes(), ", "));
    fits(b.size(0) * a.size(1));
    product = at::mm(b, a);
  }
  const double scale = alpha > 0 ? alpha / static_cast<double>(rank) : 1.0;
  product = (product * scale).reshape(shape);
  check<FormatError>(at::isfinite(product).all().item<bool>(), "holds values that are not finite, or too large");
  return product;
}

std::map<LdmPart, std::map<std::string, LowRank>> read_lora(const fs::path& path, const LoraTargets& targets) {
  return with_context(fmt::format("LoRA '{}'", path.string()), [&] {
    const ModuleNames modules(targets);
    const auto peft = peft_config_beside(path);
    std::map<LdmPart, std::map<std::string, LowRank>> additions;
    std::vector<std::string> unknown;
    for (const auto& [name, tensor] : load_tensors(path)) {
      const auto ending = std::find_if(kEndings.begin(), kEndings.end(),
                                       [&name = name](const Ending& e) { return name.ends_with(e.text); });
      std::string_view module = name;
      if (ending != kEndings.end()) module.remove_suffix(ending->text.size());
      take_front(module, "base_model.model.");
      const auto place = ending == kEndings.end() ? std::nullopt : modules.find(without_processor(std::string(module)));
      if (!place) {
        unknown.push_back(name);
        continue;
      }
      LowRank& addition = additions[place->part][place->weight];
      if (ending->piece == Piece::kAlpha) {
        addition.alpha = number_of(tensor, name);
        check<FormatError>(addition.alpha > 0, "'{}' is {}: expected a positive number", name, addition.alpha);
        continue;
      }
      at::Tensor& piece = ending->piece == Piece::kDown ? addition.down
                          : ending->piece == Piece::kUp ? addition.up
                                                        : addition.mid;
      check<FormatError>(!piece.defined(), "two of its names are of the weight '{}'; the second is '{}'", place->weight,
                         readable_text(name));
      check<FormatError>(tensor.is_floating_point(), "'{}' holds no floating-point numbers", readable_text(name));
      piece = tensor;
    }
    check_known(std::move(unknown));
    check<FormatError>(!additions.empty(), "holds no low-rank matrices");
    if (!peft) return additions;
    for (auto& [part, of_part] : additions) {
      for (auto& [weight, addition] : of_part) {
        if (addition.alpha > 0 || !addition.down.defined() || addition.down.dim() < 1) continue;
        const auto rank = static_cast<double>(addition.down.size(0));
        addition.alpha = peft->rank_stabilised ? peft->alpha * std::sqrt(rank) : peft->alpha;
      }
    }
    return additions;
  });
}

}  // namespace domainfusion
