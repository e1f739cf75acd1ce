#include "domainfusion/distillation/distillation_config.h"

#include <algorithm>

namespace domainfusion {

void LatentCurveConfig::describe(ConfigFields& f) {
  f.integer("points", points, {0, 33},
            "nodes K of an image's curve: 5, 9, 17 or 33; 0 takes the smallest that passes the gate");
  f.integer("gate_images", gate_images, {1, 4096}, "images on which the gate compares g with the exact g");
  f.real("max_rms_error", max_rms_error, {0, 1}, "gate: largest rms error of g, relative to the rms of the exact g");
  f.real("min_sign_agreement", min_sign_agreement, {0, 1}, "gate: least share of g with the sign of the exact g");
  f.text("folder", folder,
         "folder for the nodes in memory-mapped files, which runs of the same LDM, split and K share, also at the same "
         "time; empty: in memory, for this run alone");
  f.integer("limit_mb", limit_mb, {1, std::int64_t{1} << 30},
            "largest size of the nodes in MiB; a larger need is an error");
}

void DiffusionClassifierConfig::describe(ConfigFields& f) {
  f.real("weight", weight, {0, 1e6}, "weight of the divergence between the LDM's posterior and the classifier's");
  f.real("temperature", temperature, {1e-6, 1e6},
         "divides the LDM's log posterior: above 1 it is softer than the LDM says");
  f.integer("draws", draws, {1, 10000}, "draws of timestep and noise per image and step, shared by its classes");
  f.integer("max_classes", max_classes, {2, 100000},
            "classes scored per image: its label and those that the classifier finds likeliest");
  f.integer("limit_mb", limit_mb, {0, std::int64_t{1} << 30},
            "encoded images are kept in memory up to this size in MiB");
}

void DistillationConfig::describe(ConfigFields& f) {
  f.text("teacher", teacher,
         "what the LDM teaches: score (the paper: its residual re-weights images), or diffusion_classifier (its "
         "posterior over "
         "the classes is a soft label)");
  f.choice("lambda_ld_mode", lambda_ld_mode, {{"share", LambdaMode::kShare}, {"fixed", LambdaMode::kFixed}},
           "share: scale the loss so that the batch mean of lambda |g| p is `share`; fixed: multiply it by lambda_ld");
  f.real("lambda_ld", lambda_ld, {0, 1e12}, "weight of the distillation loss in mode fixed");
  f.real("share", share, {0, 1e6}, "size of the distillation gradient in mode share; that of cross-entropy is 1");
  f.choice("g_mode", g_mode, {{"raw", GradientMode::kRaw}, {"centered", GradientMode::kCentered}},
           "raw: g as it is; centered: g minus its batch mean");
  f.choice("control", control,
           {{"none", GradientControl::kNone},
            {"batch_mean", GradientControl::kBatchMean},
            {"shuffled", GradientControl::kShuffled}},
           "control experiments: g replaced by its batch mean, or shuffled over the batch");
  f.choice("weighting", weighting,
           {{"sigma2", TimestepWeighting::kSigma2},
            {"uniform", TimestepWeighting::kUniform},
            {"snr", TimestepWeighting::kSnr}},
           "w(t): sigma2 = 1 - alphas_cumprod, uniform = 1, snr = min(SNR, 5)");
  f.integer("t_min", t_min, {0, 100000}, "smallest timestep drawn");
  f.integer("t_max", t_max, {0, 100000}, "largest timestep drawn");
  f.choice(
      "jacobian", jacobian, {{"dropped", UnetJacobian::kDropped}, {"full", UnetJacobian::kFull}},
      "dropped: score distillation, the U-Net is not differentiated; full: differentiate w(t) mean(r^2) through it");
  f.choice("encoder", encoder,
           {{"exact", EncoderForm::kExact}, {"difference", EncoderForm::kDifference}, {"curve", EncoderForm::kCurve}},
           "how z(p) and dz/dp come about: back-propagation, central difference, or interpolation of cached nodes");
  f.real("difference_step", difference_step, {1e-5, 0.25}, "step h in p of the central difference");
  f.real("fraction", fraction, {0, 1},
         "share of the batch that enters the LDM in a step; 0: 1 on a GPU, 0.25 on a CPU");
  f.choice("view", view, {{"plain", DistillationView::kPlain}, {"augmented", DistillationView::kAugmented}},
           "what the LDM sees: the plain image, or the classifier's augmented view");
  f.choice("images", images, {{"raw", DistilledImages::kRaw}, {"raw_and_synthetic", DistilledImages::kRawAndSynthetic}},
           "images to distil: those of the data set, or, as in the paper, also those that rounds have made");
  f.real("guidance", guidance, {0, 1000}, "classifier-free guidance scale; 1 skips the unconditional pass");
  f.text("prompt", prompt, "prompt template; {class} stands for the name of the image's class");
  f.integer("images_per_pass", images_per_pass, {1, 65536}, "images that pass through the LDM at once");
  f.group("curve", curve);
  f.group("diffusion_classifier", classifier);
}

void DistillationConfig::validate() const {
  check<ConfigError>(t_min <= t_max, "t_min = {} is above t_max = {}: exchange them", t_min, t_max);
  distillation_prompt(prompt, "class");
  if (teacher != "score") {
    check<ConfigError>(
        guidance == 1 && control == GradientControl::kNone && g_mode == GradientMode::kRaw,
        "distillation.teacher = {}: guidance, control and g_mode belong to the teacher score: leave them at their "
        "defaults",
        teacher);
    return;
  }
  check<ConfigError>(
      encoder != EncoderForm::kCurve || view == DistillationView::kPlain,
      "encoder = curve keeps one curve per plain image, so view = augmented cannot use it: take encoder = "
      "exact or difference, or view = plain");
  check<ConfigError>(
      encoder != EncoderForm::kCurve || images == DistilledImages::kRaw,
      "encoder = curve keeps one curve per image of the data set, and rounds replace synthetic images: with "
      "images = raw_and_synthetic take encoder = exact or difference");
  check<ConfigError>(
      g_mode != GradientMode::kCentered || control != GradientControl::kBatchMean,
      "control = batch_mean replaces g by its batch mean, which is zero in g_mode = centered: take g_mode = "
      "raw, or control = shuffled");
  const std::int64_t k = curve.points;
  check<ConfigError>(k == 0 || k == 5 || k == 9 || k == 17 || k == 33,
                     "curve.points = {}: expected 5, 9, 17, 33, or 0 for the smallest that passes the gate", k);
}

std::string distillation_prompt(const std::string& prompt_template, const std::string& class_name) {
  std::string name = class_name, prompt;
  std::replace_if(
      name.begin(), name.end(), [](char c) { return c == '_' || c == '-'; }, ' ');
  std::size_t position = 0;
  for (std::size_t open; (open = prompt_template.find('{', position)) != std::string::npos;) {
    const std::size_t close = prompt_template.find('}', open);
    const std::string word = prompt_template.substr(open, close == std::string::npos ? close : close - open + 1);
    check<ConfigError>(word == "{class}", "prompt template '{}' holds '{}': the only placeholder is {{class}}",
                       prompt_template, word);
    prompt += prompt_template.substr(position, open - position) + name;
    position = close + 1;
  }
  return prompt + prompt_template.substr(position);
}

}  // namespace domainfusion
