#pragma once
// FDS (feedback-guided domain synthesis, Noori et al., WACV 2025): images between two source domains, of every pair and
// class, by one LDM that has learnt all of them; and the choice of those that a classifier gets right and is least sure
// of. What is chosen of a pair is one more domain to train on.

#include <functional>
#include <memory>
#include <optional>

#include "domainfusion/augmentation/candidates/candidate_farm.h"
#include "domainfusion/augmentation/candidates/environments_dataset.h"
#include "domainfusion/augmentation/fds/fds_config.h"
#include "domainfusion/augmentation/prompts.h"

namespace domainfusion {

struct FdsImage {
  std::int64_t first = 0, second = 0;  // source domains, first < second
  std::int64_t label = 0;
  std::int64_t number = 0;  // 0 … images_per_class - 1
};

struct FdsReport {
  std::int64_t images = 0;   // that were asked for, those that failed included
  std::int64_t made = 0;     // now
  std::int64_t failed = 0;   // not finite, black or constant: left out
  std::int64_t retried = 0;  // made again in float32
  double seconds = 0;

  std::int64_t found() const { return images - made; }
};

// A classifier that judges images: logits [N, K] of normalised images of its size, both where it is.
struct FdsJudge {
  std::function<at::Tensor(const at::Tensor& image_NCHW)> logits;
  std::int64_t image_size_px = 0;
  at::Device device = at::kCPU;
};

// What a judge made of a pair's images.
struct FdsVerdict {
  std::string pair;  // "cartoon + photo"
  std::int64_t images = 0, right = 0, kept = 0;
  double entropy_of_right = 0, entropy_of_kept = 0;  // means, in nats; 0 where there are none
  std::vector<std::string> short_of;                 // classes with fewer right images than are to be kept

  nlohmann::json to_json() const;
};

struct FdsChoice {
  std::vector<std::int64_t> kept;  // places, ascending
  std::vector<FdsVerdict> pairs;
};

// All of an image's draws (its share, its guidance, its noise, in this order) come from (seed, both prompts, number):
// other target domains, splits and training seeds find equal images equal, and more images a class add to those of
// before. Images have places: pair after pair, in each class after class, in each number after number.
class FdsImages {
 public:
  // source_in: the source domains' images, of which names and classes alone are used here; prompts: for all of its
  // domains, checked by the target guard. Looks all images up in the store. ConfigError: fewer than two domains,
  // prompts that do not tell domains and classes apart, options that contradict one another or cannot work with the
  // model.
  FdsImages(FdsConfig config, std::shared_ptr<const DomainDataset> source_in, const CandidatePrompts& prompts,
            LatentDiffusion model, CandidateStore store);

  std::int64_t size() const { return std::ssize(keys_); }
  FdsImage image(std::int64_t place) const;
  const std::string& key(std::int64_t place) const { return keys_.at(static_cast<std::size_t>(place)); }
  const CandidateStore& store() const { return store_; }
  const LatentDiffusion& model() const { return model_; }
  std::int64_t pairs() const { return std::ssize(pairs_); }
  std::string pair_name(std::int64_t pair) const;
  std::vector<std::int64_t> all_places() const;
  std::int64_t missing() const { return std::ssize(missing_of(all_places())); }
  // Of what is missing, here (measured when called).
  double estimated_seconds() const;

  // One JSON line for each image: pair, class, number, key.
  void write_list(const std::filesystem::path& file) const;
  // For write_job(); `what`: to people.
  CandidateJob job(const std::string& what) const;

  // Makes what is missing of the images at `places`, together with every other process that does (CandidateFarm).
  // Nothing if it was stopped; what is finished is kept.
  std::optional<FdsReport> generate(const std::vector<std::int64_t>& places,
                                    const std::function<bool()>& should_stop = {});

  // Of the images that are there; to be asked after generate() of all. Among ranks each judges its share.
  // stop_point() is called between batches. ConfigError if the judge gets none right.
  FdsChoice choose(const FdsJudge& judge, const std::function<void()>& stop_point = {}) const;

  // The source domains and, as one more for each pair, the images at these places (ascending) that are there.
  std::shared_ptr<const EnvironmentsDataset> with_environments(const std::vector<std::int64_t>& places) const;

 private:
  struct Draws;
  std::int64_t group_of(std::int64_t place) const { return place / config_.images_per_class; }
  std::int64_t pair_of(std::int64_t place) const { return group_of(place) / source_in_->number_of_classes(); }
  const std::string& prompt(std::int64_t domain, std::int64_t label) const;
  CandidateKey key_of(const FdsImage& image) const;
  RandomStream stream_of(const FdsImage& image) const;
  void look_up();
  CandidateStore::State state(std::int64_t place) const { return states_[static_cast<std::size_t>(place)]; }
  std::vector<std::int64_t> missing_of(const std::vector<std::int64_t>& places) const;
  void make(const std::vector<std::int64_t>& places, FdsReport& report);
  // By place; of images that are not there, and of other ranks' share before it is added, zeros.
  at::Tensor judged(const FdsJudge& judge, const std::function<void()>& stop_point) const;

  FdsConfig config_;
  std::shared_ptr<const DomainDataset> source_in_;
  std::vector<std::vector<std::string>> prompts_;  // [domain][label]
  LatentDiffusion model_;
  CandidateStore store_;
  nlohmann::json options_;
  std::vector<std::pair<std::int64_t, std::int64_t>> pairs_;
  std::vector<std::string> keys_;              // by place
  std::vector<CandidateStore::State> states_;  // by place
};

}  // namespace domainfusion
