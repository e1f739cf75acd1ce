#pragma once
// Names that a person takes for one: a system may write the same letters in two ways.

#include <string>
#include <vector>

namespace domainfusion {

// A sentence for each two of `names` (UTF-8) that differ in nothing but upper and lower case or Unicode form (composed
// letters or letters and marks); `kind` ("classes") begins it.
std::vector<std::string> names_alike(const std::string& kind, const std::vector<std::string>& names);

}  // namespace domainfusion
