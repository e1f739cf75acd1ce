// domainfusion bench candidates: what an image costs, by the preset, the steps and the VAE it is made with.
#include <torch/nn/module.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <chrono>
#include <map>

#include "domainfusion/cli/commands.h"
#include "domainfusion/cli/ldm_arguments.h"
#include "domainfusion/cli/random_networks.h"
#include "domainfusion/core/machine/process_memory.h"
#include "domainfusion/core/machine/threads.h"
#include "domainfusion/nn/layers/packed_layer.h"
#include "domainfusion/nn/memory/activation_memory.h"

namespace domainfusion {
namespace {

struct CandidatesArguments {
  std::string config = "sd15";
  std::vector<std::int64_t> sizes_px{256, 512};
  std::int64_t repeats = 2;
  std::string device = "auto", dtype = "float32";
};

// Passes of the U-Net that an image takes, and how many rows a pass has (two under guidance).
struct CandidateRow {
  std::string name;
  std::int64_t passes, rows;
};

const std::vector<CandidateRow>& candidate_rows() {
  static const std::vector<CandidateRow> rows{{"full: 20 steps, strength 0.5, guidance 5", 10, 2},
                                              {"few_step: 2 steps, strength 0.5", 1, 1},
                                              {"few_step: 4 steps, strength 0.5", 2, 1},
                                              {"few_step: 4 steps, strength 1", 4, 1}};
  return rows;
}

struct Measured {
  double seconds = 0, mib = 0;
};

class CandidatesBench {
 public:
  explicit CandidatesBench(const CandidatesArguments& arguments)
      : arguments_(arguments),
        networks_(network_configs(arguments.config), placement_of(arguments.device, arguments.dtype)),
        tiny_(random_vae(taesd_config(networks_.vae->config()), networks_.placement)) {
    for (torch::nn::Module* module :
         std::initializer_list<torch::nn::Module*>{&*networks_.unet, &*networks_.vae, &*tiny_, &*networks_.text})
      release_plain_weights(*module);
  }

  void run() {
    const torch::NoGradGuard no_grad;
    fmt::print("{}: seconds an image, sums of passes measured apart, best of {}; the prompt is embedded already\n",
               networks_.placement.device.is_cpu() ? "cpu" : networks_.placement.device.str(), arguments_.repeats);
    for (const std::int64_t size_px : arguments_.sizes_px) print_size(size_px);
  }

 private:
  Measured measured(const std::function<void()>& work) const {
    const at::Device device = networks_.placement.device;
    work();  // packs weights
    work();  // a GPU records its launches
    release_activation_memory();
    reset_peak_resident();
    Measured best{std::numeric_limits<double>::infinity(), 0};
    for (std::int64_t i = 0; i < arguments_.repeats; ++i) {
      synchronize(device);
      const auto start = std::chrono::steady_clock::now();
      work();
      synchronize(device);
      const auto seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      best.seconds = std::min(best.seconds, seconds);
    }
    best.mib = device.is_cpu() ? peak_resident_mib() : static_cast<double>(peak_device_bytes(device)) / (1 << 20);
    return best;
  }

  Measured of_vae(AutoencoderKl& vae, std::int64_t size_px) {
    const at::Tensor image = networks_.image(size_px);
    const at::Tensor z = networks_.latents(1, size_px / vae->config().downsampling_factor());
    const Measured there = measured([&] { vae->encode(image); }), back = measured([&] { vae->decode(z); });
    return {there.seconds + back.seconds, std::max(there.mib, back.mib)};
  }

  Measured of_unet(std::int64_t rows, std::int64_t side) {
    const at::Tensor z = networks_.latents(rows, side), t = networks_.timesteps(rows), context = networks_.embed(rows);
    return measured([&] { networks_.predict(z, t, context); });
  }

  void print_size(std::int64_t size_px) {
    const std::int64_t factor = networks_.vae->config().downsampling_factor();
    const Measured vae = of_vae(networks_.vae, size_px), tiny = of_vae(tiny_, size_px);
    const std::map<std::int64_t, Measured> unet{{1, of_unet(1, size_px / factor)}, {2, of_unet(2, size_px / factor)}};
    fmt::print("\n{} px: U-Net {:.3f} s, {:.3f} s for two rows; VAE there and back {:.3f} s, TAESD {:.3f} s\n", size_px,
               unet.at(1).seconds, unet.at(2).seconds, vae.seconds, tiny.seconds);
    fmt::print("{:<44}{:>12}{:>12}{:>14}{:>14}{:>10}\n", "", "VAE, s", "TAESD, s", "full / VAE", "full / TAESD", "GiB");
    double full = 0;
    for (const CandidateRow& row : candidate_rows()) {
      const double passes = static_cast<double>(row.passes) * unet.at(row.rows).seconds;
      const double with_vae = passes + vae.seconds, with_tiny = passes + tiny.seconds;
      if (full == 0) full = with_vae;
      fmt::print("{:<44}{:>12.3f}{:>12.3f}{:>13.1f}x{:>13.1f}x{:>10.2f}\n", row.name, with_vae, with_tiny,
                 full / with_vae, full / with_tiny, std::max(unet.at(row.rows).mib, vae.mib) / 1024);
    }
    std::fflush(stdout);
  }

  const CandidatesArguments& arguments_;
  RandomNetworks networks_;
  AutoencoderKl tiny_;
};

}  // namespace

void add_bench_candidates_command(Command& bench) {
  Command command =
      bench.add("candidates", "seconds that an image of a round costs: full and few_step, with the VAE and with TAESD");
  auto arguments = std::make_shared<CandidatesArguments>();
  command
      .option("--config", arguments->config,
              "sd15, sd21, sdxl or a diffusers folder, of which only the config.json files are read")
      .default_shown();
  command.option("--size", arguments->sizes_px, "width and height of the images; several with commas")
      .commas()
      .within(8, 4096)
      .default_shown();
  command.option("--repeats", arguments->repeats, "of which the best counts").within(1, 1000).default_shown();
  add_placement_options(command, arguments->device, arguments->dtype);
  command.run([arguments] { CandidatesBench(*arguments).run(); });
}

}  // namespace domainfusion
