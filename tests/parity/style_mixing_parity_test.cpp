// MixStyle and EFDMix against Python's numbers (tests/parity/style_mixing/PROVENANCE.md).
#include <gtest/gtest.h>
#include <torch/torch.h>

#include "domainfusion/augmentation/style_mixing.h"
#include "domainfusion/io/tensor_file.h"
#include "parity/case_folders.h"
#include "parity/tensor_comparison.h"

namespace domainfusion {
namespace {

using Mix = at::Tensor (*)(const at::Tensor& x, const at::Tensor& style, const at::Tensor& own);

at::Tensor by_statistics(const at::Tensor& x, const at::Tensor& style, const at::Tensor& own) {
  return mix_statistics(x, style, own);
}

class StyleMixingParity : public ::testing::TestWithParam<std::filesystem::path> {
 protected:
  TensorMap values_ = load_tensors(GetParam() / "style_mixing.safetensors");

  void expect_method(const std::string& name, Mix mix) {
    const at::Tensor x = values_.at("mix.x").clone().requires_grad_();
    const at::Tensor out = mix(x, x.index_select(0, values_.at("mix.partner")), values_.at("mix.own"));
    expect_close(out, values_.at(name + ".out"), {.absolute = 1e-9}, name + " output");
    const at::Tensor gradient = torch::autograd::grad({(out * values_.at("mix.cotangent")).sum()}, {x})[0];
    expect_close(gradient, values_.at(name + ".gradient"), {.absolute = 1e-9}, name + " gradient");
  }
};

TEST_P(StyleMixingParity, mixstyle_gives_pythons_maps_and_gradients) { expect_method("mixstyle", &by_statistics); }

TEST_P(StyleMixingParity, efdmix_gives_pythons_maps_and_gradients) { expect_method("efdmix", &match_distribution); }

INSTANTIATE_TEST_SUITE_P(Cases, StyleMixingParity,
                         ::testing::ValuesIn(case_folders("style_mixing", "style_mixing.safetensors")),
                         [](const auto& info) { return "case" + std::to_string(info.index); });

}  // namespace
}  // namespace domainfusion
