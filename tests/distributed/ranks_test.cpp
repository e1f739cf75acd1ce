// What ranks exchange.
#include "domainfusion/distributed/ranks.h"

#include <torch/nn/functional/batchnorm.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "distributed/thread_ranks.h"
#include "domainfusion/distributed/gradient_buckets.h"
#include "domainfusion/distributed/row_share.h"
#include "domainfusion/distributed/synchronised_batch_norm.h"
#include "temporary_folder.h"

namespace domainfusion {
namespace {

at::Tensor numbers(std::vector<std::int64_t> shape, std::int64_t seed = 1) {
  std::int64_t count = 1;
  for (const std::int64_t side : shape) count *= side;
  return (torch::arange(count, torch::kFloat32) * 0.37f + static_cast<float>(seed)).sin().reshape(shape);
}

double distance(const at::Tensor& a, const at::Tensor& b) { return (a - b).abs().max().item<double>(); }

}  // namespace

TEST(Ranks, SumGatherAndTell) {
  for (const int size : {2, 4}) {
    expect_no_faults(on_ranks(size, [&](Ranks& ranks) {
      EXPECT_EQ(current_ranks(), &ranks);
      const at::Tensor sum = torch::full({3}, ranks.rank() + 1.0);
      ranks.sum(sum);
      EXPECT_EQ(sum[0].item<double>(), size * (size + 1) / 2);
      const at::Tensor transposed = numbers({2, 3}).t();  // of other strides
      const at::Tensor before = transposed.clone();
      ranks.sum(transposed);
      EXPECT_LT(distance(transposed, before * size), 1e-6);
      const auto all = ranks.gather(torch::tensor({ranks.rank()}));
      for (int r = 0; r < size; ++r) EXPECT_EQ(all[static_cast<std::size_t>(r)].item<int>(), r);
      EXPECT_EQ(ranks.from_first(ranks.is_first() ? "a word" : "another"), "a word");
      EXPECT_EQ(ranks.from_first(""), "");
      EXPECT_TRUE(any_rank(ranks.rank() == size - 1));
      EXPECT_FALSE(any_rank(false));
      ranks.meet();
      EXPECT_GT(ranks.bytes_sent(), 0);
    }));
  }
  EXPECT_EQ(current_ranks(), nullptr);
}

TEST(Ranks, ExactSumsAreOfOneTree) {
  const std::vector<float> values{1e8f, 1.0f, -1e8f, 0.25f};
  RankSettings settings{std::chrono::seconds(60)};
  settings.exact_sums = true;
  expect_no_faults(on_ranks(
      4,
      [&](Ranks& ranks) {
        const at::Tensor sum = torch::full({2}, values[static_cast<std::size_t>(ranks.rank())]);
        ranks.sum(sum);
        EXPECT_EQ(sum[0].item<float>(), (values[0] + values[1]) + (values[2] + values[3]));
      },
      settings));
}

TEST(Ranks, WhoDoesNotComeIsNamed) {
  const int port = free_test_port();
  const RankSettings patience{std::chrono::milliseconds(1500)};
  std::string first, second;
  std::thread other([&] {
    second = message_of<DistributedError>([&] { join_ranks({2, 4, 0, 1, "127.0.0.1", port}, patience); });
  });
  first = message_of<DistributedError>([&] { join_ranks({0, 4, 0, 1, "127.0.0.1", port}, patience); });
  other.join();
  EXPECT_NE(first.find("ranks 1, 3 of 4 did not come"), std::string::npos) << first;
  EXPECT_NE(second.find("1, 3"), std::string::npos) << second;
  const std::string nobody = message_of<DistributedError>([&] {
    join_ranks({1, 2, 0, 1, "127.0.0.1", free_test_port()}, patience);
  });
  EXPECT_NE(nobody.find("is rank 0 running there"), std::string::npos) << nobody;
}

TEST(RowShare, CutsABatchAsItsPartsAreCut) {
  for (const std::int64_t parts : {1, 2, 3}) {
    for (const std::int64_t size : {1, 2, 4}) {
      for (const std::int64_t rows : {12, 13, 24, 29}) {
        std::vector<int> owners(static_cast<std::size_t>(rows));
        for (std::int64_t rank = 0; rank < size; ++rank) {
          const RowShare share{rank, size, parts};
          std::vector<std::int64_t> own;
          for (std::int64_t row = 0; row < rows; ++row) {
            if (share.has(row)) own.push_back(row);
          }
          EXPECT_EQ(std::ssize(own), share.count(rows));
          for (std::size_t i = 0; i < own.size(); ++i) {
            ++owners[static_cast<std::size_t>(own[i])];
            EXPECT_EQ(static_cast<std::int64_t>(i) % parts, own[i] % parts);  // in the same part here and there
            EXPECT_EQ(own[i] / parts % size, rank);                           // row own[i] / parts of it
          }
        }
        for (const int count : owners) EXPECT_EQ(count, 1);
      }
    }
  }
}

TEST(GatheredRows, AreInOrderAndBringGradientsHome) {
  for (const std::int64_t rows : {8, 7}) {
    const at::Tensor all = numbers({rows, 3}), factor = numbers({rows, 3}, 5);
    expect_no_faults(on_ranks(2, [&](Ranks& ranks) {
      const at::Tensor own = own_rows(all, ranks).clone().set_requires_grad(true);
      const at::Tensor gathered = gathered_rows(own, ranks);
      EXPECT_TRUE(at::equal(gathered.detach(), all));
      // Each rank's loss looks at its part of the sum over all rows.
      own_rows((gathered.square() * factor), ranks).sum().backward();
      EXPECT_LT(distance(own.grad(), own_rows(2 * all * factor, ranks)), 1e-6);
    }));
  }
}

TEST(SynchronisedBatchNorm, IsThatOfTheWholeBatch) {
  for (const auto format : {at::MemoryFormat::Contiguous, at::MemoryFormat::ChannelsLast}) {
    const at::Tensor x = numbers({7, 5, 3, 4}).contiguous(format), gradient = numbers({7, 5, 3, 4}, 9);
    const at::Tensor weight = numbers({5}, 2), bias = numbers({5}, 3);
    const at::Tensor mean = torch::zeros({5}), var = torch::ones({5});
    const at::Tensor whole_x = x.clone().set_requires_grad(true), whole_w = weight.clone().set_requires_grad(true),
                     whole_b = bias.clone().set_requires_grad(true);
    const at::Tensor y = torch::batch_norm(whole_x, whole_w, whole_b, mean, var, true, 0.1, 1e-5, false);
    y.backward(gradient);
    expect_no_faults(on_ranks(2, [&](Ranks& ranks) {
      const at::Tensor own_x = own_rows(x, ranks).contiguous(format).set_requires_grad(true);
      const at::Tensor own_w = weight.clone().set_requires_grad(true), own_b = bias.clone().set_requires_grad(true);
      const at::Tensor own_mean = torch::zeros({5}), own_var = torch::ones({5});
      const at::Tensor own_y = synchronised_batch_norm(own_x, own_w, own_b, own_mean, own_var, 0.1, 1e-5, ranks);
      EXPECT_LT(distance(own_y, own_rows(y, ranks)), 1e-5);
      EXPECT_LT(distance(own_mean, mean), 1e-6);
      EXPECT_LT(distance(own_var, var), 1e-6);
      own_y.backward(own_rows(gradient, ranks));
      EXPECT_LT(distance(own_x.grad(), own_rows(whole_x.grad(), ranks)), 1e-5);
      ranks.sum(own_w.grad());
      ranks.sum(own_b.grad());
      EXPECT_LT(distance(own_w.grad(), whole_w.grad()), 1e-4);
      EXPECT_LT(distance(own_b.grad(), whole_b.grad()), 1e-4);
    }));
  }
}

TEST(GradientBuckets, SumWhatEachRankHasAndLeaveTheRestAlone) {
  expect_no_faults(on_ranks(2, [](Ranks& ranks) {
    std::vector<at::Tensor> parameters;
    for (const std::int64_t size : {3, 4, 5, 6}) parameters.push_back(numbers({size, 2}, size).set_requires_grad(true));
    GradientBuckets buckets(parameters, ranks, 50);  // two small parameters each, or a large one
    for (int pass = 0; pass < 3; ++pass) {
      for (at::Tensor& parameter : parameters) parameter.mutable_grad() = at::Tensor();
      const auto loss = [&] {
        at::Tensor sum = (parameters[0].square().sum() + parameters[1].sum()) * (ranks.rank() + 1.0);
        return sum + parameters[3].sum() * 0.5 + parameters[0].sum();  // used twice; parameters[2] is not
      };
      loss().backward();  // a first part of the batch
      buckets.begin();
      loss().backward();
      buckets.finish();
      EXPECT_LT(distance(parameters[0].grad(), 2 * (3 * 2 * parameters[0].detach() + 2)), 1e-5);
      EXPECT_LT(distance(parameters[1].grad(), torch::full({4, 2}, 6.0)), 1e-6);
      EXPECT_FALSE(parameters[2].grad().defined());
      EXPECT_LT(distance(parameters[3].grad(), torch::full({6, 2}, 2.0)), 1e-6);
    }
  }));
}

}  // namespace domainfusion
