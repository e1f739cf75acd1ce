#pragma once
// Prompts for the diffusion model, and the guard that keeps every word of the target domain out of them (method section
// 3).

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "domainfusion/core/random/random.h"

namespace domainfusion {

// Replaces "{class}" by the class name, its `_` and `-` as spaces, and "{domain}" by the description. ConfigError if
// the template holds another placeholder or a lone brace, is empty, or asks for a domain that is not given (an empty
// description).
std::string fill_prompt(std::string_view prompt_template, std::string_view class_name,
                        std::string_view domain_description = {});

// The words of a text: split at everything that is neither a letter, a mark nor a digit (so at `_`, `-`, spaces and
// punctuation), in Unicode's compatibility form and case-folded. FormatError if `text` is not UTF-8.
std::vector<std::string> words_of(std::string_view text);

// Why a style is refused: a word of it, and the held-out domain that the word is near to (empty: the word is one of the
// domain's name or description).
struct StyleRefusal {
  std::string word, near_of;
};

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
  // near_of_target: by name, their near synonyms, words or phrases, which styles may not hold.
  explicit TargetGuard(const std::map<std::string, std::string>& description_of_target,
                       const std::map<std::string, std::vector<std::string>>& near_of_target = {});

  // Whether no word of the text is forbidden.
  bool allows(std::string_view text) const;
  // ConfigError that names the word, the prompt and `role` ("prompt", "negative prompt") if the text holds a forbidden
  // word.
  void check_prompt(std::string_view prompt, std::string_view role) const;
  const std::set<std::string>& forbidden_words() const { return forbidden_; }
  // Whether a style, which may do without, is refused: for a forbidden word and, unless these are allowed, for a near
  // synonym of a target. Words match in singular and plural ("s", "es"), phrases as words that follow one another.
  std::optional<StyleRefusal> refusal_of_style(std::string_view style, bool near_allowed) const;
  // Held-out domains of which no near synonym is known: styles are held to their names and descriptions alone.
  const std::vector<std::string>& targets_without_near() const { return without_near_; }

 private:
  struct NearPhrase {
    std::vector<std::string> words;
    std::string target;
  };

  std::set<std::string> forbidden_;
  std::vector<NearPhrase> near_;
  std::vector<std::string> without_near_;
};

// Where the candidates of an image are led to if there are styles: to styles alone, or to other source domains too.
enum class StyleMix { kStyles, kBoth };

// The candidates' prompts of each (class, source domain).
class CandidatePrompts {
 public:
  // description_of_source: domain index -> description. All prompts are made and checked here.
  // styles: further descriptions. ConfigError: no source domain, a bad template, a prompt that names the target.
  CandidatePrompts(const std::string& prompt_template, const std::string& negative_prompt,
                   const std::vector<std::string>& class_names,
                   const std::map<std::int64_t, std::string>& description_of_source, const TargetGuard& guard,
                   std::vector<std::string> styles = {}, StyleMix mix = StyleMix::kStyles);

  // `count` prompts of class `label` for an image of `domain`: the other source domains in order, then `domain` itself,
  // and again from the start. With styles: these in an order drawn from the image's own `stream`, with kBoth shuffled
  // with the other source domains and before `domain` itself, and again from the start; so all are used about equally.
  // ConfigError if label or domain is not a known one.
  std::vector<std::string> prompts(std::int64_t label, std::int64_t domain, std::int64_t count,
                                   RandomStream stream) const;
  // Of class `label` towards source domain `domain`. ConfigError likewise.
  const std::string& prompt(std::int64_t label, std::int64_t domain) const;
  const std::string& negative_prompt() const { return negative_prompt_; }
  const std::vector<std::string>& styles() const { return styles_; }
  // All prompts, those of a class after one another.
  std::vector<std::string> all() const;

 private:
  std::vector<std::int64_t> destinations(std::int64_t domain, RandomStream stream) const;

  std::vector<std::int64_t> domains_;
  std::vector<std::string> styles_;  // style k is destination -1 - k
  StyleMix mix_;
  std::map<std::pair<std::int64_t, std::int64_t>, std::string> prompt_of_;  // (label, destination)
  std::string negative_prompt_;
};

}  // namespace domainfusion
