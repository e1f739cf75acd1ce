#include "domainfusion/ldm_training/ldm_finetuning.h"

#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
#include <cmath>

#include "domainfusion/core/random/random_tensor.h"
#include "domainfusion/data/batch.h"
#include "domainfusion/data/protocol/split.h"
#include "domainfusion/diffusion/ldm_provenance.h"
#include "domainfusion/io/files/atomic_file.h"
#include "domainfusion/io/files/file_bytes.h"
#include "domainfusion/ldm_training/stages/denoising_loss.h"
#include "domainfusion/nn/initialise.h"
#include "domainfusion/nn/recomputed.h"
#include "domainfusion/nn/state_dict.h"
#include "domainfusion/training/guards/ldm_guard.h"
#include "peak_memory.h"
#include "tiny_models.h"
#include "training/toy_dataset.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;

LdmFinetuningConfig small_finetuning(std::int64_t steps = 4) {
  LdmFinetuningConfig config;
  config.steps = steps;
  config.batch_size = 4;
  config.ema_decay = 0.5;
  config.checkpoint_every_steps = 2;
  config.image_size_px = 32;
  return config;
}

bool finetune(const fs::path& base, const fs::path& out, const LdmFinetuningConfig& config,
              const std::string& domain = "blue", bool resume = false, std::int64_t stop_after = -1,
              const LdmOptions& options = {}) {
  fs::create_directories(out);
  LdmFinetuningRequest request{.domain = domain, .class_words = {}, .out = out, .resume = resume, .should_stop = {}};
  std::int64_t asked = 0;
  if (stop_after >= 0) request.should_stop = [&] { return asked++ == stop_after; };
  return finetune_ldm(LatentDiffusion::open(base, options), ToyDataset(), config, request);
}

const char* const kUnetFile = "unet/diffusion_pytorch_model.safetensors";

TensorMap unet_weights(const fs::path& folder) {
  return LatentDiffusion::open(folder).source().weights(LdmPart::kUnet);
}

// How far apart two finetunings of the same base came, as a share of the way that the first one went.
double gap(const fs::path& base, const fs::path& a, const fs::path& b) {
  const TensorMap from = unet_weights(base), other = unet_weights(b);
  double way = 0, between = 0;
  for (const auto& [name, tensor] : unet_weights(a)) {
    way += (tensor - from.at(name)).square().sum().item<double>();
    between += (tensor - other.at(name)).square().sum().item<double>();
  }
  return std::sqrt(between / way);
}

// On the OUT images of a domain, at eight timesteps each with fixed noise.
double denoising_loss_on(const LatentDiffusion& ldm, std::int64_t domain) {
  torch::NoGradGuard no_grad;
  const std::vector<std::int64_t> out = holdout_split(20, 0, domain).out;
  const at::Tensor z = ldm.encode(plain_images01(ToyDataset(), domain, out, 32)).repeat({8, 1, 1, 1});
  RandomStream stream(3, "test noise");
  const at::Tensor t = torch::arange(z.size(0)).mul(31).add(20);
  UNet2dCondition unet = ldm.unet();
  const std::vector<std::string> prompts(static_cast<std::size_t>(z.size(0)));
  const Denoiser denoiser = [&](const at::Tensor& z_t, const at::Tensor& t_N) {
    return unet->forward(z_t, t_N, ldm.embed(prompts));
  };
  return denoising_loss(denoiser, ldm.noise_schedule(), {z, normal_tensor(stream, z.sizes()), t}).item<double>();
}

std::set<std::string> in_hashes(std::int64_t domain) {
  std::set<std::string> hashes;
  for (const std::int64_t index : holdout_split(20, 0, domain).in) {
    hashes.insert(recorded_hash(ToyDataset().file_hash(domain, index)));
  }
  return hashes;
}

UNet2dCondition wide_unet() {
  UNetConfig config;
  config.in_channels = config.out_channels = 4;
  config.sample_size = 32;
  config.block_out_channels = {32, 64};
  config.down_block_types = {"CrossAttnDownBlock2D", "DownBlock2D"};
  config.up_block_types = {"UpBlock2D", "CrossAttnUpBlock2D"};
  config.layers_per_block = {2};
  config.attention_head_dim = {4};
  config.cross_attention_dim = 16;
  config.norm_num_groups = 8;
  UNet2dCondition unet(config);
  initialise_parameters(*unet, 0, "unet");
  return unet;
}

