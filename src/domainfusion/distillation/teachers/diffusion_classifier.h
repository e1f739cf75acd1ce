#pragma once
// The LDM as a classifier that teaches: its posterior over the classes, by Bayes' rule from how well each class's
// prompt denoises the image (Li et al., Your Diffusion Model is Secretly a Zero-Shot Classifier, ICCV 2023, eq. 5),
// becomes a soft label:
//
//   e_k = mean over draws of |eps_phi(z_t, t, c_k) - eps|^2    summed over the latent; t and eps are shared by all k
//   q   = softmax(-e / temperature)
//   L   = weight * mean_i KL(q_i || softmax(theta(x_i)))       both over the classes that are scored for image i
//
// Beyond the paper: unlike the score it says which class, and its gradient p - q does not vanish as p goes to 1. It
// costs a U-Net pass per class scored: max_classes caps them at the label and those that the classifier finds
// likeliest.

#include "domainfusion/distillation/teachers/distillation_teacher.h"

namespace domainfusion {

class DiffusionClassifier final : public DistillationTeacher {
 public:
  using DistillationTeacher::DistillationTeacher;

  TeacherStep teach(const DistillationBatch& batch, std::int64_t step) override;
  TeacherCost cost() const override;

  // Classes to be scored, int64 [N, S], S = min(K, max_classes), ascending in each row: the label, and the most
  // probable of the others (at equal logits the lower index). For logits [N, K] and labels [N] on the CPU.
  at::Tensor scored_classes(const at::Tensor& logits_NK, const at::Tensor& label_N) const;
  // The LDM's log posterior over `classes_NS`, float32 [N, S], of latents z [N, C, h, w] of `keys` at `step`.
  at::Tensor log_posterior(const at::Tensor& z_NChw, const at::Tensor& classes_NS, const std::vector<ImageKey>& keys,
                           std::int64_t step) const;

 private:
  at::Tensor latents(const Drawn& drawn);
  at::Tensor squared_errors(const at::Tensor& z_t_NChw, const NoiseDraw& noise, const at::Tensor& classes_NS) const;
  std::int64_t scored() const;

  std::map<ImageKey, at::Tensor> kept_;  // z of raw images, without graph
  std::int64_t kept_bytes_ = 0;
};

}  // namespace domainfusion
