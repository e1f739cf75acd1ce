#include "domainfusion/io/shard_index.h"

#include <nlohmann/json.hpp>

#include "domainfusion/core/error.h"
#include "domainfusion/io/readable_text.h"

namespace domainfusion {
namespace {

using nlohmann::json;

constexpr int kMaxLevels = 8;

// Only the weight map is kept: what stands in "metadata" is not needed, however much it is.
json parse_weight_map(std::string_view text) {
  std::string key;
  const auto keep = [&key](int depth, json::parse_event_t event, const json& parsed) {
    check<FormatError>(depth <= kMaxLevels, "nests deeper than {} levels: it is no index of weights", kMaxLevels);
    if (depth == 1 && event == json::parse_event_t::key) key = parsed.get<std::string>();
    return depth == 0 || key == "weight_map";
  };
  try {
    return json::parse(text, keep);
  } catch (const json::exception& error) {
    throw FormatError(fmt::format("is not valid JSON ({}): it is damaged", error.what()));
  }
}

bool is_plain_name(const std::string& name) {
  return !name.empty() && name != "." && name != ".." && name.find_first_of("/\\") == std::string::npos &&
         readable_text(name, 255) == name;
}

}  // namespace

std::map<std::string, std::string> parse_shard_index(std::string_view text) {
  const json index = parse_weight_map(text);
  check<FormatError>(index.is_object() && index.contains("weight_map") && index["weight_map"].is_object() &&
                         !index["weight_map"].empty(),
                     "has no weight_map: it is no index of weights");
  std::map<std::string, std::string> files;
  for (const auto& [tensor, file] : index["weight_map"].items()) {
    check<FormatError>(file.is_string() && is_plain_name(file.get<std::string>()),
                       "names the file '{}' for tensor '{}'; expected the name of a file in its own folder",
                       readable_text(file.is_string() ? file.get<std::string>() : "(no text)"), readable_text(tensor));
    files[tensor] = file.get<std::string>();
  }
  return files;
}

}  // namespace domainfusion
