#pragma once
// Memory in huge pages: the system hands out 512 times as much at each first touch.

#include <sys/mman.h>

#include <cstdlib>
#include <new>

namespace domainfusion {

inline constexpr std::size_t kHugePage = std::size_t{2} << 20;

// Aligned to a huge page, not initialised; std::free gives it back. Throws std::bad_alloc.
inline void* allocate_huge_pages(std::size_t bytes) {
  void* memory = nullptr;
  if (::posix_memalign(&memory, kHugePage, bytes) != 0) throw std::bad_alloc();
  ::madvise(memory, bytes / kHugePage * kHugePage, MADV_HUGEPAGE);  // a last huge page would be mostly waste
  return memory;
}

}  // namespace domainfusion
