// Residual networks and vision transformers against torchvision's numbers (tests/parity/vision/README.txt: what was
// run, tolerances).
#include <gtest/gtest.h>
#include <torch/types.h>

#include <fstream>
#include <iostream>

#include "domainfusion/classifiers/backbones/vit.h"
#include "domainfusion/classifiers/classifier.h"
#include "domainfusion/io/weights/tensor_file.h"
#include "domainfusion/nn/state_dict.h"
#include "domainfusion/training/optimizers/adam.h"
#include "parity/case_folders.h"
#include "parity/tensor_comparison.h"
#include "test_device.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

struct VisionCase {
  fs::path folder;
  std::string name;
  friend void PrintTo(const VisionCase& c, std::ostream* out) { *out << (c.folder / c.name).string(); }
};

std::vector<VisionCase> vision_cases() {
  std::vector<VisionCase> cases;
  for (const fs::path& folder : case_folders("vision", "input.safetensors")) {
    for (const auto& entry : fs::directory_iterator(folder)) {
      if (entry.path().extension() != ".json") continue;
      const json description = json::parse(std::ifstream(entry.path()), nullptr, /*allow_exceptions=*/false);
      if (description.is_object() && description.contains("make")) cases.push_back({folder, entry.path().stem()});
    }
  }
  return cases;
}

// Empty if the case can be built; else the field that says why not. Fills `shape`.
std::string read_shape(const json& description, ResnetShape& shape) {
  const std::string make = description.at("make");
  const std::map<std::string, std::pair<std::array<int64_t, 4>, bool>> known = {{"narrow18", {{2, 2, 2, 2}, false}},
                                                                                {"narrow34", {{3, 4, 6, 3}, false}},
                                                                                {"narrow50", {{3, 4, 6, 3}, true}},
                                                                                {"narrow101", {{3, 4, 23, 3}, true}},
                                                                                {"narrow152", {{3, 8, 36, 3}, true}}};
  if (!known.count(make)) return "make = " + make;
  std::tie(shape.blocks, shape.bottleneck) = known.at(make);
  for (const auto& [key, value] : description.at("args").items()) {
    if (key == "base") {
      shape.width = value.get<int64_t>();
    } else if (key == "width_per_group") {
      shape.width_per_group = value.get<int64_t>();
    } else if (key == "groups") {
      shape.groups = value.get<int64_t>();
    } else if (key == "layers") {
      shape.blocks = value.get<std::array<int64_t, 4>>();
    } else {
      return "args." + key;
    }
  }
  return "";
}

// The same for vision transformers.
std::string read_shape(const json& description, VitShape& shape) {
  const std::map<std::string, int64_t VitShape::*> known = {
      {"image", &VitShape::image_size_px}, {"patch", &VitShape::patch},   {"layers", &VitShape::layers},
      {"heads", &VitShape::heads},         {"hidden", &VitShape::hidden}, {"mlp", &VitShape::mlp}};
  for (const auto& [key, value] : description.at("args").items()) {
    if (!known.count(key)) return "args." + key;
    shape.*known.at(key) = value.get<int64_t>();
  }
  return "";
}

// The network of a case, or null, and then `reason` says which field is not supported.
std::shared_ptr<Backbone> make_backbone(const json& description, std::string& reason) {
  if (description.at("make") == "vit") {
    VitShape shape;
    reason = read_shape(description, shape);
    return reason.empty() ? std::make_shared<Vit>(shape) : nullptr;
  }
  ResnetShape shape;
  reason = read_shape(description, shape);
  return reason.empty() ? std::make_shared<Resnet>(shape) : nullptr;
}

class Vision : public testing::TestWithParam<VisionCase> {
 protected:
  void SetUp() override {
    const auto [folder, name] = GetParam();
    const json description = json::parse(std::ifstream(folder / (name + ".json")));
    std::string reason;
    const auto backbone = make_backbone(description, reason);
    if (!backbone) {
      std::cout << "left out: " << (folder / name).string() << " (" << reason << " is not supported)\n";
      return;
    }
    const TensorMap input = load_tensors(folder / "input.safetensors");
    image_ = input.at("x").to(test_device());
    label_ = input.at("labels").to(test_device());
    expected_ = load_tensors(folder / (name + ".expected.safetensors"));
    order_ = description.at("grad_norm_order").get<std::vector<std::string>>();
    ClassifierConfig config;
    config.weights = folder / (name + ".safetensors");
    resnet_ = std::dynamic_pointer_cast<Resnet>(backbone);
    classifier_ = Classifier(backbone, config, description.at("classes").get<int64_t>(), 0);
    classifier_->to(test_device());
  }

