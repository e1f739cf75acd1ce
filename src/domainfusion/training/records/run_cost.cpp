#include "domainfusion/training/records/run_cost.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "domainfusion/core/error.h"
#include "domainfusion/core/json_text.h"
#include "domainfusion/core/machine/process_memory.h"
#include "domainfusion/io/files/atomic_file.h"
#include "domainfusion/io/files/json_file.h"

namespace domainfusion {
namespace {

constexpr std::size_t kMostCoursePoints = 512;  // of these every other one is forgotten

}  // namespace

RunCost read_run_cost(const std::filesystem::path& run) {
  const std::filesystem::path file = run / "cost.json";
  if (!std::filesystem::exists(file)) return {};
  const nlohmann::json object = read_json(file);
  try {
    RunCost cost{object.at("seconds"), object.at("peak_memory_mib"), object.at("steps")};
    for (const nlohmann::json& point : object.value("course", nlohmann::json::array()))
      cost.course.push_back({point.at(0), point.at(1), point.at(2)});
    return cost;
  } catch (const nlohmann::json::exception& error) {
    throw FormatError(fmt::format("'{}': {}; remove it, nothing depends on it", file.string(), error.what()));
  }
}

RunCostMeter::RunCostMeter(std::filesystem::path run)
    : run_(std::move(run)), before_(read_run_cost(run_)), course_(before_.course) {}

void RunCostMeter::save(std::int64_t steps_done) {
  const std::chrono::duration<double> here = std::chrono::steady_clock::now() - start_;
  const double seconds = before_.seconds + here.count();
  // A resumed run goes through some of its steps again.
  std::erase_if(course_, [&](const RunCostPoint& point) { return point.steps >= steps_done; });
  course_.push_back({steps_done, seconds, resident_mib()});
  if (course_.size() > kMostCoursePoints) {
    std::size_t place = 0;
    std::erase_if(course_, [&](const RunCostPoint&) { return place++ % 2 == 0; });
  }
  nlohmann::json course = nlohmann::json::array();
  for (const RunCostPoint& point : course_) course.push_back({point.steps, point.seconds, point.memory_mib});
  const nlohmann::json object = {{"seconds", seconds},
                                 {"peak_memory_mib", std::max(before_.peak_memory_mib, peak_resident_mib())},
                                 {"steps", steps_done},
                                 {"course", course}};
  write_file_atomically(run_ / "cost.json", json_text(object) + "\n");
}

}  // namespace domainfusion
