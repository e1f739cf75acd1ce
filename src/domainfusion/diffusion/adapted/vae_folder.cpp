#include "domainfusion/diffusion/adapted/vae_folder.h"

#include <torch/types.h>

#include <charconv>
#include <map>

#include "domainfusion/core/error.h"
#include "domainfusion/core/json_text.h"
#include "domainfusion/diffusion/vae/autoencoder_kl.h"
#include "domainfusion/diffusion/weights/diffusers_folder.h"
#include "domainfusion/fetch/cache/hub_cache.h"
#include "domainfusion/io/files/json_file.h"
#include "domainfusion/io/weights/weights_file.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;

// The file `stem` with an ending that weights have, or an empty path.
fs::path weights_named(const fs::path& folder, const std::string& stem) {
  for (const char* ending : {".safetensors", ".pth", ".pt", ".bin"}) {
    if (const fs::path file = folder / (stem + ending); fs::is_regular_file(file)) return file;
  }
  return {};
}

// "12.conv.0.weight" -> 12 and "conv.0.weight"; FormatError for another name.
std::pair<std::int64_t, std::string> numbered(const std::string& name) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  const bool good =
      error == std::errc() && end != name.data() + name.size() && *end == '.' && number >= 0 && number < 1000;
  check<FormatError>(good, "tensor '{}': expected the number of a layer first, as in TAESD's files", name);
  return {number, std::string(end + 1, name.data() + name.size())};
}

std::int64_t lowest_layer(const TensorMap& tensors) {
  std::int64_t lowest = 1000;
  for (const auto& [name, tensor] : tensors) lowest = std::min(lowest, numbered(name).first);
  return lowest;
}

// The numbers of residual blocks between one plain convolution and the next, in the order of the layers.
std::vector<std::int64_t> blocks_between(const TensorMap& tensors) {
  std::map<std::int64_t, bool> is_block;
  for (const auto& [name, tensor] : tensors) {
    const auto [layer, rest] = numbered(name);
    is_block[layer] = rest.starts_with("conv.");
  }
  std::vector<std::int64_t> counts;
  for (const auto& [layer, block] : is_block) {
    if (block) {
      check<FormatError>(!counts.empty(), "layer {} is a residual block; expected a convolution first", layer);
      ++counts.back();
    } else {
      counts.push_back(0);
    }
  }
  check<FormatError>(counts.size() >= 2 && counts.size() <= 16 && counts.back() == 0,
                     "its layers are not those of TAESD: a convolution, residual blocks, …, a convolution");
  counts.pop_back();
  return counts;
}

const at::Tensor& layer_weight(const TensorMap& tensors, std::int64_t layer) {
  const std::string name = std::to_string(layer) + ".weight";
  const auto found = tensors.find(name);
  check<FormatError>(found != tensors.end() && found->second.dim() == 4, "has no kernel '{}'", name);
  return found->second;
}

std::int64_t last_layer(const TensorMap& tensors) {
  std::int64_t last = 0;
  for (const auto& [name, tensor] : tensors) last = std::max(last, numbered(name).first);
  return last;
}

}  // namespace

nlohmann::json config_of_taesd(const TensorMap& encoder, const TensorMap& decoder) {
  AutoencoderConfig c;
  c.encoder_blocks = blocks_between(encoder);
  c.decoder_blocks = blocks_between(decoder);
  const at::Tensor first = layer_weight(encoder, lowest_layer(encoder)),
                   last = layer_weight(encoder, last_layer(encoder)), in = layer_weight(decoder, lowest_layer(decoder)),
                   out = layer_weight(decoder, last_layer(decoder));
  c.in_channels = first.size(1);
  c.latent_channels = last.size(0);
  c.out_channels = out.size(0);
  check<FormatError>(in.size(1) == c.latent_channels && c.encoder_blocks.size() == c.decoder_blocks.size(),
                     "encoder and decoder do not belong together: latents of {} and {} channels, {} and {} levels",
                     c.latent_channels, in.size(1), c.encoder_blocks.size(), c.decoder_blocks.size());
  c.block_out_channels.assign(c.encoder_blocks.size(), first.size(0));
  c.decoder_channels.assign(c.decoder_blocks.size(), in.size(0));
  c.scaling_factor = 1;
  return c.to_json();
}

VaeFolder::VaeFolder(const fs::path& given, bool for_xl) : folder_(given) {
  check<IoError>(fs::is_directory(folder_), "--vae {}: is not a folder", given.string());
  if (is_hub_cache(folder_))
    folder_ = hub_snapshot(folder_, [](const fs::path& snapshot) { return !fs::is_empty(snapshot); });
  if (!fs::exists(folder_ / "config.json") && fs::exists(folder_ / "vae/config.json")) folder_ /= "vae";
  if (fs::exists(folder_ / "config.json")) return;
  const std::vector<std::string> names =
      for_xl ? std::vector<std::string>{"taesdxl", "taesd"} : std::vector<std::string>{"taesd", "taesdxl"};
  for (const std::string& name : names) {
    encoder_ = weights_named(folder_, name + "_encoder");
    decoder_ = weights_named(folder_, name + "_decoder");
    if (!encoder_.empty() && !decoder_.empty()) return;
  }
  throw IoError(
      fmt::format("--vae {}: holds neither config.json (nor vae/config.json) nor the files of TAESD, {}_encoder and "
                  "{}_decoder (.safetensors, .pth)",
                  given.string(), names[0], names[0]));
}

nlohmann::json VaeFolder::config() const {
  if (encoder_.empty()) return read_json_object(folder_ / "config.json");
  return with_context(fmt::format("'{}'", subject()),
                      [&] { return config_of_taesd(load_tensors(encoder_), load_tensors(decoder_)); });
}

TensorMap VaeFolder::weights() const {
  if (encoder_.empty()) return with_current_attention_names(load_tensors(part_weights(folder_, LdmPart::kVae)));
  TensorMap weights;
  const auto add = [&](const TensorMap& tensors, const std::string& prefix) {
    // The decoder's layer 0 bends latents and has no weights: diffusers does not count it.
    const std::int64_t lowest = lowest_layer(tensors);
    for (const auto& [name, tensor] : tensors) {
      const auto [layer, rest] = numbered(name);
      weights[fmt::format("{}.layers.{}.{}", prefix, layer - lowest, rest)] = tensor;
    }
  };
  add(load_tensors(encoder_), "encoder");
  add(load_tensors(decoder_), "decoder");
  return weights;
}

std::vector<LdmFile> VaeFolder::files() const {
  std::vector<LdmFile> files;
  if (!encoder_.empty()) {
    files.push_back({"vae/config.json", {}, json_text(config())});
    files.push_back({"vae/" + encoder_.filename().string(), encoder_, {}});
    files.push_back({"vae/" + decoder_.filename().string(), decoder_, {}});
    return files;
  }
  files.push_back({"vae/config.json", folder_ / "config.json", {}});
  const WeightsFile weights = WeightsFile::open(part_weights(folder_, LdmPart::kVae));
  for (const fs::path& path : weights.paths()) files.push_back({"vae/" + path.filename().string(), path, {}});
  return files;
}

}  // namespace domainfusion
