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
#include "domainfusion/cli/random_networks.h"
#include "domainfusion/core/error.h"
#include "domainfusion/core/machine/threads.h"
#include "domainfusion/nn/inference.h"
#include "domainfusion/nn/kernels/kernels.h"
#include "domainfusion/nn/layers/packed_layer.h"
#include "domainfusion/nn/operation_count.h"
#include "domainfusion/nn/state_dict.h"

namespace domainfusion {
namespace {

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
  Table(const BenchOptions& options, RandomNetworks& networks) : options_(options), networks_(networks) {
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
  RandomNetworks& networks_;
  double gemm_ = 0;
};

void measure_forward_passes(const Table& table, RandomNetworks& n, const BenchOptions& options) {
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
void image_to_image(RandomNetworks& n, const at::Tensor& image) {
  const at::Tensor context = n.embed(2), t = n.timesteps(2);
  at::Tensor z = n.vae->encode(image).mean_NChw;
  for (std::int64_t i = 0; i < kSteps; ++i) {
    const auto halves = n.predict(at::cat({z, z}), t, context).chunk(2);
    z = z - 0.1 * (halves[0] + 5.0 * (halves[1] - halves[0]));
  }
  n.vae->decode(z);
}

void measure_image_to_image(const Table& table, RandomNetworks& n, const BenchOptions& options) {
  const torch::NoGradGuard no_grad;
  const std::int64_t side_px = options.latents.front() * n.vae->config().downsampling_factor();
  const at::Tensor image = n.image(side_px);
  table.row(fmt::format("image to image {} px, 5 of 10 steps", side_px), [&] { image_to_image(n, image); });
}

void require_gradients(torch::nn::Module& module) {
  for (at::Tensor& parameter : module.parameters()) parameter.set_requires_grad(true);
}

void measure_training(const Table& table, RandomNetworks& n) {
  constexpr std::int64_t kUNetBatch = 16, kVaeBatch = 4;  // pretrain's
  require_gradients(*n.unet);
  require_gradients(*n.vae);
  const std::int64_t side = std::max<std::int64_t>(n.unet->config().sample_size, 1);
  const at::Tensor z = n.latents(kUNetBatch, side), t = n.timesteps(kUNetBatch);
  const at::Tensor context = n.embed(kUNetBatch).detach();
  table.row(fmt::format("U-Net training step, {} latents", kUNetBatch), [&] {
    n.unet->zero_grad();
    predicted_by(n.unet, n.unet_inputs(z, t, context)).square().mean().backward();
  });
  const at::Tensor images =
      n.image(side * n.vae->config().downsampling_factor()).expand({kVaeBatch, -1, -1, -1}).contiguous();
  table.row(fmt::format("VAE training step, {} images", kVaeBatch), [&] {
    n.vae->zero_grad();
    n.vae->decode(n.vae->encode(images).mean_NChw).square().mean().backward();
  });
}

void bench_ldm(const BenchOptions& options) {
  RandomNetworks networks(network_configs(options.config), placement_of(options.device, options.dtype));
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
  add_bench_candidates_command(bench);
  Command ldm = bench.add(
      "ldm",
      "seconds of each network of an LDM with random weights, beside stock libtorch operations (the plain path)");
  auto options = std::make_shared<BenchOptions>();
  ldm.option("--config", options->config,
             "sd15, sd21, sdxl or a diffusers folder, of which only the config.json files are read")
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
