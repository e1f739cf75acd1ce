#pragma once
// Tables of results, as text, Markdown, LaTeX and CSV.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "domainfusion/evaluation/tables/run_result.h"
#include "domainfusion/metrics/classification.h"

namespace domainfusion {

// Accuracy by system (rows) and target domain (columns) in percent: mean and, from two runs on, standard error over
// runs (population standard deviation / sqrt(n)). With several domains a last column holds the mean over domains.
class ResultTable {
 public:
  explicit ResultTable(std::string head = "accuracy, %") : head_(std::move(head)) {}

  // `accuracy` in [0, 1]; rows and columns keep the order in which they first came.
  void add(const std::string& system, const std::string& domain, double accuracy);
  // Makes the cell, empty if nothing is added; a cell of fewer than `runs` runs says so.
  void expect(const std::string& system, const std::string& domain, std::size_t runs);

  // A line above the first of the rows that follow one another with the same group; not in CSV.
  void group(const std::string& system, const std::string& name) { groups_[system] = name; }
  // A further column `head` behind all others, of the rows that have it.
  void add_fact(const std::string& system, const std::string& head, const std::string& text);

  struct Cell {
    std::string system, domain;
    std::vector<double> accuracies;  // in [0, 1], by run; none where nothing was added
    std::size_t expected = 0;        // runs: as many as there are where nothing is expected
  };
  // Every cell, row by row.
  std::vector<Cell> entries() const;

  std::string text() const;
  std::string markdown() const;
  std::string latex() const;  // a tabular
  // "system,domain,mean,standard_error,runs,expected", and the heads of facts: one line per cell, accuracy in percent,
  // unrounded; no mean over domains.
  std::string csv() const;

 private:
  std::vector<std::vector<std::string>> cells() const;
  std::string cell(const std::string& system, const std::string& domain) const;
  std::string mean_cell(const std::string& system) const;
  std::string fact(const std::string& system, const std::string& head) const;

  std::string head_;
  std::vector<std::string> systems_, domains_, facts_;
  std::map<std::string, std::string> groups_;
  std::map<std::pair<std::string, std::string>, std::vector<double>> values_;
  std::map<std::pair<std::string, std::string>, std::size_t> expected_;
  std::map<std::pair<std::string, std::string>, std::string> fact_of_;
};

// Rows of cells as columns of equal width (the first row is the head), or as a Markdown table.
std::string text_table(const std::vector<std::vector<std::string>>& cells);
std::string markdown_table(const std::vector<std::vector<std::string>>& cells);
std::string latex_table(const std::vector<std::vector<std::string>>& cells);

// Per true class: number of images, accuracy, and what it was taken for (the confusion row), as cells of a table.
std::vector<std::vector<std::string>> class_cells(const std::vector<std::vector<std::int64_t>>& confusion,
                                                  const std::vector<std::string>& class_names);

// What marks systems of which a run is under-fitted (FitRecord), and the line below the table that says so.
inline constexpr const char* kUnderFittedMark = " *";
std::string under_fitted_note();

// What tables call an averaged model: "erm + swad".
std::string averaged_system(const std::string& system, const std::string& method);

// One run in full: the selected checkpoint, the fit of the last epoch, accuracy on the target, accuracy per class and
// confusion; the last three for an averaged model too; DSI.
std::string describe_run(const RunResult& run);

// DSI's part of it: accuracy of the headline and of every subset, and where their answers were accepted.
std::string describe_dsi(const RunResult& run);

}  // namespace domainfusion
