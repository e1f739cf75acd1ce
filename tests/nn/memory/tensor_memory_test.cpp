#include "domainfusion/nn/memory/tensor_memory.h"

#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <cstring>
#include <deque>
#include <thread>
#include <vector>

#include "domainfusion/core/machine/process_memory.h"
#include "domainfusion/nn/memory/huge_pages.h"

namespace domainfusion {
namespace {

constexpr std::int64_t kMebi = 1 << 20;

at::Tensor of_mebibytes(std::int64_t count) { return at::empty({count * kMebi}, at::kByte); }

}  // namespace

TEST(TensorMemory, ABlockThatIsFreeServesTheNextTensorOfItsSize) {
  const KeptTensorMemory kept;
  const void* first = of_mebibytes(24).data_ptr();
  EXPECT_EQ(of_mebibytes(24).data_ptr(), first);
  EXPECT_GE(KeptTensorMemory::unused_bytes(), static_cast<std::size_t>(24 * kMebi));
  const at::Tensor held = of_mebibytes(24);
  EXPECT_EQ(held.data_ptr(), first);
  EXPECT_NE(of_mebibytes(24).data_ptr(), first);  // it is taken
}

TEST(TensorMemory, WhatIsKeptStaysWithinAQuarterOfWhatWasInUse) {
  const KeptTensorMemory kept;
  { const at::Tensor most = of_mebibytes(104); }  // a size that is not rounded up
  for (std::int64_t size = 3; size < 90; ++size) {
    const at::Tensor other = of_mebibytes(size);
    EXPECT_LE(KeptTensorMemory::unused_bytes() + static_cast<std::size_t>(size * kMebi),
              static_cast<std::size_t>(130 * kMebi))
        << size;
  }
}

TEST(TensorMemory, ValuesSurviveManyThreads) {
  const KeptTensorMemory kept;
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([t, &wrong] {
      for (int i = 0; i < 50; ++i) {
        const at::Tensor a = at::full({(2 + i % 5) * kMebi / 4}, t * 100 + i, at::kInt), b = a + 1;
        if (!(b - a).eq(1).all().item<bool>() || a[-1].item<int>() != t * 100 + i) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST(TensorMemory, LibrariesBelowLibtorchTakeItToo) {
  const KeptTensorMemory kept;
  const torch::NoGradGuard no_grad;
  const at::Tensor x = torch::randn({8, 16, 64, 64}), weight = torch::randn({16, 16, 3, 3});
  const at::Tensor y = at::conv2d(x.contiguous(at::MemoryFormat::ChannelsLast), weight, {}, 1, 1);
  EXPECT_TRUE(y.allclose(at::conv2d(x, weight, {}, 1, 1), 1e-4, 1e-4));
}

TEST(TensorMemory, TensorsOfBeforeAndAfterCanBeResizedAndFreed) {
  at::Tensor before = at::ones({3 * kMebi / 4});
  const KeptTensorMemory kept;
  before.resize_({5 * kMebi / 4});
  at::Tensor after = at::ones({3 * kMebi / 4});
  after.resize_({5 * kMebi / 4});
  EXPECT_EQ(after.narrow(0, 0, 3 * kMebi / 4).sum().item<double>(), 3.0 * kMebi / 4);
  EXPECT_EQ(before.narrow(0, 0, 3 * kMebi / 4).sum().item<double>(), 3.0 * kMebi / 4);
}

TEST(TensorMemory, GoesBackWithItsLastHolderAndTensorsThatOutliveIt) {
  at::Tensor outliving;
  {
    const KeptTensorMemory outer;
    {
      const KeptTensorMemory inner;
      outliving = at::ones({8 * kMebi / 4});
      of_mebibytes(24);
    }
    EXPECT_GE(KeptTensorMemory::unused_bytes(), static_cast<std::size_t>(24 * kMebi));
  }
  EXPECT_EQ(KeptTensorMemory::unused_bytes(), 0u);
  EXPECT_EQ(outliving.sum().item<double>(), 8.0 * kMebi / 4);
  outliving.reset();
  of_mebibytes(24);
  EXPECT_EQ(KeptTensorMemory::unused_bytes(), 0u);
}

// As in a long generation: large blocks of many sizes come and go, between them small ones that stay. Out of the C
// library's heap this takes 230 MiB beside the small ones.
TEST(TensorMemory, HugePagesLeaveNoGapsBehind) {
  struct Block {
    void* memory;
    std::size_t bytes;
  };
  constexpr int kTurns = 600;
  std::deque<Block> live;
  std::vector<std::string> small;
  const double before = resident_mib();
  for (int turn = 0; turn < kTurns; ++turn) {
    const std::size_t bytes = kHugePage + static_cast<std::size_t>(turn * 7919 % 97) * 70'000;
    live.push_back({allocate_huge_pages(bytes), bytes});
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(live.back().memory) % kHugePage, 0u);
    std::memset(live.back().memory, 1, bytes);
    small.emplace_back(48 << 10, 'x');
    if (live.size() <= 6) continue;
    const auto leaving = live.begin() + turn * 31 % 6;
    free_huge_pages(leaving->memory, leaving->bytes);
    live.erase(leaving);
  }
  double expected = kTurns * 48.0 / 1024;
  for (const Block& block : live) expected += static_cast<double>(block.bytes) / kMebi;
  EXPECT_LT(resident_mib() - before - expected, 60);
  for (const Block& block : live) free_huge_pages(block.memory, block.bytes);
}

}  // namespace domainfusion
