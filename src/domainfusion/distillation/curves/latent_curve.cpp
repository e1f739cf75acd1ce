#include "domainfusion/distillation/curves/latent_curve.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <torch/types.h>
#include <torch/utils.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>

#include "domainfusion/core/error.h"
#include "domainfusion/core/json_text.h"
#include "domainfusion/io/files/atomic_file.h"
#include "domainfusion/io/files/content_hash.h"

namespace domainfusion {
namespace {

std::uint64_t packed(const ImageKey& key) {
  return (static_cast<std::uint64_t>(key.domain) << 40) ^ static_cast<std::uint64_t>(key.index);
}

// Makes a file of `bytes` zeros whose blocks exist: a memory-mapped write must never meet a full disk (SIGBUS). It
// comes to be under its name at once and whole; of two that are made at the same time the later one stays, and the run
// that made the other goes on with a file of its own that has no name.
void make_zeros(const std::filesystem::path& path, std::uint64_t bytes) {
  const std::string made = partial_path(path).string();
  const int file = ::open(made.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);  // whom the umask lets extend it
  int failure = file < 0 ? errno : ::posix_fallocate(file, 0, static_cast<off_t>(bytes));
  if (failure == 0 && ::rename(made.c_str(), path.c_str()) != 0) failure = errno;
  if (file >= 0) ::close(file);
  if (failure == 0) return;
  if (file >= 0) ::unlink(made.c_str());
  throw IoError(
      fmt::format("latent curve file '{}' of {} MiB cannot be made: {}; free space there, or leave "
                  "distillation.curve.folder empty, or set distillation.encoder = exact",
                  path.string(), bytes >> 20, std::strerror(failure)));
}

}  // namespace

at::Tensor curve_nodes(const LdmFunctions& ldm, const at::Tensor& image01_3HW, std::int64_t points) {
  torch::NoGradGuard no_graph;
  const at::Tensor p = torch::tensor(chebyshev_points(points), torch::kFloat64).narrow(0, 1, points - 1);
  const at::Tensor image = image01_3HW.unsqueeze(0).to(ldm.device);
  return ldm.encode(p.to(image.options()).reshape({-1, 1, 1, 1}) * image).to(torch::kCPU, torch::kFloat32);
}

void check_curve_size(std::int64_t images, std::int64_t points, std::int64_t latent_elements,
                      const LatentCurveConfig& config) {
  const std::uint64_t mib = LatentCurve::bytes_needed(images, points, latent_elements) >> 20;
  check<ConfigError>(
      mib < static_cast<std::uint64_t>(config.limit_mb),
      "the latent curves of {} images at K = {} need {} MiB, over distillation.curve.limit_mb = {}: raise it, "
      "or set distillation.encoder = exact or difference",
      images, points, mib + 1, config.limit_mb);
}

std::uint64_t LatentCurve::bytes_needed(std::int64_t images, std::int64_t points, std::int64_t latent_elements) {
  return static_cast<std::uint64_t>(images) * static_cast<std::uint64_t>(points - 1) *
         static_cast<std::uint64_t>(latent_elements) * sizeof(float);
}

LatentCurve::LatentCurve(LdmFunctions ldm, ImageSource source, const std::vector<ImageKey>& keys, std::int64_t points,
                         const LatentCurveConfig& config, const std::string& identity)
    : ldm_(std::move(ldm)), source_(std::move(source)), keys_(keys), points_(points) {
  torch::NoGradGuard no_graph;
  check<ConfigError>(!keys.empty(), "a latent curve cache of no images was asked for");
  for (std::size_t i = 0; i < keys.size(); ++i) slots_[packed(keys[i])] = static_cast<std::int64_t>(i);
  check(slots_.size() == keys.size(), "the keys of a latent curve cache repeat: {} of {} differ", slots_.size(),
        keys.size());
  const at::Tensor black = torch::zeros({1, 3, ldm_.image_size_px, ldm_.image_size_px}).to(ldm_.device);
  zero_node_Chw_ = ldm_.encode(black)[0].to(torch::kCPU, torch::kFloat32);
  const auto count = static_cast<std::int64_t>(keys.size());
  const std::uint64_t bytes = bytes_needed(count, points, zero_node_Chw_.numel());
  check_curve_size(count, points, zero_node_Chw_.numel(), config);
  std::vector<std::int64_t> shape = zero_node_Chw_.sizes().vec();
  shape.insert(shape.begin(), {count, points - 1});
  if (config.folder.empty()) {
    nodes_NKChw_ = torch::empty(shape, torch::kFloat32);
    filled_N_ = torch::zeros({count}, torch::kUInt8);
  } else {
    const at::Tensor mapped = open_file(config.folder, identity, bytes + keys.size());
    nodes_NKChw_ = mapped.narrow(0, 0, static_cast<std::int64_t>(bytes)).view(torch::kFloat32).view(shape);
    filled_N_ = mapped.narrow(0, static_cast<std::int64_t>(bytes), count);
  }
}

at::Tensor LatentCurve::open_file(const std::filesystem::path& folder, const std::string& identity,
                                  std::uint64_t bytes) const {
  const std::string description = json_text(
      {{"identity", identity}, {"images", keys_.size()}, {"latent", zero_node_Chw_.sizes().vec()}, {"points", points_}},
      1);
  std::error_code failure;
  std::filesystem::create_directories(folder, failure);  // where that fails, so does the file, which says more
  const std::filesystem::path file = folder / ("curves-" + sha256_hex(description).substr(0, 16) + ".bin");
  const bool whole = std::filesystem::file_size(file, failure) == bytes && !failure;
  if (!whole) {
    make_zeros(file, bytes);
    write_file_atomically(file.string() + ".json", description);  // for people
  }
  return torch::from_file(file.string(), true, static_cast<std::int64_t>(bytes), torch::kUInt8);
}

std::int64_t LatentCurve::slot_of(const ImageKey& key) const {
  const auto found = slots_.find(packed(key));
  check(found != slots_.end(), "image {} of domain {} has no slot in the latent curve cache of {} images", key.index,
        key.domain, keys_.size());
  return found->second;
}

void LatentCurve::ensure(std::int64_t slot) {
  // Another run may be at the same file: the flag is seen after the nodes.
  const std::atomic_ref<std::uint8_t> flag(filled_N_.data_ptr<std::uint8_t>()[slot]);
  if (flag.load(std::memory_order_acquire)) return;
  const at::Tensor image = plain_images(source_, {keys_[slot]}, ldm_.image_size_px, ldm_.device)[0];
  const at::Tensor nodes = curve_nodes(ldm_, image, points_);
  check(nodes.isfinite().all().item<bool>(),
        "the latent of image {} of domain {} is not finite: the VAE or the image is broken", keys_[slot].index,
        keys_[slot].domain);
  nodes_NKChw_[slot].copy_(nodes);
  flag.store(1, std::memory_order_release);
}

ValueAndDerivative LatentCurve::at(const std::vector<ImageKey>& keys, const at::Tensor& p_N) {
  torch::NoGradGuard no_graph;
  std::vector<at::Tensor> nodes;
  for (const ImageKey& key : keys) {
    const std::int64_t slot = slot_of(key);
    ensure(slot);
    nodes.push_back(torch::cat({zero_node_Chw_.unsqueeze(0), nodes_NKChw_[slot]}));
  }
  return interpolate(torch::stack(nodes).to(ldm_.device), p_N);
}

std::int64_t LatentCurve::filled() const { return filled_N_.sum(torch::kInt64).item<std::int64_t>(); }

}  // namespace domainfusion
