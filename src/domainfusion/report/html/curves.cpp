#include "domainfusion/report/html/curves.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdlib>
#include <map>
#include <string>

namespace domainfusion {
namespace {

using nlohmann::json;

class Curve {
 public:
  void add(double step, const std::map<std::string, double>& values) {
    steps_.push_back(step);
    for (const auto& [name, value] : values) {
      auto& line = lines_[name];
      line.resize(steps_.size() - 1, std::nan(""));
      line.push_back(value);
    }
    for (auto& [name, line] : lines_) line.resize(steps_.size(), std::nan(""));
  }

  // Means over `points` parts of as many steps each, at the last step of each.
  Curve thinned(std::size_t points) const {
    if (steps_.size() <= points) return *this;
    Curve thin;
    for (std::size_t part = 0; part < points; ++part) {
      const std::size_t begin = part * steps_.size() / points, end = (part + 1) * steps_.size() / points;
      std::map<std::string, double> means;
      for (const auto& [name, line] : lines_) means[name] = mean(line, begin, end);
      thin.add(steps_[end - 1], means);
    }
    return thin;
  }

  json to_json() const {
    json values = json::object();
    for (const auto& [name, line] : lines_) {
      json& list = values[name] = json::array();
      for (const double value : line) list.push_back(short_number(value));
    }
    return {{"steps", steps_}, {"values", values}};
  }

 private:
  // Of what is a number.
  static double mean(const std::vector<double>& line, std::size_t begin, std::size_t end) {
    double sum = 0, count = 0;
    for (std::size_t i = begin; i < end; ++i) {
      if (!std::isfinite(line[i])) continue;
      sum += line[i];
      count += 1;
    }
    return sum / count;
  }

  std::vector<double> steps_;
  std::map<std::string, std::vector<double>> lines_;
};

std::map<std::string, double> numbers_of(const json& object, const std::string& prefix = "") {
  std::map<std::string, double> numbers;
  for (const auto& [name, value] : object.items()) {
    if (value.is_number() && name != "step") numbers[prefix + name] = value.get<double>();
  }
  return numbers;
}

Curve cost_curve(const RunCost& cost) {
  Curve curve;
  for (std::size_t i = 0; i < cost.course.size(); ++i) {
    const RunCostPoint& point = cost.course[i];
    const RunCostPoint before = i > 0 ? cost.course[i - 1] : RunCostPoint{};
    const auto steps = static_cast<double>(point.steps - before.steps);
    if (steps <= 0) continue;
    curve.add(static_cast<double>(point.steps),
              {{"seconds_per_step", (point.seconds - before.seconds) / steps}, {"memory_mib", point.memory_mib}});
  }
  return curve;
}

}  // namespace

json short_number(double value) {
  if (!std::isfinite(value)) return nullptr;
  if (std::floor(value) == value && std::abs(value) < 1e6) return static_cast<std::int64_t>(value);
  return std::strtod(fmt::format("{:.5g}", value).c_str(), nullptr);
}

json curves_of(const std::vector<json>& records, const RunCost& cost, std::size_t most_points) {
  Curve training, validation;
  for (const json& record : records) {
    const std::string type = record.value("type", "");
    if (type == "step") training.add(record.value("step", 0.0) + 1, numbers_of(record));
    if (type != "validation" || record.contains("model")) continue;
    std::map<std::string, double> values = numbers_of(record);
    values.merge(numbers_of(record.value("accuracy", json::object()), "accuracy/"));
    validation.add(record.value("step", 0.0), values);
  }
  return {{"training", training.thinned(most_points).to_json()},
          {"validation", validation.thinned(most_points).to_json()},
          {"cost", cost_curve(cost).thinned(most_points).to_json()}};
}

}  // namespace domainfusion
