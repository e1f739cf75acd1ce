#pragma once
// A folder of generated images: the pictures, generate.json with the options that made them, and manifest.jsonl with a
// line for each. Nothing in it is ever overwritten, and one object at a time has it.

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "domainfusion/io/files/json_lines.h"
#include "domainfusion/io/folders/owned_folder.h"
#include "domainfusion/io/images/image.h"

namespace domainfusion {

class GenerationFolder {
 public:
  // Makes the folder (an OwnedFolder), or continues one of equal `options`; `before`: what those say that a folder made
  // before there were such options does not. ConfigError for other options, and for a folder that is not empty and was
  // not made by this class; IoError (also while another process has it), FormatError.
  GenerationFolder(std::filesystem::path folder, const nlohmann::json& options,
                   const nlohmann::json& before = nlohmann::json::object());

  const std::filesystem::path& path() const { return folder_.path(); }
  // Whether the image of `source` lies there, made of content `source_hash`. ConfigError if it was made of another
  // content.
  bool has(const std::string& source, const std::string& source_hash) const;

  // Writes the picture to `output` (relative), then its line: `record` with source, source_hash, output and
  // output_hash. A file of that name that lies there already (a kill came between file and line) is kept if it is this
  // picture, up to the rounding of another thread count; else ConfigError.
  void add(const std::string& source, const std::string& source_hash, const std::string& output, const Image& image,
           nlohmann::json record);

 private:
  void read_manifest();

  OwnedFolder folder_;
  std::optional<JsonLinesWriter> manifest_;
  std::map<std::string, nlohmann::json> records_;  // by source
};

// Whether 99.9 % of the bytes differ by at most 1: the same picture, computed with another thread count or batch.
bool is_same_picture(const Image& a, const Image& b);

}  // namespace domainfusion
