#include "domainfusion/ldm_training/stages/denoiser_training.h"

#include <torch/types.h>

#include <algorithm>

#include "domainfusion/augmentation/prompts.h"
#include "domainfusion/core/random/random_tensor.h"
#include "domainfusion/distributed/row_share.h"
#include "domainfusion/ldm_training/stages/denoising_loss.h"
#include "domainfusion/ldm_training/stages/vae_training.h"
#include "domainfusion/nn/initialise.h"

namespace domainfusion {
namespace {

constexpr const char* kDomainCaption = "a {class}, {domain}";
constexpr const char* kPlainCaption = "an image of a {class}";
constexpr double kPlainCaptionShare = 0.25;  // distillation's prompts look like these

UNetConfig unet_config_of(const LdmPretrainingConfig& config, std::int64_t latent_px) {
  UNetConfig unet;
  unet.in_channels = unet.out_channels = config.vae.latent_channels;
  unet.sample_size = latent_px;
  unet.block_out_channels = config.unet.block_out_channels;
  unet.down_block_types.assign(unet.levels(), "CrossAttnDownBlock2D");
  unet.up_block_types.assign(unet.levels(), "CrossAttnUpBlock2D");
  const auto plain = std::min(static_cast<std::size_t>(config.unet.plain_levels), unet.levels());
  std::fill_n(unet.down_block_types.begin(), plain, "DownBlock2D");
  std::fill_n(unet.up_block_types.rbegin(), plain, "UpBlock2D");
  unet.layers_per_block = {config.unet.layers_per_block};
  unet.attention_head_dim = {config.unet.heads};
  unet.cross_attention_dim = config.text.width;
  unet.norm_num_groups = config.unet.norm_num_groups;
  return unet;
}

ClipTextConfig text_config_of(const LdmPretrainingConfig& config, const ClipTokenizer& tokenizer) {
  ClipTextConfig text;
  text.vocab_size = tokenizer.vocabulary_size();
  text.hidden_size = config.text.width;
  text.intermediate_size = 4 * config.text.width;
  text.num_hidden_layers = config.text.layers;
  text.num_attention_heads = config.text.heads;
  text.max_position_embeddings = tokenizer.length();
  text.bos_token_id = tokenizer.start_id();
  text.eos_token_id = tokenizer.end_id();
  text.pad_token_id = tokenizer.pad_id();
  return text;
}

at::Tensor ids_of(const std::vector<std::string>& captions, const ClipTokenizer& tokenizer) {
  std::vector<at::Tensor> rows;
  for (const std::string& caption : captions) rows.push_back(torch::tensor(tokenizer.encode(caption), torch::kInt64));
  return torch::stack(rows);
}

}  // namespace

void check_denoiser_options(const LdmPretrainingConfig& config, const ClipTokenizer& tokenizer) {
  const std::int64_t factor = vae_config_of(config).downsampling_factor();
  check<ConfigError>(config.image_size_px % factor == 0,
                     "image_size_px = {} is no multiple of {}, by which vae.block_out_channels divides it",
                     config.image_size_px, factor);
  const UNet2dCondition unet(unet_config_of(config, config.image_size_px / factor));
  ClipTextConfig::from_json(text_config_of(config, tokenizer).to_json(), "text options");
}

CaptionTable::CaptionTable(const LdmImages& images, const std::vector<std::string>& class_names,
                           const std::vector<std::string>& domain_descriptions) {
  for (std::size_t i = 0; i < images.label.size(); ++i) place_[{images.label[i], images.domain[i]}] = -1;
  auto next = place_.begin();  // by label, then by domain
  for (std::size_t label = 0; label < class_names.size(); ++label) {
    for (; next != place_.end() && next->first.first == static_cast<std::int64_t>(label); ++next) {
      next->second = static_cast<std::int64_t>(captions_.size());
      const auto domain = static_cast<std::size_t>(next->first.second);
      captions_.push_back(fill_prompt(kDomainCaption, class_names[label], domain_descriptions.at(domain)));
    }
    plain_.push_back(static_cast<std::int64_t>(captions_.size()));
    captions_.push_back(fill_prompt(kPlainCaption, class_names[label]));
  }
  captions_.emplace_back();
}

std::optional<std::int64_t> CaptionTable::of_domain(std::int64_t label, std::int64_t domain) const {
  const auto found = place_.find({label, domain});
  return found == place_.end() ? std::nullopt : std::optional(found->second);
}

DenoiserTraining::DenoiserTraining(const LdmImages& images, const CaptionTable& captions,
                                   const ClipTokenizer& tokenizer, at::Tensor latent_2NChw,
                                   const NoiseSchedule& schedule, const LdmPretrainingConfig& config)
    : images_(images),
      captions_(captions),
      config_(config),
      latent_2NChw_(std::move(latent_2NChw)),
      caption_ids_KL_(ids_of(captions.captions(), tokenizer)),
      schedule_(schedule),
      unet_(unet_config_of(config, latent_2NChw_.size(-1))),
      text_encoder_(text_config_of(config, tokenizer)),
      prediction_([this](const std::vector<at::Tensor>& in) { return predict(in[0], in[1], in[2]); },
                  all_parameters()) {
  initialise_parameters(*unet_, static_cast<std::uint64_t>(config.seed), "unet");
  initialise_parameters(*text_encoder_, static_cast<std::uint64_t>(config.seed), "text_encoder");
  caption_ids_KL_ = caption_ids_KL_.to(latent_2NChw_.device());
  unet_->to(latent_2NChw_.device());
  text_encoder_->to(latent_2NChw_.device());
}

std::int64_t DenoiserTraining::draw_caption(RandomStream& stream, std::int64_t image) const {
  const auto place = static_cast<std::size_t>(image);
  if (stream.uniform() < config_.unet.empty_caption_share) return captions_.empty();
  if (stream.uniform() < kPlainCaptionShare) return captions_.without_domain(images_.label[place]);
  return captions_.of_domain(images_.label[place], images_.domain[place]).value();
}

at::Tensor DenoiserTraining::loss(std::int64_t step) {
  RandomStream stream(static_cast<std::uint64_t>(config_.seed), "pretrain unet", {static_cast<std::uint64_t>(step)});
  const std::int64_t size = config_.unet.training.batch_size;
  const LdmDraw draw = draw_ldm_images(stream, images_, size);
  std::vector<std::int64_t> caption, t;
  for (std::int64_t i = 0; i < size; ++i) {
    caption.push_back(draw_caption(stream, draw.index_N[i].item<std::int64_t>()));
    t.push_back(static_cast<std::int64_t>(stream.below(static_cast<std::uint64_t>(schedule_.train_timesteps()))));
  }
  const at::Tensor t_N = current_rows(torch::tensor(t, torch::kInt64));
  const at::Device device = latent_2NChw_.device();
  const at::Tensor z =
      latent_2NChw_.index({current_rows(draw.mirrored_N).to(device), current_rows(draw.index_N).to(device)});
  std::vector<std::int64_t> shape = z.sizes().vec();
  shape[0] = size;
  const at::Tensor noise = current_rows(normal_tensor(stream, shape)).to(device);
  const at::Tensor caption_N = current_rows(torch::tensor(caption, torch::kInt64)).to(device);
  const at::Tensor mean = denoising_loss(
      [&](const at::Tensor& z_t, const at::Tensor& t) {
        return prediction_({z_t, t, caption_N});
      },
      schedule_, {z, noise, t_N});
  return share_of_batch(mean, t_N.size(0), size);
}

at::Tensor DenoiserTraining::predict(const at::Tensor& z_t_NChw, const at::Tensor& t_N, const at::Tensor& caption_N) {
  const at::Tensor ids_NL = caption_ids_KL_.index_select(0, caption_N);
  return unet_->forward(z_t_NChw, t_N, text_encoder_->forward(ids_NL).last_hidden_state_NLC);
}

std::vector<at::Tensor> DenoiserTraining::all_parameters() const {
  std::vector<at::Tensor> list;
  for (const auto& [name, parameter] : parameters()) list.push_back(parameter);
  return list;
}

TensorMap DenoiserTraining::parameters() const {
  TensorMap all;
  for (const auto& item : unet_->named_parameters()) all["unet." + item.key()] = item.value();
  for (const auto& item : text_encoder_->named_parameters()) all["text_encoder." + item.key()] = item.value();
  return all;
}

}  // namespace domainfusion
