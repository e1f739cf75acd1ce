#include "domainfusion/ldm_training/ldm_finetuning.h"

#include <torch/types.h>

#include <algorithm>

#include "domainfusion/augmentation/prompts.h"
#include "domainfusion/core/json_text.h"
#include "domainfusion/core/log.h"
#include "domainfusion/core/machine/blas.h"
#include "domainfusion/core/random/random_tensor.h"
#include "domainfusion/diffusion/diffusers_writer.h"
#include "domainfusion/diffusion/ldm_provenance.h"
#include "domainfusion/distributed/row_share.h"
#include "domainfusion/io/files/atomic_file.h"
#include "domainfusion/ldm_training/ldm_folder.h"
#include "domainfusion/ldm_training/stages/denoising_loss.h"
#include "domainfusion/ldm_training/stages/ldm_images.h"
#include "domainfusion/ldm_training/stages/ldm_stage_run.h"
#include "domainfusion/nn/autocast.h"
#include "domainfusion/nn/layers/linear.h"
#include "domainfusion/nn/recomputed.h"
#include "domainfusion/nn/state_dict.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kEncodedPixels = 64 * 64 * 64;  // at once

UNet2dCondition trainable_unet(const LatentDiffusion& base) {
  return with_context(fmt::format("'{}'", base.source().subject(LdmPart::kUnet)), [&] {
    UNet2dCondition unet(UNetConfig::from_json(base.source().config(LdmPart::kUnet), "config.json"));
    load_state_dict(*unet, base.source().weights(LdmPart::kUnet), "weights");
    unet->to(base.placement().device);
    unet->train();
    return unet;
  });
}

// The U-Net as it lies in the base's files, frozen: its memory is the mapped file where that holds float32.
UNet2dCondition frozen_unet(const LatentDiffusion& base) {
  return with_context(fmt::format("'{}'", base.source().subject(LdmPart::kUnet)), [&] {
    UNet2dCondition unet(UNetConfig::from_json(base.source().config(LdmPart::kUnet), "config.json"));
    adopt_state_dict(*unet, base.source().weights(LdmPart::kUnet), "weights", {}, {.device = base.placement().device});
    for (at::Tensor& parameter : unet->parameters()) parameter.set_requires_grad(false);
    unet->train();
    return unet;
  });
}

// Whether a module of the U-Net is one that LoRAs are trained beside: a projection of an attention.
bool takes_lora(const std::string& name) {
  if (name.find(".attn1.") == std::string::npos && name.find(".attn2.") == std::string::npos) return false;
  return name.ends_with(".to_q") || name.ends_with(".to_k") || name.ends_with(".to_v") || name.ends_with(".to_out.0");
}

// New low-rank leaves beside the attentions' weights, by their names in a LoRA file: up is zero, so that training
// starts from the base; down is normal with deviation 1 / rank, as diffusers draws it.
TensorMap added_lora(UNet2dCondition& unet, std::int64_t rank, std::int64_t seed, at::Device device) {
  RandomStream stream(static_cast<std::uint64_t>(seed), "finetune lora");
  TensorMap leaves;
  for (const auto& item : unet->named_modules("", /*include_self=*/false)) {
    auto* linear = dynamic_cast<LinearImpl*>(item.value().get());
    if (linear == nullptr || !takes_lora(item.key())) continue;
    const at::Tensor weight = linear->named_parameters(/*recurse=*/false)["weight"];
    at::Tensor down = (normal_tensor(stream, {rank, weight.size(1)}) / static_cast<double>(rank)).to(device);
    at::Tensor up = torch::zeros({weight.size(0), rank}).to(device);
    down.set_requires_grad(true);
    up.set_requires_grad(true);
    linear->add_low_rank(down, up);
    leaves["unet." + item.key() + ".lora_A.weight"] = down;
    leaves["unet." + item.key() + ".lora_B.weight"] = up;
  }
  check<ConfigError>(!leaves.empty(), "lora_rank: this U-Net has no attention for a LoRA to lie beside");
  return leaves;
}

class Finetuning {
 public:
  Finetuning(const LatentDiffusion& base, const DomainDataset& dataset, const LdmFinetuningConfig& config,
             const LdmFinetuningRequest& request);
  bool run();

 private:
  // What a step draws, for all parts of its batch.
  struct Draw {
    std::int64_t step = -1;
    LdmDraw images;
    at::Tensor t_N, noise_NChw;
  };

