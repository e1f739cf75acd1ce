#include "domainfusion/ldm_training/ldm_pretraining.h"

#include <torch/nn/module.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>

#include "domainfusion/core/log.h"
#include "domainfusion/core/machine/blas.h"
#include "domainfusion/data/transforms/image_tensor.h"
#include "domainfusion/diffusion/generation/image_to_image.h"
#include "domainfusion/diffusion/text/bpe_training.h"
#include "domainfusion/distributed/ranks.h"
#include "domainfusion/ldm_training/ldm_folder.h"
#include "domainfusion/ldm_training/stages/denoiser_training.h"
#include "domainfusion/ldm_training/stages/ldm_stage_run.h"
#include "domainfusion/ldm_training/stages/vae_training.h"
#include "domainfusion/nn/autocast.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kPictureColumns = 10;

struct StageWork {
  std::string name;
  LdmStageConfig lengths;
  std::function<at::Tensor(std::int64_t step)> loss;
  std::function<void(std::int64_t step)> show;
};

double millions(const torch::nn::Module& module) {
  std::int64_t count = 0;
  for (const at::Tensor& parameter : module.parameters()) count += parameter.numel();
  return static_cast<double>(count) * 1e-6;
}

// On a CPU convolutions alone are mixed.
struct MixedPrecision {
  explicit MixedPrecision(const Placement& placement)
      : products(placement.device.is_cpu() ? Placement{placement.device, at::kFloat} : placement),
        convolutions(placement.device.is_cpu() && placement.dtype == at::kBFloat16) {}
  const Autocast products;
  const BFloat16Convolutions convolutions;
};

void check_pretraining_placement(const Placement& placement) {
  if (!placement.device.is_cpu() || placement.dtype != at::kBFloat16) return check_training_placement(placement);
  check<ConfigError>(BFloat16Convolutions::supported(),
                     "dtype = bfloat16: this processor has no AVX-512, without which its convolutions are slower than "
                     "float32's; train in float32");
}

// What is learned from: the source domains' IN images and, behind them, those of further sets.
struct Subject {
  std::vector<std::string> class_names, class_words, domain_names, domain_descriptions;
  LdmImages images;

  Subject(const DomainDataset& dataset, const LdmPretrainingConfig& config, const LdmPretrainingRequest& request)
      : class_names(dataset.class_names()),
        class_words(request.class_words.empty() ? class_names : request.class_words),
        domain_names(request.domains),
        domain_descriptions(request.domain_descriptions),
        images(load_ldm_images(dataset, request.domains, config.trial_seed, config.image_size_px)) {
    for (const FurtherLdmImages& further : request.further) add(further, config.image_size_px);
    images.image_N3SS = images.image_N3SS.to(request.placement.device);
  }

  void add(const FurtherLdmImages& further, std::int64_t size_px);
};

void Subject::add(const FurtherLdmImages& further, std::int64_t size_px) {
  const std::vector<std::string>& names = further.dataset->class_names();
  std::vector<std::int64_t> label_of_class;
  for (std::size_t k = 0; k < names.size(); ++k) {
    const auto found = std::find(class_names.begin(), class_names.end(), names[k]);
    label_of_class.push_back(found - class_names.begin());
    if (found != class_names.end()) continue;
    class_names.push_back(names[k]);
    class_words.push_back(further.class_words.empty() ? names[k] : further.class_words[k]);
  }
  const auto first_domain = static_cast<std::int64_t>(domain_descriptions.size());
  const std::vector<std::string>& domains = further.dataset->domain_names();
  domain_names.insert(domain_names.end(), domains.begin(), domains.end());
  domain_descriptions.insert(domain_descriptions.end(), further.domain_descriptions.begin(),
                             further.domain_descriptions.end());
  add_all_images(images, *further.dataset, label_of_class, first_domain, size_px);
}

class Pretraining {
 public:
  Pretraining(const DomainDataset& dataset, const LdmPretrainingConfig& config, const LdmPretrainingRequest& request)
      : config_(config),
        request_(request),
        subject_(dataset, config, request),
        captions_(images_, subject_.class_words, subject_.domain_descriptions) {}

  bool run();

 private:
  std::int64_t longest_caption(const ClipTokenizer& tokenizer) const;
  bool run_stage(LdmStage& stage, const StageWork& work);
  bool train_denoiser(const ClipTokenizer& tokenizer, const at::Tensor& latent_2NChw);
  ClipTokenizer make_tokenizer() const;
  void write_index(bool finished) const;

