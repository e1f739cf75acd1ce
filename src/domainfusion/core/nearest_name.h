#pragma once
// "Did you mean …": the known name with the smallest edit distance to a mistyped one.

#include <string>
#include <string_view>
#include <vector>

namespace domainfusion {

// Levenshtein distance: least number of insertions, deletions and substitutions.
std::size_t edit_distance(std::string_view a, std::string_view b);

// " (did you mean 'x'?)", or empty when no known name is near (distance over a third of the length, at least 2).
std::string did_you_mean(std::string_view name, const std::vector<std::string>& known);

}  // namespace domainfusion
