#pragma once
// Image-to-image or inversion over a folder of pictures: folder in, folder of the same tree out.

#include <filesystem>
#include <functional>

#include "domainfusion/diffusion/generation/generate_config.h"
#include "domainfusion/diffusion/latent_diffusion.h"

namespace domainfusion {

struct FolderReport {
  struct Problem {
    std::string path, cause;
  };
  std::int64_t made = 0, kept = 0;  // new images; images that a run before had made
  std::int64_t retried = 0;         // made again in float32
  std::vector<Problem> broken;      // sources that cannot be read
  std::vector<Problem> failed;      // images that came out not finite, black or constant: not written
  bool stopped = false;             // should_stop said so before the end
};

// Makes `out`/<path>.png of every picture `images`/<path>.<ending>, with a line in `out`/manifest.jsonl; a run that was
// ended goes on where it was. Pictures are read one by one; those that cannot be read, and results that are no images
// though their sources were, are reported and the others made. The noise of a picture comes from (seed, content of its
// file). should_stop is asked between batches. IoError, ConfigError: no such folder, no pictures, `out` inside
// `images`, options that cannot work, a size that is no multiple of the VAE's factor; see GenerationFolder.
FolderReport generate_folder(const LatentDiffusion& model, const GenerateConfig& config,
                             const std::filesystem::path& images, const std::filesystem::path& out,
                             const std::function<bool()>& should_stop = {});

}  // namespace domainfusion
