#include "domainfusion/training/algorithms/shared/domain_algorithm.h"

#include <torch/types.h>
#include <torch/utils.h>

namespace domainfusion {
namespace {

struct Rows {
  std::int64_t first, count;
};

// Of the domains of a batch, which stand one after the other.
std::vector<Rows> rows_of_domains(const at::Tensor& domain_N) {
  const at::Tensor ids = domain_N.contiguous();
  const auto* id = ids.data_ptr<std::int64_t>();
  std::vector<Rows> rows;
  for (std::int64_t i = 0; i < ids.numel(); ++i) {
    if (i == 0 || id[i] != id[i - 1]) rows.push_back({i, 0});
    ++rows.back().count;
  }
  return rows;
}

}  // namespace

void DomainAlgorithm::describe(ConfigFields& fields) {
  struct Options {
    DomainAlgorithm& algorithm;
    void describe(ConfigFields& own) { algorithm.options(own); }
  } own{*this};
  fields.group(name_, own);
}

std::vector<Batch> DomainAlgorithm::by_domain(const Batch& raw) {
  std::vector<Batch> domains;
  for (const auto& [first, count] : rows_of_domains(raw.domain_N)) {
    domains.push_back({raw.image_NCHW.narrow(0, first, count), raw.label_N.narrow(0, first, count),
                       raw.domain_N.narrow(0, first, count), raw.index_N.narrow(0, first, count)});
  }
  return domains;
}

at::Tensor DomainAlgorithm::domain_places(const Batch& raw) const {
  at::Tensor places = torch::empty({raw.size()}, torch::kLong);
  std::int64_t place = 0;
  for (const auto& [first, count] : rows_of_domains(raw.domain_N)) places.narrow(0, first, count).fill_(place++);
  return places.to(raw.label_N.device());
}

AnswersByDomain DomainAlgorithm::answers_together(const Batch& raw, StepRecord& record) {
  const at::Tensor feature_NF = features(raw.image_NCHW), logits_NK = classify(feature_NF);
  count_fit(logits_NK, raw, record);
  AnswersByDomain answers;
  std::vector<at::Tensor> losses;
  for (const auto& [first, count] : rows_of_domains(raw.domain_N)) {
    answers.features_NF.push_back(feature_NF.narrow(0, first, count));
    answers.logits_NK.push_back(logits_NK.narrow(0, first, count));
    answers.label_N.push_back(raw.label_N.narrow(0, first, count));
    losses.push_back(classification_loss(answers.logits_NK.back(), answers.label_N.back()));
  }
  answers.loss_D = torch::stack(losses);
  return answers;
}

AnswersByDomain DomainAlgorithm::answers_apart(const Batch& raw, StepRecord& record) {
  AnswersByDomain answers;
  std::vector<at::Tensor> losses;
  for (const Batch& domain : by_domain(raw)) {
    answers.features_NF.push_back(features(domain.image_NCHW));
    answers.logits_NK.push_back(classify(answers.features_NF.back()));
    answers.label_N.push_back(domain.label_N);
    losses.push_back(classification_loss(answers.logits_NK.back(), domain.label_N));
  }
  count_fit(torch::cat(answers.logits_NK), raw, record);
  answers.loss_D = torch::stack(losses);
  return answers;
}

std::vector<at::Tensor> DomainAlgorithm::parameters() const { return context().classifier->parameters(); }

void DomainAlgorithm::need_domains(std::int64_t least) const {
  const std::int64_t sources = context().environments;
  check<ConfigError>(sources >= least, "the algorithm {} needs at least {} source domains; this run has {}", name_,
                     least, sources);
}

void DomainAlgorithm::need_images(std::int64_t least) const {
  check<ConfigError>(context().config.loader.batch_size >= least,
                     "the algorithm {} needs at least {} images of each source domain in a batch: raise "
                     "loader.batch_size, which is {}",
                     name_, least, context().config.loader.batch_size);
}

double DomainAlgorithm::scheduled(double lr, std::int64_t step) const {
  OptimizerConfig other = context().config.optimizer;
  other.lr = lr;
  return other.lr_at(step, context().total_steps);
}

std::unique_ptr<StepDraws> DomainAlgorithm::draws(std::int64_t step) const {
  if (draws_) return draws_(step);
  return std::make_unique<StepDraws>(RandomStream(context().seed, name_, {static_cast<std::uint64_t>(step)}));
}

}  // namespace domainfusion
