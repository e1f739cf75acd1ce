#pragma once
// Rounds of online lightweight augmentation (method section 3): candidates from the diffusion model, split into style
// and content, sampled, combined, stored; each round starts from what the last one left.

#include <functional>
#include <memory>

#include "domainfusion/augmentation/candidates/candidate_generator.h"
#include "domainfusion/augmentation/prompts.h"
#include "domainfusion/augmentation/rounds/round_config.h"
#include "domainfusion/augmentation/rounds/synthetic_dataset.h"

namespace domainfusion {

struct RoundHooks {
  // Classes (int64 [N]) of float32 images [N, 3, S, S] in [0, 1], for the class fidelity; may be empty.
  std::function<at::Tensor(const at::Tensor& image01_N3SS)> class_of;
  // Asked between groups of images: true ends the work early, everything finished is kept. May be empty.
  std::function<bool()> should_stop;
};

// Means over the covered images of a round.
struct RoundFigures {
  ImageDrift drift;
  std::optional<double> class_fidelity;  // share of images that the classifier gives their label
};

struct RoundSummary {
  std::int64_t round = 0;
  std::int64_t covered = 0;           // images
  std::int64_t unchanged = 0;         // of these: all candidates failed, x stayed
  std::int64_t generated = 0;         // denoised candidates of this round
  std::int64_t failed = 0;            // of these: dropped
  std::int64_t generated_so_far = 0;  // this round and all before it
  std::int64_t cdga = 0;              // what CDGA would generate
  RoundFigures made, round_trip;      // the new images; x through the VAE and back
  double seconds = 0;                 // since the (last) start of the round

  double share_of_cdga() const {
    return cdga > 0 ? static_cast<double>(generated_so_far) / static_cast<double>(cdga) : 0;
  }
  nlohmann::json to_json() const;
  static RoundSummary from_json(const nlohmann::json& object);
  // A few lines for people.
  std::string text() const;
};

// All rounds of one run. The images depend on the raw set, the options, the seed and the diffusion model alone: neither
// on the classifier that is trained nor on kills and resumes. (combine = mode: also on the judge, whose weights are
// fixed.)
class AugmentationRounds {
 public:
  // raw, selections: the IN split of the source domains; prompts: those of the set's classes and source domains;
  // folder: of the synthetic set, made or reopened; rounds: how many the run will have. `generator` outlives the
  // object; judge: needed by combine = mode. ConfigError: unknown decomposition, an empty selection, a budget without
  // an image, a folder of other options, no judge where one is needed.
  AugmentationRounds(RoundConfig config, std::shared_ptr<const DomainDataset> raw,
                     std::vector<DomainSelection> selections, CandidatePrompts prompts,
                     const CandidateGenerator& generator, std::filesystem::path folder, std::uint64_t seed,
                     std::int64_t rounds, StyleJudge judge = {});

  // Makes the missing images of a round; a finished round returns its stored summary at once. Nothing if it was stopped
  // early. ConfigError unless all rounds before it are finished and 0 <= round < plan().rounds().
  std::optional<RoundSummary> run(std::int64_t round, const RoundHooks& hooks = {});

  // What a group of a round's images, which are worked on together, asks of the generator.
  struct GroupRequest {
    at::Tensor z_Nchw;                 // N candidates of the first image, then of the second, …
    std::vector<std::string> prompts;  // likewise
    std::vector<RandomStream> noise;
  };
  std::int64_t groups(std::int64_t round) const;
  // Makes the images of earlier rounds that the group starts from, where they are not there yet, and nothing else: so
  // that candidates of all rounds can be made in any order. For an object whose folder no run has. ConfigError unless
  // 0 <= group < groups(round).
  GroupRequest request_of_group(std::int64_t round, std::int64_t group);

  // The set as training sees it after `round`; -1: empty. ConfigError if that round is not finished.
  std::shared_ptr<const SyntheticDataset> as_of(std::int64_t round) const;

  const RoundPlan& plan() const { return plan_; }
  // Everything that decides the images.
  nlohmann::json identity() const;
  const SyntheticStore& store() const { return store_; }

 private:
  struct Group;
  struct Outcome;

  void check_ready(std::int64_t round) const;
  void check_stored_prompts() const;
  std::vector<ParentId> parents_of_group(std::int64_t round, std::int64_t group) const;
  void finish_group(Group group, const RoundHooks& hooks);
  void make_earlier_images(std::int64_t round, const std::vector<ParentId>& parents);
  Image current_image(std::int64_t round, const ParentId& parent) const;
  Group load_group(std::int64_t round, std::vector<ParentId> parents) const;
  std::vector<std::string> prompts_of(std::int64_t round, const ParentId& parent, std::int64_t label) const;
  std::vector<RandomStream> noise_streams(std::int64_t round, const std::vector<ParentId>& parents) const;
  void make_candidates(Group& group) const;
  Outcome choose(const Group& group, std::int64_t place) const;
  void fuse(const Group& group, std::int64_t place, const at::Tensor& usable_values, Outcome& outcome) const;
  void follow_rule(const Group& group, std::int64_t place, const at::Tensor& usable_values, Outcome& outcome) const;
  std::vector<std::int64_t> places_of_candidates(const Group& group) const;
  at::Tensor with_detail(const Group& group, const at::Tensor& image01_n3SS,
                         const std::vector<std::int64_t>& places) const;
  at::Tensor image01_of(const Group& group, const at::Tensor& values, const std::vector<std::int64_t>& places) const;
  void decode_combined(const Group& group, std::vector<Outcome>& outcomes) const;
  void measure(const Group& group, std::vector<Outcome>& outcomes, const RoundHooks& hooks) const;
  void store_group(const Group& group, const std::vector<Outcome>& outcomes);
  void keep_pictures(const Group& group, const std::vector<Outcome>& outcomes) const;
  bool is_pictured(std::int64_t round, const ParentId& parent) const;
  RoundSummary summarise(std::int64_t round, double seconds) const;
  void write_picture_list(std::int64_t round) const;

  RoundConfig config_;
  std::shared_ptr<const DomainDataset> raw_;
  std::vector<DomainSelection> selections_;
  CandidatePrompts prompts_;
  const CandidateGenerator& generator_;
  std::uint64_t seed_;
  std::unique_ptr<Decomposition> decomposition_;
  StyleJudge judge_;
  ImageWalk walk_;
  RoundPlan plan_;
  SyntheticStore store_;
};

}  // namespace domainfusion
