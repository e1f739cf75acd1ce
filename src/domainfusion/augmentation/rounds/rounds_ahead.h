#pragma once
// The candidates of all rounds of a run, made before it or beside it, by any number of processes that see one store.

#include "domainfusion/augmentation/candidates/stored_candidates.h"
#include "domainfusion/augmentation/rounds/round.h"

namespace domainfusion {

class RoundsAhead {
 public:
  // `candidates` is the generator of `rounds`, over `store`; `what`: for CandidateJob. All of them outlive the object.
  RoundsAhead(AugmentationRounds& rounds, const StoredCandidates& candidates, std::filesystem::path store,
              std::string what);

  const CandidateJob& job() const { return job_; }
  std::int64_t rounds() const { return rounds_.plan().rounds(); }
  std::int64_t groups() const { return std::ssize(units_); }
  // Groups of images are shared with every process that makes the same. Nothing if it was stopped; else how many
  // candidates this process has seen to.
  std::optional<std::int64_t> make(const FarmHooks& hooks);

 private:
  struct Unit {
    std::int64_t round, group;
    std::string name() const;
  };

  bool is_missing(const std::string& unit) const;

  AugmentationRounds& rounds_;
  const StoredCandidates& candidates_;
  CandidateStore store_;
  std::vector<Unit> units_;
  CandidateJob job_;
};

}  // namespace domainfusion
