// What frozen networks do on a GPU: their group norm, and launches recorded as CUDA graphs. Needs
// DOMAINFUSION_TEST_DEVICE=cuda.
#include <gtest/gtest.h>
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/conv.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "domainfusion/nn/cuda/group_norm_cuda.h"
#include "domainfusion/nn/graphs/graphed.h"
#include "domainfusion/nn/graphs/graphed_training.h"
#include "domainfusion/nn/inference.h"
#include "domainfusion/nn/layers/group_norm.h"
#include "test_device.h"

namespace domainfusion {
namespace {

#define NEEDS_GPU() \
  if (!test_device().is_cuda()) GTEST_SKIP() << "left out: needs DOMAINFUSION_TEST_DEVICE=cuda"

struct NormCase {
  std::int64_t images, channels, height, width, groups;
};

class GpuGroupNorm : public testing::TestWithParam<std::tuple<NormCase, at::ScalarType, bool>> {};

double relative_error(const at::Tensor& actual, const at::Tensor& expected) {
  const at::Tensor a = actual.to(at::kCPU, at::kDouble), e = expected.to(at::kCPU, at::kDouble);
  return ((a - e).square().mean() / e.square().mean()).sqrt().item<double>();
}

}  // namespace

TEST_P(GpuGroupNorm, GivesWhatLibtorchGivesInDouble) {
  NEEDS_GPU();
  const auto [c, type, silu] = GetParam();
  torch::manual_seed(1);
  const torch::NoGradGuard no_grad;
  // A large mean, about which sums of squares must not be taken.
  const at::Tensor x = (torch::randn({c.images, c.channels, c.height, c.width}) * 2 + 30).to(test_device(), type);
  const at::Tensor weight = (torch::rand({c.channels}) + 0.5).to(test_device(), type),
                   bias = torch::randn({c.channels}).to(test_device(), type);
  ASSERT_TRUE(suits_group_norm_cuda(x, weight, bias));
  const auto expected_of = [&](at::Tensor values) {
    values = at::group_norm(values.to(at::kCPU, at::kDouble), c.groups, weight.to(at::kCPU, at::kDouble),
                            bias.to(at::kCPU, at::kDouble), 1e-6);
    return silu ? at::silu(values) : values;
  };
  const double tolerance = type == at::kFloat ? 2e-6 : type == at::kHalf ? 6e-4 : 5e-3;
  for (const at::MemoryFormat format : {at::MemoryFormat::ChannelsLast, at::MemoryFormat::Contiguous}) {
    const at::Tensor y = group_norm_cuda(x.contiguous(format), c.groups, weight, bias, 1e-6, silu);
    EXPECT_TRUE(y.is_contiguous(at::MemoryFormat::ChannelsLast));
    EXPECT_EQ(y.scalar_type(), type);
    EXPECT_LT(relative_error(y, expected_of(x)), tolerance);
  }
  EXPECT_TRUE(group_norm_cuda(x, c.groups, weight, bias, 1e-6, silu)
                  .equal(group_norm_cuda(x, c.groups, weight, bias, 1e-6, silu)));
}

INSTANTIATE_TEST_SUITE_P(Shapes, GpuGroupNorm,
                         testing::Combine(testing::Values(NormCase{2, 320, 64, 64, 32}, NormCase{1, 2560, 8, 8, 32},
                                                          NormCase{3, 8, 5, 7, 2}, NormCase{1, 128, 1, 1, 32},
                                                          NormCase{5, 48, 16, 16, 8}),
                                          testing::Values(at::kFloat, at::kHalf, at::kBFloat16), testing::Bool()));

TEST(Gpu, GroupNormLeavesWhatItCannotDoToLibtorch) {
  NEEDS_GPU();
  const at::Tensor x = torch::randn({1, 6, 4, 4}).to(test_device()), ones = torch::ones({6}).to(test_device());
  EXPECT_FALSE(suits_group_norm_cuda(x, ones, ones));  // 24 bytes a pixel
  const at::Tensor wide = torch::randn({1, 8, 4, 4}).to(test_device()), eight = torch::ones({8}).to(test_device());
  EXPECT_TRUE(suits_group_norm_cuda(wide, eight, eight));
  EXPECT_FALSE(suits_group_norm_cuda(wide, eight.to(at::kHalf), eight));
  EXPECT_FALSE(suits_group_norm_cuda(wide, eight.cpu(), eight));
  EXPECT_FALSE(suits_group_norm_cuda(wide.detach().requires_grad_(), eight, eight));
  const PlainOperations plain;
  EXPECT_FALSE(suits_group_norm_cuda(wide, eight, eight));
}

TEST(Graphed, CallsAFunctionThatCannotBeRecordedEachTime) {
  int calls = 0;
  GraphedFunction twice([&calls](const std::vector<at::Tensor>& in) {
    ++calls;
    return in[0] * 2;
  });
  const torch::NoGradGuard no_grad;
  for (int i = 1; i <= 4; ++i) EXPECT_EQ(twice({torch::full({2}, i)})[1].item<int>(), 2 * i);
  EXPECT_EQ(calls, 4);
  EXPECT_EQ(twice.recordings(), 0u);
}

TEST(Graphed, AGpuRepliesWithTheInputsOfEachCall) {
  NEEDS_GPU();
  int calls = 0;
  GraphedFunction function([&calls](const std::vector<at::Tensor>& in) {
    ++calls;
    return at::silu(in[0]) + in[1];
  });
  const auto expect_right = [&](std::int64_t rows) {
    const at::Tensor a = torch::randn({rows, 3}).to(test_device()), b = torch::randn({rows, 3}).to(test_device());
    const at::Tensor first = function({a, b}), second = function({b, a});
    EXPECT_TRUE(first.equal(at::silu(a) + b));
    EXPECT_TRUE(second.equal(at::silu(b) + a));
  };
  {
    const torch::NoGradGuard no_grad;
    for (int i = 0; i < 3; ++i) expect_right(4);
    EXPECT_EQ(function.recordings(), 1u);
    EXPECT_EQ(calls, 3);  // once as it is, once to warm up, once to record
    for (int i = 0; i < 2; ++i) expect_right(5);
    EXPECT_EQ(function.recordings(), 2u);
    expect_right(4);
    for (std::int64_t rows = 6; rows < 30; ++rows) expect_right(rows);
    EXPECT_LE(function.recordings(), 8u);
    const PlainOperations plain;
    const int before = calls;
    expect_right(29);
    EXPECT_EQ(calls, before + 2);
  }
  const int before = calls;
  expect_right(29);  // gradients are on: nothing is recorded
  EXPECT_EQ(calls, before + 2);
}

namespace {

// A little network with batch norm, trained for some steps by `steps` calls of a function of it.
struct TrainedNetwork {
  explicit TrainedNetwork(at::Device device) {
    torch::manual_seed(3);
    net = torch::nn::Sequential(torch::nn::Conv2d(torch::nn::Conv2dOptions(3, 8, 3)), torch::nn::BatchNorm2d(8),
                                torch::nn::ReLU(), torch::nn::Conv2d(torch::nn::Conv2dOptions(8, 2, 3)));
    net->to(device);
  }
  at::Tensor loss(const std::vector<at::Tensor>& in) { return net->forward(in[0]).square().mean(); }
  void step() {
    const torch::NoGradGuard no_grad;
    for (at::Tensor& parameter : net->parameters()) {
      parameter.sub_(parameter.grad(), 0.1);
      parameter.mutable_grad() = at::Tensor();
    }
  }
  torch::nn::Sequential net{nullptr};
};

std::vector<at::Tensor> batches(std::int64_t count) {
  torch::manual_seed(4);
  std::vector<at::Tensor> list;
  for (std::int64_t i = 0; i < count; ++i) list.push_back(torch::randn({4, 3, 8, 8}).to(test_device()));
  return list;
}

}  // namespace

TEST(GraphedTraining, LearnsWhatPlainCallsLearn) {
  TrainedNetwork plain(test_device()), recorded(test_device());
  GraphedTraining loss([&](const std::vector<at::Tensor>& in) { return recorded.loss(in); }, recorded.net->parameters(),
                       recorded.net->buffers());
  for (const at::Tensor& batch : batches(6)) {
    const at::Tensor expected = plain.loss({batch}), actual = loss({batch});
    EXPECT_TRUE(actual.equal(expected));
    (expected * 2).backward();
    (actual * 2).backward();
    plain.step();
    recorded.step();
  }
  for (const auto& item : plain.net->named_parameters())
    EXPECT_TRUE(item.value().equal(recorded.net->named_parameters()[item.key()])) << item.key();
  for (const auto& item : plain.net->named_buffers())
    EXPECT_TRUE(item.value().equal(recorded.net->named_buffers()[item.key()])) << item.key();
  EXPECT_EQ(loss.recordings(), test_device().is_cuda() ? 1u : 0u);
}

TEST(GraphedTraining, AddsGradientsUpAndServesCallsThatOverlap) {
  TrainedNetwork plain(test_device()), recorded(test_device());
  GraphedTraining loss([&](const std::vector<at::Tensor>& in) { return recorded.loss(in); }, recorded.net->parameters(),
                       recorded.net->buffers());
  const std::vector<at::Tensor> data = batches(8);
  for (std::size_t i = 0; i + 1 < data.size(); i += 2) {
    // One after the other, without a step in between.
    for (const at::Tensor& batch : {data[i], data[i + 1]}) {
      plain.loss({batch}).backward();
      loss({batch}).backward();
    }
    // Two that wait for one gradient.
    (plain.loss({data[i]}) + plain.loss({data[i + 1]})).backward();
    (loss({data[i]}) + loss({data[i + 1]})).backward();
    plain.step();
    recorded.step();
  }
  for (const auto& item : plain.net->named_parameters()) {
    EXPECT_TRUE(at::allclose(item.value(), recorded.net->named_parameters()[item.key()], 1e-5, 1e-6)) << item.key();
  }
}

TEST(GraphedTraining, RefusesASecondGradient) {
  NEEDS_GPU();
  TrainedNetwork network(test_device());
  GraphedTraining loss([&](const std::vector<at::Tensor>& in) { return network.loss(in); }, network.net->parameters(),
                       network.net->buffers());
  for (const at::Tensor& batch : batches(2)) loss({batch}).backward();
  const at::Tensor last = loss({batches(1)[0]});
  last.backward({}, true);
  EXPECT_ANY_THROW(last.backward());
}

}  // namespace domainfusion
