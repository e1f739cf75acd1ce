#pragma once
// Prompts for the diffusion model, and the guard that keeps every word of the target domain out of them (method section
// 3).

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace domainfusion {

// Replaces "{class}" by the class name, its `_` and `-` as spaces, and "{domain}" by the description. ConfigError if
// the template holds another placeholder or a lone brace, is empty, or asks for a domain that is not given (an empty
// description).
std::string fill_prompt(std::string_view prompt_template, std::string_view class_name,
                        std::string_view domain_description = {});

// The words of a text: split at everything that is neither a letter, a mark nor a digit (so at `_`, `-`, spaces and
// punctuation), in Unicode's compatibility form and case-folded. FormatError if `text` is not UTF-8.
std::vector<std::string> words_of(std::string_view text);

// Refuses prompts that name the target domain.
// The rule: the words of the target's name and of its description are forbidden as whole words, except function words
// without a meaning of their own ("a", "of", "and", "with", "less", …: kFunctionWords in the source). A word that a
// source domain's description or a class name shares with the target is forbidden as well (source_descriptions finds
// other words for the domain).
class TargetGuard {
 public:
  // No target: everything is allowed.
  TargetGuard() = default;
  // The held-out domains' names and descriptions; a description may be empty.
  explicit TargetGuard(const std::map<std::string, std::string>& description_of_target);

  // Whether no word of the text is forbidden.
  bool allows(std::string_view text) const;
  // ConfigError that names the word, the prompt and `role` ("prompt", "negative prompt") if the text holds a forbidden
  // word.
  void check_prompt(std::string_view prompt, std::string_view role) const;
  const std::set<std::string>& forbidden_words() const { return forbidden_; }

 private:
  std::set<std::string> forbidden_;
};

// The candidates' prompts of each (class, source domain).
class CandidatePrompts {
 public:
  // description_of_source: domain index -> description. All prompts are made and checked here.
  // ConfigError: no source domain, a bad template, a prompt that names the target.
  CandidatePrompts(const std::string& prompt_template, const std::string& negative_prompt,
                   const std::vector<std::string>& class_names,
                   const std::map<std::int64_t, std::string>& description_of_source, const TargetGuard& guard);

  // `count` prompts of class `label` for an image of `domain`: the other source domains in order, then `domain` itself,
  // and again from the start. ConfigError if label or domain is not a known one.
  std::vector<std::string> prompts(std::int64_t label, std::int64_t domain, std::int64_t count) const;
  // Of class `label` towards source domain `domain`. ConfigError likewise.
  const std::string& prompt(std::int64_t label, std::int64_t domain) const;
  const std::string& negative_prompt() const { return negative_prompt_; }
  // All prompts, those of a class after one another.
  std::vector<std::string> all() const;

 private:
  std::vector<std::int64_t> domains_;
  std::map<std::pair<std::int64_t, std::int64_t>, std::string> prompt_of_;  // (label, described domain)
  std::string negative_prompt_;
};

}  // namespace domainfusion