  at::Tensor pictured_images() const;
  void show(const std::string& name, std::int64_t step, std::vector<std::string> row_names,
            const std::vector<at::Tensor>& rows_image01) const;
  void show_denoiser(std::int64_t step) const;
  std::int64_t shifted_caption(std::int64_t label, std::int64_t domain, std::int64_t shift) const;
  at::Tensor translated(const LatentDiffusion& ldm, const at::Tensor& image01, std::int64_t domain_shift,
                        double strength) const;

  const LdmPretrainingConfig& config_;
  const LdmPretrainingRequest& request_;
  const Subject subject_;
  const LdmImages& images_ = subject_.images;
  CaptionTable captions_;
};

bool Pretraining::run() {
  if (any_rank(request_.resume && is_finished_ldm(request_.out))) {
    log_info("{} is finished already", request_.out.string());
    remove_ldm_checkpoints(request_.out);
    return true;
  }
  if (request_.placement.device.is_cpu()) warn_of_slow_blas();
  const ClipTokenizer tokenizer = make_tokenizer();
  check_denoiser_options(config_, tokenizer);
  write_index(false);
  VaeTraining vae(images_, config_);
  log_info("{} images of {} domains at {} px; VAE of {:.2f} M parameters", images_.size(), subject_.domain_names.size(),
           config_.image_size_px, millions(*vae.vae()));
  LdmStage stage("vae", leaves_of(*vae.vae()), config_.vae.training);
  if (request_.on_start) request_.on_start();
  const bool finished =
      run_stage(stage, {"vae", config_.vae.training, [&](auto step) { return vae.loss(step); },
                        [&](auto step) {
                          show("vae", step, {"image", "reconstruction"}, vae.pictures(pictured_images()));
                        }});
  if (!finished) return false;
  AutoencoderConfig written;
  const at::Tensor latent_2NChw = vae.encode_all(written);
  write_vae(request_.out, vae.vae(), written, config_.half_weights);
  if (!train_denoiser(tokenizer, latent_2NChw)) return false;
  write_index(true);
  remove_ldm_checkpoints(request_.out);
  return true;
}

bool Pretraining::run_stage(LdmStage& stage, const StageWork& work) {
  return run_ldm_stage(stage, {.name = work.name,
                               .lengths = work.lengths,
                               .loss =
                                   [&](std::int64_t step, std::int64_t) {
                                     const MixedPrecision precision(request_.placement);
                                     return work.loss(step);
                                   },
                               .checkpoint = request_.out / "checkpoints" / (work.name + ".safetensors"),
                               .resume = request_.resume,
                               .checkpoint_every_steps = config_.checkpoint_every_steps,
                               .should_stop = request_.should_stop,
                               .show = work.show,
                               .show_every_steps = config_.pictures_every_steps});
}

ClipTokenizer Pretraining::make_tokenizer() const {
  const fs::path folder = request_.out / "tokenizer";
  fs::create_directories(folder);
  const BpeVocabulary vocabulary = train_bpe(captions_.captions(), config_.text.bpe_merges);
  write_tokenizer_folder(folder, vocabulary, config_.text.max_tokens);
  const ClipTokenizer tokenizer = ClipTokenizer::load(folder);
  const std::int64_t needed = longest_caption(tokenizer);
  if (needed <= tokenizer.length()) return tokenizer;
  log_info("text.max_tokens = {}: raised to {}, which the longest caption takes", tokenizer.length(), needed);
  write_tokenizer_folder(folder, vocabulary, needed);
  return ClipTokenizer::load(folder);
}

// In tokens, start and end included. ConfigError for one that no text encoder of CLIP's length takes.
std::int64_t Pretraining::longest_caption(const ClipTokenizer& tokenizer) const {
  std::int64_t longest = 0;
  for (const std::string& caption : captions_.captions()) {
    const auto tokens = static_cast<std::int64_t>(tokenizer.tokenize(caption).size()) + 2;
    check<ConfigError>(tokens <= kMaxTokens,
                       "the caption '{}' has {} tokens; at most {} are possible: shorten the domain's description "
                       "(data.descriptions) or the class's name, or raise text.bpe_merges",
                       caption, tokens, kMaxTokens);
    longest = std::max(longest, tokens);
  }
  return longest;
}

