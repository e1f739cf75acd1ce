// MixStyle, EFDMix and the search of MODE against Python's numbers (tests/parity/style_mixing/PROVENANCE.md).
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/types.h>

#include "domainfusion/augmentation/styles/adain.h"
#include "domainfusion/augmentation/styles/fourier.h"
#include "domainfusion/augmentation/styles/style_mixing.h"
#include "domainfusion/augmentation/styles/style_search.h"
#include "domainfusion/io/weights/tensor_file.h"
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

  // `parts` of "<method>.x", put together by `joined`; each step of the search and the images at its end.
  template <class Joined>
  void expect_search(const std::string& method, double gamma, const StyleContent& parts, Joined joined) {
    const std::string name = fmt::format("{}.gamma{:.1f}", method, gamma);
    const at::Tensor index = values_.at("mode.style_index");
    const auto image_of = [&](const at::Tensor& weight_NK) {
      return joined(parts.style * (1 - gamma) + mixed_styles(parts.style, index, weight_NK) * gamma, parts.content);
    };
    const auto loss = [&](const at::Tensor& weight_NK) {
      const at::Tensor logits = image_of(weight_NK).flatten(1).matmul(values_.at(method + ".head").t());
      return torch::cross_entropy_loss(logits, values_.at("mode.label"));
    };
    const at::Tensor course = values_.at(name + ".course");
    at::Tensor a;
    for (std::int64_t steps = 1; steps <= course.size(0); ++steps) {
      const StyleSearchConfig config{steps, 0.05};
      a = search_style_weights(index.size(0), index.size(1), torch::kFloat64, config, loss).a_NK;
      expect_close(a, course[steps - 1], {.absolute = 1e-9}, fmt::format("{} after {} steps", name, steps));
    }
    expect_close(image_of(normalised_style_weights(a)), values_.at(name + ".out"), {.absolute = 1e-9}, name);
  }
};

TEST_P(StyleMixingParity, mixstyle_gives_pythons_maps_and_gradients) { expect_method("mixstyle", &by_statistics); }

TEST_P(StyleMixingParity, efdmix_gives_pythons_maps_and_gradients) { expect_method("efdmix", &match_distribution); }

TEST_P(StyleMixingParity, mode_f_searches_as_python_does) {
  for (const double gamma : {1.0, 0.6}) {
    expect_search("mode_f", gamma, fourier_spectrum(values_.at("mode_f.x")), &image_from_spectrum);
  }
}

TEST_P(StyleMixingParity, mode_a_searches_as_python_does) {
  for (const double gamma : {1.0, 0.6}) {
    expect_search("mode_a", gamma, adain_statistics(values_.at("mode_a.x"), /*unbiased=*/true),
                  [](const at::Tensor& style, const at::Tensor& content) { return apply_adain(content, style); });
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, StyleMixingParity,
                         ::testing::ValuesIn(case_folders("style_mixing", "style_mixing.safetensors")),
                         [](const auto& info) { return "case" + std::to_string(info.index); });

}  // namespace
}  // namespace domainfusion
