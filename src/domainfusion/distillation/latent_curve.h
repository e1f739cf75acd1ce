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

#include "domainfusion/distillation/chebyshev.h"
#include "domainfusion/distillation/distillation_config.h"
#include "domainfusion/distillation/latent_teacher.h"

namespace domainfusion {

// Where a cache with storage = file lies, and what its nodes depend on besides K and the keys.
struct CurveStorage {
  std::filesystem::path file;  // "<run>/latent_curve.bin"; "<file>.json" beside it says what it holds
  // Changes whenever the nodes would: the LDM's weights hash and the hashes of the images. A file of another identity
  // is made anew; one of the same identity is taken up where it stands.
  std::string identity;
};

// Nodes 1 … K-1 of one image: float32 CPU [K-1, C, h, w]. One encoder pass for one image, so that its bits do not
// depend on which other images are encoded when.
at::Tensor curve_nodes(const LatentTeacher& teacher, const at::Tensor& image01_3HW, std::int64_t points);

class LatentCurve {
 public:
  // `keys`: all images that may be asked for, without repeats. `points`: K >= 2. Reserves the space and encodes the
  // shared node, nothing else. ConfigError if the nodes need more than config.limit_mb, IoError if the file cannot be
  // made.
  LatentCurve(LatentTeacher teacher, ImageSource source, const std::vector<ImageKey>& keys, std::int64_t points,
              const LatentCurveConfig& config, const CurveStorage& storage);

  // z(p) and dz/dp, float32 [N, C, h, w] on the teacher's device. Images not encoded yet are encoded now. Error for an
  // unknown key. Not thread-safe.
  ValueAndDerivative at(const std::vector<ImageKey>& keys, const at::Tensor& p_N);

  // Encodes what is missing, with a progress bar.
  void fill();

  std::int64_t points() const { return points_; }
  std::int64_t images() const { return nodes_NKChw_.size(0); }
  std::int64_t filled() const;
  // Bytes of the nodes of `images` images with latents of `latent_elements` elements.
  static std::uint64_t bytes_needed(std::int64_t images, std::int64_t points, std::int64_t latent_elements);

 private:
  void ensure(std::int64_t slot);
  std::int64_t slot_of(const ImageKey& key) const;
  at::Tensor open_file(const CurveStorage& storage, std::uint64_t bytes) const;
  std::string file_description(const CurveStorage& storage) const;

  LatentTeacher teacher_;
  ImageSource source_;
  std::vector<ImageKey> keys_;
  std::unordered_map<std::uint64_t, std::int64_t> slots_;
  std::int64_t points_;
  at::Tensor zero_node_Chw_;  // p = 0
  at::Tensor nodes_NKChw_;    // [images, K-1, C, h, w]
  at::Tensor filled_N_;       // uint8, 1 once an image's nodes are whole
};

}  // namespace domainfusion
