#include "domainfusion/augmentation/rounds/round.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <chrono>

#include "domainfusion/augmentation/candidates/model_image.h"
#include "domainfusion/augmentation/rounds/image_drift.h"
#include "domainfusion/core/json_text.h"
#include "domainfusion/core/log.h"
#include "domainfusion/core/progress.h"
#include "domainfusion/diffusion/generation/image_checks.h"
#include "domainfusion/io/files/atomic_file.h"
#include "domainfusion/io/files/content_hash.h"

namespace domainfusion {

namespace {

using nlohmann::json;

// Nothing but "mode" asks the judge; a set of another rule does not depend on who could have been asked.
StyleJudge judge_if_needed(CombineRule rule, StyleJudge judge) {
  if (rule != CombineRule::kMode) return {};
  check<ConfigError>(static_cast<bool>(judge.logits),
                     "augmentation.combine = mode looks for styles that a trained classifier finds hard: name the "
                     "best.safetensors of an ERM run with domainfusion.fidelity_weights");
  return judge;
}

std::string name_of_pictures(const ParentId& parent) { return fmt::format("{}-{}", parent.domain, parent.index); }

}  // namespace

// The images that are worked on together.
struct AugmentationRounds::Group {
  std::int64_t round = 0;
  std::vector<ParentId> parents;
  at::Tensor raw_N3SS, x_N3SS;       // float32 in [0, 1]; x: what the candidates start from
  std::vector<std::string> prompts;  // N candidates of the first parent, then of the second, …
  at::Tensor z_x_Nchw;               // encoded x
  at::Tensor round_trip_N3SS;        // decoded again
  at::Tensor lost_N3SS;              // x - round trip, where detail is restored
  at::Tensor z_candidates;           // [parents * N, c, h, w]
  at::Tensor candidate_values;       // in the decomposition's space, float64 on the CPU
  std::vector<bool> failed;          // candidates that came out broken
  at::Tensor x_values, reference_values;

