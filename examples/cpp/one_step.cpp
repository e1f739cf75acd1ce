// one_step LDM IMAGE OUT.png: makes a new image of another style with an LDM, and trains a classifier for a step on
// both.
#include <torch/nn/functional/loss.h>

#include <iostream>

#include "domainfusion/classifiers/classifier.h"
#include "domainfusion/data/transforms/image_tensor.h"
#include "domainfusion/data/transforms/resize.h"
#include "domainfusion/diffusion/generation/image_to_image.h"
#include "domainfusion/training/optimizers/adam.h"

using namespace domainfusion;

int main(int argc, char** argv) {
  if (argc != 4) return std::cerr << "usage: one_step LDM IMAGE OUT.png\n", 2;
  const LatentDiffusion ldm = LatentDiffusion::load(argv[1]);
  const auto size = static_cast<int>(ldm.image_size_px());
  const at::Tensor image = image_to_tensor01(resize(read_image(argv[2]), size, size, Filter::kBicubic)).unsqueeze(0);

  ImageToImageRequest request;
  request.image01_N3HW = image;
  request.prompts = {"a cat, watercolour"};
  request.noise_streams = {RandomStream(0, "example", {0})};
  const at::Tensor made = image_to_image(ldm, request);
  write_png(argv[3], tensor01_to_image(made[0]));

  Classifier network(ClassifierConfig{.stem = Stem::kSmall, .width = 16}, /*classes=*/7, /*seed=*/0);
  Adam optimizer(network->parameters(), {.lr = 1e-3});
  const at::Tensor labels = at::zeros({2}, at::kLong);
  const at::Tensor loss =
      torch::nn::functional::cross_entropy(network->forward(normalise(at::cat({image, made}))), labels);
  loss.backward();
  optimizer.step();
  std::cout << "loss " << loss.item<double>() << "\n";
}
