// domainfusion bench, and bench ldm: how fast the networks of an LDM run on this machine, beside stock libtorch operations and the machine's
// matrix products.
#include <CLI/CLI.hpp>
#include <sys/resource.h>
#include <torch/torch.h>

#include <chrono>

#include "domainfusion/cli/commands.h"
#include "domainfusion/cli/project_files.h"
#include "domainfusion/core/error.h"
#include "domainfusion/core/threads.h"
#include "domainfusion/diffusion/model_config.h"
#include "domainfusion/diffusion/text/clip_text_encoder.h"
#include "domainfusion/diffusion/unet/unet_2d_condition.h"
#include "domainfusion/diffusion/vae/autoencoder_kl.h"
#include "domainfusion/nn/inference.h"
#include "domainfusion/nn/kernels/kernels.h"
#include "domainfusion/nn/operation_count.h"
#include "domainfusion/nn/packed_layer.h"
#include "domainfusion/nn/state_dict.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::int64_t kSgemmSize = 2048;
constexpr std::int64_t kSteps = 5;  // 10 steps at strength 0.5
constexpr std::int64_t kTrainedParameters = 50'000'000;  // larger U-Nets are not trained here

struct Options {
  std::string config = "sd15";
  std::vector<std::int64_t> latents{32, 64}, batches{1, 2};
  std::int64_t repeats = 2;
  bool plain = true;
  std::string dtype = "float32";
};

json part_config(const fs::path& folder, const char* part) { return read_json_object(folder / part / "config.json"); }

// The config.json objects of a built-in model or of a diffusers folder.
json read_configs(const std::string& name) {
  if (!fs::is_directory(name)) return read_json_object(project_file("assets/ldm_configs/" + name + ".json"));
  return {{"unet", part_config(name, "unet")}, {"vae", part_config(name, "vae")}, {"text_encoder", part_config(name, "text_encoder")}};
}

// Speed does not depend on the values, as long as they stay finite.
template <class Holder>
Holder random_weights(Holder module, at::ScalarType dtype) {
  const torch::NoGradGuard no_grad;
  for (at::Tensor& parameter : module->parameters()) {
    parameter.set_requires_grad(false);
    parameter.uniform_(-1, 1).mul_(parameter.dim() > 1 ? std::sqrt(3.0 / static_cast<double>(parameter[0].numel())) : 0.1);
  }
  module->to(dtype);
  return module;
}

struct Networks {
  Networks(const json& configs, at::ScalarType type)
      : dtype(type),
        unet(random_weights(UNet2dCondition(UNetConfig::from_json(configs.at("unet"), "unet")), type)),
        vae(random_weights(AutoencoderKl(AutoencoderConfig::from_json(configs.at("vae"), "vae")), type)),
        text(random_weights(ClipTextEncoder(ClipTextConfig::from_json(configs.at("text_encoder"), "text_encoder")), type)) {}

  at::Tensor embed(std::int64_t n) {
    return text(torch::zeros({n, text->config().max_position_embeddings}, torch::kLong)).last_hidden_state_NLC;
  }
  at::Tensor latents(std::int64_t n, std::int64_t side) const {
    return torch::randn({n, unet->config().in_channels, side, side}).to(dtype);
  }
  at::Tensor image(std::int64_t side_px) const { return torch::rand({1, vae->config().in_channels, side_px, side_px}).to(dtype); }

  at::ScalarType dtype;
  UNet2dCondition unet;
  AutoencoderKl vae;
  ClipTextEncoder text;
};

double peak_resident_gib() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / (1 << 20);
}

