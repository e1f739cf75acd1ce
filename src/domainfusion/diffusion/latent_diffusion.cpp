#include "domainfusion/diffusion/latent_diffusion.h"

#include <torch/types.h>
#include <torch/utils.h>

#include <map>
#include <mutex>

#include "domainfusion/config/model_config.h"
#include "domainfusion/core/error.h"
#include "domainfusion/core/log.h"
#include "domainfusion/diffusion/adapted/adapted_source.h"
#include "domainfusion/diffusion/weights/diffusers_folder.h"
#include "domainfusion/fetch/cache/hub_cache.h"
#include "domainfusion/fetch/cache/known_weights.h"
#include "domainfusion/io/files/content_hash.h"
#include "domainfusion/io/files/json_file.h"
#include "domainfusion/io/files/readable_text.h"

namespace domainfusion {

namespace fs = std::filesystem;

namespace {

// For messages: a pipeline of another family fails by some field or file, which alone says little.
std::string described(const fs::path& given) {
  const fs::path path = located_weights(given);
  const fs::path index = (is_hub_cache(path) ? hub_snapshot(path, is_whole_model) : path) / "model_index.json";
  const std::string name = fmt::format("latent diffusion model '{}'", given.string());
  if (!fs::is_regular_file(index)) return name;
  const nlohmann::json pipeline = read_json_object(index).value("_class_name", nlohmann::json());
  if (!pipeline.is_string() || pipeline == "StableDiffusionPipeline" || pipeline == "StableDiffusionXLPipeline")
    return name;
  return fmt::format("{} (of {}; Stable Diffusion 1.x, 2.x and XL are read)", name,
                     readable_text(pipeline.get<std::string>()));
}

ClipTokenizer second_tokenizer_of(const ModelSource& source, const ClipTokenizer& first, bool is_xl) {
  if (!is_xl) return first;
  const fs::path folder = source.second_tokenizer_folder();
  return folder.empty() ? first.padding_with("!") : ClipTokenizer::load(folder, first.length());
}

}  // namespace

struct LatentDiffusion::Cache {
  std::mutex mutex;
  std::mutex condition_mutex;
  SplitCondition condition;  // the last one: attention remembers what it makes of the very tensor
  std::map<std::string, at::Tensor> embeddings_LD;
  int cut_prompts = 0;
  std::string weights_hash;
  std::map<at::ScalarType, LatentDiffusion> twins;  // the model in other types
};

LatentDiffusion::LatentDiffusion(fs::path folder, std::shared_ptr<const ModelSource> source,
                                 const PartsOptions& options)
    : folder_(std::move(folder)),
      scheduler_config_(source->scheduler_config()),
      noise_schedule_(scheduler_config_),
      provenance_(source->provenance()),
      parts_(std::make_shared<LdmParts>(std::move(source), options)),
      tokenizer_(ClipTokenizer::load(parts_->source().tokenizer_folder(),
                                     parts_->text_encoder_config().max_position_embeddings)),
      second_tokenizer_(second_tokenizer_of(parts_->source(), tokenizer_, parts_->unet_config().is_xl())),
      image_size_px_(parts_->unet_config().sample_size * parts_->vae_config().downsampling_factor()),
      cache_(std::make_shared<Cache>()) {}

LatentDiffusion LatentDiffusion::open(const fs::path& path, const LdmOptions& given) {
  return with_context(described(path), [&] {
    LdmOptions options = given;
    const fs::path base = base_of_lora_folder(path);
    if (!base.empty())
      options.loras.insert(options.loras.begin(), {.path = path / kLoraFile, .scale = 1, .decides_size = true});
    LatentDiffusion model(path, adapted(open_model(base.empty() ? path : base, options), options),
                          {.placement = options.placement, .hold_weights_once = options.hold_weights_once});
    model.check_parts();
    model.few_step_kind_ = domainfusion::few_step_kind(path, given.loras);
    return model;
  });
}

LatentDiffusion LatentDiffusion::load(const fs::path& path, const LdmOptions& options) {
  LatentDiffusion model = open(path, options);
  with_context(described(path), [&] {
    model.vae();
    model.unet();
    model.text_encoder();
    if (model.is_xl()) model.second_text_encoder();
  });
  return model;
}

LatentDiffusion LatentDiffusion::computing_in(at::ScalarType dtype) const {
  if (dtype == placement().dtype) return *this;
  const std::lock_guard lock(cache_->mutex);
  const auto known = cache_->twins.find(dtype);
  if (known != cache_->twins.end()) return known->second;
  PartsOptions options = parts_->options();
  options.placement.dtype = dtype;
  LatentDiffusion twin(folder_, parts_->shared_source(), options);
  twin.few_step_kind_ = few_step_kind_;
  return cache_->twins.emplace(dtype, std::move(twin)).first->second;
}

void LatentDiffusion::use_vae_tiles(std::int64_t tile_px) const {
  parts_->use_vae_tiles(tile_px);
  const std::lock_guard lock(cache_->mutex);
  for (const auto& [dtype, twin] : cache_->twins) twin.use_vae_tiles(tile_px);
}

void LatentDiffusion::release(LdmPart part) const {
  parts_->release(part);
  const std::lock_guard lock(cache_->mutex);
  for (const auto& [dtype, twin] : cache_->twins) twin.release(part);
}

void LatentDiffusion::check_parts() const {
  const UNetConfig& unet = parts_->unet_config();
  const AutoencoderConfig& vae = parts_->vae_config();
  check<ConfigError>(image_size_px_ > 0, "unet/config.json has no sample_size: add the latents' height");
  check<ConfigError>(
      unet.in_channels == vae.latent_channels && unet.out_channels == unet.in_channels,
      "U-Net with {} channels in and {} out, VAE with {} latent channels: the parts do not belong together",
      unet.in_channels, unet.out_channels, vae.latent_channels);
  check_text_encoders();
  check<ConfigError>(vae.in_channels == 3 && vae.out_channels == 3,
                     "VAE with {} image channels in and {} out: expected 3", vae.in_channels, vae.out_channels);
}

void LatentDiffusion::check_text_encoders() const {
  const UNetConfig& unet = parts_->unet_config();
  const ClipTextConfig &first = parts_->text_encoder_config(), &second = parts_->second_text_encoder_config();
  check<ConfigError>(is_xl() == (source().parts().size() > 3),
                     "U-Net {} pooled text and sizes (addition_embed_type), and {} text encoders: the parts do not "
                     "belong together (of SDXL, base models are read; its refiner is not)",
                     is_xl() ? "with" : "without", source().parts().size() - 2);
  const std::int64_t width = first.hidden_size + (is_xl() ? second.hidden_size : 0);
  check<ConfigError>(unet.cross_attention_dim == width,
                     "U-Net with cross_attention_dim {}, text encoder with hidden_size {}: the parts do not belong "
                     "together",
                     unet.cross_attention_dim, width);
  check<ConfigError>(!is_xl() || unet.pooled_channels() == second.projection_dim,
                     "U-Net for pooled text of {} channels, second text encoder with a projection to {}: the parts do "
                     "not belong together",
                     unet.pooled_channels(), second.projection_dim);
  const auto fits = [](const ClipTokenizer& tokenizer, const ClipTextConfig& encoder) {
    check<ConfigError>(
        tokenizer.length() <= encoder.max_position_embeddings,
        "tokenizer with model_max_length {}, text encoder with {} positions: the parts do not belong together",
        tokenizer.length(), encoder.max_position_embeddings);
  };
  fits(tokenizer_, first);
  if (!is_xl()) return;
  fits(second_tokenizer_, second);
  check<ConfigError>(tokenizer_.length() == second_tokenizer_.length(),
                     "tokenizers with model_max_length {} and {}: the parts do not belong together",
                     tokenizer_.length(), second_tokenizer_.length());
}

std::vector<std::int64_t> LatentDiffusion::latent_shape() const {
  const UNetConfig& unet = parts_->unet_config();
  return {unet.in_channels, unet.sample_size, unet.sample_size};
}

at::Tensor LatentDiffusion::placed(const at::Tensor& values) const {
  return values.to(placement().device, placement().dtype);
}

at::Tensor LatentDiffusion::placed_for_vae(const at::Tensor& values) const {
  return values.to(placement().device, parts_->vae_dtype());
}

LatentPosterior LatentDiffusion::posterior(const at::Tensor& image01_N3HW) const {
  const LatentPosterior posterior = vae()->encode(placed_for_vae(2.0 * image01_N3HW - 1.0));
  const at::ScalarType type = image01_N3HW.scalar_type();
  return {posterior.mean_NChw.to(type), posterior.log_variance_NChw.to(type)};
}

at::Tensor LatentDiffusion::encode(const at::Tensor& image01_N3HW) const {
  return posterior(image01_N3HW).mean_NChw * scaling_factor();
}

at::Tensor LatentDiffusion::decode(const at::Tensor& z_NChw) const {
  const at::Tensor image11 = vae()->decode(placed_for_vae(z_NChw / scaling_factor())).to(z_NChw.scalar_type());
  return (image11 * 0.5 + 0.5).clamp(0.0, 1.0);
}

void LatentDiffusion::say_if_cut(const std::string& prompt) const {
  constexpr int kMostSaid = 5;
  const std::string cut = tokenizer_.cut_text(prompt);
  if (cut.empty() || ++cache_->cut_prompts > kMostSaid) return;
  log_warning("the prompt '{}' is longer than the {} tokens that the model takes; cut off: '{}'{}",
              readable_text(prompt), tokenizer_.length() - 2, readable_text(cut),
              cache_->cut_prompts == kMostSaid ? "; of further such prompts nothing is said" : "");
}

at::Tensor LatentDiffusion::embedding_of(const std::string& prompt) const {
  const auto known = cache_->embeddings_LD.find(prompt);
  if (known != cache_->embeddings_LD.end()) return known->second;
  say_if_cut(prompt);
  const at::Tensor ids_1L = torch::tensor(tokenizer_.encode(prompt)).unsqueeze(0);
  if (!is_xl()) return cache_->embeddings_LD[prompt] = text_encoder()->forward(ids_1L).last_hidden_state_NLC[0];
  const at::Tensor second_ids_1L = torch::tensor(second_tokenizer_.encode(prompt)).unsqueeze(0);
  const ClipTextOutput first = text_encoder()->forward(ids_1L), second = second_text_encoder()->forward(second_ids_1L);
  const auto before_last = [](const ClipTextOutput& out) {
    return out.hidden_states_NLC.at(out.hidden_states_NLC.size() - 2)[0];
  };
  const at::Tensor text_LD = at::cat({before_last(first), before_last(second)}, 1);
  const std::int64_t width = text_LD.size(1), pooled = second.projected_NP.size(1), rows = (pooled + width - 1) / width;
  const at::Tensor pooled_RD =
      at::constant_pad_nd(second.projected_NP[0], {0, rows * width - pooled}).reshape({rows, width});
  return cache_->embeddings_LD[prompt] = at::cat({text_LD, pooled_RD});
}

at::Tensor LatentDiffusion::embed(const std::vector<std::string>& prompts) const {
  const torch::NoGradGuard no_grad;
  const std::lock_guard lock(cache_->mutex);
  std::vector<at::Tensor> rows;
  for (const std::string& prompt : prompts) rows.push_back(embedding_of(prompt));
  check<ConfigError>(!rows.empty(), "no prompts to embed");
  return at::stack(rows);
}

at::Tensor LatentDiffusion::embed_negative(const std::string& prompt) const {
  const at::Tensor embedding = embed({prompt});
  return prompt.empty() && source().zeros_for_empty_prompt() ? at::zeros_like(embedding) : embedding;
}

LatentDiffusion::SplitCondition LatentDiffusion::split(const at::Tensor& cond_NLD) const {
  if (!is_xl()) return {{}, cond_NLD, {}};
  const std::int64_t tokens = tokenizer_.length();
  return {cond_NLD, cond_NLD.slice(1, 0, tokens).contiguous(),
          cond_NLD.slice(1, tokens).flatten(1).slice(1, 0, parts_->unet_config().pooled_channels())};
}

LatentDiffusion::SplitCondition LatentDiffusion::remembered_split(const at::Tensor& cond_NLD) const {
  if (!is_xl()) return {{}, placed(cond_NLD), {}};
  const std::lock_guard lock(cache_->condition_mutex);
  SplitCondition& last = cache_->condition;
  const auto version = static_cast<std::uint32_t>(cond_NLD._version());
  if (cond_NLD.requires_grad() || !last.whole_NLD.is_same(cond_NLD) || last.version != version) {
    const SplitCondition now = split(cond_NLD);
    last = {cond_NLD, placed(now.context_NLD), placed(now.pooled_NP), version};
  }
  return last;
}

std::vector<at::Tensor> LatentDiffusion::unet_inputs(const at::Tensor& z_t_NChw, const at::Tensor& t_N,
                                                     const SplitCondition& cond, const at::Tensor& guidance_N) const {
  std::vector<at::Tensor> inputs{z_t_NChw, t_N.to(z_t_NChw.device()), cond.context_NLD};
  if (is_xl()) {
    const std::int64_t factor = parts_->vae_config().downsampling_factor();
    const auto height = static_cast<float>(z_t_NChw.size(2) * factor),
               width = static_cast<float>(z_t_NChw.size(3) * factor);
    const at::Tensor size_N6 = torch::tensor({height, width, 0.0F, 0.0F, height, width}).repeat({z_t_NChw.size(0), 1});
    inputs.insert(inputs.end(), {cond.pooled_NP, size_N6.to(z_t_NChw.device())});
  }
  if (guidance_N.defined()) inputs.push_back(guidance_N.to(z_t_NChw.device()));
  return inputs;
}

at::Tensor LatentDiffusion::predict(const at::Tensor& z_t_NChw, const at::Tensor& t_N, const at::Tensor& cond_NLD,
                                    double guidance_scale) const {
  const std::shared_ptr<GraphedFunction> unet_pass = parts_->unet_pass();
  const at::Tensor guidance_N = embeds_guidance() ? torch::full({z_t_NChw.size(0)}, guidance_scale - 1) : at::Tensor();
  return (*unet_pass)(unet_inputs(placed(z_t_NChw), t_N, remembered_split(cond_NLD), guidance_N))
      .to(z_t_NChw.scalar_type());
}

at::Tensor LatentDiffusion::predict_by(const UNet2dCondition& unet, const at::Tensor& z_t_NChw, const at::Tensor& t_N,
                                       const at::Tensor& cond_NLD) const {
  const at::Tensor guidance_N = embeds_guidance() ? torch::zeros({z_t_NChw.size(0)}) : at::Tensor();
  return predicted_by(unet, unet_inputs(z_t_NChw, t_N, split(cond_NLD), guidance_N));
}

at::Tensor LatentDiffusion::predict_epsilon(const at::Tensor& z_t_NChw, const at::Tensor& t_N,
                                            const at::Tensor& cond_NLD) const {
  return noise_schedule_.epsilon_of(predict(z_t_NChw, t_N, cond_NLD), z_t_NChw.to(placement().device), t_N);
}

std::string LatentDiffusion::weights_hash() const {
  const std::lock_guard lock(cache_->mutex);
  if (cache_->weights_hash.empty()) {
    std::string list;
    for (const LdmFile& file : source().files()) {
      list +=
          fmt::format("{} {}\n", file.name, file.path.empty() ? sha256_hex(file.text) : sha256_hex_of_file(file.path));
    }
    cache_->weights_hash = sha256_hex(list);
  }
  return cache_->weights_hash;
}

}  // namespace domainfusion
