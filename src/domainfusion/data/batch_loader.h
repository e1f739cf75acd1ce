#pragma once
// Endless training minibatches, prepared ahead by worker threads.

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "domainfusion/config/config_fields.h"
#include "domainfusion/data/batch.h"
#include "domainfusion/data/transforms/train_augmentation.h"

namespace domainfusion {

struct LoaderConfig {
  std::int64_t batch_size = 32;  // images per domain and step
  std::int64_t image_size_px = 64;
  bool augment = true;
  std::int64_t workers = 1;  // 0: the caller's thread does the work
  std::int64_t ahead_steps = 4;
  AugmentationConfig augmentation;
  void describe(ConfigFields& fields);
};

// The images of one domain to draw from, for instance its IN split.
struct DomainSelection {
  std::int64_t domain = 0;
  std::vector<std::int64_t> indices;
};

// All images of `dataset`; domains without images are left out.
std::vector<DomainSelection> every_image_of(const DomainDataset& dataset);

// Each step holds one minibatch per selected domain, concatenated in the order of the selections; images are drawn with
// replacement. batch(step) is a pure function of (set, selection, config, seed, purpose, step): worker count, the order
// of calls and the other selected domains change no bit of a domain's images. What is drawn for an image depends on
// step, domain and place.
class BatchLoader {
 public:
  // ConfigError: no selection, an empty one, a domain twice, an index outside of the set.
  BatchLoader(std::shared_ptr<const DomainDataset> dataset, std::vector<DomainSelection> selections,
              LoaderConfig config, std::uint64_t seed, std::string purpose);
  ~BatchLoader();
  BatchLoader(const BatchLoader&) = delete;
  BatchLoader& operator=(const BatchLoader&) = delete;

  // The batch of `step` >= 0. Consecutive steps come from the work done ahead; any other step restarts it there.
  // Rethrows what went wrong in a worker (a broken image: its error names the file); the loader stays usable. Call from
  // one thread at a time.
  Batch batch(std::int64_t step);

  std::int64_t images_per_step() const;

 private:
  struct Work;
  class Memory;

  std::shared_ptr<Work> start_work(std::int64_t step) const;
  void load_image(Work& work, std::int64_t place) const;
  void run_worker();
  std::shared_ptr<Work> next_work() const;
  std::shared_ptr<Work> take(std::int64_t step);

  std::shared_ptr<const DomainDataset> dataset_;
  std::vector<DomainSelection> selections_;
  LoaderConfig config_;
  std::uint64_t seed_;
  std::string purpose_;
  std::shared_ptr<Memory> memory_;

  std::mutex mutex_;
  std::condition_variable work_added_, work_done_;
  std::deque<std::shared_ptr<Work>> ahead_;  // consecutive steps
  bool stop_ = false;
  std::vector<std::thread> workers_;
};

}  // namespace domainfusion
