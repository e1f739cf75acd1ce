#include "domainfusion/diffusion/weights/model_source.h"

#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <thread>

#include "domainfusion/core/error.h"
#include "domainfusion/diffusion/latent_diffusion.h"
#include "domainfusion/diffusion/schedulers/scheduler.h"
#include "domainfusion/diffusion/weights/diffusers_folder.h"
#include "domainfusion/fetch/cache/hub_cache.h"
#include "temporary_folder.h"
#include "tiny_models.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;

constexpr const char* kTinyHash = "06354ded768701458e3fcde50fc26206d913e244bcfd0d6ad1c3177b5bac893f";

// A hub cache whose snapshot is the tiny pipeline, its files links into blobs/, as the hub's client makes it.
void make_hub_cache(const fs::path& folder, const std::string& revision) {
  fs::create_directories(folder / "blobs");
  fs::create_directories(folder / "refs");
  int number = 0;
  for (const auto& entry : fs::recursive_directory_iterator(kTinySd15)) {
    const fs::path link = folder / "snapshots" / revision / fs::relative(entry.path(), kTinySd15);
    if (entry.is_directory()) {
      fs::create_directories(link);
      continue;
    }
    const fs::path blob = folder / "blobs" / (revision + std::to_string(number++));
    fs::copy_file(entry.path(), blob);
    fs::create_directories(link.parent_path());
    fs::create_symlink(fs::relative(blob, link.parent_path()), link);
  }
}

class ModelFolder : public testing::Test {
 protected:
  ModelFolder() { fs::copy(kTinySd15, folder_ / "m", fs::copy_options::recursive); }
  fs::path part(const std::string& name) { return folder_ / "m" / name; }
  void expect_same_unet() {
    const auto expected = LatentDiffusion::load(kTinySd15).unet()->parameters();
    const auto loaded = LatentDiffusion::load(folder_ / "m").unet()->parameters();
    ASSERT_EQ(expected.size(), loaded.size());
    for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_TRUE(expected[i].equal(loaded[i]));
  }
  TemporaryFolder folder_;
};

at::Tensor prediction_of(const LatentDiffusion& model) {
  const torch::NoGradGuard no_grad;
  return model.predict(torch::ones({1, 4, 8, 8}), torch::tensor({10}), model.embed({"a cat"}));
}

}  // namespace

TEST(WeightsHash, IsThatOfTheFilesContentWhereverTheyLie) {
  EXPECT_EQ(LatentDiffusion::open(kTinySd15).weights_hash(), kTinyHash);
  const TemporaryFolder folder;
  make_hub_cache(folder / "models--a--b", "0123abcd");
  EXPECT_EQ(LatentDiffusion::open(folder / "models--a--b").weights_hash(), kTinyHash);
}

TEST(HubCache, RefsMainNamesTheSnapshotElseItIsTheLatest) {
  const TemporaryFolder folder;
  const fs::path cache = folder / "models--a--b";
  const auto hub_snapshot = [](const fs::path& path) { return domainfusion::hub_snapshot(path, is_whole_model); };
  make_hub_cache(cache, "00aa");
  EXPECT_EQ(hub_snapshot(cache), cache / "snapshots/00aa");
  make_hub_cache(cache, "00bb");
  fs::last_write_time(cache / "snapshots/00aa", fs::file_time_type::clock::now() + std::chrono::hours(1));
  EXPECT_EQ(hub_snapshot(cache), cache / "snapshots/00aa");
  folder.write("models--a--b/refs/main", "00bb\n");
  EXPECT_EQ(hub_snapshot(cache), cache / "snapshots/00bb");
  EXPECT_EQ(LatentDiffusion::load(cache).image_size_px(), 64);
  folder.write("models--a--b/refs/main", "../../..");
  EXPECT_THROW(hub_snapshot(cache), FormatError);
  folder.write("models--a--b/refs/main", "00cc");
  EXPECT_NE(message_of<IoError>([&] { LatentDiffusion::load(cache); }).find("00cc"), std::string::npos);
}

TEST(HubCache, AWholeSnapshotGoesBeforeALaterOneThatIsNot) {
  const TemporaryFolder folder;
  const fs::path cache = folder / "models--a--b";
  make_hub_cache(cache, "00aa");
  make_hub_cache(cache, "00bb");
  fs::last_write_time(cache / "snapshots/00bb", fs::file_time_type::clock::now() + std::chrono::hours(1));
  EXPECT_EQ(hub_snapshot(cache, is_whole_model), cache / "snapshots/00bb");
  fs::remove(cache / "snapshots/00bb/vae/config.json");
  EXPECT_EQ(hub_snapshot(cache, is_whole_model), cache / "snapshots/00aa");
  fs::remove(cache / "blobs" /
             fs::read_symlink(cache / "snapshots/00aa/unet/diffusion_pytorch_model.safetensors").filename());
  EXPECT_EQ(hub_snapshot(cache, is_whole_model), cache / "snapshots/00bb");  // none is whole: the latest
}

