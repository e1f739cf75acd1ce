#pragma once
// Where a classifier looks: Grad-CAM (Selvaraju et al., ICCV 2017).

#include <ATen/core/Tensor.h>

#include "domainfusion/classifiers/classifier.h"

namespace domainfusion {

// Maps [N, h, w], float32 on the CPU, 0 … 1 (the largest of each image is 1, or all are 0): ReLU of the sum over
// channels c of a_c A_c, with A the last maps that still have places and a_c the mean over places of d logit / d A_c
// (eq. 1 and 2). A is the output of a ResNet's last stage; of a vision transformer what the last block's attention gets
// of the patches. `classifier` in eval mode; image_NCHW as its forward takes it; class_N int64. ConfigError for other
// backbones.
at::Tensor grad_cam(Classifier& classifier, const at::Tensor& image_NCHW, const at::Tensor& class_N);

}  // namespace domainfusion
