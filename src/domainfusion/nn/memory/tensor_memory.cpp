#include "domainfusion/nn/memory/tensor_memory.h"

#include <c10/core/CPUAllocator.h>
#include <c10/core/impl/alloc_cpu.h>

#include <algorithm>
#include <bit>
#include <map>
#include <mutex>
#include <unordered_map>

#include "domainfusion/core/libtorch_version.h"
#include "domainfusion/nn/memory/huge_pages.h"

namespace domainfusion {
namespace {

constexpr std::size_t kKeptTensorsFrom = std::size_t{1} << 20;

// Up to the next eighth of a power of two: blocks of nearly one size serve each other.
std::size_t rounded(std::size_t bytes) {
  const std::size_t step = std::max(std::bit_floor(bytes) / 8, std::size_t{64});
  return (bytes + step - 1) / step * step;
}

class KeptBlocks {
 public:
  // Never destroyed: tensors may be freed while the process ends.
  static KeptBlocks& instance() {
    static auto* blocks = new KeptBlocks;
    return *blocks;
  }

  void add_holder() {
    const std::lock_guard lock(mutex_);
    ++holders_;
  }

  void remove_holder() {
    const std::lock_guard lock(mutex_);
    if (--holders_ > 0) return;
    most_in_use_ = 0;
    free_largest_above(0);
  }

  // None while nobody holds memory.
  void* take(std::size_t wanted) {
    const std::size_t bytes = rounded(wanted);
    const std::lock_guard lock(mutex_);
    if (holders_ == 0) return nullptr;
    void* memory = nullptr;
    if (const auto found = free_.find(bytes); found != free_.end()) {
      memory = found->second;
      free_.erase(found);
      kept_ -= bytes;
    } else {
      // What is kept for other sizes makes room first.
      free_largest_above(std::max(most_in_use_, in_use_ + bytes) - bytes);
      memory = allocate_huge_pages(bytes);
    }
    taken_.emplace(memory, bytes);
    in_use_ += bytes;
    most_in_use_ = std::max(most_in_use_, in_use_);
    return memory;
  }

  // Whether the memory was one of these blocks.
  bool give_back(void* memory) {
    const std::lock_guard lock(mutex_);
    const auto block = taken_.find(memory);
    if (block == taken_.end()) return false;
    in_use_ -= block->second;
    kept_ += block->second;
    free_.emplace(block->second, memory);
    taken_.erase(block);
    free_largest_above(holders_ > 0 ? most_in_use_ : 0);
    return true;
  }

  std::size_t unused_bytes() {
    const std::lock_guard lock(mutex_);
    return kept_;
  }

 private:
  // A quarter more than the most that was in use, and no more.
  void free_largest_above(std::size_t most) {
    while (!free_.empty() && in_use_ + kept_ > most + most / 4) {
      const auto largest = std::prev(free_.end());
      kept_ -= largest->first;
      free_huge_pages(largest->second, largest->first);
      free_.erase(largest);
    }
  }

  std::mutex mutex_;
  std::multimap<std::size_t, void*> free_;
  std::unordered_map<void*, std::size_t> taken_;
  std::size_t in_use_ = 0, most_in_use_ = 0, kept_ = 0;
  int holders_ = 0;
};

// Of blocks of either kind: libraries below libtorch take and free memory without its handles.
void give_back(void* memory) {
  if (memory != nullptr && !KeptBlocks::instance().give_back(memory)) c10::free_cpu(memory);
}

class KeepingAllocator final : public c10::Allocator {
 public:
  c10::DeleterFnPtr raw_deleter() const override { return &give_back; }
#if DOMAINFUSION_TORCH_AT_LEAST(2, 2)
  c10::DataPtr allocate(std::size_t bytes) override { return allocated(bytes); }
  void copy_data(void* to, const void* from, std::size_t bytes) const override { default_copy_data(to, from, bytes); }
#else
  c10::DataPtr allocate(std::size_t bytes) const override { return allocated(bytes); }
#endif

 private:
  static c10::DataPtr allocated(std::size_t bytes) {
    void* memory = bytes < kKeptTensorsFrom ? nullptr : KeptBlocks::instance().take(bytes);
    if (memory == nullptr) memory = c10::alloc_cpu(bytes);
    return {memory, memory, &give_back, c10::Device(c10::kCPU)};
  }
};

}  // namespace

KeptTensorMemory::KeptTensorMemory() {
  // For good: tensors may be freed while the process ends.
  static const auto* installed = [] {
    auto* allocator = new KeepingAllocator;
    c10::SetCPUAllocator(allocator, 1);  // above the one that is there
    return allocator;
  }();
  static_cast<void>(installed);
  KeptBlocks::instance().add_holder();
}

KeptTensorMemory::~KeptTensorMemory() { KeptBlocks::instance().remove_holder(); }

std::size_t KeptTensorMemory::unused_bytes() { return KeptBlocks::instance().unused_bytes(); }

}  // namespace domainfusion
