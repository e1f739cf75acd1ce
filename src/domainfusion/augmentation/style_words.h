#pragma once
// Styles for prompts beyond the source domains' own ("a dog, stained glass"), so that what an LDM knows of the world
// reaches the classifier. They are held to more than prompts are: near synonyms of the held-out domain are refused too.

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "domainfusion/augmentation/prompts.h"
#include "domainfusion/config/config_fields.h"

namespace domainfusion {

enum class NearStyles { kRefuse, kAllow };

struct StyleConfig {
  std::vector<std::string> styles;  // descriptions, "stock" and "@FILE"
  NearStyles near = NearStyles::kRefuse;

  void describe(ConfigFields& fields);
};

// assets/styles/stable_diffusion.txt, in order of distance from photographs.
const std::vector<std::string>& stock_styles();

// The styles of a run, as its prompts have them.
struct StyleWords {
  struct LeftOut {
    std::string style;
    std::string reason;  // a clause
  };

  std::string option;             // "augmentation.styles"
  std::vector<std::string> used;  // in the order of the option; no two have the same words
  std::vector<LeftOut> left_out;  // of lists: what the guard refuses; and what a source domain is called already
  NearStyles near = NearStyles::kRefuse;
  std::vector<std::string> targets_without_near = {};  // TargetGuard

  // What the records say of them: type "styles".
  nlohmann::json record() const;
  // A few lines for people.
  std::string text() const;
};

// Reads the lists that config.styles names. `group`: of the option ("augmentation"), for messages; taken: texts that
// are no new style. ConfigError: a style that the guard refuses and that stands in the option itself, one without a
// word, none left, a prompt template without {domain}. IoError, FormatError for files.
StyleWords style_words(const StyleConfig& config, const std::string& group, std::string_view prompt_template,
                       const TargetGuard& guard, const std::vector<std::string>& taken = {});

}  // namespace domainfusion
