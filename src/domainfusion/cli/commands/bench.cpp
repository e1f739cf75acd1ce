// domainfusion bench, and bench ldm: how fast the networks of an LDM run on this machine or its GPU, beside stock
// libtorch operations and the matrix products there.
#include <ATen/Parallel.h>
#include <sys/resource.h>
#include <torch/nn/module.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <chrono>

#include "domainfusion/cli/commands.h"
#include "domainfusion/cli/ldm_arguments.h"
#include "domainfusion/cli/project_files.h"
#include "domainfusion/config/model_config.h"
#include "domainfusion/core/error.h"
#include "domainfusion/core/machine/threads.h"
#include "domainfusion/diffusion/text/clip_text_encoder.h"
#include "domainfusion/diffusion/unet/unet_2d_condition.h"
#include "domainfusion/diffusion/vae/autoencoder_kl.h"
#include "domainfusion/io/files/json_file.h"
#include "domainfusion/nn/graphs/graphed.h"
#include "domainfusion/nn/inference.h"
#include "domainfusion/nn/kernels/kernels.h"
#include "domainfusion/nn/layers/packed_layer.h"
#include "domainfusion/nn/operation_count.h"
#include "domainfusion/nn/state_dict.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::int64_t kGemmSize = 2048, kGemmSizeOfGpu = 8192;
constexpr std::int64_t kSteps = 5;                       // 10 steps at strength 0.5
constexpr std::int64_t kTrainedParameters = 50'000'000;  // larger U-Nets are not trained here

struct BenchOptions {
  std::string config = "sd15";
  std::vector<std::int64_t> latents{32, 64}, batches{1, 2};
  std::int64_t repeats = 2;
  bool plain = true;
  std::string device = "auto", dtype = "float32";
};

json part_config(const fs::path& folder, const char* part) { return read_json_object(folder / part / "config.json"); }

// The config.json objects of a built-in model or of a diffusers folder.
json read_configs(const std::string& name) {
  if (!fs::is_directory(name)) return read_json_object(project_file("assets/ldm_configs/" + name + ".json"));
  return {{"unet", part_config(name, "unet")},
          {"vae", part_config(name, "vae")},
          {"text_encoder", part_config(name, "text_encoder")}};
}

// Speed does not depend on the values, as long as they stay finite.
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

class Networks {
 public:
  Networks(const json& configs, const Placement& where)
      : placement(where),
        unet(random_weights(UNet2dCondition(UNetConfig::from_json(configs.at("unet"), "unet")), where)),
        vae(random_weights(AutoencoderKl(AutoencoderConfig::from_json(configs.at("vae"), "vae")), where)),
        text(random_weights(ClipTextEncoder(ClipTextConfig::from_json(configs.at("text_encoder"), "text_encoder")),
                            where)) {
    forget_recordings();
  }

  at::Tensor embed(std::int64_t n) {
    const at::Tensor ids = torch::zeros({n, text->config().max_position_embeddings}, torch::kLong).to(placement.device);
    return text(ids).last_hidden_state_NLC;
  }
  at::Tensor latents(std::int64_t n, std::int64_t side) const {
    return torch::randn({n, unet->config().in_channels, side, side}).to(placement.device, placement.dtype);
  }
  at::Tensor image(std::int64_t side_px) const {
    return torch::rand({1, vae->config().in_channels, side_px, side_px}).to(placement.device, placement.dtype);
  }
  at::Tensor timesteps(std::int64_t n) const { return torch::full({n}, 500, torch::kLong).to(placement.device); }
  // A pass as LatentDiffusion makes it.
  at::Tensor predict(const at::Tensor& z, const at::Tensor& t, const at::Tensor& context) {
    return (*unet_pass_)({z, t, context});
  }

  // Calls `work` on weights as any module has them on a GPU, where ours lie channels last.
  template <class Work>
  auto with_default_memory_format(const Work& work) {
    if (placement.device.is_cpu()) return work();
    lay_out(at::MemoryFormat::Contiguous);
    const auto result = work();
    lay_out(at::MemoryFormat::ChannelsLast);
    forget_recordings();  // they read the old weights
    return result;
  }

  Placement placement;
  UNet2dCondition unet;
  AutoencoderKl vae;
  ClipTextEncoder text;

 private:
  void forget_recordings() {
    unet_pass_ = std::make_unique<GraphedFunction>(
        [this](const std::vector<at::Tensor>& in) { return unet->forward(in[0], in[1], in[2]); });
  }
  void lay_out(at::MemoryFormat format) {
    for (torch::nn::Module* module : std::initializer_list<torch::nn::Module*>{&*unet, &*vae}) {
      for (at::Tensor& parameter : module->parameters()) {
        if (parameter.dim() == 4) parameter.set_data(parameter.detach().contiguous(format));
      }
    }
  }

  std::unique_ptr<GraphedFunction> unet_pass_;
};

double peak_resident_gib() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / (1 << 20);
}

