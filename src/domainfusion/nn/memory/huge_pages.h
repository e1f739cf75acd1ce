#pragma once
// Memory in huge pages: the system hands out 512 times as much at each first touch.
//
// Taken from the system itself: the C library would cut blocks of this alignment out of its heap, where each leaves a
// gap that no other one fits, and a process that takes and frees them for long grows and grows.

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <new>

namespace domainfusion {

inline constexpr std::size_t kHugePage = std::size_t{2} << 20;

inline std::size_t rounded_to_pages(std::size_t bytes) {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return (bytes + page - 1) / page * page;
}

// bytes >= 1, aligned to a huge page; free_huge_pages gives it back. Throws std::bad_alloc.
inline void* allocate_huge_pages(std::size_t bytes) {
  // The system aligns to its small pages: what one huge page more has too much at both ends goes back at once.
  const std::size_t size = rounded_to_pages(bytes);
  void* mapped = ::mmap(nullptr, size + kHugePage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) throw std::bad_alloc();
  const std::size_t before = -reinterpret_cast<std::uintptr_t>(mapped) % kHugePage;
  char* memory = static_cast<char*>(mapped) + before;
  if (before > 0) ::munmap(mapped, before);
  ::munmap(memory + size, kHugePage - before);
  ::madvise(memory, bytes / kHugePage * kHugePage, MADV_HUGEPAGE);  // a last huge page would be mostly waste
  return memory;
}

// `bytes` as they were asked for.
inline void free_huge_pages(void* memory, std::size_t bytes) { ::munmap(memory, rounded_to_pages(bytes)); }

}  // namespace domainfusion
