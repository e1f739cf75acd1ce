#include "domainfusion/evaluation/tables/result_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "domainfusion/core/error.h"
#include "domainfusion/core/json_context.h"
#include "domainfusion/core/json_text.h"

namespace domainfusion {
namespace {

using Cells = std::vector<std::vector<std::string>>;

void add_once(std::vector<std::string>& list, const std::string& name) {
  if (std::find(list.begin(), list.end(), name) == list.end()) list.push_back(name);
}

std::string percent(const MeanAndError& value, std::size_t runs) {
  if (runs < 2) return fmt::format("{:.1f}", 100 * value.mean);
  return fmt::format("{:.1f} ± {:.1f}", 100 * value.mean, 100 * value.standard_error);
}

// Characters on the screen: bytes that do not continue a UTF-8 sequence.
std::size_t width_of(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

std::string padded(const std::string& text, std::size_t width, bool left) {
  const std::string space(width - std::min(width, width_of(text)), ' ');
  return left ? text + space : space + text;
}

std::string tested_text(const std::string& system, const TestRecord& test,
                        const std::vector<std::string>& class_names) {
  return fmt::format("{} on '{}', never seen in training: {:.1f} %\n", system, test.domain, 100 * test.accuracy) +
         text_table(class_cells(test.confusion, class_names));
}

std::string latex_text(const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text.compare(i, 2, "±") == 0) {
      out += "$\\pm$";
      ++i;
    } else {
      if (std::string_view("%&#_${}").find(text[i]) != std::string_view::npos) out += '\\';
      out += text[i];
    }
  }
  return out;
}

std::string csv_text(const std::string& text) {
  if (text.find_first_of(",\"\n") == std::string::npos) return text;
  std::string out = "\"";
  for (const char c : text) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + "\"";
}

}  // namespace

void ResultTable::add(const std::string& system, const std::string& domain, double accuracy) {
  add_once(systems_, system);
  add_once(domains_, domain);
  values_[{system, domain}].push_back(accuracy);
}

void ResultTable::expect(const std::string& system, const std::string& domain, std::size_t runs) {
  add_once(systems_, system);
  add_once(domains_, domain);
  expected_[{system, domain}] = runs;
}

std::string ResultTable::cell(const std::string& system, const std::string& domain) const {
  const auto found = values_.find({system, domain});
  if (found == values_.end()) return "-";
  const std::size_t runs = found->second.size();
  const auto expected = expected_.find({system, domain});
  const std::string text = percent(mean_and_error(found->second), runs);
  if (expected == expected_.end() || runs >= expected->second) return text;
  return fmt::format("{} ({} of {})", text, runs, expected->second);
}

std::string ResultTable::mean_cell(const std::string& system) const {
  double sum = 0;
  for (const std::string& domain : domains_) {
    const auto found = values_.find({system, domain});
    if (found == values_.end()) return "-";
    sum += mean_and_error(found->second).mean;
  }
  return fmt::format("{:.1f}", 100 * sum / static_cast<double>(domains_.size()));
}

Cells ResultTable::cells() const {
  Cells rows(1, {head_});
  for (const std::string& domain : domains_) rows[0].push_back(domain);
  if (domains_.size() > 1) rows[0].push_back("mean");
  rows[0].insert(rows[0].end(), facts_.begin(), facts_.end());
  std::string group;
  for (const std::string& system : systems_) {
    const auto own_group = groups_.find(system);
    if (own_group != groups_.end() && own_group->second != group) {
      group = own_group->second;
      rows.emplace_back(rows[0].size())[0] = fmt::format("[{}]", group);
    }
    auto& row = rows.emplace_back(1, system);
    for (const std::string& domain : domains_) row.push_back(cell(system, domain));
    if (domains_.size() > 1) row.push_back(mean_cell(system));
    for (const std::string& head : facts_) row.push_back(fact(system, head));
  }
  return rows;
}

void ResultTable::add_fact(const std::string& system, const std::string& head, const std::string& text) {
  add_once(facts_, head);
  fact_of_[{system, head}] = text;
}

std::string ResultTable::fact(const std::string& system, const std::string& head) const {
  const auto found = fact_of_.find({system, head});
  return found == fact_of_.end() ? "" : found->second;
}

std::string ResultTable::text() const { return text_table(cells()); }
std::string ResultTable::markdown() const { return markdown_table(cells()); }

std::string ResultTable::latex() const { return latex_table(cells()); }