void backward_of(UNet2dCondition& unet, bool recompute) {
  for (at::Tensor& parameter : unet->parameters()) parameter.mutable_grad() = at::Tensor();
  const RecomputesLayers recomputes(recompute);
  RandomStream stream(1, "input");
  const at::Tensor z = normal_tensor(stream, {4, 4, 32, 32}), context = normal_tensor(stream, {4, 7, 16});
  unet->forward(z, torch::arange(4) * 100, context).square().mean().backward();
}

}  // namespace

TEST(LdmFinetuning, ChangesTheUNetAloneAndSaysWhatItSaw) {
  const TemporaryFolder folder;
  ASSERT_TRUE(finetune(kTinySd15, folder / "ldm", small_finetuning()));
  const LatentDiffusion ldm = LatentDiffusion::load(folder / "ldm"), base = LatentDiffusion::load(kTinySd15);
  for (const LdmPart part : {LdmPart::kVae, LdmPart::kTextEncoder}) {
    const TensorMap before = base.source().weights(part);
    for (const auto& [name, tensor] : ldm.source().weights(part)) EXPECT_TRUE(tensor.equal(before.at(name))) << name;
  }
  EXPECT_FALSE(ldm.unet()->parameters()[0].equal(base.unet()->parameters()[0]));
  EXPECT_EQ(ldm.scheduler_config(), base.scheduler_config());
  EXPECT_EQ(ldm.image_size_px(), 32) << "it translates at the size that it was finetuned at";
  const nlohmann::json& record = *ldm.provenance();
  EXPECT_EQ(record.at("domains"), nlohmann::json{"blue"});
  EXPECT_EQ(record.at("image_hashes").get<std::set<std::string>>(), in_hashes(0));
  EXPECT_EQ(record.at("base_recorded"), false);
  EXPECT_FALSE(fs::exists(folder / "ldm" / "checkpoints"));
}

TEST(LdmFinetuning, ADomainThatTheBaseOrTheFinetuningSawIsRefusedAsATarget) {
  const TemporaryFolder folder;
  ASSERT_TRUE(finetune(kTinySd15, folder / "first", small_finetuning(1), "blue"));
  ASSERT_TRUE(finetune(folder / "first", folder / "second", small_finetuning(1), "green"));
  const LatentDiffusion ldm = LatentDiffusion::open(folder / "second");
  const auto set = std::make_shared<ToyDataset>();
  for (const std::int64_t target : {0, 1}) {
    EXPECT_THROW(check_ldm_provenance(ldm, HoldoutGuard(set, {target}, {{}, {}, {}})), ConfigError) << target;
  }
  EXPECT_FALSE(check_ldm_provenance(ldm, HoldoutGuard(set, {2}, {{}, {}, {}})).recorded)
      << "the first model's own training is not known";
}

TEST(LdmFinetuning, ReadsNoOtherDomain) {
  const TemporaryFolder folder;
  ToyDataset set;
  set.on_read = [](std::int64_t domain) { check(domain == 1, "domain {} was read", domain); };
  EXPECT_TRUE(
      finetune_ldm(LatentDiffusion::open(kTinySd15), set, small_finetuning(1),
                   {.domain = "green", .class_words = {}, .out = folder.path(), .resume = false, .should_stop = {}}));
}

TEST(LdmFinetuning, StoppedAndResumedItGivesTheSameBits) {
  const TemporaryFolder folder;
  ASSERT_TRUE(finetune(kTinySd21, folder / "whole", small_finetuning()));
  ASSERT_FALSE(finetune(kTinySd21, folder / "stopped", small_finetuning(), "blue", false, 3));
  EXPECT_THROW(finetune(folder / "stopped", folder / "of_unfinished", small_finetuning()), Error);
  ASSERT_TRUE(finetune(kTinySd21, folder / "stopped", small_finetuning(), "blue", true));
  EXPECT_EQ(read_file(folder / "whole" / kUnetFile), read_file(folder / "stopped" / kUnetFile));
}

