#pragma once
// DSI on the held-out domain of a finished run: its classifier, with one translator for each source domain.

#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "domainfusion/diffusion/weights/model_source.h"
#include "domainfusion/evaluation/dsi/dsi_config.h"
#include "domainfusion/evaluation/models/trained_model.h"

namespace domainfusion {

struct DsiRequest {
  std::filesystem::path run;
  std::string model = kSelectedModel;
  std::string data;  // another place of the run's images; empty: the run's
  std::vector<std::pair<std::string, std::filesystem::path>> ldms;  // source domain, its model
  LdmOptions ldm_options;                                           // its device is also the classifier's
  std::filesystem::path translations;                               // store; empty: RUN/dsi
  std::function<bool()> should_stop;
};

// RUN/dsi.json; of another model than the selected one RUN/dsi-MODEL.json.
std::filesystem::path dsi_record(const std::filesystem::path& run, const std::string& model);

// Classifies the IN images of the held-out domain (DomainBed's rule, as the run's own test), and where the threshold is
// chosen there the OUT images of the source domains. Returns, and writes to dsi_record(),
//   test             a test record with "model": "dsi" (or "MODEL + dsi"): the headline subset's figures
//   clean_accuracy   of the classifier alone
//   threshold, threshold_from, candidates (threshold, mean accuracy on source OUT images)
//   subsets          by name: accuracy, accepted (shares: clean, each start, never)
//   translated       images by source domain and start, of the held-out domain; made, found, failed; seconds; options;
//   ldms
// An image whose translation failed keeps its own logits in the translation's place.
// ConfigError: an unfinished run, an unknown or held-out domain, a model that saw the held-out domain or, by its own
// record, not the domain that it is given for, options that cannot work; Interrupted when should_stop says so: the next
// call goes on.
nlohmann::json run_dsi(const DsiConfig& config, const DsiRequest& request);

}  // namespace domainfusion
