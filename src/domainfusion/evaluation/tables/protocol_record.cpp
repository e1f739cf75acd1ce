#include "domainfusion/evaluation/tables/protocol_record.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "domainfusion/core/error.h"
#include "domainfusion/core/json_context.h"

namespace domainfusion {
namespace {

using nlohmann::json;

// Unknown (NaN) where it is absent, or was no number when it was written.
double figure(const json& line, const std::string& name) {
  const auto found = line.find(name);
  return found == line.end() || found->is_null() ? std::numeric_limits<double>::quiet_NaN() : found->get<double>();
}

// env0_…_acc, env1_…_acc, … up to the first environment that has neither figure.
void read_accuracies(const json& line, ProtocolRecord& record) {
  for (int env = 0;; ++env) {
    const std::string in = fmt::format("env{}_in_acc", env), out = fmt::format("env{}_out_acc", env);
    if (!line.contains(in) && !line.contains(out)) return;
    record.in_acc.push_back(figure(line, in));
    record.out_acc.push_back(figure(line, out));
  }
}

void check_test_envs(const ProtocolRecord& record) {
  for (const std::int64_t env : record.test_envs) {
    check<FormatError>(env >= 0 && env < std::ssize(record.in_acc),
                       "test environment {}, but there are figures of {} only", env, record.in_acc.size());
  }
  check<FormatError>(!record.test_envs.empty(), "no test environment");
}

}  // namespace

ProtocolRecord protocol_record(const json& line) {
  return with_json_context("not a record of DomainBed's results.jsonl", [&] {
    ProtocolRecord record;
    const json& args = line.at("args");
    record.dataset = args.at("dataset");
    record.algorithm = args.at("algorithm");
    record.test_envs = args.at("test_envs").get<std::vector<std::int64_t>>();
    record.trial_seed = args.at("trial_seed");
    record.hparams_seed = args.at("hparams_seed");
    record.step = line.at("step");
    read_accuracies(line, record);
    check_test_envs(record);
    return record;
  });
}

json to_json(const ProtocolRecord& record) {
  json line = {{"args",
                {{"dataset", record.dataset},
                 {"algorithm", record.algorithm},
                 {"test_envs", record.test_envs},
                 {"trial_seed", record.trial_seed},
                 {"hparams_seed", record.hparams_seed}}},
               {"step", record.step}};
  for (std::size_t env = 0; env < record.in_acc.size(); ++env) {
    if (!std::isnan(record.in_acc[env])) line[fmt::format("env{}_in_acc", env)] = record.in_acc[env];
    if (!std::isnan(record.out_acc[env])) line[fmt::format("env{}_out_acc", env)] = record.out_acc[env];
  }
  return line;
}

}  // namespace domainfusion
