#include "domainfusion/diffusion/generation/generation_folder.h"

#include <cstdlib>

#include "domainfusion/core/error.h"
#include "domainfusion/core/json_text.h"
#include "domainfusion/io/files/atomic_file.h"
#include "domainfusion/io/files/content_hash.h"
#include "domainfusion/io/files/file_bytes.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kOptionsFile = "generate.json";
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
    : folder_(std::move(folder)) {
  check<ConfigError>(!fs::exists(folder_) || fs::is_directory(folder_), "--out {}: there is a file of that name",
                     folder_.string());
  const bool begun = fs::exists(folder_ / kOptionsFile);
  if (begun) {
    check_options(options, before);
  } else {
    check<ConfigError>(
        !fs::exists(folder_) || fs::is_empty(folder_),
        "--out {}: the folder is not empty and holds no {}: nothing there is overwritten; choose another folder",
        folder_.string(), kOptionsFile);
    make_folder(folder_);
    write_file_atomically(folder_ / kOptionsFile, json_text(options, 2) + "\n");
  }
  lock_.emplace(folder_, fmt::format("the folder of images '{}'", folder_.string()));
  manifest_.emplace(folder_ / kManifestFile);  // cuts off a torn last line
  read_manifest();
}

void GenerationFolder::check_options(const json& options, json before) const {
  const json written = try_parse_json(read_file(folder_ / kOptionsFile)).value_or(nullptr);
  if (written.is_object()) before.update(written, /*merge_objects=*/true);
  check<ConfigError>(
      before == options,
      "--out {}: its images were made with other options; continue with those or choose another folder; the "
      "difference: {}",
      folder_.string(), json_text(json::diff(before, options)));
}

void GenerationFolder::read_manifest() {
  for (const json& line : read_json_lines(folder_ / kManifestFile)) {
    const bool good = line.is_object() && line.value("source", json()).is_string() &&
                      line.value("source_hash", json()).is_string() && line.value("output", json()).is_string();
    check<FormatError>(good, "{}: a line is no record of an image: {}", (folder_ / kManifestFile).string(),
                       json_text(line).substr(0, 200));
    records_[line["source"]] = line;
  }
}

bool GenerationFolder::has(const std::string& source, const std::string& source_hash) const {
  const auto found = records_.find(source);
  if (found == records_.end()) return false;
  check<ConfigError>(found->second["source_hash"] == source_hash,
                     "'{}' has changed since its image in {} was made; choose another --out", source, folder_.string());
  return fs::exists(folder_ / found->second["output"].get<std::string>());
}

void GenerationFolder::add(const std::string& source, const std::string& source_hash, const std::string& output,
                           const Image& image, json record) {
  const fs::path path = folder_ / output;
  if (fs::exists(path)) {
    check<ConfigError>(is_same_picture(read_image(path), image),
                       "'{}' lies there already and is no image of this run: nothing is overwritten; move it away",
                       path.string());
  } else {
    make_folder(path.parent_path());
    write_png(path, image);
  }
  record.update({{"source", source},
                 {"source_hash", source_hash},
                 {"output", output},
                 {"output_hash", sha256_hex_of_file(path)}});
  manifest_->write(record);
  records_[source] = std::move(record);
}

}  // namespace domainfusion
