#include "domainfusion/report/html/page.h"

#include <string_view>
#include <utility>
#include <vector>

#include "domainfusion/core/error.h"
#include "domainfusion/core/json_text.h"
#include "domainfusion/io/files/readable_text.h"

namespace domainfusion {

extern const std::vector<std::pair<std::string_view, std::string_view>> embedded_report_files;

namespace {

using nlohmann::json;

std::string_view embedded(std::string_view name) {
  for (const auto& [file, text] : embedded_report_files)
    if (file == name) return text;
  throw Error(fmt::format("'{}' is not built into this program", name));
}

std::string all_that_end_in(std::string_view ending) {
  std::string text;
  for (const auto& [file, content] : embedded_report_files)
    if (file.ends_with(ending)) text.append(content).append("\n");
  return text;
}

std::string shown(const std::string& text) { return readable_text(text, text.size() * 4); }

// JSON is UTF-8; names of files need not be.
json readable(const json& value) {
  if (value.is_string()) return shown(value.get_ref<const std::string&>());
  if (!value.is_structured()) return value;
  json copy = value.is_array() ? json::array() : json::object();
  if (value.is_array()) {
    for (const json& inner : value) copy.push_back(readable(inner));
  } else {
    for (const auto& [key, inner] : value.items()) copy[shown(key)] = readable(inner);
  }
  return copy;
}

// Inside of <script>, "</script" and "<!--" would end or change it.
std::string script_text(const json& data) {
  std::string text;
  for (const char c : json_text(readable(data))) text += c == '<' ? std::string("\\u003c") : std::string(1, c);
  return text;
}

void replace_mark(std::string& page, std::string_view mark, const std::string& text) {
  const std::size_t place = page.find(mark);
  check(place != std::string::npos, "page.html has no {}", mark);
  page.replace(place, mark.size(), text);
}

}  // namespace

std::string report_page(const json& data) {
  std::string page(embedded("page.html"));
  // The data last: marks in it are text.
  replace_mark(page, "{{style}}", all_that_end_in(".css"));
  replace_mark(page, "{{script}}", all_that_end_in(".js"));
  replace_mark(page, "{{data}}", script_text(data));
  return page;
}

}  // namespace domainfusion
