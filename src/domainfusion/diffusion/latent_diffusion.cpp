#include "domainfusion/diffusion/latent_diffusion.h"

#include <torch/torch.h>

#include <map>
#include <mutex>

#include "domainfusion/core/error.h"
#include "domainfusion/diffusion/model_config.h"
#include "domainfusion/io/content_hash.h"
#include "domainfusion/nn/state_dict.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;

// The one of the usual file names that the part's folder holds.
fs::path weights_path(const fs::path& folder, const std::string& stem) {
  for (const char* ending : {".safetensors", ".fp16.safetensors"}) {
    if (fs::exists(folder / (stem + ending))) return folder / (stem + ending);
  }
  throw IoError(fmt::format("'{}' holds no {}.safetensors; fetch or convert the weights to safetensors", folder.string(), stem));
}

// A frozen module in evaluation mode, from config.json and weights of its folder.
template <class Holder, class Config>
Holder load_module(const fs::path& folder, const std::string& stem, std::vector<fs::path>& files) {
  return with_context(fmt::format("'{}'", folder.string()), [&] {
    const fs::path weights = weights_path(folder, stem);
    Holder module(Config::from_json(read_json_object(folder / "config.json"), "config.json"));
    load_state_dict(*module, with_current_attention_names(load_tensors(weights)), weights.filename().string(),
                    {"embeddings.position_ids"});
    for (at::Tensor& parameter : module->parameters()) parameter.set_requires_grad(false);
    module->eval();
    files.push_back(folder / "config.json");
    files.push_back(weights);
    return module;
  });
}

}  // namespace

struct LatentDiffusion::Cache {
  std::mutex mutex;
  std::map<std::string, at::Tensor> embeddings_LD;
  std::string weights_hash;
};

LatentDiffusion::LatentDiffusion(fs::path folder, nlohmann::json scheduler_config)
    : folder_(std::move(folder)),
      scheduler_config_(std::move(scheduler_config)),
      noise_schedule_(scheduler_config_),
      cache_(std::make_shared<Cache>()) {}

LatentDiffusion LatentDiffusion::load(const fs::path& folder) {
  return with_context(fmt::format("latent diffusion model '{}'", folder.string()), [&] {
    check<IoError>(fs::is_directory(folder), "is not a folder; expected a diffusers folder with unet, vae, text_encoder, "
                                             "tokenizer and scheduler");
    LatentDiffusion model(folder, read_json_object(folder / "scheduler/scheduler_config.json"));
    model.load_parts();
    model.check_parts();
    return model;
  });
}

void LatentDiffusion::load_parts() {
  files_ = {folder_ / "scheduler/scheduler_config.json"};
  vae_ = load_module<AutoencoderKl, AutoencoderConfig>(folder_ / "vae", "diffusion_pytorch_model", files_);
  unet_ = load_module<UNet2dCondition, UNetConfig>(folder_ / "unet", "diffusion_pytorch_model", files_);
  text_encoder_ = load_module<ClipTextEncoder, ClipTextConfig>(folder_ / "text_encoder", "model", files_);
  tokenizer_ = ClipTokenizer::load(folder_ / "tokenizer");
  for (const char* name : {"vocab.json", "merges.txt", "tokenizer_config.json", "special_tokens_map.json"}) {
    if (fs::exists(folder_ / "tokenizer" / name)) files_.push_back(folder_ / "tokenizer" / name);
  }
  if (fs::exists(folder_ / "domainfusion.json")) provenance_ = read_json_object(folder_ / "domainfusion.json");
  image_size_px_ = unet_->config().sample_size * vae_->config().downsampling_factor();
}

void LatentDiffusion::check_parts() const {
  const UNetConfig& unet = unet_->config();
  check<ConfigError>(image_size_px_ > 0, "unet/config.json has no sample_size: add the latents' height");
  check<ConfigError>(unet.in_channels == vae_->config().latent_channels && unet.out_channels == unet.in_channels,
                     "U-Net with {} channels in and {} out, VAE with {} latent channels: the parts do not belong together",
                     unet.in_channels, unet.out_channels, vae_->config().latent_channels);
  check<ConfigError>(unet.cross_attention_dim == text_encoder_->config().hidden_size,
                     "U-Net with cross_attention_dim {}, text encoder with hidden_size {}: the parts do not belong together",
                     unet.cross_attention_dim, text_encoder_->config().hidden_size);
  check<ConfigError>(tokenizer_.length() <= text_encoder_->config().max_position_embeddings,
                     "tokenizer with model_max_length {}, text encoder with {} positions: the parts do not belong together",
                     tokenizer_.length(), text_encoder_->config().max_position_embeddings);
  check<ConfigError>(vae_->config().in_channels == 3 && vae_->config().out_channels == 3,
                     "VAE with {} image channels in and {} out: expected 3", vae_->config().in_channels,
                     vae_->config().out_channels);
}

std::vector<std::int64_t> LatentDiffusion::latent_shape() const {
  const UNetConfig& unet = unet_->config();
  return {unet.in_channels, unet.sample_size, unet.sample_size};
}

at::Tensor LatentDiffusion::encode(const at::Tensor& image01_N3HW) const {
  return AutoencoderKl(vae_)->encode(2.0 * image01_N3HW - 1.0).mean_NChw * vae_->config().scaling_factor;
}

at::Tensor LatentDiffusion::decode(const at::Tensor& z_NChw) const {
  return (AutoencoderKl(vae_)->decode(z_NChw / vae_->config().scaling_factor) * 0.5 + 0.5).clamp(0.0, 1.0);
}

at::Tensor LatentDiffusion::embedding_of(const std::string& prompt) const {
  const auto known = cache_->embeddings_LD.find(prompt);
  if (known != cache_->embeddings_LD.end()) return known->second;
  const at::Tensor ids_1L = torch::tensor(tokenizer_.encode(prompt)).unsqueeze(0);
  const at::Tensor embedding = ClipTextEncoder(text_encoder_)->forward(ids_1L).last_hidden_state_NLC[0];
  return cache_->embeddings_LD[prompt] = embedding;
}

at::Tensor LatentDiffusion::embed(const std::vector<std::string>& prompts) const {
  const torch::NoGradGuard no_grad;
  const std::lock_guard lock(cache_->mutex);
  std::vector<at::Tensor> rows;
  for (const std::string& prompt : prompts) rows.push_back(embedding_of(prompt));
  check<ConfigError>(!rows.empty(), "no prompts to embed");
  return at::stack(rows);
}

at::Tensor LatentDiffusion::predict(const at::Tensor& z_t_NChw, const at::Tensor& t_N, const at::Tensor& cond_NLD) const {
  return UNet2dCondition(unet_)->forward(z_t_NChw, t_N, cond_NLD);
}

at::Tensor LatentDiffusion::predict_epsilon(const at::Tensor& z_t_NChw, const at::Tensor& t_N,
                                            const at::Tensor& cond_NLD) const {
  return noise_schedule_.epsilon_of(predict(z_t_NChw, t_N, cond_NLD), z_t_NChw, t_N);
}

std::string LatentDiffusion::weights_hash() const {
  const std::lock_guard lock(cache_->mutex);
  if (cache_->weights_hash.empty()) {
    std::string list;
    for (const fs::path& file : files_) {
      list += fmt::format("{} {}\n", fs::relative(file, folder_).generic_string(), sha256_hex_of_file(file));
    }
    cache_->weights_hash = sha256_hex(list);
  }
  return cache_->weights_hash;
}

}  // namespace domainfusion
