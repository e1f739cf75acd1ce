#include "domainfusion/report/tensorboard/event_log.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "domainfusion/core/error.h"
#include "domainfusion/core/log.h"
#include "domainfusion/report/round_pictures.h"
#include "domainfusion/report/tensorboard/protobuf.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using Scalars = std::map<std::string, double>;

constexpr std::string_view kTest = "test/", kFit = "fit/", kHyperParameters = "_hparams_/";

std::string_view tag_of(std::string_view event) {
  const auto summary = ProtobufReader::find(event, 5);
  const auto value = summary ? ProtobufReader::find(summary->bytes, 1) : std::nullopt;
  const auto tag = value ? ProtobufReader::find(value->bytes, 1) : std::nullopt;
  return tag ? tag->bytes : std::string_view();
}

// Whether an event tells of the first `steps_done` steps. Hyper-parameters are told anew; fit and tests come at a run's
// end.
bool belongs_before(std::string_view event, std::int64_t steps_done) {
  const auto step = ProtobufReader::find(event, 2);
  if (step && static_cast<std::int64_t>(step->value) > steps_done) return false;
  const std::string_view tag = tag_of(event);
  return !tag.starts_with(kTest) && !tag.starts_with(kFit) && !tag.starts_with(kHyperParameters);
}

void add_numbers(Scalars& scalars, const json& object, const std::string& prefix) {
  for (const auto& [name, value] : object.items()) {
    if (value.is_number() && name != "step") scalars[prefix + name] = value.get<double>();
  }
}

Scalars scalars_of(const json& record) {
  const std::string type = record.value("type", ""), model = record.value("model", "");
  Scalars scalars;
  if (!model.empty() && record.contains("mean_accuracy")) {
    scalars[fmt::format("{}{}_source_accuracy", kTest, model)] = record["mean_accuracy"].get<double>();
  } else if (type == "test") {
    scalars[fmt::format("{}{}accuracy", kTest, model.empty() ? "" : model + "_")] = record.at("accuracy").get<double>();
  } else if (type == "validation") {
    add_numbers(scalars, record, "validation/");
    add_numbers(scalars, record.at("accuracy"), "validation/accuracy/");
  } else {
    add_numbers(scalars, record, (type == "step" ? "train" : type) + "/");
  }
  return scalars;
}

// "/optimizer/lr" -> "optimizer.lr".
std::map<std::string, json> hyper_parameters_of(const json& config) {
  std::map<std::string, json> values;
  const json flat = config.flatten();
  for (const auto& [pointer, value] : flat.items()) {
    std::string name = pointer.substr(1);
    std::replace(name.begin(), name.end(), '/', '.');
    values[name] = value;
  }
  return values;
}

}  // namespace

EventLog::EventLog(fs::path run, json config) : run_(std::move(run)), config_(std::move(config)) {}

void EventLog::attempt(const std::function<void()>& action) {
  if (failed_) return;
  try {
    action();
  } catch (const std::exception& error) {
    failed_ = true;
    log_warning("TensorBoard's event files are left out from here on: {}", error.what());
  }
}

void EventLog::rewind(std::int64_t step) {
  attempt([&] {
    file_.reset();
    file_ =
        std::make_unique<EventFileWriter>(run_, [&](std::string_view event) { return belongs_before(event, step); });
    file_->hyper_parameters(hyper_parameters_of(config_), {"validation/mean_accuracy", "test/accuracy"});
  });
}

void EventLog::write(const json& record) {
  attempt([&] { write_events(record); });
}

void EventLog::write_events(const json& record) {
  if (!file_) return;
  const std::int64_t step = steps_done_at(record);
  if (const Scalars scalars = scalars_of(record); !scalars.empty()) file_->scalars(step, scalars);
  const std::string type = record.value("type", "");
  if (type == "round" && record.contains("round")) {
    const fs::path pictures =
        run_ / "synthetic" / "pictures" / fmt::format("round-{:04d}", record["round"].get<std::int64_t>());
    if (fs::exists(pictures / "pictures.json"))
      file_->image(step, "rounds", render_picture_grid(round_picture_grid(pictures)));
  }
  if (type == "test" && !record.contains("model")) file_->session_end();
}

}  // namespace domainfusion
