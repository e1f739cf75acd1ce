#pragma once
// A cache of every training image's curve p -> z(p): the fast form of latent distillation.
//
// p x moves on a straight ray in pixel space, so z(p) is a smooth curve with one parameter. It is encoded once at the K
// Chebyshev points of the second kind; z(p) and dz/dp then come by barycentric interpolation (chebyshev.h), and a
// training step needs no VAE. The node p = 0, a black image, is shared by all images.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <unordered_map>
#include <vector>

#include "domainfusion/distillation/curves/chebyshev.h"
#include "domainfusion/distillation/distillation_config.h"
#include "domainfusion/distillation/ldm_functions.h"

namespace domainfusion {

// Nodes 1 … K-1 of one image: float32 CPU [K-1, C, h, w]. One encoder pass for one image, so that its bits do not
// depend on which other images are encoded when.
at::Tensor curve_nodes(const LdmFunctions& ldm, const at::Tensor& image01_3HW, std::int64_t points);

// ConfigError if the nodes of `images` images, each but the first of K = `points`, need more than config.limit_mb.
void check_curve_size(std::int64_t images, std::int64_t points, std::int64_t latent_elements,
                      const LatentCurveConfig& config);

class LatentCurve {
 public:
  // `keys`: all images that may be asked for, without repeats. `points`: K >= 2. Reserves the space and encodes the
  // shared node, nothing else. ConfigError if the nodes need more than config.limit_mb, IoError if the file cannot be
  // made.
  //
  // With config.folder the nodes lie in a memory-mapped file there that is named after K and `identity`, which must
  // change whenever the nodes would (curve_identity). Runs that agree on both share the file, also at the same time:
  // whoever needs an image first encodes it.
  LatentCurve(LdmFunctions ldm, ImageSource source, const std::vector<ImageKey>& keys, std::int64_t points,
              const LatentCurveConfig& config, const std::string& identity);

  // z(p) and dz/dp, float32 [N, C, h, w] on the LDM's device. Images not encoded yet are encoded now. Error for an
  // unknown key. Not thread-safe.
  ValueAndDerivative at(const std::vector<ImageKey>& keys, const at::Tensor& p_N);

  std::int64_t points() const { return points_; }
  std::int64_t images() const { return nodes_NKChw_.size(0); }
  std::int64_t filled() const;
  // Bytes of the nodes of `images` images with latents of `latent_elements` elements.
  static std::uint64_t bytes_needed(std::int64_t images, std::int64_t points, std::int64_t latent_elements);

 private:
  void ensure(std::int64_t slot);
  std::int64_t slot_of(const ImageKey& key) const;
  // A byte tensor over the shared file of `bytes`, which is made if there is none.
  at::Tensor open_file(const std::filesystem::path& folder, const std::string& identity, std::uint64_t bytes) const;

  LdmFunctions ldm_;
  ImageSource source_;
  std::vector<ImageKey> keys_;
  std::unordered_map<std::uint64_t, std::int64_t> slots_;
  std::int64_t points_;
  at::Tensor zero_node_Chw_;  // p = 0
  at::Tensor nodes_NKChw_;    // [images, K-1, C, h, w]
  at::Tensor filled_N_;       // uint8, 1 once an image's nodes are whole
};

}  // namespace domainfusion
