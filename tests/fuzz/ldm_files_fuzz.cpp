// What is read of files of weights beside the tensors themselves: LoRAs, TAESD's numbered layers, CompVis' names.
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "domainfusion/diffusion/adapted/lora_file.h"
#include "domainfusion/diffusion/adapted/vae_folder.h"
#include "domainfusion/diffusion/weights/compvis_config.h"
#include "domainfusion/diffusion/weights/compvis_file.h"
#include "domainfusion/diffusion/weights/few_step.h"
#include "fuzz/harness.h"

using namespace domainfusion;

namespace {

// The readers take paths.
std::filesystem::path written(std::string_view bytes) {
  static const std::filesystem::path file =
      std::filesystem::temp_directory_path() / ("ldm_files_fuzz_" + std::to_string(::getpid()));
  std::ofstream(file, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  return file;
}

void read_as_lora(const std::filesystem::path& file) {
  const LoraTargets targets{{{LdmPart::kUnet, {"down_blocks.0.attentions.0.to_q.weight", "conv_in.weight"}},
                             {LdmPart::kTextEncoder, {"text_model.encoder.layers.0.mlp.fc1.weight"}}},
                            2};
  for (const auto& [part, additions] : read_lora(file, targets)) {
    for (const auto& [name, addition] : additions)
      addition.delta(name == "conv_in.weight" ? at::IntArrayRef({4, 4, 3, 3}) : at::IntArrayRef({4, 4}));
  }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::filesystem::path file = written(text_of(data, size));
  read_or_refuse([&] { read_as_lora(file); });
  read_or_refuse([&] {
    const TensorMap tensors = load_tensors(file);
    config_of_taesd(tensors, tensors);
  });
  read_or_refuse([&] {
    const WeightsFile weights = WeightsFile::open(file);
    const TensorShapes shapes = shapes_of(weights);
    CompvisConfig(shapes, CompvisNames(shapes), weights.metadata(), "");
  });
  read_or_refuse([&] { few_step_kind("nowhere", {{file, 1}}); });
  return 0;
}