std::vector<ResultTable::Cell> ResultTable::entries() const {
  std::vector<Cell> list;
  for (const std::string& system : systems_) {
    for (const std::string& domain : domains_) {
      Cell& cell = list.emplace_back(Cell{system, domain, {}, 0});
      if (const auto found = values_.find({system, domain}); found != values_.end()) cell.accuracies = found->second;
      const auto expected = expected_.find({system, domain});
      cell.expected = expected == expected_.end() ? cell.accuracies.size() : expected->second;
    }
  }
  return list;
}

std::string ResultTable::csv() const {
  std::string text = "system,domain,mean,standard_error,runs,expected";
  for (const std::string& head : facts_) text += "," + csv_text(head);
  text += '\n';
  for (const Cell& cell : entries()) {
    const std::size_t runs = cell.accuracies.size();
    const MeanAndError figure = runs ? mean_and_error(cell.accuracies) : MeanAndError{};
    text += fmt::format("{},{},{},{},{},{}", csv_text(cell.system), csv_text(cell.domain),
                        runs ? fmt::format("{}", 100 * figure.mean) : "",
                        runs ? fmt::format("{}", 100 * figure.standard_error) : "", runs, cell.expected);
    for (const std::string& head : facts_) text += "," + csv_text(fact(cell.system, head));
    text += '\n';
  }
  return text;
}

std::string text_table(const Cells& cells) {
  std::vector<std::size_t> widths;
  for (const auto& row : cells) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], width_of(row[c]));
  }
  std::string text;
  for (const auto& row : cells) {
    std::string line;
    for (std::size_t c = 0; c < row.size(); ++c) line += (c ? "  " : "") + padded(row[c], widths[c], c == 0);
    text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return text;
}

std::string markdown_table(const Cells& cells) {
  std::string text;
  for (std::size_t r = 0; r < cells.size(); ++r) {
    text += fmt::format("| {} |\n", fmt::join(cells[r], " | "));
    if (r > 0) continue;
    text += "|---|";
    for (std::size_t c = 1; c < cells[0].size(); ++c) text += "---:|";
    text += "\n";
  }
  return text;
}

std::string latex_table(const Cells& cells) {
  std::string text = fmt::format("\\begin{{tabular}}{{l{}}}\n\\hline\n", std::string(cells[0].size() - 1, 'r'));
  for (std::size_t r = 0; r < cells.size(); ++r) {
    std::vector<std::string> row;
    for (const std::string& cell : cells[r]) row.push_back(latex_text(cell));
    text += fmt::format("{} \\\\\n{}", fmt::join(row, " & "), r == 0 ? "\\hline\n" : "");
  }
  return text + "\\hline\n\\end{tabular}\n";
}

Cells class_cells(const std::vector<std::vector<std::int64_t>>& confusion,
                  const std::vector<std::string>& class_names) {
  check<FormatError>(confusion.size() == class_names.size(), "confusion of {} classes, but {} class names",
                     confusion.size(), class_names.size());
  Cells rows(1, {"class", "images", "accuracy, %"});
  for (const std::string& name : class_names) rows[0].push_back("as " + name);
  for (std::size_t k = 0; k < confusion.size(); ++k) {
    check<FormatError>(confusion[k].size() == class_names.size(), "confusion row {} has {} columns, expected {}", k,
                       confusion[k].size(), class_names.size());
    const auto images = std::accumulate(confusion[k].begin(), confusion[k].end(), std::int64_t{0});
    const double share =
        100.0 * static_cast<double>(confusion[k][k]) / static_cast<double>(std::max<std::int64_t>(1, images));
    auto& row = rows.emplace_back();
    row = {class_names[k], std::to_string(images), images > 0 ? fmt::format("{:.1f}", share) : "-"};
    for (const std::int64_t count : confusion[k]) row.push_back(std::to_string(count));
  }
  return rows;
}

std::string under_fitted_note() {
  return fmt::format(
      "* under-fitted: a run's training accuracy of its last epoch is below {:g} %; differences between systems say "
      "little here\n",
      100 * kFittedAccuracy);
}

std::string averaged_system(const std::string& system, const std::string& method) { return system + " + " + method; }

