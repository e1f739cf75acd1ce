#include "domainfusion/evaluation/looks/grad_cam.h"

#include <torch/csrc/autograd/autograd.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <cmath>

#include "domainfusion/classifiers/backbones/vit.h"
#include "domainfusion/core/error.h"

namespace domainfusion {
namespace {

// Catches the maps that a backbone makes while the object lives, as leaves of the graph behind them.
class MapCatcher {
 public:
  explicit MapCatcher(Backbone& backbone)
      : resnet_(dynamic_cast<Resnet*>(&backbone)), transformer_(dynamic_cast<Transformer*>(&backbone)) {
    check<ConfigError>(resnet_ != nullptr || transformer_ != nullptr,
                       "Grad-CAM needs maps with places: it is there for ResNets and vision transformers");
    if (resnet_ != nullptr)
      resnet_->set_stage_transform([this](int stage, const at::Tensor& x) { return stage == 4 ? caught(x) : x; });
    if (transformer_ != nullptr) transformer_->set_token_transform([this](const at::Tensor& x) { return caught(x); });
  }
  ~MapCatcher() {
    if (resnet_ != nullptr) resnet_->set_stage_transform({});
    if (transformer_ != nullptr) transformer_->set_token_transform({});
  }
  MapCatcher(const MapCatcher&) = delete;
  MapCatcher& operator=(const MapCatcher&) = delete;

  const at::Tensor& leaf() const { return leaf_; }
  // [N, C, h, w] of a tensor like the leaf; the class token has no place.
  at::Tensor map_of(const at::Tensor& x) const {
    if (transformer_ == nullptr) return x;
    const auto side = static_cast<std::int64_t>(std::lround(std::sqrt(static_cast<double>(x.size(1) - 1))));
    return x.narrow(1, 1, side * side).transpose(1, 2).reshape({x.size(0), x.size(2), side, side});
  }

 private:
  at::Tensor caught(const at::Tensor& x) { return leaf_ = x.detach().requires_grad_(true); }

  Resnet* resnet_;
  Transformer* transformer_;
  at::Tensor leaf_;
};

}  // namespace

at::Tensor grad_cam(Classifier& classifier, const at::Tensor& image_NCHW, const at::Tensor& class_N) {
  const torch::AutoGradMode with_gradients(true);
  const MapCatcher catcher(classifier->backbone());
  const at::Tensor logits_NK = classifier->forward(image_NCHW);
  // In eval mode no image has a part in another one's logits.
  const at::Tensor score = logits_NK.gather(1, class_N.to(logits_NK.device()).unsqueeze(1)).sum();
  const at::Tensor gradient = catcher.map_of(torch::autograd::grad({score}, {catcher.leaf()})[0]);
  const at::Tensor map = catcher.map_of(catcher.leaf()).detach();
  const at::Tensor cam_Nhw = (gradient.mean({2, 3}, true) * map).sum(1).relu();
  const at::Tensor largest = cam_Nhw.amax({1, 2}, true);
  return torch::where(largest > 0, cam_Nhw / largest, torch::zeros_like(cam_Nhw)).to(at::kCPU, at::kFloat);
}

}  // namespace domainfusion
