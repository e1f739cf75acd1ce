#include "domainfusion/classifiers/classifier.h"

namespace domainfusion {
namespace {

auto resnet(std::array<int64_t, 4> blocks, bool bottleneck) {
  return [blocks, bottleneck](const ClassifierConfig& config) -> std::unique_ptr<Backbone> {
    ResnetShape shape;
    shape.blocks = blocks;
    shape.bottleneck = bottleneck;
    shape.width = config.width;
    shape.stem = config.stem;
    return std::make_unique<Resnet>(shape);
  };
}

}  // namespace

const BackboneRegistry& backbones() {
  static const BackboneRegistry registry = [] {
    BackboneRegistry r("backbone");
    r.add("resnet18", "residual network, 18 layers, 11.2 M parameters", resnet({2, 2, 2, 2}, false));
    r.add("resnet34", "residual network, 34 layers, 21.3 M parameters", resnet({3, 4, 6, 3}, false));
    r.add("resnet50", "residual network with bottlenecks, 50 layers, 23.5 M parameters", resnet({3, 4, 6, 3}, true));
    r.add("resnet101", "residual network with bottlenecks, 101 layers, 42.5 M parameters", resnet({3, 4, 23, 3}, true));
    return r;
  }();
  return registry;
}

}  // namespace domainfusion
