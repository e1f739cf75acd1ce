#include "domainfusion/training/algorithms/mixing/mode.h"

#include <torch/types.h>
#include <torch/utils.h>

#include "domainfusion/distributed/row_share.h"

namespace domainfusion {
namespace {

class EvalScope {
 public:
  explicit EvalScope(Classifier& classifier) : classifier_(classifier), was_training_(classifier->is_training()) {
    classifier_->eval();
  }
  ~EvalScope() { classifier_->train(was_training_); }
  EvalScope(const EvalScope&) = delete;
  EvalScope& operator=(const EvalScope&) = delete;

 private:
  Classifier& classifier_;
  bool was_training_;
};

std::int64_t one_of(std::int64_t count, RandomStream& stream) {
  return static_cast<std::int64_t>(stream.below(static_cast<std::uint64_t>(count)));
}

// A table of [images, num_mix]: the image itself, then what `pick(k)` gives for k = 1 …
template <class Pick>
at::Tensor own_and_picked(std::int64_t images, std::int64_t num_mix, Pick pick) {
  std::vector<std::int64_t> table;
  for (std::int64_t image = 0; image < images; ++image) {
    table.push_back(image);
    for (std::int64_t k = 1; k < num_mix; ++k) table.push_back(pick(k));
  }
  return torch::tensor(table, torch::kLong).view({images, num_mix});
}

std::vector<std::int64_t> images_of(const at::Tensor& domain_N, std::int64_t domain) {
  const at::Tensor places = (domain_N == domain).nonzero().flatten().contiguous();
  return {places.data_ptr<std::int64_t>(), places.data_ptr<std::int64_t>() + places.numel()};
}

}  // namespace

void ModeConfig::describe(ConfigFields& fields) {
  fields.integer("num_mix", num_mix, {1, 64}, "styles that are mixed, the image's own included (K)");
  fields.real("gamma", gamma, {0, 1}, "share of the mixture in the new style; the rest is the image's own");
  fields.real("beta", beta, {0, 1}, "weight of the loss of restyled images; that of raw ones has 1 - beta");
  search.describe(fields);
}

at::Tensor random_styles(std::int64_t images, std::int64_t num_mix, RandomStream stream) {
  return own_and_picked(images, num_mix, [&](std::int64_t) { return one_of(images, stream); });
}

at::Tensor styles_of_each_domain(const at::Tensor& domain_N, std::int64_t sources, std::int64_t num_mix,
                                 RandomStream stream) {
  const std::int64_t images = domain_N.size(0);
  if (num_mix != sources + 1) return random_styles(images, num_mix, std::move(stream));
  std::vector<std::vector<std::int64_t>> of_domain;
  for (std::int64_t d = 0; d < sources; ++d) of_domain.push_back(images_of(domain_N, d));
  return own_and_picked(images, num_mix, [&](std::int64_t k) {
    const auto& choices = of_domain[static_cast<std::size_t>(k - 1)];
    if (choices.empty()) return one_of(images, stream);
    return choices[static_cast<std::size_t>(one_of(static_cast<std::int64_t>(choices.size()), stream))];
  });
}

// The search goes forward and back through the frozen classifier in each step, which costs two thirds of training.
PlannedWork Mode::planned_work(const WorkSizes& sizes) const {
  const auto images = static_cast<double>(sizes.batch_size * sizes.sources * sizes.steps);
  PlannedWork work;
  work.classifier_images = images * (3 + 2 * static_cast<double>(config_.search.move_steps));
  return work;
}

at::Tensor Mode::styled_images(std::int64_t step, const Batch& raw, StepRecord& record) {
  const c10::NoGradGuard no_grad;
  const EvalScope eval(context().classifier);
  const StyleContent own = split(raw.image_NCHW);
  Ranks* const ranks = batch_ranks();
  Batch whole = raw;  // but for its images
  at::Tensor styles = own.style;
  if (ranks != nullptr) {
    for (at::Tensor* rows : {&whole.label_N, &whole.domain_N, &whole.index_N}) *rows = gathered_rows(*rows, *ranks);
    styles = gathered_rows(own.style, *ranks);
  }
  at::Tensor index_NK =
      style_index(whole, {context().seed, name_, {static_cast<std::uint64_t>(step)}}).to(own.style.device());
  if (ranks != nullptr) index_NK = own_rows(index_NK, *ranks);
  const auto image_of = [&](const at::Tensor& weight_NK) {
    const at::Tensor mixture = mixed_styles(styles, index_NK, weight_NK);
    return joined({own.style * (1 - config_.gamma) + mixture * config_.gamma, own.content});
  };
  const StyleSearch search = search_style_weights(
      raw.size(), config_.num_mix, own.style.options(), config_.search,
      [&](const at::Tensor& weight_NK) { return classification_loss(logits(image_of(weight_NK)), raw.label_N); });
  record.scalars["loss_search_first"] = search.first_loss;
  record.scalars["loss_search_last"] = search.last_loss;
  return image_of(normalised_style_weights(search.a_NK));
}

at::Tensor Mode::loss(std::int64_t step, const Batch& raw, StepRecord& record) {
  const std::int64_t images = raw.size();
  const at::Tensor all = logits(torch::cat({raw.image_NCHW, styled_images(step, raw, record)}));
  const at::Tensor own = raw_loss(all.narrow(0, 0, images), raw, record);
  const at::Tensor styled = classification_loss(all.narrow(0, images, images), raw.label_N);
  record.scalars["loss_raw"] = own.item<double>();
  record.scalars["loss_styled"] = styled.item<double>();
  return (1 - config_.beta) * own + config_.beta * styled;
}

}  // namespace domainfusion