bool Pretraining::train_denoiser(const ClipTokenizer& tokenizer, const at::Tensor& latent_2NChw) {
  DenoiserTraining denoiser(images_, captions_, tokenizer, latent_2NChw, NoiseSchedule(compact_scheduler_config()),
                            config_);
  log_info("U-Net of {:.2f} M, text encoder of {:.2f} M parameters", millions(*denoiser.unet()),
           millions(*denoiser.text_encoder()));
  const auto write = [&] {
    write_unet(request_.out, denoiser.unet(), config_.half_weights);
    write_text_encoder(request_.out, denoiser.text_encoder(), config_.half_weights);
  };
  LdmStage stage("unet", denoiser.parameters(), config_.unet.training);
  const bool finished = run_stage(stage, {"unet", config_.unet.training, [&](auto step) { return denoiser.loss(step); },
                                          [&](auto step) {
                                            write();
                                            show_denoiser(step);
                                          }});
  if (finished) write();
  return finished;
}

void Pretraining::write_index(bool finished) const {
  write_folder_index(request_.out, {{"finished", finished},
                                    {"domains", subject_.domain_names},
                                    {"class_names", subject_.class_names},
                                    {"captions", captions_.captions()},
                                    {"seed", config_.seed},
                                    {"trial_seed", config_.trial_seed},
                                    {"image_size_px", config_.image_size_px},
                                    {"alpha", name_of(config_.alpha)},
                                    {"image_hashes", images_.hash}});
}

at::Tensor Pretraining::pictured_images() const {
  const std::int64_t columns = std::min(kPictureColumns, images_.size());
  // Evenly spread, so that every domain and several classes are seen.
  return torch::div(torch::arange(columns) * images_.size(), columns, "floor").to(images_.image_N3SS.device());
}

void Pretraining::show(const std::string& name, std::int64_t step, std::vector<std::string> row_names,
                       const std::vector<at::Tensor>& rows_image01) const {
  if (!request_.on_pictures) return;
  LdmPictures pictures{fmt::format("{}_{:06}", name, step), std::move(row_names), {}};
  for (const at::Tensor& row : rows_image01) {
    pictures.rows.emplace_back();
    for (const at::Tensor& image : row.cpu().unbind()) pictures.rows.back().push_back(tensor01_to_image(image));
  }
  request_.on_pictures(pictures);
}

// That of the class in the domain `shift` places on, of those in which it has images.
std::int64_t Pretraining::shifted_caption(std::int64_t label, std::int64_t domain, std::int64_t shift) const {
  const auto domains = static_cast<std::int64_t>(subject_.domain_names.size());
  for (std::int64_t k = domain + shift; k < domain + domains; ++k) {
    if (const auto caption = captions_.of_domain(label, k % domains)) return *caption;
  }
  return captions_.of_domain(label, domain).value();
}

at::Tensor Pretraining::translated(const LatentDiffusion& ldm, const at::Tensor& image01, std::int64_t domain_shift,
                                   double strength) const {
  ImageToImageRequest request;
  request.image01_N3HW = image01;
  request.strength = strength;
  for (const at::Tensor& place : pictured_images().unbind()) {
    const auto image = static_cast<std::size_t>(place.item<std::int64_t>());
    request.prompts.push_back(captions_.captions()[static_cast<std::size_t>(
        shifted_caption(images_.label[image], images_.domain[image], domain_shift))]);
    request.noise_streams.emplace_back(static_cast<std::uint64_t>(config_.seed), "pretrain picture",
                                       std::initializer_list<std::uint64_t>{image});
  }
  return image_to_image(ldm, request);
}

void Pretraining::show_denoiser(std::int64_t step) const {
  if (!request_.on_pictures) return;
  torch::NoGradGuard no_grad;
  LdmOptions options;
  options.placement.device = request_.placement.device;
  const LatentDiffusion ldm = LatentDiffusion::load(request_.out, options);
  const at::Tensor image01 = images_.image_N3SS.index_select(0, pictured_images()).to(torch::kFloat32) / 255.0;
  show("unet", step,
       {"image", "VAE round trip", "strength 0.5, own domain", "0.5, next domain", "0.7, next domain",
        "1.0: from noise"},
       {image01, ldm.decode(ldm.encode(image01)), translated(ldm, image01, 0, 0.5), translated(ldm, image01, 1, 0.5),
        translated(ldm, image01, 1, 0.7), translated(ldm, torch::full_like(image01, 0.5), 0, 1.0)});
}

}  // namespace

bool pretrain_ldm(const DomainDataset& dataset, const LdmPretrainingConfig& config,
                  const LdmPretrainingRequest& request) {
  check_pretraining_placement(request.placement);
  return Pretraining(dataset, config, request).run();
}

}  // namespace domainfusion
