#include "domainfusion/evaluation/looks/image_answers.h"

#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>

#include "domainfusion/core/random/random.h"
#include "domainfusion/data/batch.h"
#include "domainfusion/data/protocol/split.h"

namespace domainfusion {
namespace {

constexpr std::size_t kBatchOfLooks = 64;

std::vector<std::int64_t> drawn_indices(std::vector<std::int64_t> indices, std::int64_t domain, std::int64_t most) {
  if (std::ssize(indices) > most) {
    const auto order = RandomStream(0, "looks", {static_cast<std::uint64_t>(domain)}).permutation(std::ssize(indices));
    std::vector<std::int64_t> drawn;
    for (std::int64_t i = 0; i < most; ++i)
      drawn.push_back(indices[static_cast<std::size_t>(order[static_cast<std::size_t>(i)])]);
    indices = std::move(drawn);
  }
  std::sort(indices.begin(), indices.end());
  return indices;
}

// Of the images of a batch.
void add_answers(const DomainDataset& dataset, const Batch& batch, const at::Tensor& logits_NK, DomainAnswers& domain) {
  const at::Tensor log_NK = logits_NK.to(at::kDouble).log_softmax(1);
  const auto answer_N = logits_NK.argmax(1);
  for (std::int64_t i = 0; i < batch.size(); ++i) {
    ImageAnswer answer;
    answer.domain = batch.domain_N[i].item<std::int64_t>();
    answer.index = batch.index_N[i].item<std::int64_t>();
    answer.path = dataset.info(answer.domain, answer.index).path;
    answer.label = batch.label_N[i].item<std::int64_t>();
    answer.answer = answer_N[i].item<std::int64_t>();
    answer.probability = log_NK[i][answer.answer].exp().item<double>();
    answer.own_probability = log_NK[i][answer.label].exp().item<double>();
    answer.loss = -log_NK[i][answer.label].item<double>();
    domain.answers.push_back(std::move(answer));
  }
}

}  // namespace

std::vector<DomainAnswers> image_answers(TrainedModel& model, const DomainDataset& dataset, bool with_held_out,
                                         std::int64_t most) {
  const torch::NoGradGuard no_grad;
  const TrainingConfig& config = model.config;
  std::vector<DomainAnswers> held_out, sources;
  for (std::int64_t d = 0; d < dataset.number_of_domains(); ++d) {
    const std::string& name = dataset.domain_names()[static_cast<std::size_t>(d)];
    DomainAnswers domain{name, name == config.test_domain || name == config.cross_validation_domain, 0, {}, {}};
    if ((domain.held_out && !with_held_out) || dataset.size(d) < 2) continue;
    Split split = holdout_split(dataset.size(d), config.trial_seed, d, config.holdout_fraction);
    std::vector<std::int64_t> indices = domain.held_out ? std::move(split.in) : std::move(split.out);
    domain.images = std::ssize(indices);
    indices = drawn_indices(std::move(indices), d, most);
    std::vector<at::Tensor> features;
    for (std::size_t begin = 0; begin < indices.size(); begin += kBatchOfLooks) {
      const auto part = std::span(indices).subspan(begin, std::min(kBatchOfLooks, indices.size() - begin));
      const Batch batch = evaluation_batch(dataset, d, part, config.loader.image_size_px);
      const at::Tensor feature_NF = model.classifier->features(batch.image_NCHW.to(model.device));
      features.push_back(feature_NF.to(at::kCPU, at::kFloat));
      add_answers(dataset, batch, model.classifier->classify(feature_NF).to(at::kCPU), domain);
    }
    domain.feature_NF = torch::cat(features);
    (domain.held_out ? held_out : sources).push_back(std::move(domain));
  }
  held_out.insert(held_out.end(), std::make_move_iterator(sources.begin()), std::make_move_iterator(sources.end()));
  return held_out;
}

}  // namespace domainfusion
