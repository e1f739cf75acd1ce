#include "domainfusion/classifiers/backbones/clip_vit.h"
#include "domainfusion/classifiers/backbones/resnet.h"
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

// The networks of torchvision and CLIP have 12 heads of 64 channels; `width` scales them.
VitShape base_shape(const ClassifierConfig& config, int64_t patch) {
  check<ConfigError>(config.stem == Stem::kImagenet,
                     "classifier.stem = small is a stem of residual networks; {} is a vision transformer: leave it out",
                     config.backbone);
  VitShape shape;
  shape.image_size_px = config.image_size_px;
  shape.patch = patch;
  shape.hidden = shape.heads * config.width;
  shape.mlp = 4 * shape.hidden;
  return shape;
}

auto vit(int64_t patch) {
  return [patch](const ClassifierConfig& config) -> std::unique_ptr<Backbone> {
    return std::make_unique<Vit>(base_shape(config, patch));
  };
}

auto clip_vit(int64_t patch) {
  return [patch](const ClassifierConfig& config) -> std::unique_ptr<Backbone> {
    return std::make_unique<ClipVit>(base_shape(config, patch), config.clip_projection ? 8 * config.width : 0);
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
    r.add("vit_b_16", "vision transformer, patches of 16 px, 85.8 M parameters", vit(16));
    r.add("vit_b_32", "vision transformer, patches of 32 px, 87.5 M parameters", vit(32));
    r.add("clip_vit_b_16", "CLIP's image encoder, patches of 16 px, 86.2 M parameters", clip_vit(16));
    r.add("clip_vit_b_32", "CLIP's image encoder, patches of 32 px, 87.8 M parameters", clip_vit(32));
    return r;
  }();
  return registry;
}

}  // namespace domainfusion
