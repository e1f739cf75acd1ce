#include "domainfusion/training/guards/source_split.h"

#include <algorithm>

#include "domainfusion/core/error.h"
#include "domainfusion/training/guards/source_view.h"

namespace domainfusion {
namespace {

std::vector<std::int64_t> held_out_domains(const DomainDataset& dataset, const TrainingConfig& config) {
  require_domains(dataset, 2, "training with a held-out domain");
  check<ConfigError>(!config.test_domain.empty(), "no test domain is given: choose one of {} with --test-domain",
                     fmt::join(dataset.domain_names(), ", "));
  std::vector<std::string> names{config.test_domain};
  if (!config.cross_validation_domain.empty()) {
    require_domains(dataset, 3, "leave-one-domain-out cross-validation");
    names.push_back(config.cross_validation_domain);
  }
  return dataset.domain_indices(names);
}

}  // namespace

SourceSplit split_sources(const std::shared_ptr<const DomainDataset>& dataset, const TrainingConfig& config) {
  SourceSplit split;
  split.held_out = held_out_domains(*dataset, config);
  const std::vector<std::int64_t> chosen =
      with_context("source_domains", [&] { return dataset->domain_indices(config.source_domains); });
  const auto holds = [](const std::vector<std::int64_t>& domains, std::int64_t domain) {
    return std::find(domains.begin(), domains.end(), domain) != domains.end();
  };
  for (const std::int64_t domain : chosen) {
    check<ConfigError>(!holds(split.held_out, domain),
                       "source_domains names '{}', which is held out: name other domains",
                       dataset->domain_names()[static_cast<std::size_t>(domain)]);
  }
  std::vector<SourceView::Part> in, out;
  std::vector<std::vector<std::int64_t>> out_indices;
  for (std::int64_t d = 0; d < dataset->number_of_domains(); ++d) {
    split.splits.push_back(with_context("domain '" + dataset->domain_names()[static_cast<std::size_t>(d)] + "'", [&] {
      return holdout_split(dataset->size(d), config.trial_seed, d, config.holdout_fraction);
    }));
    out_indices.push_back(split.splits.back().out);
    if (holds(split.held_out, d) || (!chosen.empty() && !holds(chosen, d))) continue;
    split.sources.push_back(d);
    in.push_back({d, split.splits.back().in});
    out.push_back({d, split.splits.back().out});
  }
  split.source_in = std::make_shared<SourceView>(dataset, std::move(in));
  split.source_out = std::make_shared<SourceView>(dataset, std::move(out));
  split.guard = std::make_unique<HoldoutGuard>(dataset, split.held_out, std::move(out_indices));
  return split;
}

}  // namespace domainfusion
