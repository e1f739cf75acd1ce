#include "domainfusion/evaluation/models/torchscript_export.h"

#include <torch/csrc/jit/frontend/tracer.h>
#include <torch/script.h>

#include <sstream>

#include "domainfusion/core/random/random_tensor.h"
#include "domainfusion/data/transforms/image_tensor.h"

namespace domainfusion {
namespace {

using Script = torch::jit::Module;

constexpr const char* kProgram = R"(
def preprocess(self, image: Tensor) -> Tensor:
    assert image.dim() == 4 and (image.size(1) == 3 or image.size(1) == 4), "expected images [N, 3, H, W], or 4 with alpha, uint8 or floating point in [0, 1]"
    x = image.to(self.mean)
    if not image.is_floating_point():
        x = x / 255
    if x.size(1) == 4:
        opacity = x[:, 3:]
        x = x[:, :3]
        if self.alpha == "white":
            x = x * opacity + (1 - opacity)
            if not image.is_floating_point():
                x = torch.round(x * 255) / 255
    size = self.image_size_px
    if image.size(2) != size or image.size(3) != size:
        x = torch._upsample_bilinear2d_aa(x, [size, size], False)
        if not image.is_floating_point():
            x = torch.round(torch.clamp(x, 0., 1.) * 255) / 255
    return (x - self.mean) / self.std

def forward(self, image: Tensor) -> Tensor:
    return self.network.forward(self.preprocess(image))
)";

// The tree of a module's parameters and buffers; they are shared with it.
Script mirrored(const torch::nn::Module& module, const std::shared_ptr<torch::jit::CompilationUnit>& unit) {
  Script script(c10::QualifiedName("__torch__.domainfusion.Module"), unit, /*shouldMangle=*/true);
  for (const auto& item : module.named_parameters(/*recurse=*/false))
    script.register_parameter(item.key(), item.value(), false);
  for (const auto& item : module.named_buffers(/*recurse=*/false)) script.register_buffer(item.key(), item.value());
  for (const auto& item : module.named_children()) script.register_module(item.key(), mirrored(*item.value(), unit));
  return script;
}

// `classifier` with a forward that was recorded while it ran.
Script traced(Classifier& classifier, std::int64_t size_px, const std::shared_ptr<torch::jit::CompilationUnit>& unit) {
  Script script = mirrored(*classifier, unit);
  const auto run = [&](torch::jit::Stack inputs) {
    return torch::jit::Stack{classifier->forward(inputs.at(0).toTensor())};
  };
  const auto recorded = torch::jit::tracer::trace({torch::zeros({2, 3, size_px, size_px})}, run,
                                                  [](const at::Tensor&) { return std::string(); }, /*strict=*/true,
                                                  /*force_outplace=*/false, &script, {"image"});
  const c10::QualifiedName name(*script.type()->name(), "forward");
  script.type()->addMethod(unit->create_function(name, recorded.first->graph));
  return script;
}

at::Tensor channels(const std::array<float, 3>& values) {
  return torch::tensor({values[0], values[1], values[2]}).view({3, 1, 1});
}

Script program_of(TrainedModel& model) {
  const auto unit = std::make_shared<torch::jit::CompilationUnit>();
  Script script(c10::QualifiedName("__torch__.domainfusion.ImageClassifier"), unit);
  const std::int64_t size_px = model.config.loader.image_size_px;
  c10::List<std::string> names;
  for (const std::string& name : model.class_names) names.push_back(name);
  script.register_attribute("class_names", c10::ListType::ofStrings(), names);
  script.register_attribute("alpha", c10::StringType::get(), name_of(model.config.data.alpha));
  script.register_attribute("image_size_px", c10::IntType::get(), size_px);
  script.register_buffer("mean", channels(kImageNetMean));
  script.register_buffer("std", channels(kImageNetStd));
  script.register_module("network", traced(model.classifier, size_px, unit));
  script.define(kProgram);
  return script;
}

// What the run's option makes of image01_N4HW.
at::Tensor without_alpha(const at::Tensor& image01_N4HW, Alpha alpha) {
  const at::Tensor colour = image01_N4HW.narrow(1, 0, 3), opacity = image01_N4HW.narrow(1, 3, 1);
  return alpha == Alpha::kDrop ? colour : ((colour * opacity + (1 - opacity)) * 255).round() / 255;
}

// The program must give the classifier's logits for images of the network's size, whatever their number, with and
// without alpha.
void check_program(const std::string& bytes, TrainedModel& model) {
  std::istringstream stream(bytes);
  Script script = torch::jit::load(stream);
  script.eval();
  const std::int64_t size_px = model.config.loader.image_size_px;
  for (const auto& [n, channels] : {std::pair<std::int64_t, std::int64_t>{1, 3}, {3, 3}, {2, 4}}) {
    RandomStream random(0, "export check", {static_cast<std::uint64_t>(n)});
    const at::Tensor byte_NCHW =
        (normal_tensor(random, {n, channels, size_px, size_px}) * 64 + 128).clamp(0, 255).to(torch::kUInt8);
    const at::Tensor theirs = script.forward({byte_NCHW}).toTensor();
    const at::Tensor image01 = byte_NCHW.to(torch::kFloat32) / 255;
    const at::Tensor ours =
        model.classifier->forward(normalise(channels == 4 ? without_alpha(image01, model.config.data.alpha) : image01));
    const double allowed = 1e-4 * (1 + ours.abs().max().item<double>());
    const double difference = (theirs - ours).abs().max().item<double>();
    check(difference <= allowed,
          "the TorchScript program differs from the model by {} in its logits (allowed: {}); it is not "
          "written",
          difference, allowed);
  }
}

}  // namespace

std::string torchscript_of(TrainedModel& model) {
  const torch::NoGradGuard no_grad;
  model.classifier->eval();
  std::ostringstream stream;
  program_of(model).save(stream);
  std::string bytes = stream.str();
  check_program(bytes, model);
  return bytes;
}

}  // namespace domainfusion
