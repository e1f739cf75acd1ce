#include "domainfusion/augmentation/prompts.h"

#include <fmt/ranges.h>
#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <iterator>
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

// Singular and plural of a word are taken for one.
bool is_form_of(const std::string& word, const std::string& base) {
  const auto is_plural = [](const std::string& plural, const std::string& singular) {
    return plural == singular + "s" || plural == singular + "es";
  };
  return word == base || is_plural(word, base) || is_plural(base, word);
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

TargetGuard::TargetGuard(const std::map<std::string, std::string>& description_of_target,
                         const std::map<std::string, std::vector<std::string>>& near_of_target) {
  for (const auto& [name, description] : description_of_target) {
    for (const std::string& text : {name, description}) {
      const std::vector<std::string> words = words_of(text);
      forbidden_.insert(words.begin(), words.end());
    }
  }
  for (std::string_view word : kFunctionWords) forbidden_.erase(std::string(word));
  for (const auto& [name, phrases] : near_of_target) {
    if (phrases.empty()) without_near_.push_back(name);
    for (const std::string& phrase : phrases) near_.push_back({words_of(phrase), name});
  }
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

std::optional<StyleRefusal> TargetGuard::refusal_of_style(std::string_view style, bool near_allowed) const {
  const std::vector<std::string> words = words_of(style);
  for (const std::string& word : words) {
    if (std::any_of(forbidden_.begin(), forbidden_.end(), [&](const auto& base) { return is_form_of(word, base); }))
      return StyleRefusal{word, ""};
  }
  if (near_allowed) return std::nullopt;
  for (const auto& [phrase, target] : near_) {
    const auto found = std::search(words.begin(), words.end(), phrase.begin(), phrase.end(), is_form_of);
    if (!phrase.empty() && found != words.end()) {
      return StyleRefusal{fmt::format("{}", fmt::join(found, found + static_cast<std::ptrdiff_t>(phrase.size()), " ")),
                          target};
    }
  }
  return std::nullopt;
}

CandidatePrompts::CandidatePrompts(const std::string& prompt_template, const std::string& negative_prompt,
                                   const std::vector<std::string>& class_names,
                                   const std::map<std::int64_t, std::string>& description_of_source,
                                   const TargetGuard& guard, std::vector<std::string> styles, StyleMix mix)
    : styles_(std::move(styles)), mix_(mix), negative_prompt_(negative_prompt) {
  check<ConfigError>(!description_of_source.empty(), "prompts need at least one source domain, got none");
  guard.check_prompt(negative_prompt, "negative prompt");
  std::map<std::int64_t, std::string> description_of = description_of_source;
  for (const auto& [domain, description] : description_of_source) domains_.push_back(domain);
  for (std::size_t k = 0; k < styles_.size(); ++k) description_of[-1 - static_cast<std::int64_t>(k)] = styles_[k];
  for (const auto& [destination, description] : description_of) {
    for (std::size_t label = 0; label < class_names.size(); ++label) {
      const std::string prompt =
          prompt_template.empty() ? "" : fill_prompt(prompt_template, class_names[label], description);
      guard.check_prompt(prompt, "prompt");
      prompt_of_[{static_cast<std::int64_t>(label), destination}] = prompt;
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

// Where the candidates of an image of `domain` go, in order.
std::vector<std::int64_t> CandidatePrompts::destinations(std::int64_t domain, RandomStream stream) const {
  std::vector<std::int64_t> order;
  if (styles_.empty() || mix_ == StyleMix::kBoth) {
    std::copy_if(domains_.begin(), domains_.end(), std::back_inserter(order),
                 [domain](std::int64_t other) { return other != domain; });
  }
  if (!styles_.empty()) {
    for (std::size_t k = 0; k < styles_.size(); ++k) order.push_back(-1 - static_cast<std::int64_t>(k));
    const std::vector<std::int64_t> pool = order;
    const std::vector<std::int64_t> drawn = stream.permutation(static_cast<std::int64_t>(pool.size()));
    std::transform(drawn.begin(), drawn.end(), order.begin(),
                   [&](std::int64_t place) { return pool[static_cast<std::size_t>(place)]; });
  }
  if (styles_.empty() || mix_ == StyleMix::kBoth) order.push_back(domain);
  return order;
}

std::vector<std::string> CandidatePrompts::prompts(std::int64_t label, std::int64_t domain, std::int64_t count,
                                                   RandomStream stream) const {
  prompt(label, domain);  // checks both
  const std::vector<std::int64_t> order = destinations(domain, std::move(stream));
  std::vector<std::string> prompts;
  for (std::int64_t i = 0; i < count; ++i) {
    prompts.push_back(prompt(label, order[static_cast<std::size_t>(i) % order.size()]));
  }
  return prompts;
}

}  // namespace domainfusion
