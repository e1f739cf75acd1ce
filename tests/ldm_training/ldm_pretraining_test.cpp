#include "domainfusion/ldm_training/ldm_pretraining.h"

#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "domainfusion/core/error.h"
#include "domainfusion/data/protocol/split.h"
#include "domainfusion/diffusion/latent_diffusion.h"
#include "domainfusion/diffusion/ldm_provenance.h"
#include "domainfusion/io/files/file_bytes.h"
#include "domainfusion/ldm_training/stages/denoiser_training.h"
#include "domainfusion/ldm_training/stages/ldm_stage.h"
#include "domainfusion/ldm_training/stages/vae_training.h"
#include "domainfusion/nn/autocast.h"
#include "temporary_folder.h"
#include "test_device.h"

namespace domainfusion {
namespace {

// Three domains of two classes with images of random colours; images of domain "target" must not be asked for.
class SmallSet : public DomainDataset {
 public:
  const std::vector<std::string>& class_names() const override { return classes_; }
  const std::vector<std::string>& domain_names() const override { return domains_; }
  std::int64_t size(std::int64_t) const override { return 20; }
  const SampleInfo& info(std::int64_t domain, std::int64_t index) const override {
    return samples_[static_cast<std::size_t>(domain * 20 + index)];
  }
  Image image(std::int64_t domain, std::int64_t index) const override {
    check(domain != 2, "a target image was read");
    Image image{16, 16, std::vector<std::uint8_t>(16 * 16 * 3)};
    RandomStream stream(1, "pixels", {static_cast<std::uint64_t>(domain), static_cast<std::uint64_t>(index)});
    for (auto& value : image.rgb) value = static_cast<std::uint8_t>(stream.below(256));
    return image;
  }
  SmallSet() {
    for (std::int64_t domain = 0; domain < 3; ++domain) {
      for (std::int64_t i = 0; i < 20; ++i) samples_.push_back({"x", i % 2, domain});
    }
  }

