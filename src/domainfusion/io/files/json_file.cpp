#include "domainfusion/io/files/json_file.h"

#include "domainfusion/core/error.h"
#include "domainfusion/core/json_text.h"
#include "domainfusion/io/files/file_bytes.h"

namespace domainfusion {

using nlohmann::json;

json read_json(const std::filesystem::path& path) {
  const std::string text = read_file(path);
  return with_context(fmt::format("'{}'", path.string()), [&] { return parse_json(text); });
}

json read_json_object(const std::filesystem::path& path) {
  json object = read_json(path);
  check<FormatError>(object.is_object(), "'{}' holds no JSON object", path.string());
  return object;
}

}  // namespace domainfusion
