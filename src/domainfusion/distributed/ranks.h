#pragma once
// Processes that work on one thing together: rank 0 … size - 1 of one program, each with the same options. What they
// exchange goes through libtorch's c10d: Gloo for values, a TCPStore at the master's address as meeting place.
//
// Collectives are called by all ranks in the same order, by one thread at a time. Tensors may lie on a GPU: they travel
// by the CPU. A rank that ends early takes the others with it: at once where its connections close, else when nothing
// has been heard of it for the timeout; each says by a DistributedError, or by its last line, which rank was lost.

#include <ATen/core/Tensor.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "domainfusion/distributed/rank_environment.h"

namespace domainfusion {

struct RankSettings {
  // After so long without a sign of life a rank is lost; so long others are waited for at the start.
  std::chrono::milliseconds timeout{120000};
  std::string interface = {};  // network interface; empty: that of the route to the master
  // Sums in one binary tree over the ranks: their bits depend on what the ranks give and how many they are alone.
  bool exact_sums = false;
};

class Ranks {
 public:
  virtual ~Ranks() = default;

  virtual int rank() const = 0;
  virtual int size() const = 0;
  bool is_first() const { return rank() == 0; }

  // The sum over all ranks in `values`' place: float32, float64 or int64, of equal shapes.
  virtual void sum(const at::Tensor& values) = 0;
  // The same in the background: call what is returned, in the order of the calls, before the values are read.
  virtual std::function<void()> sum_later(const at::Tensor& values) = 0;
  // What all ranks gave, by rank; of equal shapes.
  virtual std::vector<at::Tensor> gather(const at::Tensor& values) = 0;
  // Rank 0's values into all ranks' `values`, of equal shapes.
  void copy_from_first(const at::Tensor& values);
  // What rank 0 gave.
  virtual std::string from_first(const std::string& text) = 0;
  // Returns when all ranks have come here.
  virtual void meet() = 0;
  // Bytes that this rank has handed to collectives.
  virtual std::int64_t bytes_sent() const = 0;

  // Tells the others why this rank ends, before it does so by itself.
  virtual void leave(const std::string& why) noexcept = 0;
  // The good end, after which the object is of no use; waits for all others to come here.
  virtual void finish() = 0;
};

// Meets all other ranks. DistributedError that names those which did not come in time, or what this build lacks.
std::unique_ptr<Ranks> join_ranks(const RankEnvironment& environment, const RankSettings& settings = {});
// Whether this build can; else why not, for people.
std::string why_no_ranks();

// Those that this thread works with; nullptr: it is alone.
Ranks* current_ranks();
class RanksScope {
 public:
  explicit RanksScope(Ranks* ranks);
  ~RanksScope();
  RanksScope(const RanksScope&) = delete;
  RanksScope& operator=(const RanksScope&) = delete;

 private:
  Ranks* before_;
};

// Whether this thread is to write files and tell people: rank 0, or alone.
inline bool writes_results() { return current_ranks() == nullptr || current_ranks()->is_first(); }
// Whether any rank says so; what this one says if it is alone.
bool any_rank(bool says);

}  // namespace domainfusion
