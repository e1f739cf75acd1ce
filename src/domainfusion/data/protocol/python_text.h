#pragma once
// Values as Python's repr() writes them: DomainBed hashes such texts into seeds.

#include <nlohmann/json.hpp>
#include <string>

namespace domainfusion {

// null, booleans, integers, floats, strings and lists of them: "None", "True", "2.5", "'PACS'", "[0, 1]".
// ConfigError for objects, which no seed is made of.
std::string python_repr(const nlohmann::json& value);

// The tuple of the elements of an array: "(0, 'lr')"; of one element "(0,)".
std::string python_tuple(const nlohmann::json& array);

}  // namespace domainfusion
