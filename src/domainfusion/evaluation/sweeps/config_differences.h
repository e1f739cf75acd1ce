#pragma once
// In what the configurations of two runs differ that belong together.

#include <map>
#include <nlohmann/json.hpp>
#include <string>

namespace domainfusion {

// JSON pointer -> value of every option of a configuration; a list is one value.
std::map<std::string, nlohmann::json> option_values(const nlohmann::json& config);

// The configuration with the defaults of what it lacks because an older version wrote it. One of an algorithm that this
// version does not know stays as it is.
nlohmann::json with_defaults(const nlohmann::json& config);

// "/optimizer/lr", a JSON pointer into a configuration, as its option is called: "optimizer.lr".
std::string option_name(std::string pointer);

// Whether the option that a JSON pointer names says which run of a sweep it is (seeds, held-out domains), or on what
// device it runs.
bool is_of_one_run(const std::string& pointer);

// "optimizer.lr was 0.1, is 0.2; …": what differs between two configurations, apart from what is of one run and what
// changes no number; of a path only the file's name counts. An option that `before` lacks, because an older version
// wrote it, had its default.
std::string other_options(const nlohmann::json& before, const nlohmann::json& now);

}  // namespace domainfusion
