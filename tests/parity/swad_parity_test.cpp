// SWAD against traces of the released code (tests/parity/swad/README.txt: what was run, fields, tolerances).
#include <gtest/gtest.h>
#include <torch/nn/module.h>
#include <torch/types.h>

#include <fstream>

#include "domainfusion/training/averaging/swad.h"
#include "parity/case_folders.h"

namespace domainfusion {
namespace {

using nlohmann::json;

struct Trace {
  std::string name;
  json facts;
  friend void PrintTo(const Trace& trace, std::ostream* out) { *out << trace.name; }
};

std::vector<Trace> traces() {
  std::vector<Trace> all;
  for (const auto& folder : case_folders("swad", "lossvalley.json")) {
    const json file = json::parse(std::ifstream(folder / "lossvalley.json"));
    for (std::size_t i = 0; i < file.size(); ++i) all.push_back({fmt::format("{}/{}", folder.string(), i), file[i]});
  }
  return all;
}

struct OneWeight : torch::nn::Module {
  at::Tensor weight = register_parameter("weight", torch::zeros({1}));
};

class SwadParity : public testing::TestWithParam<Trace> {};

// Segment i holds `segment_every` steps at which the only weight is i.
AveragedWeights run_trace(const json& facts) {
  AveragingConfig config;
  config.valley = {facts.at("n_converge"), facts.at("n_tolerance"), facts.at("tolerance_ratio")};
  Swad swad(config);
  OneWeight model;
  std::int64_t step = 1;
  for (std::size_t i = 0; i < facts.at("val_losses").size(); ++i) {
    model.weight.data().fill_(static_cast<double>(i));
    for (std::int64_t k = 0; k < facts.at("segment_every"); ++k) swad.after_step(step++, model);
    swad.after_validation(facts["val_losses"][i]);
  }
  return swad.average();
}

}  // namespace

TEST_P(SwadParity, StartEndAndMeanAreThoseOfTheReleasedCode) {
  const json& facts = GetParam().facts;
  const AveragedWeights average = run_trace(facts);
  EXPECT_EQ(average.record.at("converged"), facts.at("converged"));
  EXPECT_EQ(average.record.at("dead"), facts.at("dead_valley"));
  EXPECT_EQ(average.record.at("start_step"), facts.at("start_step"));
  EXPECT_EQ(average.record.at("end_step"), facts.at("end_step"));
  EXPECT_NEAR(average.weights.at("weight").item<double>(), facts.at("final_weight").get<double>(), 1e-6);
  if (!facts.at("converged")) return;
  EXPECT_EQ(average.record.at("converge_step"), facts.at("converge_step"));
  EXPECT_EQ(average.record.at("n_averaged"), facts.at("n_averaged"));
  EXPECT_NEAR(average.record.at("threshold").get<double>(), facts.at("threshold").get<double>(), 1e-6);
}

INSTANTIATE_TEST_SUITE_P(Traces, SwadParity, testing::ValuesIn(traces()));

}  // namespace domainfusion
