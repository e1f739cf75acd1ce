#pragma once
// Memory of libtorch's tensors on a CPU that outlives them. The C library gives large blocks back to the system as soon
// as they are free, and the system hands out the next ones page by page, zeroed, at each first touch. A training step
// takes and frees the same blocks time after time: a quarter of it went into zeroing pages.

#include <cstddef>

namespace domainfusion {

// While one of these lives, blocks of 1 MiB and more that tensors free are kept for the next ones, in huge pages, in
// the whole process; at most a quarter more than was in use at once. With the last of them they go back to the system.
// Thread-safe.
class KeptTensorMemory {
 public:
  KeptTensorMemory();
  ~KeptTensorMemory();
  KeptTensorMemory(const KeptTensorMemory&) = delete;
  KeptTensorMemory& operator=(const KeptTensorMemory&) = delete;

  // Bytes that are kept and in no tensor.
  static std::size_t unused_bytes();
};

}  // namespace domainfusion