  std::vector<std::string> prompts() const;
  at::Tensor latents();
  const Draw& draw_of(std::int64_t step);
  at::Tensor loss(std::int64_t step, std::int64_t part);
  nlohmann::json provenance(bool finished) const;
  TensorMap prepare_unet();
  void write(const TensorMap& trained);

  const LatentDiffusion& base_;
  const LdmFinetuningConfig& config_;
  const LdmFinetuningRequest& request_;
  LdmProvenance base_record_;
  std::vector<std::string> class_names_;
  std::int64_t size_px_;
  LdmImages images_;
  at::Tensor context_KLD_, latent_2NChw_;
  UNet2dCondition unet_{nullptr};
  Draw draw_;
};

Finetuning::Finetuning(const LatentDiffusion& base, const DomainDataset& dataset, const LdmFinetuningConfig& config,
                       const LdmFinetuningRequest& request)
    : base_(base),
      config_(config),
      request_(request),
      base_record_(ldm_provenance(base)),
      class_names_(dataset.class_names()),
      size_px_(config.image_size_px > 0 ? config.image_size_px : base.image_size_px()) {
  const std::int64_t factor = base.vae()->config().downsampling_factor();
  check<ConfigError>(size_px_ % factor == 0, "image_size_px = {}: expected a multiple of {}, the VAE's factor",
                     size_px_, factor);
  images_ = load_ldm_images(dataset, {request.domain}, config.trial_seed, size_px_);
}

// One per class.
std::vector<std::string> Finetuning::prompts() const {
  std::vector<std::string> prompts;
  for (const std::string& word : request_.class_words.empty() ? class_names_ : request_.class_words) {
    prompts.push_back(config_.prompt.empty() ? "" : fill_prompt(config_.prompt, word));
  }
  return prompts;
}

at::Tensor Finetuning::latents() {
  const std::int64_t batch = std::clamp<std::int64_t>(kEncodedPixels / (size_px_ * size_px_), 1, 64);
  const at::Device device = base_.placement().device;
  at::Tensor all = encode_plain_and_mirrored(images_, batch, [&](const at::Tensor& bytes) {
    return base_.encode(bytes.to(device, torch::kFloat32).div_(255));
  });
  images_.image_N3SS = at::Tensor();
  return all;
}

const Finetuning::Draw& Finetuning::draw_of(std::int64_t step) {
  if (draw_.step == step) return draw_;
  RandomStream stream(static_cast<std::uint64_t>(config_.seed), "finetune unet", {static_cast<std::uint64_t>(step)});
  const std::int64_t steps_of_noise = base_.noise_schedule().train_timesteps();
  draw_ = {step,
           draw_ldm_images(stream, images_, config_.batch_size),
           torch::empty({config_.batch_size}, torch::kInt64),
           {}};
  auto* t = draw_.t_N.data_ptr<std::int64_t>();
  for (std::int64_t i = 0; i < config_.batch_size; ++i) {
    t[i] = static_cast<std::int64_t>(stream.below(static_cast<std::uint64_t>(steps_of_noise)));
  }
  std::vector<std::int64_t> shape = latent_2NChw_.sizes().slice(1).vec();
  shape[0] = config_.batch_size;
  draw_.noise_NChw = normal_tensor(stream, shape);
  return draw_;
}

// The part's share of the batch's mean.
at::Tensor Finetuning::loss(std::int64_t step, std::int64_t part) {
  const Draw& draw = draw_of(step);
  const std::int64_t begin = part * config_.part_size();
  const std::int64_t size = std::min(config_.part_size(), config_.batch_size - begin);
  const auto own = [&](const at::Tensor& of_batch) { return current_rows(of_batch.narrow(0, begin, size)); };
  const at::Tensor index = own(draw.images.index_N);
  std::vector<std::int64_t> label;
  for (std::int64_t i = 0; i < index.size(0); ++i)
    label.push_back(images_.label[static_cast<std::size_t>(index[i].item<std::int64_t>())]);
  const at::Device device = latent_2NChw_.device();
  const Autocast autocast(base_.placement());
  const RecomputesLayers recomputes(config_.gradient_checkpointing);
  const at::Tensor context = context_KLD_.index_select(0, torch::tensor(label, torch::kInt64).to(device));
  const at::Tensor mean = denoising_loss(
      [&](const at::Tensor& z_t, const at::Tensor& t) { return base_.predict_by(unet_, z_t, t, context); },
      base_.noise_schedule(),
      {latent_2NChw_.index({own(draw.images.mirrored_N).to(device), index.to(device)}), own(draw.noise_NChw).to(device),
       own(draw.t_N)});
  return share_of_batch(mean, index.size(0), size) *
         (static_cast<double>(size) / static_cast<double>(config_.batch_size));
}

