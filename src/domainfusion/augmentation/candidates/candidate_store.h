#pragma once
// Generated images that any number of runs share, named by what made them: equal work is done once, over seeds, target
// domains, sweeps and machines.
//
//   <folder>/3f/3f9a….png           an image, lossless; or
//   <folder>/3f/3f9a….safetensors   latents (tensor "z"), which rounds work on
//   <folder>/3f/3f9a….json          its provenance: the key, the file's SHA-256, facts about it; no dates
//
// The name is CandidateKey::hash(). Every file appears whole under its name or not at all, the provenance last, so an
// entry without it is not there yet. Processes may write the same entry at the same time, also over a network file
// system: nothing is locked, and what they write is equal.

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <optional>

#include "domainfusion/augmentation/candidates/candidate_key.h"
#include "domainfusion/io/images/image.h"

namespace domainfusion {

class CandidateStore {
 public:
  enum class State {
    kAbsent,
    kBroken,  // provenance that does not fit its name, or a file that is gone or not the one that was written
    kFailed,  // the diffusion model gave no image; making it again would give the same
    kGood,
  };

  // Makes the folder if it is not there; IoError.
  explicit CandidateStore(std::filesystem::path folder);

  const std::filesystem::path& folder() const { return folder_; }

  // Reads and hashes the entry's file. Thread-safe, like all that follows.
  State state(const std::string& hash) const;

  // Makes or replaces an entry; `facts` (an object) are added to the provenance. IoError.
  void add_image(const CandidateKey& key, const Image& image,
                 const nlohmann::json& facts = nlohmann::json::object()) const;
  void add_latents(const CandidateKey& key, const at::Tensor& z) const;
  // `failure`: why there is no image (failure_of()).
  void add_failure(const CandidateKey& key, const std::string& failure,
                   const nlohmann::json& facts = nlohmann::json::object()) const;

  // What an entry holds. IoError or FormatError that says how to get it back.
  Image image(const std::string& hash) const;
  at::Tensor latents(const std::string& hash) const;  // on the CPU, in the type they were stored in

  // Where an entry's files lie; `ending`: ".json", ".png", ".safetensors".
  std::filesystem::path path(const std::string& hash, const std::string& ending) const;

 private:
  std::filesystem::path make_place(const std::string& hash, const std::string& ending) const;
  void write_provenance(const CandidateKey& key, const std::filesystem::path& file, nlohmann::json facts) const;

  std::filesystem::path folder_;
};

// The state of the entry whose provenance is the file `provenance` ("<folder>/<2 hex>/<hash>.json").
CandidateStore::State state_of_entry(const std::filesystem::path& provenance);

}  // namespace domainfusion
