#include "domainfusion/data/sets/name_forms.h"

#include <fmt/format.h>
#include <utf8proc.h>

#include <cstdlib>
#include <map>
#include <memory>

namespace domainfusion {
namespace {

// A text that utf8proc refuses stays as it is.
std::string mapped(const std::string& text, int options) {
  utf8proc_uint8_t* bytes = nullptr;
  const utf8proc_ssize_t length =
      utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()), static_cast<utf8proc_ssize_t>(text.size()),
                   &bytes, static_cast<utf8proc_option_t>(options));
  const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owner(bytes, &std::free);
  return length < 0 ? text : std::string(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(length));
}

constexpr int kComposed = UTF8PROC_STABLE | UTF8PROC_COMPOSE;

}  // namespace

std::vector<std::string> names_alike(const std::string& kind, const std::vector<std::string>& names) {
  std::vector<std::string> sentences;
  std::map<std::string, std::string> first_of;  // by folded name
  for (const std::string& name : names) {
    const auto [first, is_new] = first_of.emplace(mapped(name, kComposed | UTF8PROC_CASEFOLD), name);
    if (is_new) continue;
    const bool same_letters = mapped(first->second, kComposed) == mapped(name, kComposed);
    sentences.push_back(fmt::format(
        "the {} '{}' and '{}' differ in {} alone and count as two: rename one if they are one", kind, first->second,
        name, same_letters ? "Unicode form (composed letters, or letters and marks)" : "case"));
  }
  return sentences;
}

}  // namespace domainfusion
