#include "domainfusion/diffusion/generation/generation_folder.h"

#include <cstdlib>

#include "domainfusion/core/error.h"
#include "domainfusion/core/json_text.h"
#include "domainfusion/io/files/content_hash.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kManifestFile = "manifest.jsonl";

void make_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  check<IoError>(!error, "the folder '{}' cannot be made: {}", folder.string(), error.message());
}

}  // namespace

bool is_same_picture(const Image& a, const Image& b) {
  if (a.height != b.height || a.width != b.width) return false;
  std::size_t different = 0;
  for (std::size_t i = 0; i < a.rgb.size(); ++i) different += std::abs(a.rgb[i] - b.rgb[i]) > 1;
  return 1000 * different <= a.rgb.size();
}

GenerationFolder::GenerationFolder(fs::path folder, const json& options, const json& before)
    : folder_(std::move(folder), FolderMode::kResume, {"folder of images", "generate.json"}) {
  folder_.begin_or_continue(options, before);
  manifest_.emplace(path() / kManifestFile);  // cuts off a torn last line
  read_manifest();
  folder_.keep();
}

void GenerationFolder::read_manifest() {
  for (const json& line : read_json_lines(path() / kManifestFile)) {
    const bool good = line.is_object() && line.value("source", json()).is_string() &&
                      line.value("source_hash", json()).is_string() && line.value("output", json()).is_string();
    check<FormatError>(good, "{}: a line is no record of an image: {}", (path() / kManifestFile).string(),
                       json_text(line).substr(0, 200));
    records_[line["source"]] = line;
  }
}

bool GenerationFolder::has(const std::string& source, const std::string& source_hash) const {
  const auto found = records_.find(source);
  if (found == records_.end()) return false;
  check<ConfigError>(found->second["source_hash"] == source_hash,
                     "'{}' has changed since its image in {} was made; choose another --out", source, path().string());
  return fs::exists(path() / found->second["output"].get<std::string>());
}

void GenerationFolder::add(const std::string& source, const std::string& source_hash, const std::string& output,
                           const Image& image, json record) {
  const fs::path picture = path() / output;
  if (fs::exists(picture)) {
    check<ConfigError>(is_same_picture(read_image(picture), image),
                       "'{}' lies there already and is no image of this run: nothing is overwritten; move it away",
                       picture.string());
  } else {
    make_folder(picture.parent_path());
    write_png(picture, image);
  }
  record.update({{"source", source},
                 {"source_hash", source_hash},
                 {"output", output},
                 {"output_hash", sha256_hex_of_file(picture)}});
  manifest_->write(record);
  records_[source] = std::move(record);
}

}  // namespace domainfusion
