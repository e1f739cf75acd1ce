// Rounds of augmentation, and the store of candidates.
#include "domainfusion/augmentation/candidates/store_upkeep.h"
#include "domainfusion/augmentation/candidates/stored_candidates.h"
#include "domainfusion/augmentation/rounds/ldm_candidates.h"
#include "domainfusion/augmentation/rounds/round.h"
#include "domainfusion/data/transforms/image_tensor.h"
#include "domainfusion/python/sources.h"
#include "domainfusion/training/guards/guarded_ldm.h"

namespace domainfusion {
namespace {

// The rounds of a run, with the prompts and guards that a run of the program has.
class RoundsInPython {
 public:
  RoundsInPython(std::shared_ptr<Sources> sources, const LatentDiffusion& ldm, const std::filesystem::path& folder,
                 const std::filesystem::path& candidates, std::optional<std::int64_t> rounds,
                 const nlohmann::json& options)
      : sources_(std::move(sources)) {
    fields_of(config_).from_json(options);
    checked_ldm_record(ldm, *sources_->split.guard);
    CandidatePrompts prompts = candidate_prompts();
    ldm.tokenizer().check_told_apart(prompts.all());
    generator_ = new_generator(ldm, folder, candidates);
    steps_ = round_steps(config_.budget, sources_->steps_per_epoch(),
                         sources_->setup.config.total_steps(sources_->steps_per_epoch()));
    const auto& set = sources_->split.source_in;
    const std::uint64_t seed = config_.seed < 0 ? sources_->seed() : static_cast<std::uint64_t>(config_.seed);
    rounds_.emplace(config_, set, every_image_of(*set), std::move(prompts), *generator_, folder, seed,
                    rounds.value_or(static_cast<std::int64_t>(steps_.size())));
  }
  RoundsInPython(const RoundsInPython&) = delete;
  RoundsInPython& operator=(const RoundsInPython&) = delete;

  nlohmann::json run(std::int64_t round) {
    RoundHooks hooks;
    hooks.should_stop = [] {
      interruption_point();
      return false;
    };
    const auto summary = rounds_->run(round, hooks);
    return summary ? summary->to_json() : nlohmann::json();
  }

  std::unique_ptr<BatchLoader> loader(std::int64_t round, const std::string& purpose,
                                      std::optional<std::int64_t> batch_size) const {
    const std::shared_ptr<const SyntheticDataset> set = rounds_->as_of(round);
    check<ConfigError>(set->total() > 0, "the rounds up to {} made no image", round);
    LoaderConfig config = sources_->setup.config.loader;
    if (batch_size) config.batch_size = *batch_size;
    check<ConfigError>(config.batch_size >= 1, "batch_size = {}: expected at least 1", config.batch_size);
    return std::make_unique<BatchLoader>(set, every_image_of(*set), config, sources_->seed(), purpose);
  }

  const std::vector<std::int64_t>& steps() const { return steps_; }

 private:
  CandidatePrompts candidate_prompts() const {
    const SourceSplit& split = sources_->split;
    const TrainingConfig& config = sources_->setup.config;
    const TargetGuard guard = target_guard(*split.source_in, *split.guard, config);
    const auto of_domain = source_descriptions(*split.source_in, *split.guard, config).of_domain;
    std::vector<std::string> taken;
    if (config_.style_mix == StyleMix::kBoth)
      for (const auto& [domain, description] : of_domain) taken.push_back(description);
    const StyleWords styles = style_words(config_.styles, "augmentation", config_.prompt_template, guard, taken);
    return CandidatePrompts(config_.prompt_template, config_.negative_prompt,
                            prompt_words(*split.source_in, split.source_in->domain_names(), config).classes(),
                            of_domain, guard, styles.used, config_.style_mix);
  }

  std::unique_ptr<CandidateGenerator> new_generator(const LatentDiffusion& ldm, const std::filesystem::path& folder,
                                                    const std::filesystem::path& candidates) const {
    auto made = std::make_unique<LdmCandidates>(ldm, config_);
    if (candidates.empty()) return made;
    std::filesystem::create_directories(folder);
    return std::make_unique<StoredCandidates>(std::move(made), generation_options(ldm, config_.request()),
                                              CandidateStore(candidates), folder / "candidates.jsonl");
  }

  std::shared_ptr<Sources> sources_;
  RoundConfig config_;
  std::unique_ptr<CandidateGenerator> generator_;
  std::vector<std::int64_t> steps_;
  std::optional<AugmentationRounds> rounds_;
};

at::Tensor stored_values(const CandidateStore& store, const nlohmann::json& provenance) {
  const std::filesystem::path file = provenance.at("file").get<std::string>();
  const std::string hash = file.stem().string();
  if (file.extension() == ".safetensors") return store.latents(hash);
  return image_to_tensor01(store.image(hash));
}

}  // namespace

void bind_rounds(py::module_& module) {
  py::class_<RoundsInPython>(module, "NativeRounds", "What is behind domainfusion.Rounds, which is the one to be used.")
      .def(py::init<std::shared_ptr<Sources>, const LatentDiffusion&, const std::filesystem::path&,
                    const std::filesystem::path&, std::optional<std::int64_t>, const nlohmann::json&>(),
           py::arg("sources"), py::arg("ldm"), py::arg("folder"), py::arg("candidates"), py::arg("rounds"),
           py::arg("options"), Unlocked())
      .def("run", &RoundsInPython::run, py::arg("round"), Unlocked())
      .def("loader", &RoundsInPython::loader, py::arg("round"), py::arg("purpose"), py::arg("batch_size"), Unlocked())
      .def_property_readonly("steps", &RoundsInPython::steps);
  py::class_<CandidateStore>(module, "NativeStore",
                             "What is behind domainfusion.CandidateStore, which is the one to be used.")
      .def(py::init<std::filesystem::path>(), py::arg("folder"))
      .def(
          "entries",
          [](const CandidateStore& store) {
            std::vector<nlohmann::json> entries;
            for_each_provenance(store.folder(), [&](const nlohmann::json& entry) { entries.push_back(entry); });
            return entries;
          },
          Unlocked())
      .def("values", &stored_values, py::arg("provenance"), Unlocked())
      .def(
          "is_good",
          [](const CandidateStore& store, const std::string& hash) {
            return store.state(hash) == CandidateStore::State::kGood;
          },
          py::arg("hash"), Unlocked());
}

}  // namespace domainfusion
