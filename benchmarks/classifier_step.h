#pragma once
// One training step of a classifier on a batch in memory: what ERM's step is beside the loader.

#include <torch/types.h>

#include "domainfusion/classifiers/classifier.h"
#include "domainfusion/training/optimizers/adam.h"

namespace domainfusion {

class ClassifierStep {
 public:
  // ResNet-18 with 7 classes; the small stem below 128 px.
  ClassifierStep(std::int64_t size_px, std::int64_t batch)
      : classifier(config_for(size_px), 7, 0),
        image_NCHW(torch::randn({batch, 3, size_px, size_px})),
        label_N(torch::randint(7, {batch}, torch::kInt64)),
        adam_(classifier->parameters(), {.lr = 1e-4}) {}

  // Forward, cross-entropy plus what `more(logits_NK)` returns, backward, Adam.
  template <class More>
  void run(More more) {
    adam_.zero_grad();
    const at::Tensor logits_NK = classifier->forward(image_NCHW);
    (torch::cross_entropy_loss(logits_NK, label_N) + more(logits_NK)).backward();
    adam_.step();
  }
  void run() {
    run([](const at::Tensor&) { return 0; });
  }

  Classifier classifier;
  at::Tensor image_NCHW, label_N;

 private:
  static ClassifierConfig config_for(std::int64_t size_px) {
    ClassifierConfig config;
    config.stem = size_px < 128 ? Stem::kSmall : Stem::kImagenet;
    return config;
  }
  Adam adam_;
};

}  // namespace domainfusion
