#include "domainfusion/augmentation/rounds/synthetic_store.h"

#include "domainfusion/core/error.h"
#include "domainfusion/core/json_text.h"
#include "domainfusion/io/files/file_bytes.h"

namespace domainfusion {

namespace {

using nlohmann::json;
namespace fs = std::filesystem;

json json_of_drift(const ImageDrift& d) {
  return {{"style_distance", d.style_distance}, {"content_similarity", d.content_similarity}, {"drift", d.drift}};
}

ImageDrift drift_from_json(const json& object) {
  return {object.at("style_distance").get<double>(), object.at("content_similarity").get<double>(),
          object.at("drift").get<double>()};
}

json class_to_json(const std::optional<std::int64_t>& label) { return label ? json(*label) : json(nullptr); }

std::optional<std::int64_t> class_from_json(const json& value) {
  return value.is_null() ? std::nullopt : std::optional<std::int64_t>(value.get<std::int64_t>());
}

bool stays_inside(const fs::path& relative) {
  const fs::path normal = relative.lexically_normal();
  return !normal.is_absolute() && (normal.empty() || *normal.begin() != "..");
}

// The first key (dotted) whose values differ.
std::string first_difference(const json& stored, const json& wanted) {
  const json steps = json::diff(stored, wanted);
  std::string path = steps.empty() ? "" : steps.front().at("path").get<std::string>();
  if (!path.empty()) path.erase(0, 1);
  for (char& c : path) c = c == '/' ? '.' : c;
  return path;
}

}  // namespace

json SyntheticRecord::to_json() const {
  json line{{"kind", "image"},
            {"round", round},
            {"domain", parent.domain},
            {"index", parent.index},
            {"parent", parent_path},
            {"label", label},
            {"file", file},
            {"seed", seed},
            {"prompts", prompts},
            {"candidates", candidates},
            {"style_candidate", style_candidate},
            {"content_candidate", content_candidate},
            {"style_similarities", style_similarities},
            {"content_similarities", content_similarities},
            {"made", json_of_drift(made)},
            {"round_trip", json_of_drift(round_trip)},
            {"made_class", class_to_json(made_class)},
            {"round_trip_class", class_to_json(round_trip_class)}};
  if (own_share) line["own_share"] = *own_share;
  if (!style_weights.empty()) line["style_weights"] = style_weights;
  return line;
}

SyntheticRecord SyntheticRecord::from_json(const json& line) {
  SyntheticRecord r;
  try {
    line.at("round").get_to(r.round);
    line.at("domain").get_to(r.parent.domain);
    line.at("index").get_to(r.parent.index);
    line.at("parent").get_to(r.parent_path);
    line.at("label").get_to(r.label);
    line.at("file").get_to(r.file);
    line.at("seed").get_to(r.seed);
    line.at("prompts").get_to(r.prompts);
    line.at("candidates").get_to(r.candidates);
    line.at("style_candidate").get_to(r.style_candidate);
    line.at("content_candidate").get_to(r.content_candidate);
    line.at("style_similarities").get_to(r.style_similarities);
    line.at("content_similarities").get_to(r.content_similarities);
    if (line.contains("own_share")) r.own_share = line.at("own_share").get<double>();
    if (line.contains("style_weights")) line.at("style_weights").get_to(r.style_weights);
    r.made = drift_from_json(line.at("made"));
    r.round_trip = drift_from_json(line.at("round_trip"));
    r.made_class = class_from_json(line.at("made_class"));
    r.round_trip_class = class_from_json(line.at("round_trip_class"));
  } catch (const json::exception& error) {
    throw FormatError(
        fmt::format("a line of a synthetic set's manifest is not a record of an image: {}", error.what()));
  }
  check<FormatError>(stays_inside(r.file),
                     "the manifest of a synthetic set names the file '{}', expected one below its folder", r.file);
  return r;
}

SyntheticStore::SyntheticStore(fs::path folder, const json& identity) : folder_(std::move(folder)) {
  std::error_code error;
  fs::create_directories(folder_, error);
  check<IoError>(!error, "cannot make the folder '{}' for synthetic images: {}", folder_.string(), error.message());
  const fs::path path = folder_ / "manifest.jsonl";
  // The writer first: it cuts off a torn last line.
  manifest_.emplace(path);
  with_context(path.string(), [&] { read_manifest(identity); });
}

void SyntheticStore::read_manifest(const json& identity) {
  const std::vector<json> lines = read_json_lines(folder_ / "manifest.jsonl");
  if (lines.empty()) {
    manifest_->write({{"kind", "synthetic set"}, {"identity", identity}});
    return;
  }
  const json& head = lines.front();
  check<FormatError>(head.is_object() && head.contains("identity"),
                     "the first line does not tell what made the set; it is no "
                     "manifest of synthetic images, or it was edited");
  check<ConfigError>(head.at("identity") == identity,
                     "the synthetic images there were made with another '{}'; resume with the "
                     "options they were made with, or start a new run folder",
                     first_difference(head.at("identity"), identity));
  for (std::size_t i = 1; i < lines.size(); ++i) read_line(lines[i]);
}

void SyntheticStore::read_line(const json& line) {
  check<FormatError>(line.is_object(), "a line is no JSON object: {}", json_text(line).substr(0, 200));
  const json kind = line.value("kind", json());
  if (kind == "image") {
    SyntheticRecord record = SyntheticRecord::from_json(line);
    records_[{record.parent, record.round}] = std::move(record);
    return;
  }
  check<FormatError>(
      kind == "round" && line.contains("round") && line["round"].is_number_integer() && line.contains("summary"),
      "a line is neither an image nor a round: {}", json_text(line).substr(0, 200));
  summaries_[line["round"].get<std::int64_t>()] = line["summary"];
}

std::string SyntheticStore::round_folder(std::int64_t round) { return fmt::format("round-{:04d}", round); }

const SyntheticRecord* SyntheticStore::find(std::int64_t round, const ParentId& parent) const {
  const auto found = records_.find({parent, round});
  return found == records_.end() ? nullptr : &found->second;
}

std::vector<const SyntheticRecord*> SyntheticStore::records(std::int64_t round) const {
  std::vector<const SyntheticRecord*> list;
  for (const auto& [key, record] : records_) {
    if (record.round == round) list.push_back(&record);
  }
  return list;
}

const SyntheticRecord* SyntheticStore::newest(std::int64_t round, const ParentId& parent) const {
  for (auto place = records_.upper_bound({parent, round}); place != records_.begin();) {
    --place;
    if (place->first.first != parent) break;
    if (!place->second.unchanged()) return &place->second;
  }
  return nullptr;
}

void SyntheticStore::add(SyntheticRecord record, const Image* image) {
  record.file.clear();
  if (image != nullptr) {
    record.file = (fs::path(round_folder(record.round)) / (record.parent_path + ".png")).generic_string();
    check<FormatError>(stays_inside(record.parent_path), "the image path '{}' leaves its set's folder",
                       record.parent_path);
    const fs::path path = folder_ / record.file;
    std::error_code error;
    fs::create_directories(path.parent_path(), error);
    check<IoError>(!error, "cannot make the folder '{}' for synthetic images: {}", path.parent_path().string(),
                   error.message());
    write_png(path, *image);
  }
  manifest_->write(record.to_json());
  records_[{record.parent, record.round}] = std::move(record);
}

std::optional<json> SyntheticStore::summary(std::int64_t round) const {
  const auto found = summaries_.find(round);
  return found == summaries_.end() ? std::nullopt : std::optional<json>(found->second);
}

void SyntheticStore::finish_round(std::int64_t round, const json& summary) {
  manifest_->write({{"kind", "round"}, {"round", round}, {"summary", summary}});
  summaries_[round] = summary;
}

Image SyntheticStore::image(const fs::path& folder, const SyntheticRecord& record) {
  return with_context(
      "synthetic set (its images cannot be made again one by one; start a new run folder if a file is lost)",
      [&] { return read_image(folder / record.file); });
}

}  // namespace domainfusion
