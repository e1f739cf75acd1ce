#include "domainfusion/data/batch_loader.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <new>
#include <set>

#include "domainfusion/core/error.h"
#include "domainfusion/data/transforms/image_tensor.h"
#include "domainfusion/distributed/row_share.h"

namespace domainfusion {

// One step under construction. `next` and `left` are guarded by the loader's mutex; the tensors' parts belong to
// whoever took the place.
struct BatchLoader::Work {
  std::int64_t step = 0;
  Batch batch;
  std::vector<std::int64_t> rows;  // of the whole batch, which `batch` holds
  std::int64_t next = 0;           // first place that nobody has taken
  std::int64_t left = 0;           // places not finished
  std::exception_ptr error;
};

// What a loader keeps from batch to batch: which rows are its own, and blocks of one size, since new ones would cost a
// page fault every 4 KiB.
class BatchLoader::Memory : public std::enable_shared_from_this<Memory> {
 public:
  const RowShare share = current_row_share();

  // float32, uninitialised. Its block comes back when the last tensor that uses it is gone, whichever thread that is
  // in.
  at::Tensor tensor(const std::vector<std::int64_t>& sizes) {
    std::size_t count = 1;
    for (const std::int64_t size : sizes) count *= static_cast<std::size_t>(size);
    float* block = take(count).release();
    return at::from_blob(
        block, sizes, [memory = shared_from_this(), block](void*) { memory->give_back(block); }, at::kFloat);
  }

 private:
  struct Free {
    void operator()(float* block) const { std::free(block); }
  };
  using Block = std::unique_ptr<float, Free>;

  Block take(std::size_t count) {
    const std::lock_guard lock(mutex_);
    if (free_.empty()) return allocate(count);
    Block block = std::move(free_.back());
    free_.pop_back();
    return block;
  }
  static Block allocate(std::size_t count) {
    constexpr std::size_t kAlignment = 64;
    const std::size_t bytes = (count * sizeof(float) + kAlignment - 1) / kAlignment * kAlignment;
    Block block(static_cast<float*>(std::aligned_alloc(kAlignment, bytes)));
    if (!block) throw std::bad_alloc();
    return block;
  }
  void give_back(float* block) {
    const std::lock_guard lock(mutex_);
    free_.emplace_back(block);
  }

