#pragma once
// What a run's numbers come from beside its options.

#include <nlohmann/json.hpp>

#include "domainfusion/data/sets/domain_dataset.h"
#include "domainfusion/training/options/training_config.h"

namespace domainfusion {

// {"code": code_version(), "data_hash", "weights_hash", "ldm_hash"}; hashes are SHA-256, null where there is nothing to
// hash. data_hash: paths of all images of `dataset`, and the content of eight images of `source_in` spread over it; no
// held-out image is read. weights_hash: the file classifier.weights. ldm_hash: names and sizes of the model's files.
// IoError.
nlohmann::json provenance_of(const TrainingConfig& config, const DomainDataset& dataset,
                             const DomainDataset& source_in);

}  // namespace domainfusion
