#include "domainfusion/data/verification/set_counts.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace domainfusion {
namespace {

void compare_classes(const SetCounts& counts, std::size_t domain, const KnownDataset& known,
                     const std::vector<std::int64_t>& expected, std::vector<std::string>& differences) {
  for (std::size_t c = 0; c < known.class_names.size(); ++c) {
    const std::string& name = known.class_names[c];
    std::int64_t found = 0;
    for (std::size_t own = 0; own < counts.class_names.size(); ++own) {
      if (known.class_place(counts.class_names[own]) == static_cast<std::ptrdiff_t>(c))
        found += counts.images[domain][own];
    }
    if (found == expected[c]) continue;
    differences.push_back(fmt::format("domain '{}', class '{}': {} images, {} has {}", counts.domain_names[domain],
                                      name, found, known.name, expected[c]));
  }
}

void compare_domain(const SetCounts& counts, std::size_t domain, const KnownDataset& known,
                    std::vector<std::string>& differences) {
  const std::string& name = counts.domain_names[domain];
  const std::ptrdiff_t place = known.domain_place(name);
  if (place < 0) return;
  const auto at = static_cast<std::size_t>(place);
  const std::int64_t found = counts.of_domain(domain), expected = known.images[at];
  if (expected > 0 && found != expected) {
    differences.push_back(fmt::format("domain '{}': {} images, {} has {}", name, found, known.name, expected));
  }
  if (!known.images_of_class[at].empty()) {
    compare_classes(counts, domain, known, known.images_of_class[at], differences);
  }
}

}  // namespace

std::int64_t SetCounts::of_domain(std::size_t domain) const {
  return std::accumulate(images[domain].begin(), images[domain].end(), std::int64_t{0});
}

std::int64_t SetCounts::total() const {
  std::int64_t sum = 0;
  for (std::size_t d = 0; d < images.size(); ++d) sum += of_domain(d);
  return sum;
}

std::string SetCounts::table() const {
  std::size_t first = 5;
  for (const std::string& name : class_names) first = std::max(first, name.size());
  std::string text = fmt::format("{:<{}}", "", first);
  std::vector<std::size_t> widths;
  for (const std::string& name : domain_names) {
    widths.push_back(std::max<std::size_t>(name.size(), 7) + 2);
    text += fmt::format("{:>{}}", name, widths.back());
  }
  text += fmt::format("{:>9}\n", "all");
  const auto line = [&](const std::string& name, const auto& of_domain_) {
    std::int64_t sum = 0;
    text += fmt::format("{:<{}}", name, first);
    for (std::size_t d = 0; d < domain_names.size(); ++d) {
      text += fmt::format("{:>{}}", of_domain_(d), widths[d]);
      sum += of_domain_(d);
    }
    text += fmt::format("{:>9}\n", sum);
  };
  for (std::size_t c = 0; c < class_names.size(); ++c)
    line(class_names[c], [&](std::size_t d) { return images[d][c]; });
  if (class_names.size() > 1) line("all", [&](std::size_t d) { return of_domain(d); });
  return text;
}

SetCounts count_images(const DomainDataset& dataset) {
  SetCounts counts{dataset.domain_names(), dataset.class_names(), {}};
  for (std::int64_t d = 0; d < dataset.number_of_domains(); ++d) {
    auto& of_class = counts.images.emplace_back(static_cast<std::size_t>(dataset.number_of_classes()));
    for (std::int64_t i = 0; i < dataset.size(d); ++i) ++of_class[static_cast<std::size_t>(dataset.info(d, i).label)];
  }
  return counts;
}

SetCounts counts_of(const KnownDataset& known) {
  const bool by_class = std::all_of(known.images_of_class.begin(), known.images_of_class.end(),
                                    [](const auto& of_class) { return !of_class.empty(); });
  if (by_class) return {known.domain_names, known.class_names, known.images_of_class};
  SetCounts counts{known.domain_names, {"all"}, {}};
  for (const std::int64_t images : known.images) counts.images.push_back({images});
  return counts;
}

std::vector<std::string> differences_from_known(const SetCounts& counts, const KnownDataset& known, bool all_domains) {
  std::vector<std::string> differences;
  for (const std::string& name : counts.domain_names) {
    if (known.domain_place(name) < 0) {
      differences.push_back(fmt::format("domain '{}': {} has no such domain", name, known.name));
    }
  }
  for (const std::string& name : counts.class_names) {
    if (!known.class_names.empty() && known.class_place(name) < 0) {
      differences.push_back(fmt::format("class '{}': {} has no such class", name, known.name));
    }
  }
  for (std::size_t d = 0; all_domains && d < known.domain_names.size(); ++d) {
    const bool here = std::any_of(counts.domain_names.begin(), counts.domain_names.end(), [&](const auto& name) {
      return known.domain_place(name) == static_cast<std::ptrdiff_t>(d);
    });
    if (!here) differences.push_back(fmt::format("domain '{}' of {} is missing", known.domain_names[d], known.name));
  }
  for (std::size_t d = 0; d < counts.domain_names.size(); ++d) compare_domain(counts, d, known, differences);
  return differences;
}

}  // namespace domainfusion
