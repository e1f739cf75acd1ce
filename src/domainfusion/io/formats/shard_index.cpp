#include "domainfusion/io/formats/shard_index.h"

#include <nlohmann/json.hpp>

#include "domainfusion/core/error.h"
#include "domainfusion/core/json_text.h"
#include "domainfusion/io/files/readable_text.h"

namespace domainfusion {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxLevels = 8, kMaxIndexValues = 1'000'000;

bool is_plain_name(const std::string& name) {
  return !name.empty() && name != "." && name != ".." && name.find_first_of("/\\") == std::string::npos &&
         readable_text(name, 255) == name;
}

}  // namespace

std::map<std::string, std::string> parse_shard_index(std::string_view text) {
  const json index = parse_json(text, {.depth = kMaxLevels, .values = kMaxIndexValues});
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