double best_seconds(std::int64_t repeats, const std::function<void()>& work) {
  double best = std::numeric_limits<double>::infinity();
  for (std::int64_t i = 0; i < repeats; ++i) {
    const auto start = std::chrono::steady_clock::now();
    work();
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return best;
}

class Table {
 public:
  explicit Table(const Options& options) : options_(options), sgemm_(measure_sgemm_gflops(kSgemmSize)) {
    fmt::print("{} threads, kernels for {}, sgemm {}x{}: {:.0f} GFLOP/s; best of {}\n", at::get_num_threads(),
               kernels().instruction_set, kSgemmSize, kSgemmSize, sgemm_, options.repeats);
    fmt::print("{:<34}{:>10}{:>10}{:>10}{:>10}{:>12}{:>8}\n", "", "seconds", "GFLOP", "GFLOP/s", "of sgemm", "plain, s", "ratio");  
  }

  void row(const std::string& what, const std::function<void()>& work) const {
    const double operations = operations_of(work);  // this first run also packs the weights
    const double seconds = best_seconds(options_.repeats, work);
    fmt::print("{:<34}{:>10.3f}{:>10.1f}{:>10.1f}{:>9.0f}%", what, seconds, operations * 1e-9, operations * 1e-9 / seconds,
               100 * operations * 1e-9 / seconds / sgemm_);
    if (options_.plain) {
      const PlainOperations stock;
      const double plain = best_seconds(options_.repeats, work);
      fmt::print("{:>12.3f}{:>8.2f}", plain, plain / seconds);
    }
    fmt::print("  {:.2f} GiB\n", peak_resident_gib());
    std::fflush(stdout);
  }

 private:
  static double operations_of(const std::function<void()>& work) {
    const OperationCount count;
    work();
    return count.operations();
  }

  const Options& options_;
  double sgemm_;
};

void measure_forward_passes(const Table& table, Networks& n, const Options& options) {
  const torch::NoGradGuard no_grad;
  const std::int64_t factor = n.vae->config().downsampling_factor();
  for (const std::int64_t side : options.latents) {
    for (const std::int64_t batch : options.batches) {
      const at::Tensor z = n.latents(batch, side), t = torch::full({batch}, 500, torch::kLong), context = n.embed(batch);
      table.row(fmt::format("U-Net {}x{}x{}x{}", batch, z.size(1), side, side), [&] { n.unet(z, t, context); });
    }
  }
  for (const std::int64_t side : options.latents) {
    const at::Tensor image = n.image(side * factor), z = n.latents(1, side);
    table.row(fmt::format("VAE encode {} px", side * factor), [&] { n.vae->encode(image); });
    table.row(fmt::format("VAE decode {} px", side * factor), [&] { n.vae->decode(z); });
  }
  table.row("text encoder, 1 prompt", [&] { n.embed(1); });
}

// Encode, a few U-Net calls under guidance, decode.
void image_to_image(Networks& n, const at::Tensor& image) {
  const at::Tensor context = n.embed(2), t = torch::full({2}, 500, torch::kLong);
  at::Tensor z = n.vae->encode(image).mean_NChw;
  for (std::int64_t i = 0; i < kSteps; ++i) {
    const auto halves = n.unet(at::cat({z, z}), t, context).chunk(2);
    z = z - 0.1 * (halves[0] + 5.0 * (halves[1] - halves[0]));
  }
  n.vae->decode(z);
}

void measure_image_to_image(const Table& table, Networks& n, const Options& options) {
  const torch::NoGradGuard no_grad;
  const std::int64_t side_px = options.latents.front() * n.vae->config().downsampling_factor();
  const at::Tensor image = n.image(side_px);
  table.row(fmt::format("image to image {} px, 5 of 10 steps", side_px), [&] { image_to_image(n, image); });
}

void require_gradients(torch::nn::Module& module) {
  for (at::Tensor& parameter : module.parameters()) parameter.set_requires_grad(true);
}

void measure_training(const Table& table, Networks& n) {
  constexpr std::int64_t kUNetBatch = 16, kVaeBatch = 4;  // pretrain's
  require_gradients(*n.unet);
  require_gradients(*n.vae);
  const std::int64_t side = std::max<std::int64_t>(n.unet->config().sample_size, 1);
  const at::Tensor z = n.latents(kUNetBatch, side), t = torch::full({kUNetBatch}, 500, torch::kLong);
  const at::Tensor context = n.embed(kUNetBatch).detach();
  table.row(fmt::format("U-Net training step, {} latents", kUNetBatch), [&] {
    n.unet->zero_grad();
    n.unet(z, t, context).square().mean().backward();
  });
  const at::Tensor images = n.image(side * n.vae->config().downsampling_factor()).expand({kVaeBatch, -1, -1, -1}).contiguous();
  table.row(fmt::format("VAE training step, {} images", kVaeBatch), [&] {
    n.vae->zero_grad();
    n.vae->decode(n.vae->encode(images).mean_NChw).square().mean().backward();
  });
}

void bench_ldm(const Options& options) {
  Networks networks(read_configs(options.config), placement_of("cpu", options.dtype).dtype);
  if (!options.plain) {
    for (torch::nn::Module* module : std::initializer_list<torch::nn::Module*>{&*networks.unet, &*networks.vae, &*networks.text}) {
      release_plain_weights(*module);
    }
  }
  const Table table(options);
  measure_forward_passes(table, networks, options);
  measure_image_to_image(table, networks, options);
  if (parameter_count(*networks.unet) <= kTrainedParameters) measure_training(table, networks);
  fmt::print("peak resident memory: {:.2f} GiB\n", peak_resident_gib());
}

}  // namespace

void add_bench_command(CLI::App& app) {
  auto* bench = app.add_subcommand("bench", "measure this machine");
  bench->require_subcommand(1);
  add_bench_data_command(*bench);
  add_bench_classifier_command(*bench);
  auto* ldm = bench->add_subcommand(
      "ldm", "seconds of each network of an LDM with random weights, beside stock libtorch operations (the plain path)");
  auto options = std::make_shared<Options>();
  ldm->add_option("--config", options->config, "sd15, sd21 or a diffusers folder, of which only the config.json files are read")
      ->capture_default_str();
  ldm->add_option("--latent", options->latents, "latent height and width; several with commas")->delimiter(',')
      ->check(CLI::Range(1, 512))->capture_default_str();
  ldm->add_option("--batch", options->batches, "images a U-Net call; several with commas")->delimiter(',')
      ->check(CLI::Range(1, 1024))->capture_default_str();
  ldm->add_option("--repeats", options->repeats, "of which the best counts")->check(CLI::Range(1, 1000))->capture_default_str();
  ldm->add_option("--dtype", options->dtype, "type in which the networks compute: float32 or bfloat16")->capture_default_str();
  ldm->add_flag("!--no-plain", options->plain, "leave out the plain path, which takes longest, and hold each weight once");
  ldm->callback([options] { with_context("bench ldm", [&] { bench_ldm(*options); }); });
}

}  // namespace domainfusion
