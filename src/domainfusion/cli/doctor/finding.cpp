#include "domainfusion/cli/doctor/finding.h"

#include <fmt/format.h>

#include <algorithm>

namespace domainfusion {

Severity worst_of(const Findings& findings) {
  Severity worst = Severity::kGood;
  for (const Finding& finding : findings) worst = std::max(worst, finding.severity);
  return worst;
}

std::string describe(const Findings& findings) {
  std::string text;
  for (const Finding& finding : findings) {
    const char* word = finding.severity == Severity::kGood      ? "ok"
                       : finding.severity == Severity::kWarning ? "WARNING"
                                                                : "FAULT";
    text += fmt::format("{:<8}{}: {}\n", word, finding.subject, finding.text);
    if (!finding.remedy.empty()) text += fmt::format("{:<8}-> {}\n", "", finding.remedy);
  }
  return text;
}

nlohmann::json to_json(const Findings& findings) {
  nlohmann::json list = nlohmann::json::array();
  for (const Finding& finding : findings) {
    const char* word = finding.severity == Severity::kGood      ? "good"
                       : finding.severity == Severity::kWarning ? "warning"
                                                                : "fault";
    list.push_back(
        {{"subject", finding.subject}, {"severity", word}, {"text", finding.text}, {"remedy", finding.remedy}});
  }
  return list;
}

}  // namespace domainfusion