 private:
  std::vector<std::string> classes_ = {"cat", "dog"}, domains_ = {"paint", "photo", "target"};
  std::vector<SampleInfo> samples_;
};

LdmPretrainingConfig small_pretraining() {
  LdmPretrainingConfig config;
  config.image_size_px = 16;
  config.checkpoint_every_steps = 2;
  config.vae = {.block_out_channels = {8, 8}, .latent_channels = 4, .norm_num_groups = 2};
  config.vae.training = {.steps = 5, .batch_size = 4};
  config.text = {.width = 8, .layers = 1, .heads = 2, .max_tokens = 10, .bpe_merges = 20};
  config.unet = {.block_out_channels = {8, 16}, .heads = 2, .norm_num_groups = 4};
  config.unet.training = {.steps = 6, .batch_size = 4};
  return config;
}

bool pretrain(const std::filesystem::path& out, const LdmPretrainingConfig& config, bool resume = false,
              std::int64_t stop_after = -1, bool* started = nullptr, at::ScalarType dtype = at::kFloat) {
  std::filesystem::create_directories(out);
  LdmPretrainingRequest request{{"paint", "photo"},
                                {"a painting", "a photograph"},
                                {},
                                {},
                                out,
                                {.device = test_device(), .dtype = dtype},
                                resume,
                                {},
                                {}};
  std::int64_t asked = 0;
  request.on_start = [started] {
    if (started != nullptr) *started = true;
  };
  if (stop_after >= 0) request.should_stop = [&] { return asked++ == stop_after; };
  return pretrain_ldm(SmallSet(), config, request);
}

std::string refusal(const LdmPretrainingConfig& config) {
  const TemporaryFolder folder;
  bool started = false;
  const std::string message = message_of<ConfigError>([&] { pretrain(folder / "ldm", config, false, -1, &started); });
  EXPECT_FALSE(started) << "what it is to overwrite would be gone";
  return message;
}

const char* const kWeights[] = {"vae/diffusion_pytorch_model.safetensors", "unet/diffusion_pytorch_model.safetensors",
                                "text_encoder/model.safetensors"};

}  // namespace

TEST(LdmPretraining, ResumingAFinishedTrainingLeavesItAsItIs) {
  const TemporaryFolder folder;
  bool started = false;
  ASSERT_TRUE(pretrain(folder / "ldm", small_pretraining(), false, -1, &started));
  EXPECT_TRUE(started);
  const auto before = std::filesystem::last_write_time(folder / "ldm" / kWeights[0]);
  const auto left_by_a_kill = folder.write("ldm/checkpoints/unet.safetensors", "of the last step");
  EXPECT_TRUE(pretrain(folder / "ldm", small_pretraining(), true));
  EXPECT_EQ(std::filesystem::last_write_time(folder / "ldm" / kWeights[0]), before);
  EXPECT_FALSE(std::filesystem::exists(left_by_a_kill.parent_path()));
}

TEST(LdmPretraining, OptionsThatDoNotFitAreFoundBeforeTheFirstStep) {
  LdmPretrainingConfig config = small_pretraining();
  config.text.heads = 3;
  EXPECT_NE(refusal(config).find("num_attention_heads"), std::string::npos);
  config = small_pretraining();
  config.unet.norm_num_groups = 3;
  EXPECT_NE(refusal(config).find("norm_num_groups"), std::string::npos);
  config = small_pretraining();
  config.image_size_px = 17;
  EXPECT_NE(refusal(config).find("image_size_px = 17"), std::string::npos);
}

TEST(LdmPretraining, CaptionsAreNeverCut) {
  const TemporaryFolder folder;
  LdmPretrainingConfig config = small_pretraining();
  config.text.max_tokens = 3;
  ASSERT_TRUE(pretrain(folder.path() / "ldm", config));
  const LatentDiffusion ldm = LatentDiffusion::load(folder.path() / "ldm");
  std::size_t longest = 0;
  for (const auto& caption : ldm.provenance()->at("captions"))
    longest = std::max(longest, ldm.tokenizer().tokenize(caption.get<std::string>()).size());
  EXPECT_GT(longest, 1u);
  EXPECT_EQ(ldm.tokenizer().length(), static_cast<std::int64_t>(longest) + 2);
  config.text.bpe_merges = 0;
  LdmPretrainingRequest request{
      {"paint", "photo"}, {std::string(80, 'a'), "b"}, {}, {}, folder / "other", {}, false, {}, {}};
  std::filesystem::create_directories(folder / "other");
  EXPECT_NE(message_of<ConfigError>([&] { pretrain_ldm(SmallSet(), config, request); }).find("at most 77 are possible"),
            std::string::npos);
}

TEST(LdmPretraining, WritesAFolderThatLoadsAndSaysWhatItSaw) {
  const TemporaryFolder folder;
  ASSERT_TRUE(pretrain(folder.path() / "ldm", small_pretraining()));
  const LatentDiffusion ldm = LatentDiffusion::load(folder.path() / "ldm");
  EXPECT_EQ(ldm.image_size_px(), 16);
  EXPECT_EQ(ldm.embed({"a cat, a painting"}).sizes(), (std::vector<std::int64_t>{1, 10, 8}));
  ASSERT_NE(ldm.provenance(), nullptr);
  const nlohmann::json& seen = *ldm.provenance();
  EXPECT_TRUE(seen.at("finished").get<bool>());
  EXPECT_EQ(seen.at("domains"), (nlohmann::json{"paint", "photo"}));
  const SmallSet set;
  std::set<std::string> in;
  for (std::int64_t domain : {0, 1}) {
    for (std::int64_t index : holdout_split(20, 0, domain).in) in.insert(recorded_hash(set.file_hash(domain, index)));
  }
  EXPECT_EQ(seen.at("image_hashes").get<std::set<std::string>>(), in);
}

TEST(LdmPretraining, LargeResolutionsMayDoWithoutAttention) {
  const TemporaryFolder folder;
  LdmPretrainingConfig config = small_pretraining();
  config.unet.plain_levels = 1;
  ASSERT_TRUE(pretrain(folder.path() / "ldm", config));
  const auto unet = nlohmann::json::parse(read_file(folder.path() / "ldm/unet/config.json"));
  EXPECT_EQ(unet.at("down_block_types"), (nlohmann::json{"DownBlock2D", "CrossAttnDownBlock2D"}));
  EXPECT_EQ(unet.at("up_block_types"), (nlohmann::json{"CrossAttnUpBlock2D", "UpBlock2D"}));
  EXPECT_NO_THROW(LatentDiffusion::load(folder.path() / "ldm").embed({"a cat, a painting"}));
}

TEST(LdmPretraining, InBFloat16ItLearnsOtherBitsAndFiniteOnes) {
  if (!BFloat16Convolutions::supported()) GTEST_SKIP() << "this processor has no AVX-512";
  const TemporaryFolder folder;
  ASSERT_TRUE(pretrain(folder.path() / "exact", small_pretraining()));
  ASSERT_TRUE(pretrain(folder.path() / "mixed", small_pretraining(), false, -1, nullptr, at::kBFloat16));
  for (const char* weights : kWeights) {
    EXPECT_NE(read_file(folder.path() / "exact" / weights), read_file(folder.path() / "mixed" / weights)) << weights;
  }
  const LatentDiffusion ldm = LatentDiffusion::load(folder.path() / "mixed");
  EXPECT_TRUE(ldm.encode(torch::rand({1, 3, 16, 16})).isfinite().all().item<bool>());
}

TEST(LdmPretraining, LatentsHaveStandardDeviationOne) {
  const TemporaryFolder folder;
  ASSERT_TRUE(pretrain(folder.path() / "ldm", small_pretraining()));
  const LatentDiffusion ldm = LatentDiffusion::load(folder.path() / "ldm");
  const LdmImages images = load_ldm_images(SmallSet(), {"paint", "photo"}, 0, 16);
  torch::NoGradGuard no_grad;
  EXPECT_NEAR(ldm.encode(images.image_N3SS.to(torch::kFloat32) / 255).std().item<double>(), 1, 0.1);
}

TEST(LdmPretraining, StoppedInEitherStageAndResumedItGivesTheSameBits) {
  const TemporaryFolder folder;
  ASSERT_TRUE(pretrain(folder.path() / "whole", small_pretraining()));
  for (const std::int64_t stop_after : {3, 8}) {
    const auto out = folder.path() / fmt::format("stopped_{}", stop_after);
    ASSERT_FALSE(pretrain(out, small_pretraining(), false, stop_after));
    ASSERT_TRUE(pretrain(out, small_pretraining(), true));
    for (const char* weights : kWeights)
      EXPECT_EQ(read_file(out / weights), read_file(folder.path() / "whole" / weights));
  }
}

TEST(LdmPretraining, AnUnknownDomainIsAnErrorThatNamesTheNearest) {
  try {
    load_ldm_images(SmallSet(), {"foto"}, 0, 16);
    FAIL();
  } catch (const ConfigError& error) {
    EXPECT_NE(std::string(error.what()).find("photo"), std::string::npos);
  }
}

TEST(LdmPretraining, TheVaeLossFallsWhenItIsTrained) {
  LdmPretrainingConfig config = small_pretraining();
  const LdmImages images = load_ldm_images(SmallSet(), {"paint"}, 0, 16);
  VaeTraining training(images, config);
  TensorMap parameters;
  for (const auto& item : training.vae()->named_parameters()) parameters[item.key()] = item.value();
  const double before = training.loss(1000).item<double>();
  LdmStage stage("vae", parameters, {.steps = 60, .batch_size = 4, .lr = 5e-3});
  while (!stage.finished()) stage.train_step([&](std::int64_t) { return training.loss(stage.step()); });
  EXPECT_LT(training.loss(1000).item<double>(), 0.95 * before);
}

// A set of which no classifier knows the domains and one class of two.
class FurtherSet : public SmallSet {
 public:
  const std::vector<std::string>& domain_names() const override { return domains_; }
  const std::vector<std::string>& class_names() const override { return classes_; }
  Image image(std::int64_t domain, std::int64_t index) const override { return SmallSet::image(domain % 2, index); }
  std::string file_hash(std::int64_t domain, std::int64_t index) const override {
    return "further " + SmallSet::file_hash(domain, index);
  }