TEST(LdmFinetuning, PartsOfABatchAndRecomputedLayersLeadToTheSameWeights) {
  const TemporaryFolder folder;
  LdmFinetuningConfig config = small_finetuning(2);
  ASSERT_TRUE(finetune(kTinySd15, folder / "plain", config));
  config.micro_batch_size = 3;
  ASSERT_TRUE(finetune(kTinySd15, folder / "parts", config));
  config.gradient_checkpointing = true;
  ASSERT_TRUE(finetune(kTinySd15, folder / "recomputed", config));
  EXPECT_LT(gap(kTinySd15, folder / "plain", folder / "parts"), 0.02);
  EXPECT_LT(gap(kTinySd15, folder / "plain", folder / "recomputed"), 0.02);
}

TEST(LdmFinetuning, TheLossOnUnseenImagesOfTheDomainFallsForEveryKindOfPrediction) {
  const TemporaryFolder folder;
  LdmFinetuningConfig config = small_finetuning(40);
  config.lr = 2e-3;
  for (const char* type : {"epsilon", "v_prediction", "sample"}) {
    LdmOptions options;
    options.prediction_type = type;
    const fs::path out = folder / type;
    ASSERT_TRUE(finetune(kTinySd15, out, config, "blue", false, -1, options));
    const double before = denoising_loss_on(LatentDiffusion::load(kTinySd15, options), 0);
    const LatentDiffusion made = LatentDiffusion::load(out);
    EXPECT_EQ(made.scheduler_config().at("prediction_type"), type);
    EXPECT_LT(denoising_loss_on(made, 0), 0.9 * before) << type;
  }
}

TEST(LdmFinetuning, MixedPrecisionIsRefusedOnACpu) {
  const TemporaryFolder folder;
  LdmOptions options;
  options.placement = {at::kCPU, at::kBFloat16};
  const auto text = message_of<ConfigError>(
      [&] { finetune(kTinySd15, folder / "mixed", small_finetuning(2), "blue", false, -1, options); });
  EXPECT_NE(text.find("bfloat16"), std::string::npos);
  EXPECT_NE(text.find("float32"), std::string::npos);
}

TEST(LdmFinetuning, ASizeThatTheVaeCannotTakeAndAnUnknownDomainAreNamed) {
  const TemporaryFolder folder;
  LdmFinetuningConfig config = small_finetuning();
  EXPECT_NE(message_of<ConfigError>([&] { finetune(kTinySd15, folder / "a", config, "blu"); }).find("'blue'"),
            std::string::npos);
  config.image_size_px = 33;
  EXPECT_NE(message_of<ConfigError>([&] { finetune(kTinySd15, folder / "b", config); }).find("image_size_px = 33"),
            std::string::npos);
}

TEST(RecomputedUNet, HasTheGradientsOfThePlainOneInLessMemory) {
  UNet2dCondition unet = wide_unet();
  backward_of(unet, false);  // what libtorch allocates once
  const double plain = peak_growth_mib([&] { backward_of(unet, false); });
  std::map<std::string, at::Tensor> gradients;
  for (const auto& item : unet->named_parameters()) gradients[item.key()] = item.value().grad().clone();
  const double recomputed = peak_growth_mib([&] { backward_of(unet, true); });
  for (const auto& item : unet->named_parameters()) {
    const at::Tensor& expected = gradients.at(item.key());
    EXPECT_LE((item.value().grad() - expected).abs().max().item<double>(),
              1e-5 * expected.abs().max().item<double>() + 1e-9)
        << item.key();
  }
  EXPECT_LT(recomputed, 0.6 * plain);
  std::printf("peak of a backward pass: %.0f MiB plain, %.0f MiB recomputed\n", plain, recomputed);
}