TEST(HubCache, ALinkWhoseBlobIsGoneIsNamed) {
  const TemporaryFolder folder;
  const fs::path cache = folder / "models--a--b";
  make_hub_cache(cache, "00aa");
  for (const char* name : {"unet/diffusion_pytorch_model.safetensors", "vae/config.json"}) {
    const fs::path link = cache / "snapshots/00aa" / name, blob = link.parent_path() / fs::read_symlink(link);
    fs::rename(blob, folder / "blob");
    const std::string message = message_of<IoError>([&] { LatentDiffusion::load(cache); });
    EXPECT_NE(message.find(name), std::string::npos) << message;
    EXPECT_NE(message.find("which is gone"), std::string::npos) << message;
    fs::rename(folder / "blob", blob);
  }
}

TEST_F(ModelFolder, ATextEncoderMayLackTheLevelOfItsNames) {
  const fs::path file = part("text_encoder/model.safetensors");
  const LatentDiffusion before = LatentDiffusion::load(folder_ / "m");
  const at::Tensor expected = before.embed({"a cat"});
  TensorMap renamed;
  for (const auto& [name, tensor] : load_tensors(file))
    renamed[name.substr(std::string("text_model.").size())] = tensor.clone();
  save_tensors(file, renamed);
  EXPECT_TRUE(LatentDiffusion::load(folder_ / "m").embed({"a cat"}).equal(expected));
}

TEST_F(ModelFolder, TheTokenizersLengthIsTheTextEncodersWhereItStatesNone) {
  const fs::path file = part("tokenizer/tokenizer_config.json");
  const std::int64_t length = LatentDiffusion::open(folder_ / "m").tokenizer().length();
  std::ofstream(file) << R"({"model_max_length": 1000000000000000019884624838656})";
  EXPECT_EQ(LatentDiffusion::open(folder_ / "m").tokenizer().length(), length);
}

TEST_F(ModelFolder, NoisePredictedWithoutASignalIsRefusedWhenTheModelIsOpened) {
  const fs::path file = part("scheduler/scheduler_config.json");
  nlohmann::json config = nlohmann::json::parse(std::ifstream(file));
  config["rescale_betas_zero_snr"] = true;
  std::ofstream(file) << config;
  EXPECT_NE(message_of<ConfigError>([&] { LatentDiffusion::open(folder_ / "m"); }).find("rescale_betas_zero_snr"),
            std::string::npos);
  LdmOptions options;
  options.prediction_type = "v_prediction";
  EXPECT_NO_THROW(LatentDiffusion::open(folder_ / "m", options));
}

TEST_F(ModelFolder, TokensOfTokenizerJsonCountForTheHashWhereTheyCountAtAll) {
  const std::string before = LatentDiffusion::open(folder_ / "m").weights_hash();
  const auto write = [&](const char* token) {
    std::ofstream(part("tokenizer/tokenizer.json"))
        << R"({"added_tokens": [{"id": 49407, "content": ")" << token
        << R"("}], "model": {"type": "BPE", "end_of_word_suffix": "</w>", "vocab": {}, "merges": []}})";
    return LatentDiffusion::open(folder_ / "m").weights_hash();
  };
  EXPECT_EQ(write("<|endoftext|>"), before);
  EXPECT_NE(write("<mine>"), before);
}

TEST_F(ModelFolder, WeightsAreFoundUnderEachOfTheirUsualNames) {
  const fs::path unet = part("unet");
  std::string before = "diffusion_pytorch_model.safetensors";
  for (const std::string name : {"diffusion_pytorch_model.fp16.safetensors", "diffusion_pytorch_model.bin",
                                 "diffusion_pytorch_model.fp16.bin"}) {
    fs::rename(unet / before, unet / name);
    expect_same_unet();
    before = name;
  }
  fs::rename(part("text_encoder/model.safetensors"), part("text_encoder/pytorch_model.bin"));
  expect_same_unet();
  fs::remove(unet / before);
  EXPECT_NE(message_of<IoError>([&] { LatentDiffusion::load(folder_ / "m"); }).find("diffusion_pytorch_model.bin"),
            std::string::npos);
}

