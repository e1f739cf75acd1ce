#pragma once
// The page itself: one HTML file that holds its script, its style and its data, and asks for nothing outside of it.

#include <nlohmann/json.hpp>
#include <string>

namespace domainfusion {

// `data`: see docs/report-format.md. Whatever its texts hold, they are shown, never run; bytes that are no text become
// \xNN.
std::string report_page(const nlohmann::json& data);

}  // namespace domainfusion
