#include "domainfusion/augmentation/prompts.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>

#include "domainfusion/core/error.h"
#include "domainfusion/data/sets/known_datasets.h"

namespace domainfusion {

namespace {

constexpr std::array<std::string_view, 24> kFunctionWords = {
    "a",   "an",   "and",  "as", "at", "but", "by", "for",  "from", "in", "is",   "it",
    "its", "less", "more", "no", "of", "on",  "or", "some", "the",  "to", "very", "with"};

bool is_word_character(utf8proc_int32_t character) {
  const auto category = utf8proc_category(character);
  return (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO) ||
         (category >= UTF8PROC_CATEGORY_MN && category <= UTF8PROC_CATEGORY_ME) ||
         (category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO);
}

std::string folded(std::string_view text) {
  utf8proc_uint8_t* raw = nullptr;
  const auto options = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPAT | UTF8PROC_COMPOSE |
                                                      UTF8PROC_CASEFOLD | UTF8PROC_IGNORE);
  const utf8proc_ssize_t size = utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                                             static_cast<utf8proc_ssize_t>(text.size()), &raw, options);
  const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owner(raw, &std::free);
  check<FormatError>(size >= 0, "the text '{}' is not UTF-8; save names and prompts as UTF-8", text);
  return {reinterpret_cast<const char*>(raw), static_cast<std::size_t>(size)};
}

// The value of "{key}" in a prompt template.
std::string_view placeholder_value(std::string_view key, std::string_view prompt_template, std::string_view class_name,
                                   std::string_view domain_description) {
  if (key == "class") return class_name;
  check<ConfigError>(key == "domain", "prompt template '{}' holds '{{{}}}'; known: {{class}}, {{domain}}",
                     prompt_template, key);
  check<ConfigError>(!domain_description.empty(),
                     "prompt template '{}' asks for {{domain}}, but the description is empty; give "
                     "one or leave {{domain}} out",
                     prompt_template);
  return domain_description;
}

}  // namespace

std::string fill_prompt(std::string_view prompt_template, std::string_view class_name,
                        std::string_view domain_description) {
  check<ConfigError>(!prompt_template.empty(), "the prompt template is empty; an example is 'a {{class}}, {{domain}}'");
  const std::string spoken_class = words_of_name(class_name);
  std::string prompt;
  for (std::size_t i = 0; i < prompt_template.size(); ++i) {
    const char c = prompt_template[i];
    check<ConfigError>(c != '}', "prompt template '{}' holds a '}}' without '{{'", prompt_template);
    if (c != '{') {
      prompt += c;
      continue;
    }
    const std::size_t end = prompt_template.find('}', i);
    check<ConfigError>(end != std::string_view::npos, "prompt template '{}' holds a '{{' without '}}'",
                       prompt_template);
    prompt += placeholder_value(prompt_template.substr(i + 1, end - i - 1), prompt_template, spoken_class,
                                domain_description);
    i = end;
  }
  return prompt;
}

std::vector<std::string> words_of(std::string_view text) {
  const std::string characters = folded(text);
  std::vector<std::string> words;
  bool inside = false;
  for (std::size_t i = 0; i < characters.size();) {
    utf8proc_int32_t character = 0;
    const auto* at = reinterpret_cast<const utf8proc_uint8_t*>(characters.data()) + i;
    const auto length = static_cast<std::size_t>(std::max<utf8proc_ssize_t>(
        1, utf8proc_iterate(at, static_cast<utf8proc_ssize_t>(characters.size() - i), &character)));
    const bool in_word = is_word_character(character);
    if (in_word && !inside) words.emplace_back();
    if (in_word) words.back().append(characters, i, length);
    inside = in_word;
    i += length;
  }
  return words;
}

TargetGuard::TargetGuard(const std::map<std::string, std::string>& description_of_target) {
  for (const auto& [name, description] : description_of_target) {
    for (const std::string& text : {name, description}) {
      const std::vector<std::string> words = words_of(text);
      forbidden_.insert(words.begin(), words.end());
    }
  }
  for (std::string_view word : kFunctionWords) forbidden_.erase(std::string(word));
}

bool TargetGuard::allows(std::string_view text) const {
  const std::vector<std::string> words = words_of(text);
  return std::none_of(words.begin(), words.end(), [&](const std::string& word) { return forbidden_.contains(word); });
}

void TargetGuard::check_prompt(std::string_view prompt, std::string_view role) const {
  for (const std::string& word : words_of(prompt)) {
    check<ConfigError>(
        !forbidden_.contains(word),
        "the word '{}' of the {} '{}' names the target domain, which nothing before the "
        "final test may know; change what it comes from: the algorithm's prompt_template (\"a {{class}}\" does without "
        "descriptions), a source domain's description (data.descriptions) or a class name",
        word, role, prompt);
  }
}

CandidatePrompts::CandidatePrompts(const std::string& prompt_template, const std::string& negative_prompt,
                                   const std::vector<std::string>& class_names,
                                   const std::map<std::int64_t, std::string>& description_of_source,
                                   const TargetGuard& guard)
    : negative_prompt_(negative_prompt) {
  check<ConfigError>(!description_of_source.empty(), "prompts need at least one source domain, got none");
  guard.check_prompt(negative_prompt, "negative prompt");
  for (const auto& [domain, description] : description_of_source) {
    domains_.push_back(domain);
    for (std::size_t label = 0; label < class_names.size(); ++label) {
      const std::string prompt =
          prompt_template.empty() ? "" : fill_prompt(prompt_template, class_names[label], description);
      guard.check_prompt(prompt, "prompt");
      prompt_of_[{static_cast<std::int64_t>(label), domain}] = prompt;
    }
  }
}

const std::string& CandidatePrompts::prompt(std::int64_t label, std::int64_t domain) const {
  const auto found = prompt_of_.find({label, domain});
  check<ConfigError>(found != prompt_of_.end(),
                     "no prompts for class {} in domain {}; known: the classes of the set in its "
                     "source domains",
                     label, domain);
  return found->second;
}

std::vector<std::string> CandidatePrompts::all() const {
  std::vector<std::string> prompts;
  for (const auto& [label_and_domain, prompt] : prompt_of_) prompts.push_back(prompt);
  return prompts;
}

std::vector<std::string> CandidatePrompts::prompts(std::int64_t label, std::int64_t domain, std::int64_t count) const {
  prompt(label, domain);  // checks both
  std::vector<std::int64_t> order = domains_;
  // stable_partition keeps the others in order and moves the image's own domain to the end.
  std::stable_partition(order.begin(), order.end(), [domain](std::int64_t other) { return other != domain; });
  std::vector<std::string> prompts;
  for (std::int64_t i = 0; i < count; ++i) {
    prompts.push_back(prompt(label, order[static_cast<std::size_t>(i) % order.size()]));
  }
  return prompts;
}

}  // namespace domainfusion
