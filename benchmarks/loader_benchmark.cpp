// Images per second of the training loader and of its parts, 128 -> 64 px as on a small PACS, and 256 -> 224 px. The
// set is drawn in memory; with DOMAINFUSION_PACS128_DIR (a folder <domain>/<class>/<image>) the loader is measured on
// files as well.

#include <benchmark/benchmark.h>

#include <cstdlib>

#include "domainfusion/core/machine/threads.h"
#include "domainfusion/data/batch_loader.h"
#include "domainfusion/data/caches/cached_dataset.h"
#include "domainfusion/data/sets/folder_dataset.h"
#include "domainfusion/data/transforms/image_tensor.h"

namespace domainfusion {
namespace {

Image noise_image(int size_px, std::uint64_t seed) {
  Image image{size_px, size_px, {}};
  RandomStream stream(seed, "benchmark");
  for (int i = 0; i < 3 * size_px * size_px; ++i)
    image.rgb.push_back(static_cast<std::uint8_t>(stream.next_u32() >> 24));
  return image;
}

// Two domains of 64 noise images each.
class NoiseDataset final : public DomainDataset {
 public:
  explicit NoiseDataset(int size_px) {
    for (std::uint64_t i = 0; i < 64; ++i) images_.push_back(noise_image(size_px, i));
  }
  const std::vector<std::string>& class_names() const override { return classes_; }
  const std::vector<std::string>& domain_names() const override { return domains_; }
  std::int64_t size(std::int64_t) const override { return std::ssize(images_); }
  const SampleInfo& info(std::int64_t, std::int64_t) const override { return info_; }
  Image image(std::int64_t, std::int64_t index) const override { return images_[static_cast<std::size_t>(index)]; }

 private:
  std::vector<std::string> classes_{"a", "b"}, domains_{"p", "q"};
  std::vector<Image> images_;
  SampleInfo info_;
};

void augment_one_image(benchmark::State& state) {
  const int from = static_cast<int>(state.range(0)), to = static_cast<int>(state.range(1));
  const Image image = noise_image(from, 1);
  std::vector<float> target(3 * static_cast<std::size_t>(to) * to);
  RandomStream stream(1, "augment");
  Augmenter augmenter;
  for (auto _ : state) {
    write_normalised(augmenter(image, draw_augmentation(from, from, {}, stream), to), target.data());
    benchmark::DoNotOptimize(target.data());
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(augment_one_image)->Args({128, 64})->Args({256, 224})->Unit(benchmark::kMicrosecond);

void evaluation_view_of_one_image(benchmark::State& state) {
  const Image image = noise_image(static_cast<int>(state.range(0)), 1);
  for (auto _ : state) benchmark::DoNotOptimize(evaluation_view(image, static_cast<int>(state.range(1))));
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(evaluation_view_of_one_image)->Args({128, 64})->Args({256, 224})->Unit(benchmark::kMicrosecond);

void run_loader(benchmark::State& state, std::shared_ptr<const DomainDataset> dataset, std::int64_t size_px,
                std::int64_t workers) {
  std::vector<DomainSelection> selections;
  for (std::int64_t d = 0; d < 2; ++d) {
    auto& selection = selections.emplace_back(DomainSelection{d, {}});
    for (std::int64_t i = 0; i < dataset->size(d); ++i) selection.indices.push_back(i);
  }
  LoaderConfig config;
  config.image_size_px = size_px;
  config.workers = workers;
  BatchLoader loader(dataset, selections, config, 1, "benchmark");
  std::int64_t step = 0;
  for (auto _ : state) benchmark::DoNotOptimize(loader.batch(step++));
  state.SetItemsProcessed(state.iterations() * loader.images_per_step());
}

void loader_from_memory(benchmark::State& state) {
  run_loader(state, std::make_shared<NoiseDataset>(static_cast<int>(state.range(0))), state.range(1), state.range(2));
}
BENCHMARK(loader_from_memory)
    ->Args({128, 64, 0})
    ->Args({128, 64, 1})
    ->Args({128, 64, 2})
    ->Args({256, 224, 2})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

void loader_from_files(benchmark::State& state, bool cached) {
  const char* folder = std::getenv("DOMAINFUSION_PACS128_DIR");
  if (folder == nullptr) return state.SkipWithError("DOMAINFUSION_PACS128_DIR is not set");
  std::shared_ptr<const DomainDataset> dataset = std::make_shared<FolderDataset>(folder);
  if (cached) {
    dataset = std::make_shared<CachedDataset>(dataset, std::int64_t{1} << 30);
    for (std::int64_t d = 0; d < 2; ++d) {
      for (std::int64_t i = 0; i < dataset->size(d); ++i) dataset->image(d, i);
    }
  }
  run_loader(state, dataset, 64, state.range(0));
}
BENCHMARK_CAPTURE(loader_from_files, decoding, false)
    ->Arg(0)
    ->Arg(1)
    ->Arg(2)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(loader_from_files, cached, true)
    ->Arg(0)
    ->Arg(1)
    ->Arg(2)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace domainfusion

BENCHMARK_MAIN();
