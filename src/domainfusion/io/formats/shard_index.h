#pragma once
// The index of weights that are spread over several files (*.index.json, as transformers and diffusers write it).

#include <map>
#include <string>
#include <string_view>

namespace domainfusion {

// From {"metadata": …, "weight_map": {tensor: file, …}}: the file of each tensor. FormatError without a path: no such
// object, or a file name that is not a plain name in the index's own folder.
std::map<std::string, std::string> parse_shard_index(std::string_view text);

}  // namespace domainfusion
