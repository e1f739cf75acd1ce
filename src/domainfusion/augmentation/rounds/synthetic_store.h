#pragma once
// The images that rounds have made, on disk: losslessly as PNG, with a manifest of how each came to be.
//
//   <folder>/manifest.jsonl     an identity line, one line per covered image, one per finished round
//   <folder>/round-0002/<domain>/<class>/<parent's file>.png    the new images of round 2
//
// An image file is whole on the disk before its line is written, and a torn last line is dropped when the store is
// reopened: a killed run finds exactly the images that it had finished.

#include <map>
#include <optional>

#include "domainfusion/augmentation/candidates/image_budget.h"
#include "domainfusion/io/files/json_lines.h"
#include "domainfusion/io/images/image.h"

namespace domainfusion {

// Distances between images; styles and contents by the Fourier decomposition of the pixels, whatever decomposition made
// them, so that figures can be compared.
struct ImageDrift {
  double style_distance = 0;      // rms difference of log(1 + amplitude) to x; 0: the same style
  double content_similarity = 0;  // amplitude-weighted mean cosine of the phase differences to x; 1: the same content
  double drift = 0;               // rms difference to the raw image, pixels in [0, 1]
};

// How one covered image of one round came out.
struct SyntheticRecord {
  std::int64_t round = 0;
  ParentId parent;
  std::string parent_path;  // "<domain>/<class>/<file>"
  std::int64_t label = 0;
  std::string file;                      // below the store's folder; empty: all candidates failed, x stays
  std::vector<std::string> prompts;      // one per candidate
  std::vector<std::int64_t> candidates;  // the candidates that did not fail, ascending
  std::int64_t style_candidate = -1;     // chosen, as an index into `prompts`; -1: none, or x itself
  std::int64_t content_candidate = -1;
  std::vector<double> style_similarities;  // one per entry of `candidates`
  std::vector<double> content_similarities;
  std::optional<double> own_share;         // combine = mixstyle, efdmix: the share of x's own style
  std::vector<double> style_weights;       // combine = mode: of x, then one per entry of `candidates`; else empty
  ImageDrift made;                         // the new image
  ImageDrift round_trip;                   // x encoded and decoded by the VAE, nothing else
  std::optional<std::int64_t> made_class;  // what a classifier says of them, if one was asked
  std::optional<std::int64_t> round_trip_class;
  std::uint64_t seed = 0;

  bool unchanged() const { return file.empty(); }
  std::int64_t failed() const { return static_cast<std::int64_t>(prompts.size() - candidates.size()); }
  nlohmann::json to_json() const;
  // FormatError if a field is missing, of a wrong type, or names a file outside of the store.
  static SyntheticRecord from_json(const nlohmann::json& line);
};

class SyntheticStore {
 public:
  // Creates `folder`, or reopens the store in it. `identity`: all that decides the images (options, seed, LDM, raw
  // set). ConfigError if the store was made under another identity (names the first differing key), IoError if the
  // folder cannot be used, FormatError if the manifest is not one.
  SyntheticStore(std::filesystem::path folder, const nlohmann::json& identity);

  const std::filesystem::path& folder() const { return folder_; }
  // "round-0002"
  static std::string round_folder(std::int64_t round);

  // The record of an image in a round, nullptr if it has none yet.
  const SyntheticRecord* find(std::int64_t round, const ParentId& parent) const;
  // The records of a round in order of parent.
  std::vector<const SyntheticRecord*> records(std::int64_t round) const;
  // The newest image that rounds up to `round` made of a parent; nullptr if there is none.
  const SyntheticRecord* newest(std::int64_t round, const ParentId& parent) const;

  // Stores an image (not given: all candidates failed) and its record; fills in record.file. IoError on a full disk.
  void add(SyntheticRecord record, const Image* image);

  // The summary of a finished round, nothing if it is not finished.
  std::optional<nlohmann::json> summary(std::int64_t round) const;
  void finish_round(std::int64_t round, const nlohmann::json& summary);

  // The pixels of a record's file below the store's folder. IoError with the remedy if it is gone. Thread-safe.
  static Image image(const std::filesystem::path& folder, const SyntheticRecord& record);

 private:
  void read_manifest(const nlohmann::json& identity);
  void read_line(const nlohmann::json& line);

  std::filesystem::path folder_;
  std::optional<JsonLinesWriter> manifest_;
  std::map<std::pair<ParentId, std::int64_t>, SyntheticRecord> records_;  // by parent, then round
  std::map<std::int64_t, nlohmann::json> summaries_;
};

}  // namespace domainfusion