nlohmann::json Finetuning::provenance(bool finished) const {
  std::set<std::string> domains = base_record_.domains, hashes = base_record_.image_hashes;
  domains.insert(request_.domain);
  hashes.insert(images_.hash.begin(), images_.hash.end());
  return {
      {"finished", finished},
      {"domains", domains},
      {"image_hashes", hashes},
      {"class_names", class_names_},
      {"finetuned_on", request_.domain},
      {"prompt", config_.prompt},
      {"seed", config_.seed},
      {"trial_seed", config_.trial_seed},
      {"image_size_px", size_px_},
      {"alpha", name_of(config_.alpha)},
      {"base",
       {{"folder", fs::absolute(base_.folder()).lexically_normal().string()}, {"weights_hash", base_.weights_hash()}}},
      {"base_recorded", base_record_.recorded && base_record_.base_recorded}};
}

// Returns what is trained.
TensorMap Finetuning::prepare_unet() {
  unet_ = config_.lora_rank > 0 ? frozen_unet(base_) : trainable_unet(base_);
  return config_.lora_rank > 0 ? added_lora(unet_, config_.lora_rank, config_.seed, base_.placement().device)
                               : leaves_of(*unet_);
}

void Finetuning::write(const TensorMap& trained) {
  if (config_.lora_rank > 0) {
    TensorMap lora;
    for (const auto& [name, tensor] : trained) lora[name] = tensor.detach();
    save_tensors(request_.out / kLoraFile,
                 converted(std::move(lora), config_.half_weights ? torch::kFloat16 : torch::kFloat32),
                 {{"format", "pt"}});
    write_file_atomically(request_.out / "domainfusion.json", json_text(provenance(true), 1) + "\n");
    return;
  }
  write_with_unet(request_.out, base_,
                  converted(state_dict_of(*unet_), config_.half_weights ? torch::kFloat16 : torch::kFloat32), size_px_,
                  provenance(true));
}

bool Finetuning::run() {
  if (base_.placement().device.is_cpu()) warn_of_slow_blas();
  write_file_atomically(request_.out / "domainfusion.json", json_text(provenance(false), 1) + "\n");
  context_KLD_ = base_.embed(prompts()).to(torch::kFloat32);
  base_.release(LdmPart::kTextEncoder);
  latent_2NChw_ = latents();
  base_.release(LdmPart::kVae);
  const TensorMap trained = prepare_unet();
  log_info("{} images of '{}' at {} px; U-Net of {:.2f} M parameters{}", images_.size(), request_.domain, size_px_,
           static_cast<double>(parameter_count(*unet_)) * 1e-6,
           config_.lora_rank > 0 ? fmt::format(", a LoRA of rank {} beside them", config_.lora_rank) : "");
  LdmStage stage(
      "finetuned unet", trained, config_.stage(),
      {.constant_lr = !config_.cosine_decay, .weight_decay = config_.weight_decay, .parts = config_.parts()});
  if (request_.on_start) request_.on_start();
  const bool finished =
      run_ldm_stage(stage, {.name = "finetune",
                            .lengths = config_.stage(),
                            .loss = [&](std::int64_t step, std::int64_t part) { return loss(step, part); },
                            .checkpoint = request_.out / "checkpoints" / "unet.safetensors",
                            .resume = request_.resume,
                            .checkpoint_every_steps = config_.checkpoint_every_steps,
                            .should_stop = request_.should_stop,
                            .show = {}});
  if (!finished) return false;
  write(trained);
  remove_ldm_checkpoints(request_.out);
  return true;
}

}  // namespace

bool finetune_ldm(const LatentDiffusion& base, const DomainDataset& dataset, const LdmFinetuningConfig& config,
                  const LdmFinetuningRequest& request) {
  check_training_placement(base.placement());
  if (any_rank(request.resume && is_finished_ldm(request.out))) {
    log_info("{} is finished already", request.out.string());
    remove_ldm_checkpoints(request.out);
    return true;
  }
  return Finetuning(base, dataset, config, request).run();
}

}  // namespace domainfusion
