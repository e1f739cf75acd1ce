#pragma once
// Where weight averaging starts and ends: the loss valley of SWAD (Cha et al., NeurIPS 2021, algorithm 1), as the
// released code decides it (khanrc/swad 252190e, class LossValley).
//
// Training is cut into segments, each closed by a validation. Of segments only their numbers and validation losses are
// known here; what a segment's weights are, and how they are folded into the average, is the caller's business.

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

namespace domainfusion {

struct LossValleyOptions {
  std::int64_t n_converge = 3;   // Ns, >= 1: segments without a lower loss that mean convergence
  std::int64_t n_tolerance = 6;  // Ne, >= 1: segments above the threshold that mean the valley's end
  double tolerance_ratio = 0.3;  // r: the threshold is (1 + r) times the mean loss of the Ns segments at convergence
};

// Converged: the oldest of the last Ns segments has their smallest loss. Folded are then the earlier segments of the
// last Ne that lie below the threshold; afterwards, with each closed segment, the oldest of the last Ne. The valley is
// dead once all of the last Ne lie above the threshold.
//
// Differs from the paper as the released code does: the segment that follows the last one above the threshold is passed
// over, and a segment that was folded at convergence may be folded again when it becomes the oldest (the converged one
// usually is).
class LossValley {
 public:
  explicit LossValley(LossValleyOptions options) : options_(options) {}

  // Closes the next segment (numbered from 0) with its validation loss; returns the segments to fold into the average
  // now, in order, with repetitions. Nothing once the valley is dead: the segment is not even counted.
  std::vector<std::int64_t> close_segment(double loss);
  // What the end of training folds after the last segment: the rest of the last Ne, while one of them lies below the
  // threshold. Empty if the valley is dead, or if training never converged.
  std::vector<std::int64_t> remaining() const;

  std::int64_t segments() const { return static_cast<std::int64_t>(losses_.size()); }
  // Number of the segment at which training converged.
  std::optional<std::int64_t> converged() const { return converged_; }
  double threshold() const { return threshold_; }  // 0 before convergence
  bool dead() const { return dead_; }
  // Segments below this number are never asked for again.
  std::int64_t oldest_needed() const;

  nlohmann::json state() const;
  void load(const nlohmann::json& state);  // nlohmann::json::exception if a field is missing

 private:
  std::int64_t oldest_of(std::int64_t window) const;
  double smallest_loss_from(std::int64_t segment) const;
  std::vector<std::int64_t> converge();

  LossValleyOptions options_;
  std::vector<double> losses_;
  std::optional<std::int64_t> converged_;
  double threshold_ = 0;
  bool dead_ = false;
};

}  // namespace domainfusion
