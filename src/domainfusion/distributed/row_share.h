#pragma once
// Which rows of a batch are whose.

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "domainfusion/distributed/ranks.h"

namespace domainfusion {

// Blocks of `block` rows go to the ranks in turn. A batch that is worked in P parts, part k being the rows k, P + k, …,
// has blocks of P: so that of each part row j is that of rank j % size, and a rank's parts are cut from its rows as the
// whole batch's are.
struct RowShare {
  std::int64_t rank = 0, size = 1, block = 1;

  bool has(std::int64_t row) const { return row / block % size == rank; }
  // How many of the first `rows` rows.
  std::int64_t count(std::int64_t rows) const {
    const std::int64_t cycle = block * size, rest = rows % cycle - rank * block;
    return rows / cycle * block + (rest < 0 ? 0 : rest < block ? rest : block);
  }
};

// The ranks among whom the rows of the batch in work are shared out; nullptr: all rows are here. Layers that look at a
// whole batch (batch norm) ask for it.
Ranks* batch_ranks();
// Which rows of batches are to be loaded by a loader that is made now: all, or this rank's.
RowShare current_row_share();
// ranks may be nullptr.
class SharedRowsScope {
 public:
  explicit SharedRowsScope(Ranks* ranks, std::int64_t block = 1);
  ~SharedRowsScope();
  SharedRowsScope(const SharedRowsScope&) = delete;
  SharedRowsScope& operator=(const SharedRowsScope&) = delete;

 private:
  Ranks* ranks_before_;
  RowShare share_before_;
};

// All rows of a batch whose row j is that of rank j % size, in order: [n, …] on each rank -> [N, …]. Numbers of rows
// differ by one at most. Differentiable: gradients for a row are summed over ranks.
at::Tensor gathered_rows(const at::Tensor& own_n, Ranks& ranks);
// This rank's of them.
at::Tensor own_rows(const at::Tensor& all_N, const Ranks& ranks);
// Those of current_ranks() on this one; all rows where it is alone.
at::Tensor current_rows(const at::Tensor& all_N);

}  // namespace domainfusion