double best_seconds(std::int64_t repeats, at::Device device, const std::function<void()>& work) {
  double best = std::numeric_limits<double>::infinity();
  for (std::int64_t i = 0; i < repeats; ++i) {
    synchronize(device);
    const auto start = std::chrono::steady_clock::now();
    work();
    synchronize(device);
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return best;
}

class Table {
 public:
  Table(const BenchOptions& options, Networks& networks) : options_(options), networks_(networks) {
    const Placement& where = networks.placement;
    const std::int64_t size = where.device.is_cpu() ? kGemmSize : kGemmSizeOfGpu;
    gemm_ = measure_gemm_gflops(size, where);
    const std::string by = where.device.is_cpu() ? fmt::format("{} threads, kernels for {}", at::get_num_threads(),
                                                               kernels().instruction_set)
                                                 : where.device.str();
    fmt::print("{}, {}, matrix products {}x{}: {:.0f} GFLOP/s; best of {}\n", by, name_of(where.dtype), size, size,
               gemm_, options.repeats);
    fmt::print("{:<34}{:>10}{:>10}{:>10}{:>10}{:>12}{:>8}\n", "", "seconds", "GFLOP", "GFLOP/s", "of gemm", "plain, s",
               "ratio");
  }

  void row(const std::string& what, const std::function<void()>& work) const {
    const at::Device device = networks_.placement.device;
    const double operations = operations_of(work);  // this first run also packs the weights
    work();                                         // a GPU records its launches
    const double seconds = best_seconds(options_.repeats, device, work);
    fmt::print("{:<34}{:>10.4f}{:>10.1f}{:>10.1f}{:>9.0f}%", what, seconds, operations * 1e-9,
               operations * 1e-9 / seconds, 100 * operations * 1e-9 / seconds / gemm_);
    if (options_.plain) {
      const double plain = plain_seconds(work);
      fmt::print("{:>12.4f}{:>8.2f}", plain, plain / seconds);
    }
    fmt::print("  {:.2f} GiB\n",
               device.is_cpu() ? peak_resident_gib() : static_cast<double>(peak_device_bytes(device)) / (1 << 30));
    std::fflush(stdout);
  }

 private:
  static double operations_of(const std::function<void()>& work) {
    const OperationCount count;
    work();
    return count.operations();
  }

  double plain_seconds(const std::function<void()>& work) const {
    const PlainOperations stock;
    return networks_.with_default_memory_format([&] {
      if (!networks_.placement.device.is_cpu()) work();  // libraries choose their algorithms
      return best_seconds(options_.repeats, networks_.placement.device, work);
    });
  }

  const BenchOptions& options_;
  Networks& networks_;
  double gemm_ = 0;
};

void measure_forward_passes(const Table& table, Networks& n, const BenchOptions& options) {
  const torch::NoGradGuard no_grad;
  const std::int64_t factor = n.vae->config().downsampling_factor();
  for (const std::int64_t side : options.latents) {
    for (const std::int64_t batch : options.batches) {
      const at::Tensor z = n.latents(batch, side), t = n.timesteps(batch), context = n.embed(batch);
      table.row(fmt::format("U-Net {}x{}x{}x{}", batch, z.size(1), side, side), [&] { n.predict(z, t, context); });
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
  const at::Tensor context = n.embed(2), t = n.timesteps(2);
  at::Tensor z = n.vae->encode(image).mean_NChw;
  for (std::int64_t i = 0; i < kSteps; ++i) {
    const auto halves = n.predict(at::cat({z, z}), t, context).chunk(2);
    z = z - 0.1 * (halves[0] + 5.0 * (halves[1] - halves[0]));
  }
  n.vae->decode(z);
}

void measure_image_to_image(const Table& table, Networks& n, const BenchOptions& options) {
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
  const at::Tensor z = n.latents(kUNetBatch, side), t = n.timesteps(kUNetBatch);
  const at::Tensor context = n.embed(kUNetBatch).detach();
  table.row(fmt::format("U-Net training step, {} latents", kUNetBatch), [&] {
    n.unet->zero_grad();
    n.unet(z, t, context).square().mean().backward();
  });
  const at::Tensor images =
      n.image(side * n.vae->config().downsampling_factor()).expand({kVaeBatch, -1, -1, -1}).contiguous();
  table.row(fmt::format("VAE training step, {} images", kVaeBatch), [&] {
    n.vae->zero_grad();
    n.vae->decode(n.vae->encode(images).mean_NChw).square().mean().backward();
  });
}

void bench_ldm(const BenchOptions& options) {
  Networks networks(read_configs(options.config), placement_of(options.device, options.dtype));
  if (!options.plain) {
    for (torch::nn::Module* module :
         std::initializer_list<torch::nn::Module*>{&*networks.unet, &*networks.vae, &*networks.text}) {
      release_plain_weights(*module);
    }
  }
  const Table table(options, networks);
  measure_forward_passes(table, networks, options);
  measure_image_to_image(table, networks, options);
  const bool trains = networks.placement.dtype == at::kFloat && parameter_count(*networks.unet) <= kTrainedParameters;
  if (trains) measure_training(table, networks);
  fmt::print("peak resident memory: {:.2f} GiB\n", peak_resident_gib());
}

}  // namespace

void add_bench_command(Command& app) {
  Command bench = app.add("bench", "measure this machine");
  bench.require_command();
  add_bench_data_command(bench);
  add_bench_classifier_command(bench);
  Command ldm = bench.add(
      "ldm",
      "seconds of each network of an LDM with random weights, beside stock libtorch operations (the plain path)");
  auto options = std::make_shared<BenchOptions>();
  ldm.option("--config", options->config,
             "sd15, sd21 or a diffusers folder, of which only the config.json files are read")
      .default_shown();
  ldm.option("--latent", options->latents, "latent height and width; several with commas")
      .commas()
      .within(1, 512)
      .default_shown();
  ldm.option("--batch", options->batches, "images a U-Net call; several with commas")
      .commas()
      .within(1, 1024)
      .default_shown();
  ldm.option("--repeats", options->repeats, "of which the best counts").within(1, 1000).default_shown();
  add_placement_options(ldm, options->device, options->dtype);
  ldm.flag("!--no-plain", options->plain, "leave out the plain path, which takes longest, and hold each weight once");
  ldm.run([options] { bench_ldm(*options); });
}

}  // namespace domainfusion
