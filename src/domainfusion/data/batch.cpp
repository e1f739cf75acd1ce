#include "domainfusion/data/batch.h"

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>

#include "domainfusion/core/error.h"
#include "domainfusion/data/transforms/image_tensor.h"
#include "domainfusion/data/transforms/train_augmentation.h"

namespace domainfusion {
namespace {

// float32 [n, 3, size, size], filled by fill(i, target) on all threads; which thread fills what does not matter.
template <class Fill>
at::Tensor filled_images(std::int64_t n, std::int64_t size_px, Fill fill) {
  check<ConfigError>(n >= 1, "no images were asked for: the selection is empty");
  check<ConfigError>(size_px >= 1 && size_px <= 4096, "image size {} px: expected 1 … 4096", size_px);
  at::Tensor images = at::empty({n, 3, size_px, size_px}, at::kFloat);
  float* data = images.data_ptr<float>();
  const std::int64_t stride = 3 * size_px * size_px;
  at::parallel_for(0, n, 4, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) fill(i, data + i * stride);
  });
  return images;
}

void write_plain(const DomainDataset& dataset, std::int64_t domain, std::int64_t index, std::int64_t size_px,
                 float* target) {
  const int size = static_cast<int>(size_px);
  write_tensor01(resize(dataset.image(domain, index), size, size, Filter::kLanczos), target);
}

}  // namespace

Batch Batch::on(at::Device device) const { return {image_NCHW.to(device), label_N.to(device), domain_N, index_N}; }

Batch evaluation_batch(const DomainDataset& dataset, std::int64_t domain, std::span<const std::int64_t> indices,
                       std::int64_t image_size_px, const ImageView& view) {
  const auto n = static_cast<std::int64_t>(indices.size());
  Batch batch;
  batch.image_NCHW = filled_images(n, image_size_px, [&](std::int64_t i, float* target) {
    const Image image = dataset.image(domain, indices[i]);
    write_normalised(view ? view(image, indices[i]) : evaluation_view(image, static_cast<int>(image_size_px)), target);
  });
  batch.label_N = at::empty({n}, at::kLong);
  for (std::int64_t i = 0; i < n; ++i)
    batch.label_N.data_ptr<std::int64_t>()[i] = dataset.info(domain, indices[i]).label;
  batch.domain_N = at::full({n}, domain, at::kLong);
  batch.index_N = at::tensor(at::ArrayRef<std::int64_t>(indices.data(), indices.size()), at::kLong);
  return batch;
}

at::Tensor plain_images01(const DomainDataset& dataset, std::int64_t domain, std::span<const std::int64_t> indices,
                          std::int64_t size_px) {
  return filled_images(static_cast<std::int64_t>(indices.size()), size_px, [&](std::int64_t i, float* target) {
    write_plain(dataset, domain, indices[i], size_px, target);
  });
}

at::Tensor plain_images01(const DomainDataset& dataset, const at::Tensor& domain_N, const at::Tensor& index_N,
                          std::int64_t size_px) {
  check<ShapeError>(domain_N.dim() == 1 && index_N.sizes() == domain_N.sizes(),
                    "domains {} and indices {}: expected two of [N]", fmt::join(domain_N.sizes(), " x "),
                    fmt::join(index_N.sizes(), " x "));
  const at::Tensor domains = domain_N.to(at::kCPU, at::kLong).contiguous();
  const at::Tensor indices = index_N.to(at::kCPU, at::kLong).contiguous();
  return filled_images(domains.size(0), size_px, [&](std::int64_t i, float* target) {
    write_plain(dataset, domains.data_ptr<std::int64_t>()[i], indices.data_ptr<std::int64_t>()[i], size_px, target);
  });
}

}  // namespace domainfusion
