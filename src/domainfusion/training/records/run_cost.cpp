#include "domainfusion/training/records/run_cost.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "domainfusion/core/error.h"
#include "domainfusion/core/json_text.h"
#include "domainfusion/core/machine/process_memory.h"
#include "domainfusion/io/files/atomic_file.h"
#include "domainfusion/io/files/json_file.h"

namespace domainfusion {

RunCost read_run_cost(const std::filesystem::path& run) {
  const std::filesystem::path file = run / "cost.json";
  if (!std::filesystem::exists(file)) return {};
  const nlohmann::json object = read_json(file);
  try {
    return {object.at("seconds"), object.at("peak_memory_mib"), object.at("steps")};
  } catch (const nlohmann::json::exception& error) {
    throw FormatError(fmt::format("'{}': {}; remove it, nothing depends on it", file.string(), error.what()));
  }
}

RunCostMeter::RunCostMeter(std::filesystem::path run) : run_(std::move(run)), before_(read_run_cost(run_)) {}

void RunCostMeter::save(std::int64_t steps_done) const {
  const std::chrono::duration<double> here = std::chrono::steady_clock::now() - start_;
  const nlohmann::json object = {{"seconds", before_.seconds + here.count()},
                                 {"peak_memory_mib", std::max(before_.peak_memory_mib, peak_resident_mib())},
                                 {"steps", steps_done}};
  write_file_atomically(run_ / "cost.json", json_text(object, 1) + "\n");
}

}  // namespace domainfusion
