// The Fourier decomposition against numpy's numbers (tests/parity/fourier/README.txt: what was run, tolerances).
#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <ostream>

#include "domainfusion/augmentation/styles/fourier.h"
#include "domainfusion/io/weights/tensor_file.h"
#include "parity/case_folders.h"

namespace domainfusion {
namespace {

struct FourierCase {
  std::filesystem::path file;
  std::string tag;
  friend void PrintTo(const FourierCase& c, std::ostream* out) { *out << c.file.string() << " " << c.tag; }
};

std::vector<FourierCase> fourier_cases() {
  std::vector<FourierCase> cases;
  for (const auto& folder : case_folders("fourier", "fourier.safetensors")) {
    const auto file = folder / "fourier.safetensors";
    for (const auto& [name, tensor] : load_tensors(file)) {
      if (name.ends_with(".content")) cases.push_back({file, name.substr(0, name.find('.'))});
    }
  }
  return cases;
}

class FourierParity : public ::testing::TestWithParam<FourierCase> {
 protected:
  void SetUp() override {
    for (const auto& [name, tensor] : load_tensors(GetParam().file)) {
      if (name.starts_with(GetParam().tag + ".")) {
        values_[name.substr(GetParam().tag.size() + 1)] = tensor.to(at::kDouble).unsqueeze(0);
      }
    }
  }
  // Cases named `prefix` and a number: (number, expected image).
  std::vector<std::pair<double, at::Tensor>> numbered(const std::string& prefix) const {
    std::vector<std::pair<double, at::Tensor>> found;
    for (const auto& [name, tensor] : values_) {
      if (name.starts_with(prefix)) found.emplace_back(std::stod(name.substr(prefix.size())), tensor);
    }
    return found;
  }
  static void expect_image(const at::Tensor& actual, const at::Tensor& expected) {
    ASSERT_EQ(actual.sizes(), expected.sizes());
    EXPECT_LE((actual - expected).abs().max().item<double>(), 1e-5);
  }
  std::map<std::string, at::Tensor> values_;
};

TEST_P(FourierParity, amplitudes_and_phases_are_numpys) {
  const StyleContent parts = fourier_spectrum(values_.at("content"));
  const at::Tensor& amplitude = values_.at("amp_content");
  EXPECT_TRUE(at::allclose(parts.style, amplitude, 1e-4, 1e-7));
  const at::Tensor difference = parts.content - values_.at("phase_content");
  const at::Tensor turned = at::atan2(difference.sin(), difference.cos()).abs();
  EXPECT_LE(turned.masked_select(amplitude > 1e-3).max().item<double>(), 1e-3);
}

TEST_P(FourierParity, swaps_and_mixes_are_numpys) {
  for (at::ScalarType dtype : {at::kDouble, at::kFloat}) {
    const StyleContent content = fourier_spectrum(values_.at("content").to(dtype));
    const StyleContent style = fourier_spectrum(values_.at("style").to(dtype));
    const auto combined = [&](double mix, double window) {
      return image_from_spectrum(mix_amplitudes(content.style, style.style, mix, window), content.content);
    };
    expect_image(combined(1, 0), values_.at("swap"));
    for (const auto& [mix, image] : numbered("mix")) expect_image(combined(mix, 0), image);
    for (const auto& [window, image] : numbered("lowfreq_swap")) expect_image(combined(1, window), image);
  }
}

TEST_P(FourierParity, phase_alone_gives_numpys_image) {
  const StyleContent content = fourier_spectrum(values_.at("content"));
  const at::Tensor constant = content.style.mean().expand_as(content.style);
  expect_image(image_from_spectrum(constant, content.content), values_.at("phase_only"));
}

TEST_P(FourierParity, gradient_with_respect_to_the_amplitude_is_the_reference_s) {
  const StyleContent content = fourier_spectrum(values_.at("content"));
  const at::Tensor amplitude = content.style.detach().requires_grad_(true);
  const at::Tensor image = image_from_spectrum(amplitude, content.content);
  const at::Tensor gradient = torch::autograd::grad({(image * values_.at("g")).sum()}, {amplitude})[0];
  const at::Tensor& expected = values_.at("grad_amp");
  EXPECT_LE((gradient - expected).abs().max().item<double>(), 1e-4 * expected.abs().max().item<double>());
}

INSTANTIATE_TEST_SUITE_P(Cases, FourierParity, ::testing::ValuesIn(fourier_cases()));

}  // namespace
}  // namespace domainfusion
