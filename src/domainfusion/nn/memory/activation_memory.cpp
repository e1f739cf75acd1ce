#include "domainfusion/nn/memory/activation_memory.h"

#include <torch/types.h>

#include <algorithm>
#include <mutex>
#include <vector>

#include "domainfusion/nn/memory/huge_pages.h"

namespace domainfusion {
namespace {

constexpr std::size_t kKeptResultsFrom = 2 * kHugePage;  // smaller blocks are the C library's
constexpr std::size_t kKeptInAll = std::size_t{256}
                                   << 20;  // unused blocks and a new one: beyond this the oldest are given back

struct Block {
  void* memory;
  std::size_t bytes;
};

class BlockStore {
 public:
  // Never destroyed: tensors may be freed while the process ends.
  static BlockStore& instance() {
    static auto* store = new BlockStore;
    return *store;
  }

  // The smallest unused block that fits and wastes little, or a new one.
  Block take(std::size_t bytes) {
    {
      const std::lock_guard lock(mutex_);
      auto best = unused_.end();
      for (auto it = unused_.begin(); it != unused_.end(); ++it) {
        const bool fits = it->bytes >= bytes && it->bytes <= bytes + bytes / 4 + kHugePage;
        if (fits && (best == unused_.end() || it->bytes < best->bytes)) best = it;
      }
      if (best != unused_.end()) {
        const Block block = *best;
        unused_.erase(best);
        return block;
      }
      shrink_to(kKeptInAll - std::min(kKeptInAll, bytes));
    }
    return {allocate_huge_pages(bytes), bytes};
  }

  void give_back(Block block) {
    const std::lock_guard lock(mutex_);
    unused_.push_back(block);
    shrink_to(kKeptInAll);
  }

  void clear() {
    const std::lock_guard lock(mutex_);
    shrink_to(0);
  }

 private:
  void shrink_to(std::size_t limit) {
    std::size_t bytes = 0;
    for (const Block& block : unused_) bytes += block.bytes;
    while (bytes > limit) {
      bytes -= unused_.front().bytes;
      free_huge_pages(unused_.front().memory, unused_.front().bytes);
      unused_.erase(unused_.begin());
    }
  }

  std::mutex mutex_;
  std::vector<Block> unused_;  // the oldest first
};

std::size_t bytes_of(at::IntArrayRef shape) {
  return sizeof(float) * static_cast<std::size_t>(c10::multiply_integers(shape));
}

}  // namespace

at::Tensor new_activation(at::IntArrayRef shape) {
  if (bytes_of(shape) < kKeptResultsFrom) return at::empty(shape, at::kFloat);
  const Block block = BlockStore::instance().take(bytes_of(shape));
  return at::from_blob(
      block.memory, shape, [block](void*) { BlockStore::instance().give_back(block); }, at::kFloat);
}

at::Tensor new_huge_page_tensor(at::IntArrayRef shape) {
  const std::size_t bytes = bytes_of(shape);
  if (bytes < kHugePage) return at::empty(shape, at::kFloat);
  return at::from_blob(
      allocate_huge_pages(bytes), shape, [bytes](void* memory) { free_huge_pages(memory, bytes); }, at::kFloat);
}

void release_activation_memory() { BlockStore::instance().clear(); }

}  // namespace domainfusion
