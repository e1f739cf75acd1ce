#pragma once
// What a latent diffusion model says of its training, in domainfusion.json.

#include <set>
#include <string>

#include "domainfusion/diffusion/latent_diffusion.h"

namespace domainfusion {

// What is recorded of a file's SHA-256: the first 64 bits (16 hex digits), which tell millions of files apart.
std::string recorded_hash(const std::string& sha256);

struct LdmProvenance {
  bool recorded = false;      // false: a model of another maker; nothing below is known
  bool base_recorded = true;  // false: it was finetuned from such a model, and the rest tells of the finetuning alone
  std::set<std::string> domains, image_hashes;  // names; recorded_hash() of files
  std::set<std::string> captions;               // empty where the record does not list them
};

// FormatError for a broken record; ConfigError if the training that it tells of is not finished.
LdmProvenance ldm_provenance(const LatentDiffusion& ldm);

}  // namespace domainfusion
