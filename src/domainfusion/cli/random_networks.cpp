#include "domainfusion/cli/random_networks.h"

#include <torch/nn/module.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <cmath>

#include "domainfusion/cli/project_files.h"
#include "domainfusion/io/files/json_file.h"
#include "domainfusion/nn/state_dict.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

json part_config(const fs::path& folder, const char* part) { return read_json_object(folder / part / "config.json"); }

template <class Holder>
Holder random_weights(Holder module, const Placement& placement) {
  const torch::NoGradGuard no_grad;
  module->to(placement.device);
  for (at::Tensor& parameter : module->parameters()) {
    parameter.set_requires_grad(false);
    parameter.uniform_(-1, 1).mul_(parameter.dim() > 1 ? std::sqrt(3.0 / static_cast<double>(parameter[0].numel()))
                                                       : 0.1);
  }
  adopt_state_dict(*module, state_dict_of(*module), "random weights", {}, placement);
  return module;
}

}  // namespace

json network_configs(const std::string& name) {
  if (!fs::is_directory(name)) return read_json_object(project_file("assets/ldm_configs/" + name + ".json"));
  return {{"unet", part_config(name, "unet")},
          {"vae", part_config(name, "vae")},
          {"text_encoder", part_config(name, "text_encoder")}};
}

json taesd_config(const AutoencoderConfig& vae) {
  constexpr std::int64_t kChannels = 64, kBlocks = 3;
  const std::size_t levels = vae.block_out_channels.size();
  AutoencoderConfig config;
  config.latent_channels = vae.latent_channels;
  config.block_out_channels.assign(levels, kChannels);
  config.decoder_channels.assign(levels, kChannels);
  config.encoder_blocks.assign(levels, kBlocks);
  config.decoder_blocks.assign(levels, kBlocks);
  // At the image's resolution one.
  config.encoder_blocks.front() = config.decoder_blocks.back() = 1;
  config.scaling_factor = 1;
  return config.to_json();
}

AutoencoderKl random_vae(const json& config, const Placement& placement) {
  return random_weights(AutoencoderKl(AutoencoderConfig::from_json(config, "vae")), placement);
}

RandomNetworks::RandomNetworks(const json& configs, const Placement& where)
    : placement(where),
      unet(random_weights(UNet2dCondition(UNetConfig::from_json(configs.at("unet"), "unet")), where)),
      vae(random_vae(configs.at("vae"), where)),
      text(random_weights(ClipTextEncoder(ClipTextConfig::from_json(configs.at("text_encoder"), "text_encoder")),
                          where)),
      context_dim_(unet->config().cross_attention_dim) {
  forget_recordings();
}

// SDXL's second text encoder is left out; its columns are zeros.
at::Tensor RandomNetworks::embed(std::int64_t n) {
  const at::Tensor ids = torch::zeros({n, text->config().max_position_embeddings}, torch::kLong).to(placement.device);
  const at::Tensor states = text(ids).last_hidden_state_NLC;
  return at::constant_pad_nd(states, {0, context_dim_ - states.size(2)});
}

at::Tensor RandomNetworks::latents(std::int64_t n, std::int64_t side) const {
  return torch::randn({n, unet->config().in_channels, side, side}).to(placement.device, placement.dtype);
}

at::Tensor RandomNetworks::image(std::int64_t side_px) const {
  return torch::rand({1, vae->config().in_channels, side_px, side_px}).to(placement.device, placement.dtype);
}

at::Tensor RandomNetworks::timesteps(std::int64_t n) const {
  return torch::full({n}, 500, torch::kLong).to(placement.device);
}

std::vector<at::Tensor> RandomNetworks::unet_inputs(const at::Tensor& z, const at::Tensor& t,
                                                    const at::Tensor& context) const {
  std::vector<at::Tensor> inputs{z, t, context};
  const UNetConfig& config = unet->config();
  const auto zeros = [&](at::IntArrayRef shape) { return torch::zeros(shape).to(placement.device); };
  if (config.is_xl()) {
    inputs.push_back(zeros({z.size(0), config.pooled_channels()}).to(placement.dtype));
    inputs.push_back(zeros({z.size(0), 6}));
  }
  if (config.time_cond_proj_dim > 0) inputs.push_back(zeros({z.size(0)}));
  return inputs;
}

void RandomNetworks::forget_recordings() {
  unet_pass_ =
      std::make_unique<GraphedFunction>([this](const std::vector<at::Tensor>& in) { return predicted_by(unet, in); });
}

void RandomNetworks::lay_out(at::MemoryFormat format) {
  for (torch::nn::Module* module : std::initializer_list<torch::nn::Module*>{&*unet, &*vae}) {
    for (at::Tensor& parameter : module->parameters()) {
      if (parameter.dim() == 4) parameter.set_data(parameter.detach().contiguous(format));
    }
  }
}

}  // namespace domainfusion