  std::int64_t size() const { return static_cast<std::int64_t>(parents.size()); }
};

// What came out for one of them.
struct AugmentationRounds::Outcome {
  SyntheticRecord record;
  at::Tensor values;  // combined, [1, …] in the decomposition's space; undefined: all candidates failed
  std::optional<Image> image;
};

AugmentationRounds::AugmentationRounds(RoundConfig config, std::shared_ptr<const DomainDataset> raw,
                                       std::vector<DomainSelection> selections, CandidatePrompts prompts,
                                       const CandidateGenerator& generator, std::filesystem::path folder,
                                       std::uint64_t seed, std::int64_t rounds, StyleJudge judge)
    : config_(std::move(config)),
      raw_(std::move(raw)),
      selections_(std::move(selections)),
      prompts_(std::move(prompts)),
      generator_(generator),
      seed_(seed),
      decomposition_(decompositions().make(config_.decomposition, config_.decomposition_options)),
      judge_(judge_if_needed(config_.combination.rule, std::move(judge))),
      walk_(*raw_, selections_, seed),
      plan_(config_.budget, walk_.size(), static_cast<std::int64_t>(selections_.size()), config_.candidates, rounds),
      store_(std::move(folder), identity()) {
  check_stored_prompts();
  if (plan_.rounds() > 0 && plan_.images_of_run() < walk_.groups())
    log_warning(
        "the rounds of this run cover {} images, fewer than its {} pairs of source domain and class: raise "
        "augmentation.budget_share or images_per_round",
        plan_.images_of_run(), walk_.groups());
}

// How many are made at a time and how many pictures are kept decide nothing.
json AugmentationRounds::identity() const {
  RoundConfig config = config_;
  config.settle({});
  json options = fields_of(config).to_json();
  options.erase("preset");  // what it decided stands there
  options.erase("batch_images");
  options.erase("picture_rows");
  options.erase("seed");  // stands below
  // Sets from before there was a choice keep their identity.
  if (config.mode == GenerationMode::kImageToImage) options.erase("mode");
  if (config.detail == Detail::kDecoded) options.erase("detail");
  if (config.decomposition_options.envelope == 0) options.erase("envelope");
  config.combination.forget_unused(options);
  // Of styles their words count, not where they come from.
  const json mix = options.at("style_mix");
  for (const char* key : {"styles", "near_styles", "style_mix"}) options.erase(key);
  std::string images;
  for (const DomainSelection& selection : selections_) {
    std::vector<std::int64_t> indices = selection.indices;
    std::sort(indices.begin(), indices.end());
    for (std::int64_t index : indices) images += raw_->info(selection.domain, index).path + "\n";
  }
  // The paths fix the walk; of the pixels only those count that it comes by.
  for (const ParentId& parent : walk_.window(0, std::min(plan_.images_of_run(), walk_.size()))) {
    images += raw_->pixel_identity(parent.domain, parent.index) + "\n";
  }
  const auto& [weights_hash, size_px, dtype] = generator_.ldm();
  json identity{{"options", options},       {"seed", seed_},
                {"rounds", plan_.rounds()}, {"ldm", weights_hash},
                {"image_size_px", size_px}, {"raw_images", sha256_hex(images)}};
  if (!plan_.is_evenly_shared()) identity["shares"] = "rounded up";
  if (dtype != "float32") identity["dtype"] = dtype;  // which sets from before it counted all had
  if (!prompts_.styles().empty()) identity["styles"] = {{"words", prompts_.styles()}, {"mix", mix}};
  if (judge_.logits) identity["judge"] = judge_.weights_hash;
  return identity;
}

// Words of classes and domains are no option of a round, and a set of other words is another set.
void AugmentationRounds::check_stored_prompts() const {
  for (std::int64_t round = 0; round < plan_.rounds(); ++round) {
    for (const SyntheticRecord* record : store_.records(round)) {
      const auto now = prompts_of(round, record->parent, record->label);
      check<ConfigError>(
          record->prompts == now,
          "the synthetic images of '{}' were made with other prompts ('{}' then, '{}' now): give "
          "classes and domains the words of then (data.descriptions), or make a new set in a new run folder",
          store_.folder().string(), fmt::join(record->prompts, "', '"), fmt::join(now, "', '"));
    }
  }
}

std::vector<std::string> AugmentationRounds::prompts_of(std::int64_t round, const ParentId& parent,
                                                        std::int64_t label) const {
  return prompts_.prompts(label, parent.domain, config_.candidates,
                          RandomStream(seed_, "candidate styles",
                                       {static_cast<std::uint64_t>(parent.domain),
                                        static_cast<std::uint64_t>(parent.index), static_cast<std::uint64_t>(round)}));
}

void AugmentationRounds::check_ready(std::int64_t round) const {
  check<ConfigError>(round >= 0 && round < plan_.rounds(), "round {} was asked of a run with {} rounds", round,
                     plan_.rounds());
  check<ConfigError>(round == 0 || store_.summary(round - 1).has_value(),
                     "round {} was asked before round {} was finished", round, round - 1);
}

std::optional<RoundSummary> AugmentationRounds::run(std::int64_t round, const RoundHooks& hooks) {
  check_ready(round);
  if (const auto stored = store_.summary(round)) return RoundSummary::from_json(*stored);
  const c10::NoGradGuard no_grad;
  const auto start = std::chrono::steady_clock::now();
  Progress progress(fmt::format("round {}", round), plan_.count(round), "images");
  for (std::int64_t group = 0; group < groups(round); ++group) {
    const std::vector<ParentId> parents = parents_of_group(round, group);
    const bool finished = std::all_of(parents.begin(), parents.end(),
                                      [&](const ParentId& parent) { return store_.find(round, parent) != nullptr; });
    if (!finished) {
      if (hooks.should_stop && hooks.should_stop()) return std::nullopt;
      finish_group(load_group(round, parents), hooks);
    }
    progress.update(std::min(plan_.count(round), (group + 1) * config_.batch_images));
  }
  progress.finish();
  write_picture_list(round);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  const RoundSummary summary = summarise(round, seconds.count());
  if (summary.covered > 0 && summary.unchanged == summary.covered)
    log_warning(
        "round {}: all {} candidates failed and no image was made, so the run learns as if without rounds: the LDM's "
        "weights are broken, or its type overflows (ldm_dtype = float32)",
        round, summary.generated);
  store_.finish_round(round, summary.to_json());
  return summary;
}

std::int64_t AugmentationRounds::groups(std::int64_t round) const {
  return (plan_.count(round) + config_.batch_images - 1) / config_.batch_images;
}

// Groups are cut at fixed places and made whole: a resumed round gives the very bits of an uninterrupted one.
std::vector<ParentId> AugmentationRounds::parents_of_group(std::int64_t round, std::int64_t group) const {
  check<ConfigError>(group >= 0 && group < groups(round), "group {} was asked of round {} with {} groups", group, round,
                     groups(round));
  const std::int64_t first = group * config_.batch_images;
  return walk_.window(plan_.first(round) + first, std::min(config_.batch_images, plan_.count(round) - first));
}

void AugmentationRounds::finish_group(Group group, const RoundHooks& hooks) {
  make_candidates(group);
  std::vector<Outcome> outcomes;
  for (std::int64_t place = 0; place < group.size(); ++place) outcomes.push_back(choose(group, place));
  decode_combined(group, outcomes);
  measure(group, outcomes, hooks);
  keep_pictures(group, outcomes);
  store_group(group, outcomes);
}

void AugmentationRounds::make_earlier_images(std::int64_t round, const std::vector<ParentId>& parents) {
  for (std::int64_t earlier = 0; earlier < round; ++earlier) {
    for (std::int64_t group = 0; group < groups(earlier); ++group) {
      const std::vector<ParentId> theirs = parents_of_group(earlier, group);
      const bool needed = std::any_of(theirs.begin(), theirs.end(), [&](const ParentId& parent) {
        return store_.find(earlier, parent) == nullptr &&
               std::find(parents.begin(), parents.end(), parent) != parents.end();
      });
      if (!needed) continue;
      make_earlier_images(earlier, theirs);
      finish_group(load_group(earlier, theirs), {});
    }
  }
}

AugmentationRounds::GroupRequest AugmentationRounds::request_of_group(std::int64_t round, std::int64_t group) {
  const c10::NoGradGuard no_grad;
  const std::vector<ParentId> parents = parents_of_group(round, group);
  make_earlier_images(round, parents);
  const Group loaded = load_group(round, parents);
  return {generator_.encode(loaded.x_N3SS).repeat_interleave(config_.candidates, 0), loaded.prompts,
          noise_streams(round, parents)};
}

Image AugmentationRounds::current_image(std::int64_t round, const ParentId& parent) const {
  const SyntheticRecord* made = store_.newest(round - 1, parent);
  return made != nullptr ? SyntheticStore::image(store_.folder(), *made) : raw_->image(parent.domain, parent.index);
}

AugmentationRounds::Group AugmentationRounds::load_group(std::int64_t round, std::vector<ParentId> parents) const {
  Group group;
  group.round = round;
  group.parents = std::move(parents);
  std::vector<at::Tensor> raw, x;
  for (const ParentId& parent : group.parents) {
    raw.push_back(tensor_of_size(raw_->image(parent.domain, parent.index), generator_.image_size_px()));
    x.push_back(tensor_of_size(current_image(round, parent), generator_.image_size_px()));
    const std::int64_t label = raw_->info(parent.domain, parent.index).label;
    const std::vector<std::string> prompts = prompts_of(round, parent, label);
    group.prompts.insert(group.prompts.end(), prompts.begin(), prompts.end());
  }
  group.raw_N3SS = at::stack(raw);
  group.x_N3SS = at::stack(x);
  return group;
}

std::vector<RandomStream> AugmentationRounds::noise_streams(std::int64_t round,
                                                            const std::vector<ParentId>& parents) const {
  std::vector<RandomStream> streams;
  for (const ParentId& parent : parents) {
    for (std::int64_t candidate = 0; candidate < config_.candidates; ++candidate) {
      streams.emplace_back(seed_, "candidate noise",
                           std::initializer_list<std::uint64_t>{
                               static_cast<std::uint64_t>(round), static_cast<std::uint64_t>(parent.domain),
                               static_cast<std::uint64_t>(parent.index), static_cast<std::uint64_t>(candidate)});
    }
  }
  return streams;
}

void AugmentationRounds::make_candidates(Group& group) const {
  const bool latents = decomposition_->space() == Decomposition::Space::kLatents;
  const auto values_of = [](const at::Tensor& values) { return values.to(at::kCPU, at::kDouble); };
  group.z_x_Nchw = generator_.encode(group.x_N3SS);
  group.round_trip_N3SS = generator_.decode(group.z_x_Nchw);
  group.z_candidates = generator_.candidate_latents(group.z_x_Nchw.repeat_interleave(config_.candidates, 0),
                                                    group.prompts, noise_streams(group.round, group.parents));
  if (config_.detail == Detail::kRestored)
    group.lost_N3SS = group.x_N3SS - group.round_trip_N3SS.to(at::kCPU, at::kFloat);
  const at::Tensor candidates = latents ? group.z_candidates : generator_.decode(group.z_candidates);
  for (const at::Tensor& candidate : candidates.unbind())
    group.failed.push_back(is_failed(candidate, latents ? kConstantLatents : kConstantPixels));
  group.candidate_values = values_of(
      latents ? candidates : with_detail(group, candidates.to(at::kCPU, at::kFloat), places_of_candidates(group)));
  group.x_values = values_of(latents ? group.z_x_Nchw : group.x_N3SS);
  group.reference_values = group.x_values;
  if (config_.reference == StyleReference::kRaw) {
    group.reference_values = values_of(latents ? generator_.encode(group.raw_N3SS) : group.raw_N3SS);
  }
}

AugmentationRounds::Outcome AugmentationRounds::choose(const Group& group, std::int64_t place) const {
  const ParentId& parent = group.parents[static_cast<std::size_t>(place)];
  const SampleInfo& info = raw_->info(parent.domain, parent.index);
  const at::Tensor candidates = group.candidate_values.narrow(0, place * config_.candidates, config_.candidates);
  Outcome outcome;
  SyntheticRecord& record = outcome.record;
  record.round = group.round;
  record.parent = parent;
  record.parent_path = info.path;
  record.label = info.label;
  record.seed = seed_;
  const auto first_prompt = group.prompts.begin() + place * config_.candidates;
  record.prompts.assign(first_prompt, first_prompt + config_.candidates);
  for (std::int64_t i = 0; i < config_.candidates; ++i) {
    if (!group.failed[static_cast<std::size_t>(place * config_.candidates + i)]) record.candidates.push_back(i);
  }
  if (record.candidates.empty()) return outcome;
  const at::Tensor usable = candidates.index_select(0, at::tensor(record.candidates));
  if (config_.combination.rule == CombineRule::kDomainFusion) {
    fuse(group, place, usable, outcome);
  } else {
    follow_rule(group, place, usable, outcome);
  }
  return outcome;
}

// Method section 3, steps 3 and 4.
void AugmentationRounds::fuse(const Group& group, std::int64_t place, const at::Tensor& usable_values,
                              Outcome& outcome) const {
  SyntheticRecord& record = outcome.record;
  const StyleContent usable = decomposition_->decompose(usable_values);
  const StyleContent x = decomposition_->decompose(group.x_values.narrow(0, place, 1));
  const StyleContent reference = decomposition_->decompose(group.reference_values.narrow(0, place, 1));
  Selection selection = select_candidates(*decomposition_, reference, usable, config_.selection);
  record.style_candidate = record.candidates[static_cast<std::size_t>(selection.style)];
  record.content_candidate = record.candidates[static_cast<std::size_t>(selection.content)];
  record.style_similarities = std::move(selection.style_similarities);
  record.content_similarities = std::move(selection.content_similarities);
  outcome.values = decomposition_->fused(x, usable.at(selection.style), usable.at(selection.content));
}

void AugmentationRounds::follow_rule(const Group& group, std::int64_t place, const at::Tensor& usable_values,
                                     Outcome& outcome) const {
  SyntheticRecord& record = outcome.record;
  const CombinationInput input{
      *decomposition_, group.x_values.narrow(0, place, 1), usable_values, record.label, [&](const at::Tensor& values) {
        return image01_of(group, values, std::vector<std::int64_t>(static_cast<std::size_t>(values.size(0)), place));
      }};
  RandomStream stream(seed_, "combine",
                      {static_cast<std::uint64_t>(group.round), static_cast<std::uint64_t>(record.parent.domain),
                       static_cast<std::uint64_t>(record.parent.index)});
  Combined made = combined_by_rule(config_.combination, input, judge_, std::move(stream));
  const auto candidate = [&](std::int64_t of_usable) {
    return of_usable < 0 ? of_usable : record.candidates[static_cast<std::size_t>(of_usable)];
  };
  record.style_candidate = candidate(made.style);
  record.content_candidate = candidate(made.content);
  record.own_share = made.own_share;
  record.style_weights = std::move(made.style_weights);
  outcome.values = made.values;
}

std::vector<std::int64_t> AugmentationRounds::places_of_candidates(const Group& group) const {
  std::vector<std::int64_t> places;
  for (std::int64_t i = 0; i < group.size() * config_.candidates; ++i) places.push_back(i / config_.candidates);
  return places;
}

// `images01` of the images at `places`, with what the VAE has lost of these.
at::Tensor AugmentationRounds::with_detail(const Group& group, const at::Tensor& image01_n3SS,
                                           const std::vector<std::int64_t>& places) const {
  if (!group.lost_N3SS.defined()) return image01_n3SS;
  return (image01_n3SS + group.lost_N3SS.index_select(0, at::tensor(places))).clamp(0, 1);
}

// Float32 on the CPU, of values in the decomposition's space, made of the images at `places`.
at::Tensor AugmentationRounds::image01_of(const Group& group, const at::Tensor& values,
                                          const std::vector<std::int64_t>& places) const {
  if (decomposition_->space() == Decomposition::Space::kPixels) return values.to(at::kCPU, at::kFloat);
  return with_detail(group, generator_.decode(values.to(group.z_x_Nchw.options())).to(at::kCPU, at::kFloat), places);
}

void AugmentationRounds::decode_combined(const Group& group, std::vector<Outcome>& outcomes) const {
  std::vector<at::Tensor> values;
  std::vector<std::int64_t> places;
  for (std::size_t place = 0; place < outcomes.size(); ++place) {
    if (!outcomes[place].values.defined()) continue;
    values.push_back(outcomes[place].values);
    places.push_back(static_cast<std::int64_t>(place));
  }
  if (values.empty()) return;
  const at::Tensor images = image01_of(group, at::cat(values), places);
  std::int64_t next = 0;
  for (Outcome& outcome : outcomes) {
    if (!outcome.values.defined()) continue;
    const at::Tensor image = images[next++];
    if (!is_failed(image, kConstantPixels)) outcome.image = tensor01_to_image(image);
  }
}

void AugmentationRounds::measure(const Group& group, std::vector<Outcome>& outcomes, const RoundHooks& hooks) const {
  std::vector<at::Tensor> made;
  for (std::int64_t place = 0; place < group.size(); ++place) {
    Outcome& outcome = outcomes[static_cast<std::size_t>(place)];
    const at::Tensor x = group.x_N3SS[place], raw = group.raw_N3SS[place];
    made.push_back(outcome.image ? image_to_tensor01(*outcome.image) : x);
    outcome.record.made = image_drift(made.back(), x, raw);
    outcome.record.round_trip = image_drift(group.round_trip_N3SS[place], x, raw);
  }
  if (!hooks.class_of) return;
  const at::Tensor images = at::cat({at::stack(made), group.round_trip_N3SS.to(at::kCPU, at::kFloat)});
  const at::Tensor classes = hooks.class_of(images).to(at::kCPU, at::kLong);
  check<ShapeError>(classes.dim() == 1 && classes.size(0) == images.size(0),
                    "the classifier gave classes of shape [{}] for {} images", fmt::join(classes.sizes(), ", "),
                    images.size(0));
  for (std::int64_t place = 0; place < group.size(); ++place) {
    SyntheticRecord& record = outcomes[static_cast<std::size_t>(place)].record;
    record.made_class = classes[place].item<std::int64_t>();
    record.round_trip_class = classes[group.size() + place].item<std::int64_t>();
  }
}

void AugmentationRounds::store_group(const Group& group, const std::vector<Outcome>& outcomes) {
  for (const Outcome& outcome : outcomes) {
    if (store_.find(group.round, outcome.record.parent) != nullptr) continue;  // finished before a kill
    store_.add(outcome.record, outcome.image ? &*outcome.image : nullptr);
  }
}

bool AugmentationRounds::is_pictured(std::int64_t round, const ParentId& parent) const {
  const std::int64_t count = plan_.count(round);
  const std::int64_t rows = std::min(config_.picture_rows, count);
  for (std::int64_t row = 0; row < rows; ++row) {
    if (walk_.window(plan_.first(round) + row * count / rows, 1).front() == parent) return true;
  }
  return false;
}

void AugmentationRounds::keep_pictures(const Group& group, const std::vector<Outcome>& outcomes) const {
  for (std::int64_t place = 0; place < group.size(); ++place) {
    const ParentId& parent = group.parents[static_cast<std::size_t>(place)];
    if (!is_pictured(group.round, parent)) continue;
    const auto folder =
        store_.folder() / "pictures" / SyntheticStore::round_folder(group.round) / name_of_pictures(parent);
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    check<IoError>(!error, "cannot make the folder '{}' for pictures: {}", folder.string(), error.message());
    write_png(folder / "raw.png", tensor01_to_image(group.raw_N3SS[place]));
    write_png(folder / "x.png", tensor01_to_image(group.x_N3SS[place]));
    write_png(folder / "round_trip.png", tensor01_to_image(group.round_trip_N3SS[place]));
    const Outcome& outcome = outcomes[static_cast<std::size_t>(place)];
    for (std::int64_t i : outcome.record.candidates) {
      const at::Tensor decoded = generator_.decode(group.z_candidates.narrow(0, place * config_.candidates + i, 1));
      if (is_failed(decoded, -1)) continue;
      const at::Tensor image = with_detail(group, decoded.to(at::kCPU, at::kFloat), {place});
      write_png(folder / fmt::format("candidate-{}.png", i), tensor01_to_image(image));
    }
    if (outcome.image) write_png(folder / "made.png", *outcome.image);
  }
}

void AugmentationRounds::write_picture_list(std::int64_t round) const {
  const auto folder = store_.folder() / "pictures" / SyntheticStore::round_folder(round);
  json rows = json::array();
  for (const SyntheticRecord* record : store_.records(round)) {
    if (!is_pictured(round, record->parent)) continue;
    json row = record->to_json();
    row["folder"] = name_of_pictures(record->parent);
    row["class_name"] = raw_->class_names()[static_cast<std::size_t>(record->label)];
    row["domain_name"] = raw_->domain_names()[static_cast<std::size_t>(record->parent.domain)];
    rows.push_back(row);
  }
  if (!rows.empty()) write_file_atomically(folder / "pictures.json", json_text(rows, 1));
}

std::shared_ptr<const SyntheticDataset> AugmentationRounds::as_of(std::int64_t round) const {
  check<ConfigError>(round == -1 || store_.summary(round).has_value(),
                     "the synthetic set as of round {} was asked before that round was "
                     "finished",
                     round);
  return std::make_shared<SyntheticDataset>(store_, raw_, round);
}

}  // namespace domainfusion