namespace {

// What a reader may rely on: training code has no way to the target (SourceView, HoldoutGuard); and what breaks that:
// equal files, and networks that come from elsewhere.
std::string describe_guard(const RunResult& run) {
  if (!run.guard) return "";
  const std::size_t shared = run.guard->source_images_in_target.size();
  std::string text = fmt::format(
      "guarded: no image, label or word of '{}' was within reach of training or model selection; ", run.guard->domain);
  text += shared == 0 ? "no source image lies in it\n"
                      : fmt::format("but {} source images also lie in it (equal files, see records.jsonl)\n", shared);
  std::vector<std::string> unknown;
  if (const std::string& weights = run.guard->weights_of_unknown_origin; !weights.empty())
    unknown.push_back(fmt::format("the weights '{}'", weights));
  if (run.ldm_of_unknown_origin) unknown.emplace_back("the LDM");
  if (unknown.empty()) return text;
  return text + fmt::format("not known: whether what came from elsewhere, {}, was trained on it\n",
                            fmt::join(unknown, " and "));
}

Cells subset_cells(const nlohmann::json& record) {
  Cells rows(1, {"answers of", "accuracy, %", "accepted: clean, %"});
  for (const auto& start : record.at("options").at("start_steps"))
    rows[0].push_back(fmt::format("from step {}", json_text(start)));
  rows[0].push_back("never");
  const auto share = [](const nlohmann::json& value) { return fmt::format("{:.1f}", 100 * value.get<double>()); };
  for (const auto& subset : record.at("subsets")) {
    const auto& accepted = subset.at("accepted");
    rows.push_back({subset.at("subset"), share(subset.at("accuracy")), share(accepted.at("clean"))});
    for (const auto& start : accepted.at("by_start")) rows.back().push_back(share(start));
    rows.back().push_back(share(accepted.at("never")));
  }
  return rows;
}

std::string text_of_dsi(const RunResult& run, const DsiResult& dsi) {
  const nlohmann::json& record = dsi.record;
  const auto count = [&](const char* key) { return record.at(key).get<std::int64_t>(); };
  return fmt::format(
             "{} on '{}': {:.1f} % (the classifier alone {:.1f} %); {}, threshold {} ({}); {} translations made, {} "
             "found, "
             "{} failed, {:.0f} s\n",
             averaged_system(run.algorithm, dsi.test.model), dsi.test.domain, 100 * dsi.test.accuracy,
             100 * record.at("clean_accuracy").get<double>(), record.at("headline").get<std::string>(),
             record.at("threshold").get<double>(), record.at("threshold_from").get<std::string>(), count("made"),
             count("found"), count("failed"), record.at("seconds").get<double>()) +
         text_table(subset_cells(record));
}

}  // namespace

std::string describe_dsi(const RunResult& run) {
  std::string text;
  for (const DsiResult& dsi : run.dsi) {
    with_json_context(fmt::format("'{}': record of {}", run.path.string(), dsi.test.model),
                      [&] { text += text_of_dsi(run, dsi); });
  }
  return text;
}

namespace {

std::string describe_fit(const FitRecord& fit) {
  std::string text = fmt::format("training accuracy of the last epoch: {:.1f} %, cross-entropy {:.3f} ({} images)\n",
                                 100 * fit.accuracy, fit.loss, fit.images);
  if (!fit.under_fitted()) return text;
  return text + fmt::format("under-fitted: training accuracy {:.1f} %; differences between systems say little here\n",
                            100 * fit.accuracy);
}

}  // namespace

std::string describe_run(const RunResult& run) {
  std::string text;
  if (const ValidationRecord* selected = select_by_source_validation(run.validations)) {
    text +=
        fmt::format("source validation: {:.1f} % at step {} (selected)", 100 * selected->mean_accuracy, selected->step);
    for (const auto& [domain, accuracy] : selected->accuracy)
      text += fmt::format("; {} {:.1f} %", domain, 100 * accuracy);
    text += "\n";
  }
  if (run.fit) text += describe_fit(*run.fit);
  if (!run.test)
    return text +
           fmt::format("{}: the run is not finished, so '{}' was not looked at\n", run.algorithm, run.test_domain);
  text += tested_text(run.algorithm, *run.test, run.class_names) + describe_guard(run);
  if (!run.average_validation || !run.average_test) return text + describe_dsi(run);
  const std::string system = averaged_system(run.algorithm, run.average_test->model);
  text += fmt::format("{}: source validation {:.1f} %\n", system, 100 * run.average_validation->mean_accuracy);
  return text + tested_text(system, *run.average_test, run.class_names) + describe_dsi(run);
}

}  // namespace domainfusion