// As diffusers' StableDiffusionPipeline does with the scheduler that it is given.
TEST_F(ModelFolder, LatentsAreNotClippedAndTimestepsBeginAtOneWhateverTheFileSays) {
  const fs::path file = part("scheduler/scheduler_config.json");
  const auto changed = [&](const char* key, const nlohmann::json& value) {
    nlohmann::json config = nlohmann::json::parse(std::ifstream(kTinySd15 / "scheduler/scheduler_config.json"));
    config[key] = value;
    if (value.is_discarded()) config.erase(key);
    std::ofstream(file) << config;
    return LatentDiffusion::open(folder_ / "m");
  };
  const nlohmann::json absent(nlohmann::json::value_t::discarded);
  const std::vector<std::pair<const char*, nlohmann::json>> changes{
      {"clip_sample", absent}, {"clip_sample", true}, {"steps_offset", absent}, {"steps_offset", 0}};
  for (const auto& [key, value] : changes) {
    const LatentDiffusion model = changed(key, value);
    EXPECT_EQ(model.scheduler_config().at("clip_sample"), false) << key;
    EXPECT_EQ(model.scheduler_config().at("steps_offset"), 1) << key;
  }
  EXPECT_THROW(scheduler_registry().make("ddim", changed("clip_sample", "yes").scheduler_config()), ConfigError);
}

TEST_F(ModelFolder, APipelineOfAnotherFamilyIsNamedWithWhatFails) {
  std::ofstream(folder_ / "m/model_index.json") << R"({"_class_name": "StableDiffusionXLPipeline"})";
  EXPECT_NO_THROW(LatentDiffusion::open(folder_ / "m"));
  std::ofstream(folder_ / "m/model_index.json") << R"({"_class_name": "KandinskyV22Pipeline"})";
  std::ofstream(part("unet/config.json")) << R"({"addition_embed_type": "image"})";
  EXPECT_NE(message_of<ConfigError>([&] { LatentDiffusion::open(folder_ / "m"); }).find("KandinskyV22Pipeline"),
            std::string::npos);
}

TEST_F(ModelFolder, ShardedWeightsAreOneNetwork) {
  const fs::path file = part("unet/diffusion_pytorch_model.safetensors");
  TensorMap shards[2];
  nlohmann::json index;
  int number = 0;
  for (const auto& [name, tensor] : load_tensors(file)) {
    shards[number % 2][name] = tensor;
    index["weight_map"][name] = fmt::format("shard-{}.safetensors", number++ % 2);
  }
  fs::remove(file);
  for (int i = 0; i < 2; ++i) save_tensors(part(fmt::format("unet/shard-{}.safetensors", i)), shards[i]);
  std::ofstream(part("unet/diffusion_pytorch_model.safetensors.index.json")) << index;
  expect_same_unet();
  EXPECT_EQ(LatentDiffusion::open(folder_ / "m").source().files().size(), 13u);
}

TEST_F(ModelFolder, PartsAreReleasedAndLoadedAgainWithTheSameResults) {
  const LatentDiffusion model = LatentDiffusion::open(folder_ / "m");
  EXPECT_FALSE(model.is_loaded(LdmPart::kUnet));
  const at::Tensor before = prediction_of(model);
  EXPECT_TRUE(model.is_loaded(LdmPart::kUnet));
  EXPECT_FALSE(model.is_loaded(LdmPart::kVae));
  const UNet2dCondition held = model.unet();
  model.release(LdmPart::kUnet);
  EXPECT_FALSE(model.is_loaded(LdmPart::kUnet));
  EXPECT_TRUE(prediction_of(model).equal(before));
  EXPECT_FALSE(held.ptr() == model.unet().ptr());
}

TEST_F(ModelFolder, ManyThreadsMayLoadUseAndReleaseAtOnce) {
  const LatentDiffusion model = LatentDiffusion::open(folder_ / "m");
  const at::Tensor expected = prediction_of(model);
  std::vector<std::thread> threads;
  std::atomic<int> same{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 5; ++i) {
        same += prediction_of(model).allclose(expected, 1e-4, 1e-5);
        model.release(LdmPart::kUnet);
        model.release(LdmPart::kTextEncoder);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(same, 20);
}

TEST_F(ModelFolder, FrozenWeightsInFloat32AreTheMappedFile) {
  const LatentDiffusion model = LatentDiffusion::load(folder_ / "m");
  for (const at::Tensor& parameter : model.unet()->parameters()) {
    EXPECT_FALSE(parameter.requires_grad());
    EXPECT_FALSE(parameter.storage().resizable());  // memory that libtorch did not take itself
  }
}

}  // namespace domainfusion
