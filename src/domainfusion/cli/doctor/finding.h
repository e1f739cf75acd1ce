#pragma once
// What `doctor` found of one thing, and what can be done about it.

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace domainfusion {

enum class Severity {
  kGood,
  kWarning,  // it works, but slowly, or not for long
  kFault,    // it does not work, or gives wrong numbers
};

constexpr double kGib = 1024.0 * 1024 * 1024;

struct Finding {
  std::string subject;  // "processor", "matrix products", "/data/pacs"
  Severity severity = Severity::kGood;
  std::string text;    // what was found, one line
  std::string remedy;  // what to do; empty where all is good
};

using Findings = std::vector<Finding>;

Severity worst_of(const Findings& findings);
// "ok      processor: …", a line each, with the remedy on a line below.
std::string describe(const Findings& findings);
// [{"subject", "severity": "good" | "warning" | "fault", "text", "remedy"}]
nlohmann::json to_json(const Findings& findings);

}  // namespace domainfusion