TEST(LdmFinetuning, ALoraIsTrainedBesideTheWeightsAndOpensWithItsBase) {
  const TemporaryFolder folder;
  LdmFinetuningConfig config = small_finetuning(40);
  config.lora_rank = 4;
  config.lr = 1e-2;
  ASSERT_TRUE(finetune(kTinySd15, folder / "lora", config));
  EXPECT_FALSE(fs::exists(folder / "lora/unet"));
  const LatentDiffusion ldm = LatentDiffusion::load(folder / "lora"), base = LatentDiffusion::load(kTinySd15);
  std::int64_t changed = 0;
  for (const auto& [name, tensor] : ldm.source().weights(LdmPart::kUnet)) {
    const bool same = tensor.equal(base.source().weights(LdmPart::kUnet).at(name));
    const bool attends = name.find(".attn") != std::string::npos && name.ends_with("weight");
    EXPECT_TRUE(same || attends) << name;
    changed += same ? 0 : 1;
  }
  EXPECT_GT(changed, 10);
  EXPECT_EQ(ldm.image_size_px(), 32);
  EXPECT_LT(denoising_loss_on(ldm, 0), denoising_loss_on(base, 0));
  EXPECT_EQ(ldm_provenance(ldm).domains, std::set<std::string>{"blue"});
  EXPECT_NE(ldm.weights_hash(), base.weights_hash());
  // As --lora beside the base: the same weights, and the guard knows what it saw.
  LdmOptions options;
  options.loras = {{.path = folder / "lora"}};
  const LatentDiffusion merged = LatentDiffusion::open(kTinySd15, options);
  for (const auto& [name, tensor] : merged.source().weights(LdmPart::kUnet))
    EXPECT_TRUE(tensor.equal(ldm.source().weights(LdmPart::kUnet).at(name))) << name;
  EXPECT_EQ(merged.image_size_px(), base.image_size_px());
  EXPECT_THROW(check_ldm_provenance(merged, HoldoutGuard(std::make_shared<ToyDataset>(), {0}, {{}, {}, {}})),
               ConfigError);
}

TEST(LdmFinetuning, AStoppedLoraResumesWithTheSameBits) {
  const TemporaryFolder folder;
  LdmFinetuningConfig config = small_finetuning(5);
  config.lora_rank = 3;
  ASSERT_TRUE(finetune(kTinySd15, folder / "whole", config));
  EXPECT_FALSE(finetune(kTinySd15, folder / "stopped", config, "blue", false, 3));
  EXPECT_FALSE(fs::exists(folder / "stopped" / kLoraFile));
  EXPECT_TRUE(finetune(kTinySd15, folder / "stopped", config, "blue", true));
  EXPECT_TRUE(read_file(folder / "whole" / kLoraFile) == read_file(folder / "stopped" / kLoraFile));
}

TEST(LdmFinetuning, ALoraWhoseBaseIsGoneSaysWhichItWas) {
  const TemporaryFolder folder;
  fs::copy(kTinySd15, folder / "base", fs::copy_options::recursive);
  LdmFinetuningConfig config = small_finetuning(1);
  config.lora_rank = 1;
  ASSERT_TRUE(finetune(folder / "base", folder / "lora", config));
  fs::create_directories(folder / "elsewhere");
  fs::rename(folder / "base", folder / "elsewhere/base");
  fs::rename(folder / "lora", folder / "elsewhere/lora");
  EXPECT_NO_THROW(LatentDiffusion::open(folder / "elsewhere/lora")) << "beside it lies one of the same name";
  fs::rename(folder / "elsewhere/base", folder / "other");
  EXPECT_NE(message_of<IoError>([&] { LatentDiffusion::open(folder / "elsewhere/lora"); }).find("base"),
            std::string::npos);
}

TEST(LdmFinetuning, SdxlIsFinetunedInFullAndAsALora) {
  const TemporaryFolder folder;
  LdmFinetuningConfig config = small_finetuning(2);
  ASSERT_TRUE(finetune(kTinySdxl, folder / "whole", config));
  EXPECT_TRUE(LatentDiffusion::load(folder / "whole").is_xl());
  config.lora_rank = 2;
  ASSERT_TRUE(finetune(kTinySdxl, folder / "lora", config));
  // Its first level has no attention: layers without anything to train are recomputed too.
  config.gradient_checkpointing = true;
  ASSERT_TRUE(finetune(kTinySdxl, folder / "recomputed", config));
  const auto lora = [&](const char* name) { return load_tensors(folder / name / kLoraFile); };
  for (const auto& [name, tensor] : lora("recomputed"))
    EXPECT_TRUE(tensor.allclose(lora("lora").at(name), 1e-3, 1e-4)) << name;
  EXPECT_TRUE(LatentDiffusion::load(folder / "lora").is_xl());
}

}  // namespace domainfusion
