#include "domainfusion/nn/state_dict.h"

#include <gtest/gtest.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/linear.h>
#include <torch/types.h>

#include <array>
#include <functional>
#include <span>

#include "domainfusion/core/error.h"
#include "domainfusion/nn/initialise.h"
#include "io/formats/made_checkpoint.h"
#include "temporary_folder.h"

namespace domainfusion {
namespace {

torch::nn::Sequential two_layers() { return torch::nn::Sequential(torch::nn::Linear(3, 4), torch::nn::Linear(4, 2)); }

template <class ErrorType>
std::string error_of(torch::nn::Sequential& module, const TensorMap& weights) {
  try {
    load_state_dict(*module, weights, "the file", {".position_ids"});
    return "accepted";
  } catch (const ErrorType& error) {
    return error.what();
  }
}

}  // namespace

TEST(StateDict, WeightsSurviveAFileInHalfPrecision) {
  const TemporaryFolder folder;
  auto a = two_layers(), b = two_layers();
  TensorMap weights = state_dict_of(*a);
  for (auto& [name, tensor] : weights) tensor = tensor.to(at::kHalf);
  save_tensors(folder / "w.safetensors", weights, {{"format", "pt"}});
  load_state_dict(*b, load_tensors(folder / "w.safetensors"), "w");
  for (const auto& [name, tensor] : state_dict_of(*b)) {
    EXPECT_EQ(tensor.scalar_type(), at::kFloat);
    EXPECT_TRUE(tensor.allclose(state_dict_of(*a).at(name), 1e-3, 1e-3)) << name;
  }
}

TEST(StateDict, TensorsOfAnyStridesAreStoredRowMajor) {
  const TemporaryFolder folder;
  const at::Tensor matrix = torch::arange(6).view({2, 3});
  save_tensors(folder / "t.safetensors", {{"t", matrix.t()}});
  EXPECT_TRUE(load_tensors(folder / "t.safetensors").at("t").equal(matrix.t()));
}

TEST(StateDict, FloatsOfEightBitsAreReadAsFloat32) {
  const TemporaryFolder folder;
  const std::array<std::uint8_t, 4> codes{0x38, 0x40, 0xB8, 0x7E};
  write_safetensors(folder / "w.safetensors", {{"w", TensorType::kF8E4M3, {2, 2}, std::as_bytes(std::span(codes))}});
  const at::Tensor w = load_tensors(folder / "w.safetensors").at("w");
  EXPECT_TRUE(w.equal(torch::tensor({1.0f, 2.0f, -1.0f, 448.0f}).view({2, 2})));
}

TEST(StateDict, OnlyANeededTensorOfAnotherTypeIsAnError) {
  const TemporaryFolder folder;
  const std::array<std::uint32_t, 2> values{1, 2};
  const auto bytes = std::as_bytes(std::span(values));
  write_safetensors(folder / "w.safetensors", {{"w", TensorType::kF32, {2}, bytes},
                                               {"counter", TensorType::kU64, {}, bytes},
                                               {"new", TensorType::kOther, {3}, bytes, {}, "F6_E2M3"}});
  testing::internal::CaptureStderr();
  EXPECT_EQ(load_tensors(folder / "w.safetensors").size(), 1u);
  EXPECT_NE(testing::internal::GetCapturedStderr().find("left out (2): counter (U64), new (F6_E2M3)"),
            std::string::npos);
  const WeightsFile file = WeightsFile::open(folder / "w.safetensors");
  EXPECT_NE(message_of<FormatError>([&] {
              load_tensors(file, [](const std::string& name) { return name == "counter"; });
            }).find("'counter' is of type U64"),
            std::string::npos);
  copy_tensors(folder / "copy.safetensors", file);
  EXPECT_EQ(type_name(*SafetensorsFile::open(folder / "copy.safetensors").find("new")), "F6_E2M3");
}

// A header may claim any number of elements of a storage of one.
TEST(StateDict, ExpandedTensorsTakeNoMoreMemoryThanTheirFilesSizeAllows) {
  const TemporaryFolder folder;
  const std::int64_t side = 1 << 21;
  std::string pickle = "}" + pickled_text("w") + pickled_tensor({}) + "s" + pickled_text("mask") +
                       pickled_tensor({.count = 1, .shape = {side, side}, .strides = {0, 0}}) + "s.";
  folder.write("w.pth", made_checkpoint(pickle));
  const WeightsFile file = WeightsFile::open(folder / "w.pth");
  ASSERT_EQ(file.tensors().size(), 2u);
  EXPECT_EQ(load_tensors(file, [](const std::string& name) { return name == "w"; }).size(), 1u);
  for (const auto& action : {std::function<void()>([&] { load_tensors(folder / "w.pth"); }),
                             std::function<void()>([&] { copy_tensors(folder / "copy.safetensors", file); })}) {
    const std::string message = message_of<FormatError>(action);
    EXPECT_NE(message.find("up to 'mask' take"), std::string::npos) << message;
  }
  // Names of one storage are as many tensors.
  pickle = "}";
  for (int i = 0; i < 400; ++i) {
    pickle += pickled_text("w" + std::to_string(i)) +
              pickled_tensor({.count = 1 << 16, .shape = {1 << 16}, .strides = {1}}) + "s";
  }
  folder.write("many.pth", made_checkpoint(pickle + ".", 4 << 16));
  EXPECT_NE(message_of<FormatError>([&] { load_tensors(folder / "many.pth"); }).find("share storages"),
            std::string::npos);
}

TEST(StateDict, AnEmptyTensorIsAMarkNotAWeight) {
  auto module = two_layers();
  TensorMap weights = state_dict_of(*module);
  weights["scaled_fp8"] = torch::zeros({0});
  EXPECT_EQ(error_of<FormatError>(module, weights), "accepted");
}

TEST(StateDict, TensorsOfACheckpointAreItsElementsWhateverTheirStrides) {
  const auto folder = std::filesystem::path(DOMAINFUSION_TEST_DIR) / "io/pytorch";
  for (const char* name : {"shared.pth", "shared_legacy.pth"}) {
    const TensorMap tensors = load_tensors(folder / name);
    const at::Tensor base = torch::arange(12, torch::kFloat);
    EXPECT_TRUE(tensors.at("base").equal(base));
    EXPECT_TRUE(tensors.at("transposed").equal(base.view({3, 4}).t()));
    EXPECT_TRUE(tensors.at("transposed").is_contiguous());
    EXPECT_TRUE(tensors.at("every_other").equal(base.slice(0, 1, 12, 2)));
  }
  EXPECT_EQ(load_tensors(folder / "zip.pth").at("brain").scalar_type(), at::kBFloat16);
}

TEST(StateDict, MappedTensorsOutliveTheFileAndNeverChangeIt) {
  const TemporaryFolder folder;
  save_tensors(folder / "w.safetensors", {{"w", torch::arange(6, torch::kFloat)}});
  const at::Tensor w = load_tensors(folder / "w.safetensors").at("w");
  w.add_(1);
  EXPECT_TRUE(load_tensors(folder / "w.safetensors").at("w").equal(torch::arange(6, torch::kFloat)));
  std::filesystem::remove(folder / "w.safetensors");
  EXPECT_TRUE(w.equal(torch::arange(1, 7, torch::kFloat)));
}

TEST(StateDict, AdoptedWeightsAreNotCopiedWhereTheTypeAgrees) {
  const TemporaryFolder folder;
  auto a = two_layers(), b = two_layers();
  TensorMap weights = state_dict_of(*a);
  weights["1.weight"] = weights["1.weight"].to(at::kBFloat16);
  save_tensors(folder / "w.safetensors", weights);
  const TensorMap mapped = load_tensors(folder / "w.safetensors");
  adopt_state_dict(*b, mapped, "w");
  const TensorMap loaded = state_dict_of(*b);
  EXPECT_EQ(loaded.at("0.weight").data_ptr(), mapped.at("0.weight").data_ptr());
  EXPECT_EQ(loaded.at("1.weight").scalar_type(), at::kFloat);
  EXPECT_TRUE(b->forward(torch::ones({2, 3})).allclose(a->forward(torch::ones({2, 3})), 1e-2, 1e-2));
  EXPECT_THROW(adopt_state_dict(*b, {}, "w"), FormatError);
}

TEST(StateDict, AllWrongShapesAreListedTogetherAndNothingIsCopied) {
  auto module = two_layers();
  const at::Tensor before = module->parameters()[0].detach().clone();
  TensorMap weights = state_dict_of(*two_layers());
  weights["0.bias"] = torch::zeros({5});
  weights["1.weight"] = torch::zeros({2, 5});
  weights["1.bias"] = torch::zeros({2}, torch::kLong);
  const std::string message = error_of<ShapeError>(module, weights);
  for (const char* part :
       {"the file", "0.bias is [5], expected [4]", "1.weight is [2, 5], expected [2, 4]", "1.bias is Long"}) {
    EXPECT_NE(message.find(part), std::string::npos) << message;
  }
  EXPECT_TRUE(module->parameters()[0].equal(before));
}

TEST(StateDict, MissingAndUnexpectedNamesAreListedTogether) {
  auto module = two_layers();
  TensorMap weights = state_dict_of(*module);
  weights.erase("0.bias");
  weights.erase("1.bias");
  weights["2.weight"] = torch::zeros({1});
  weights["text.position_ids"] = torch::zeros({1}, torch::kLong);
  const std::string message = error_of<FormatError>(module, weights);
  EXPECT_NE(message.find("missing (2): 0.bias; 1.bias"), std::string::npos) << message;
  EXPECT_NE(message.find("unexpected (1): 2.weight"), std::string::npos) << message;
}

TEST(Initialise, StartValuesDependOnSeedAndNameAlone) {
  auto a = two_layers(), b = two_layers(), c = two_layers();
  initialise_parameters(*a, 7, "net");
  torch::rand({3});  // a use of the global generator changes nothing
  initialise_parameters(*b, 7, "net");
  initialise_parameters(*c, 8, "net");
  for (std::size_t i = 0; i < 4; ++i) EXPECT_TRUE(a->parameters()[i].equal(b->parameters()[i]));
  EXPECT_FALSE(a->parameters()[0].equal(c->parameters()[0]));
  EXPECT_LE(a->parameters()[0].abs().max().item<float>(), 1 / std::sqrt(3.f));
}

}  // namespace domainfusion
