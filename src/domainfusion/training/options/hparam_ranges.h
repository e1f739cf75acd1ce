#pragma once
// DomainBed's registry of hyper-parameters (hparams_registry.py at b93c22a): names, default values, and how random ones
// are drawn.

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "domainfusion/data/protocol/numpy_random.h"

namespace domainfusion {

// DomainBed's name of an algorithm of ours ("groupdro": "GroupDRO"); those that it does not have keep their names.
std::string domainbed_algorithm(const std::string& algorithm);

struct HparamRange {
  std::string name;
  nlohmann::json default_value;
  std::function<nlohmann::json(NumpyRandom&)> draw;
  // The run's option that takes the value; empty: recorded alone.
  std::string option;
};

// `algorithm`: our name; those that DomainBed does not have take what ERM takes.
std::vector<HparamRange> hparam_ranges(const std::string& algorithm, const std::string& dataset);

}  // namespace domainfusion