 private:
  std::vector<std::string> domains_{"mosaic", "neon", "clay"}, classes_{"cat", "zebra"};
};

TEST(LdmPretraining, AllImagesOfFurtherSetsAreLearnedFromAndTheSplitStaysThatOfTheSet) {
  const TemporaryFolder folder;
  const FurtherSet further;
  ASSERT_EQ(further.number_of_domains(), 3);
  LdmPretrainingRequest request{
      {"paint", "photo"}, {"a painting", "a photo"}, {}, {}, folder / "ldm", {}, false, {}, {}};
  request.further.push_back({std::make_shared<FurtherSet>(), {"mosaic", "neon", "clay"}, {}});
  std::filesystem::create_directories(folder / "ldm");
  ASSERT_TRUE(pretrain_ldm(SmallSet(), small_pretraining(), request));
  const LatentDiffusion ldm = LatentDiffusion::load(folder / "ldm");
  const nlohmann::json& seen = *ldm.provenance();
  EXPECT_EQ(seen.at("domains"), (nlohmann::json{"paint", "photo", "mosaic", "neon", "clay"}));
  std::vector<std::string> classes = SmallSet().class_names();
  ASSERT_EQ(classes.front(), "cat");
  classes.push_back("zebra");
  EXPECT_EQ(seen.at("class_names"), nlohmann::json(classes));
  const auto captions = seen.at("captions").get<std::set<std::string>>();
  EXPECT_TRUE(captions.contains("a zebra, neon"));
  EXPECT_TRUE(captions.contains("a cat, neon"));
  EXPECT_FALSE(captions.contains("a zebra, a photo"));  // no such image
  std::set<std::string> hashes;
  for (std::int64_t domain : {0, 1}) {
    for (std::int64_t index : holdout_split(20, 0, domain).in) {
      hashes.insert(recorded_hash(SmallSet().file_hash(domain, index)));
    }
  }
  for (std::int64_t domain = 0; domain < 3; ++domain) {
    for (std::int64_t index = 0; index < further.size(domain); ++index) {
      hashes.insert(recorded_hash(further.file_hash(domain, index)));
    }
  }
  EXPECT_EQ(seen.at("image_hashes").get<std::set<std::string>>(), hashes);
}

TEST(CaptionTable, AClassHasEachOfItsDomainsAndNoneAndTheEmptyCaptionIsLast) {
  LdmImages images;
  images.label = {1, 0, 1};
  images.domain = {0, 1, 1};
  const CaptionTable table(images, {"cat", "guitar"}, {"art painting", "photo"});
  const auto text = [&](std::int64_t place) { return table.captions().at(static_cast<std::size_t>(place)); };
  EXPECT_EQ(table.captions().size(), 6u);
  EXPECT_EQ(text(table.of_domain(1, 0).value()), "a guitar, art painting");
  EXPECT_EQ(text(table.of_domain(0, 1).value()), "a cat, photo");
  EXPECT_FALSE(table.of_domain(0, 0));
  EXPECT_EQ(text(table.without_domain(0)), "an image of a cat");
  EXPECT_EQ(text(table.empty()), "");
}

}  // namespace domainfusion
