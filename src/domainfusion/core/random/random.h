#pragma once
// Counter-based random streams (Philox4x32-10; Salmon et al., SC 2011).
// A stream is named by (seed, purpose, ids), not by what was drawn before it: the noise of image 17 at step 300 is the
// same whatever the number of threads, the grouping into batches, the kills and the resumes.

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>
#include <vector>

namespace domainfusion {

class RandomStream {
 public:
  // `purpose` separates uses of one seed ("augment", "noise", …); `ids` name the item (step, image, …).
  RandomStream(std::uint64_t seed, std::string_view purpose, std::initializer_list<std::uint64_t> ids = {});

  std::uint32_t next_u32();
  std::uint64_t next_u64();
  double uniform();                                       // [0, 1), 53 bits
  double uniform(double low, double high);                // [low, high)
  std::uint64_t below(std::uint64_t bound);               // 0 … bound-1 without bias; bound >= 1, else ConfigError
  double normal();                                        // N(0, 1), Box-Muller
  void fill_normal(std::span<float> values);              // values.size() draws of N(0, 1)
  std::vector<std::int64_t> permutation(std::int64_t n);  // Fisher-Yates over 0 … n-1
  // A permutation that is one cycle (Sattolo), so that for n >= 2 nothing stays in its place.
  std::vector<std::int64_t> cycle(std::int64_t n);

 private:
  void refill();

  std::array<std::uint32_t, 2> key_{};
  std::array<std::uint32_t, 4> counter_{};
  std::array<std::uint32_t, 4> block_{};
  int used_ = 4;
  double spare_normal_ = 0;
  bool has_spare_normal_ = false;
};

}  // namespace domainfusion
