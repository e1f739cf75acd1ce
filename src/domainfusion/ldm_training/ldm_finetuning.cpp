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
  void write();

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
  const at::Tensor mean =
      denoising_loss([&](const at::Tensor& z_t, const at::Tensor& t) { return unet_->forward(z_t, t, context); },
                     base_.noise_schedule(),
                     {latent_2NChw_.index({own(draw.images.mirrored_N).to(device), index.to(device)}),
                      own(draw.noise_NChw).to(device), own(draw.t_N)});
  return share_of_batch(mean, index.size(0), size) *
         (static_cast<double>(size) / static_cast<double>(config_.batch_size));
}

nlohmann::json Finetuning::provenance(bool finished) const {
  std::set<std::string> domains = base_record_.domains, hashes = base_record_.image_hashes;
  domains.insert(request_.domain);
  hashes.insert(images_.hash.begin(), images_.hash.end());
  return {{"finished", finished},
          {"domains", domains},
          {"image_hashes", hashes},
          {"class_names", class_names_},
          {"finetuned_on", request_.domain},
          {"prompt", config_.prompt},
          {"seed", config_.seed},
          {"trial_seed", config_.trial_seed},
          {"image_size_px", size_px_},
          {"alpha", name_of(config_.alpha)},
          {"base", {{"folder", base_.folder().string()}, {"weights_hash", base_.weights_hash()}}},
          {"base_recorded", base_record_.recorded && base_record_.base_recorded}};
}

void Finetuning::write() {
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
  unet_ = trainable_unet(base_);
  log_info("{} images of '{}' at {} px; U-Net of {:.2f} M parameters", images_.size(), request_.domain, size_px_,
           static_cast<double>(parameter_count(*unet_)) * 1e-6);
  LdmStage stage(
      "finetuned unet", leaves_of(*unet_), config_.stage(),
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
  write();
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