  void expect_forward(const std::string& key, const at::Tensor& actual) {
    if (!expected_.count(key)) return;
    expect_close(actual, expected_.at(key), {.of_rms = 1e-4, .absolute = 1e-7}, key);
  }
  at::Tensor cross_entropy() { return torch::cross_entropy_loss(classifier_->forward(image_), label_); }

  at::Tensor image_, label_;
  TensorMap expected_;
  std::vector<std::string> order_;
  std::shared_ptr<Resnet> resnet_;  // null for other networks
  Classifier classifier_{nullptr};
};

}  // namespace

TEST_P(Vision, EvalModeForwardAndImageGradientAreTorchvisions) {
  if (classifier_.is_empty()) return;
  classifier_->eval();
  if (resnet_) {
    const auto stages = resnet_->stages(image_);
    expect_forward("eval.layer1.sample0", stages[0].narrow(0, 0, 1));
    expect_forward("eval.layer4", stages[3]);
  }
  expect_forward("eval.features", classifier_->features(image_));
  expect_forward("eval.logits", classifier_->forward(image_));
  if (!expected_.count("eval.grad.x0")) return;
  const at::Tensor x = image_.clone().requires_grad_();
  torch::cross_entropy_loss(classifier_->forward(x), label_).backward();
  const at::Tensor& reference = expected_.at("eval.grad.x0");
  expect_close(x.grad().narrow(0, 0, 1), reference, {.of_rms = 1e-3}, "eval.grad.x0");
}

TEST_P(Vision, TrainModeLossGradientsAndBuffersAreTorchvisions) {
  if (classifier_.is_empty()) return;
  const at::Tensor logits = classifier_->forward(image_);
  const at::Tensor loss = torch::cross_entropy_loss(logits, label_);
  loss.backward();
  expect_forward("train.logits", logits);
  expect_forward("train.loss", loss.view(1));
  const auto parameters = classifier_->named_parameters();
  const auto buffers = classifier_->named_buffers();
  for (const auto& [key, reference] : expected_) {
    if (key.starts_with("train.grad."))
      expect_close(parameters[key.substr(11)].grad(), reference, {.of_rms = 1e-3}, key);
    if (!key.starts_with("train.buffer.")) continue;
    const at::Tensor buffer = buffers[key.substr(13)];
    expect_close(buffer, reference, {.of_rms = 1e-4}, key);
  }
  const at::Tensor norms = expected_.at("train.grad_norms");
  ASSERT_EQ(norms.numel(), static_cast<int64_t>(order_.size()));
  for (std::size_t i = 0; i < order_.size(); ++i) {
    const double reference = norms[static_cast<int64_t>(i)].item<double>();
    EXPECT_NEAR(parameters[order_[i]].grad().norm().item<double>(), reference, 1e-3 * reference + 1e-6) << order_[i];
  }
}

TEST_P(Vision, FiveAdamStepsAreTorchs) {
  if (classifier_.is_empty()) return;
  Adam adam(classifier_->parameters(), {.lr = 2e-4, .weight_decay = 1e-4});
  const at::Tensor losses = expected_.at("adam.losses");
  for (int64_t i = 0; i < losses.numel(); ++i) {
    adam.zero_grad();
    const at::Tensor loss = cross_entropy();
    EXPECT_NEAR(loss.item<double>(), losses[i].item<double>(), 1e-4 * losses[i].item<double>()) << "step " << i;
    loss.backward();
    adam.step();
  }
  const auto parameters = classifier_->named_parameters();
  for (const auto& [key, reference] : expected_) {
    if (key.starts_with("adam.param.")) expect_close(parameters[key.substr(11)], reference, {.absolute = 5e-5}, key);
  }
  classifier_->eval();
  const at::Tensor& reference = expected_.at("adam.eval_logits");
  expect_close(classifier_->forward(image_), reference, {.of_rms = 1e-3, .absolute = 1e-3}, "adam.eval_logits");
}

TEST(VisionCheckpoints, HoldTheTensorsThatPythonReadsFromThem) {
  int checkpoints = 0;
  for (const fs::path& folder : case_folders("vision", "input.safetensors")) {
    for (const auto& entry : fs::directory_iterator(folder)) {
      if (entry.path().extension() != ".pth") continue;
      const TensorMap read = load_tensors(entry.path());
      const TensorMap expected = load_tensors(fs::path(entry.path()).replace_extension(".safetensors"));
      ASSERT_EQ(read.size(), expected.size()) << entry.path();
      for (const auto& [name, tensor] : expected) EXPECT_TRUE(torch::equal(read.at(name), tensor)) << name;
      ++checkpoints;
    }
  }
  EXPECT_GE(checkpoints, 1);
}

INSTANTIATE_TEST_SUITE_P(Cases, Vision, testing::ValuesIn(vision_cases()));

}  // namespace domainfusion
