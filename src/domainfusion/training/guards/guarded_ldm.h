#pragma once
// The latent diffusion model of a run and the words for its prompts, held to what the run may know.

#include <filesystem>
#include <map>
#include <string>

#include "domainfusion/augmentation/style_words.h"
#include "domainfusion/data/sets/known_datasets.h"
#include "domainfusion/training/guards/ldm_guard.h"
#include "domainfusion/training/options/training_config.h"

namespace domainfusion {

// How the run wants its model opened. ConfigError for a LoRA's scale that is no number; DeviceError.
LdmOptions ldm_options_of(const TrainingConfig& config, const std::string& device);

// Whether that model was distilled to a few steps, from its files' names and configs alone.
FewStepKind few_step_kind_of(const TrainingConfig& config);

// The model that config.ldm names. ConfigError if it names none; what LatentDiffusion::load throws.
LatentDiffusion load_ldm(const TrainingConfig& config, at::Device device);

// "photo=ldm_photo": a domain and the folder of its model. ConfigError for another form.
std::pair<std::string, std::filesystem::path> named_ldm(const std::string& word);

// What the records say of a model that passed the guard: type "ldm". Throws what check_ldm_provenance does.
nlohmann::json checked_ldm_record(const LatentDiffusion& ldm, const HoldoutGuard& holdout);

// Words for `domain_names` and the classes of `source_in`.
PromptWords prompt_words(const DomainDataset& source_in, const std::vector<std::string>& domain_names,
                         const TrainingConfig& config);

// What prompts call the source domains, by index in `source_in`: their descriptions. One that shares a word with a
// held-out domain's name or description gives way to the domain's bare name (DomainNet's "sketch drawing, black and
// white, …" to "sketch" where quickdraw is held out), so that a word of the target stands in no prompt and every domain
// of a set can be the target.
struct SourceDescriptions {
  std::map<std::int64_t, std::string> of_domain;
  std::vector<std::string> bare;  // names of the domains whose description gave way

  // What the records say where one gave way: type "descriptions".
  nlohmann::json record(const DomainDataset& source_in) const;
};
SourceDescriptions source_descriptions(const DomainDataset& source_in, const HoldoutGuard& holdout,
                                       const TrainingConfig& config);

// Refuses prompts that name a held-out domain, by its name or by its description, and styles that are near it.
TargetGuard target_guard(const DomainDataset& source_in, const HoldoutGuard& holdout, const TrainingConfig& config);
// The same by names, of all domains, of those held out among them, and of the classes (none: any of a known set).
TargetGuard target_guard(const std::vector<std::string>& domain_names, const std::vector<std::string>& held_out,
                         const std::vector<std::string>& class_names, const TrainingConfig& config);

// Logs which styles stand in prompts to `ldm`; warns of those whose words no caption of its own record holds. Nothing
// where the option names none.
void tell_styles(const StyleWords& styles, const LatentDiffusion& ldm);

}  // namespace domainfusion