  std::mutex mutex_;
  std::vector<Block> free_;
};

void LoaderConfig::describe(ConfigFields& fields) {
  fields.integer("batch_size", batch_size, {1, 65536}, "images per source domain and step");
  fields.integer("image_size_px", image_size_px, {8, 4096}, "height and width that the classifier sees, in pixels");
  fields.boolean("augment", augment, "DomainBed's training augmentation; otherwise only resized");
  fields.integer("workers", workers, {0, 256}, "threads that prepare batches ahead; results do not depend on it");
  fields.integer("ahead_steps", ahead_steps, {1, 1024}, "steps that are prepared ahead");
  fields.group("augmentation", augmentation);
}

std::vector<DomainSelection> every_image_of(const DomainDataset& dataset) {
  std::vector<DomainSelection> selections;
  for (std::int64_t d = 0; d < dataset.number_of_domains(); ++d) {
    if (dataset.size(d) == 0) continue;
    DomainSelection& selection = selections.emplace_back(DomainSelection{d, {}});
    for (std::int64_t i = 0; i < dataset.size(d); ++i) selection.indices.push_back(i);
  }
  return selections;
}

BatchLoader::BatchLoader(std::shared_ptr<const DomainDataset> dataset, std::vector<DomainSelection> selections,
                         LoaderConfig config, std::uint64_t seed, std::string purpose)
    : dataset_(std::move(dataset)),
      selections_(std::move(selections)),
      config_(config),
      seed_(seed),
      purpose_(std::move(purpose)),
      memory_(std::make_shared<Memory>()) {
  check<ConfigError>(!selections_.empty(), "a loader needs at least one domain to draw from");
  check<ConfigError>(config_.batch_size >= 1 && config_.image_size_px >= 1,
                     "batches of {} images at {} px: expected at least 1", config_.batch_size, config_.image_size_px);
  std::set<std::int64_t> domains;
  for (const DomainSelection& selection : selections_) {
    check<ConfigError>(selection.domain >= 0 && selection.domain < dataset_->number_of_domains(),
                       "domain {} is selected, the set has {}", selection.domain, dataset_->number_of_domains());
    const std::string& name = dataset_->domain_names()[static_cast<std::size_t>(selection.domain)];
    check<ConfigError>(domains.insert(selection.domain).second, "domain '{}' is selected twice", name);
    check<ConfigError>(!selection.indices.empty(), "no image of domain '{}' is selected", name);
    const auto [low, high] = std::minmax_element(selection.indices.begin(), selection.indices.end());
    check<ConfigError>(*low >= 0 && *high < dataset_->size(selection.domain),
                       "images {} … {} of domain '{}' are selected, it has {}", *low, *high, name,
                       dataset_->size(selection.domain));
  }
  for (std::int64_t i = 0; i < config_.workers; ++i) workers_.emplace_back([this] { run_worker(); });
}

BatchLoader::~BatchLoader() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  work_added_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

std::int64_t BatchLoader::images_per_step() const {
  return config_.batch_size * static_cast<std::int64_t>(selections_.size());
}

std::shared_ptr<BatchLoader::Work> BatchLoader::start_work(std::int64_t step) const {
  const RowShare& share = memory_->share;
  const std::int64_t n = share.count(images_per_step()), size = config_.image_size_px;
  auto work = std::make_shared<Work>();
  work->step = step;
  work->left = n;
  work->batch.image_NCHW = memory_->tensor({n, 3, size, size});
  for (at::Tensor* ids : {&work->batch.label_N, &work->batch.domain_N, &work->batch.index_N})
    *ids = at::empty({n}, at::kLong);
  std::int64_t row = 0, place = 0;
  for (const auto& [domain, indices] : selections_) {
    RandomStream stream(seed_, purpose_ + ".sample",
                        {static_cast<std::uint64_t>(step), static_cast<std::uint64_t>(domain)});
    for (std::int64_t i = 0; i < config_.batch_size; ++i, ++row) {
      const std::int64_t index = indices[stream.below(indices.size())];
      if (!share.has(row)) continue;
      work->rows.push_back(row);
      work->batch.label_N.data_ptr<std::int64_t>()[place] = dataset_->info(domain, index).label;
      work->batch.domain_N.data_ptr<std::int64_t>()[place] = domain;
      work->batch.index_N.data_ptr<std::int64_t>()[place] = index;
      ++place;
    }
  }
  return work;
}

void BatchLoader::load_image(Work& work, std::int64_t place) const {
  const std::int64_t domain = work.batch.domain_N.data_ptr<std::int64_t>()[place];
  const std::int64_t index = work.batch.index_N.data_ptr<std::int64_t>()[place];
  const int size = static_cast<int>(config_.image_size_px);
  const Image image = dataset_->image(domain, index);
  float* target = work.batch.image_NCHW.data_ptr<float>() + place * 3 * size * size;
  if (!config_.augment) return write_normalised(evaluation_view(image, size), target);
  RandomStream stream(seed_, purpose_ + ".augment",
                      {static_cast<std::uint64_t>(work.step), static_cast<std::uint64_t>(domain),
                       static_cast<std::uint64_t>(work.rows[static_cast<std::size_t>(place)] % config_.batch_size)});
  thread_local Augmenter augmenter;
  write_normalised(augmenter(image, draw_augmentation(image.height, image.width, config_.augmentation, stream), size),
                   target);
}

std::shared_ptr<BatchLoader::Work> BatchLoader::next_work() const {
  for (const auto& work : ahead_) {
    if (work->next < work->batch.size()) return work;
  }
  return nullptr;
}

void BatchLoader::run_worker() {
  std::unique_lock lock(mutex_);
  while (true) {
    std::shared_ptr<Work> work;
    work_added_.wait(lock, [&] { return stop_ || (work = next_work()) != nullptr; });
    if (stop_) return;
    const std::int64_t place = work->next++;
    lock.unlock();
    std::exception_ptr error;
    try {
      load_image(*work, place);
    } catch (...) {
      error = std::current_exception();
    }
    lock.lock();
    if (error && !work->error) work->error = error;
    if (--work->left == 0) work_done_.notify_all();
  }
}

std::shared_ptr<BatchLoader::Work> BatchLoader::take(std::int64_t step) {
  std::unique_lock lock(mutex_);
  if (ahead_.empty() || ahead_.front()->step != step) ahead_.clear();
  while (std::ssize(ahead_) < config_.ahead_steps + 1) {
    ahead_.push_back(start_work(ahead_.empty() ? step : ahead_.back()->step + 1));
  }
  work_added_.notify_all();
  const std::shared_ptr<Work> work = ahead_.front();
  work_done_.wait(lock, [&] { return work->left == 0; });
  ahead_.pop_front();
  return work;
}

Batch BatchLoader::batch(std::int64_t step) {
  check<ConfigError>(step >= 0, "batch of step {} asked for: steps start at 0", step);
  if (!workers_.empty()) {
    const std::shared_ptr<Work> work = take(step);
    if (work->error) std::rethrow_exception(work->error);
    return work->batch;
  }
  const std::shared_ptr<Work> work = start_work(step);
  for (std::int64_t place = 0; place < work->batch.size(); ++place) load_image(*work, place);
  return work->batch;
}

}  // namespace domainfusion
