#include "domainfusion/training/guards/guarded_ldm.h"

#include <set>

#include "domainfusion/core/error.h"
#include "domainfusion/core/log.h"
#include "domainfusion/diffusion/adapted/adapted_source.h"
#include "domainfusion/diffusion/ldm_provenance.h"

namespace domainfusion {

namespace {

std::set<std::string> as_set(const std::vector<std::string>& words) { return {words.begin(), words.end()}; }

}  // namespace

LdmOptions ldm_options_of(const TrainingConfig& config, const std::string& device) {
  return {.tokenizer = config.ldm_tokenizer,
          .prediction_type = config.ldm_prediction_type,
          .loras = lora_choices(config.ldm_loras),
          .vae = config.ldm_vae,
          .placement = placement_of(device, config.ldm_dtype)};
}

FewStepKind few_step_kind_of(const TrainingConfig& config) {
  return few_step_kind(config.ldm, lora_choices(config.ldm_loras));
}

LatentDiffusion load_ldm(const TrainingConfig& config, at::Device device) {
  check<ConfigError>(!config.ldm.empty(),
                     "the algorithm {} needs a latent diffusion model: --ldm DIR (a diffusers folder; `domainfusion "
                     "pretrain` makes a small one)",
                     config.algorithm);
  return LatentDiffusion::load(config.ldm, ldm_options_of(config, device.str()));
}

std::pair<std::string, std::filesystem::path> named_ldm(const std::string& word) {
  const auto split = word.find('=');
  check<ConfigError>(split != std::string::npos && split > 0 && split + 1 < word.size(),
                     "'{}': expected DOMAIN=FOLDER, a source domain and its model", word);
  return {word.substr(0, split), word.substr(split + 1)};
}

nlohmann::json checked_ldm_record(const LatentDiffusion& ldm, const HoldoutGuard& holdout) {
  const LdmProvenanceCheck provenance = check_ldm_provenance(ldm, holdout);
  return {{"type", "ldm"},
          {"step", 0},
          {"weights_hash", ldm.weights_hash()},
          {"provenance_recorded", provenance.recorded},
          {"out_images_seen", provenance.out_images}};
}

PromptWords prompt_words(const DomainDataset& source_in, const std::vector<std::string>& domain_names,
                         const TrainingConfig& config) {
  return PromptWords(domain_names, source_in.class_names(), config.data.descriptions);
}

TargetGuard target_guard(const DomainDataset& source_in, const HoldoutGuard& holdout, const TrainingConfig& config) {
  const std::vector<std::string>& held_out = holdout.held_out_names();
  // All names together tell which known set this is.
  std::vector<std::string> names = source_in.domain_names();
  names.insert(names.end(), held_out.begin(), held_out.end());
  return target_guard(names, held_out, source_in.class_names(), config);
}

TargetGuard target_guard(const std::vector<std::string>& domain_names, const std::vector<std::string>& held_out,
                         const std::vector<std::string>& class_names, const TrainingConfig& config) {
  const PromptWords words(domain_names, class_names, config.data.descriptions);
  std::map<std::string, std::string> descriptions;
  std::map<std::string, std::vector<std::string>> near;
  for (const std::string& name : held_out) {
    descriptions[name] = words.domain(name);
    near[name] = words.near(name);
  }
  return TargetGuard(descriptions, near);
}

void tell_styles(const StyleWords& styles, const LatentDiffusion& ldm) {
  if (styles.used.empty()) return;
  log_info("{}", styles.text());
  const LdmProvenance record = ldm_provenance(ldm);
  if (!record.recorded || !record.base_recorded || record.captions.empty()) return;
  std::set<std::string> known;
  for (const std::string& caption : record.captions) known.merge(as_set(words_of(caption)));
  std::vector<std::string> strange;
  for (const std::string& style : styles.used) {
    std::set<std::string> words = as_set(words_of(style));
    std::erase_if(words, [&](const std::string& word) { return known.contains(word); });
    if (!words.empty()) strange.push_back(fmt::format("{} ('{}')", style, fmt::join(words, "', '")));
  }
  if (!strange.empty())
    log_warning("{}: no caption that the LDM '{}' learnt from holds the words of {}, so it cannot know these styles",
                styles.option, ldm.folder().string(), fmt::join(strange, "; "));
}

nlohmann::json SourceDescriptions::record(const DomainDataset& source_in) const {
  nlohmann::json words = nlohmann::json::object();
  for (const auto& [domain, text] : of_domain) words[source_in.domain_names()[static_cast<std::size_t>(domain)]] = text;
  return {{"type", "descriptions"}, {"step", 0}, {"domains", words}, {"bare", bare}};
}

SourceDescriptions source_descriptions(const DomainDataset& source_in, const HoldoutGuard& holdout,
                                       const TrainingConfig& config) {
  const PromptWords words = prompt_words(source_in, source_in.domain_names(), config);
  const TargetGuard guard = target_guard(source_in, holdout, config);
  SourceDescriptions descriptions;
  for (std::size_t domain = 0; domain < source_in.domain_names().size(); ++domain) {
    const std::string& name = source_in.domain_names()[domain];
    std::string text = words.domain(name);
    if (const std::string bare = words_of_name(name); !guard.allows(text) && guard.allows(bare)) {
      text = bare;
      descriptions.bare.push_back(name);
    }
    descriptions.of_domain[static_cast<std::int64_t>(domain)] = text;
  }
  return descriptions;
}

}  // namespace domainfusion
