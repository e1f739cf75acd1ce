#include "domainfusion/report/tensorboard/event_log.h"

#include <algorithm>
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

constexpr std::string_view kTest = "test/", kSessionEnd = "_hparams_/session_end_info";

// Whether an event was written at the end of a run.
bool ends_run(std::string_view event) {
  const auto summary = ProtobufReader::find(event, 5);
  const auto value = summary ? ProtobufReader::find(summary->bytes, 1) : std::nullopt;
  const auto tag = value ? ProtobufReader::find(value->bytes, 1) : std::nullopt;
  return tag && (tag->bytes.starts_with(kTest) || tag->bytes == kSessionEnd);
}

bool belongs_before(std::string_view event, std::int64_t steps_done) {
  const auto step = ProtobufReader::find(event, 2);
  return (!step || static_cast<std::int64_t>(step->value) <= steps_done) && !ends_run(event);
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
  } catch (const Error& error) {
    failed_ = true;
    log_warning("TensorBoard's event files are left out from here on: {}", error.what());
  }
}

void EventLog::rewind(std::int64_t step) {
  attempt([&] {
    file_.reset();
    const std::vector<fs::path> before = event_files_in(run_);
    for (const fs::path& path : before) {
      const std::uint64_t kept =
          read_tfrecords(path, [&](std::string_view event) { return belongs_before(event, step); });
      std::error_code error;
      if (kept < fs::file_size(path, error)) fs::resize_file(path, kept, error);
      check<IoError>(!error, "{}: cannot be cut at the step of the resume: {}", path.string(), error.message());
    }
    file_ = std::make_unique<EventFileWriter>(run_);
    if (before.empty()) {
      file_->hyper_parameters(hyper_parameters_of(config_), {"validation/mean_accuracy", "test/accuracy"});
    } else {
      file_->session_start(step + 1);
    }
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
