// domainfusion predict: a run's model on pictures, one JSON line each.
#include <torch/types.h>

#include "domainfusion/cli/commands.h"
#include "domainfusion/cli/ldm_arguments.h"
#include "domainfusion/cli/processes/rank_command.h"
#include "domainfusion/core/log.h"
#include "domainfusion/core/machine/placement.h"
#include "domainfusion/data/data_config.h"
#include "domainfusion/data/sets/image_files.h"
#include "domainfusion/distributed/device_of_rank.h"
#include "domainfusion/evaluation/models/trained_model.h"

namespace domainfusion {
namespace {

constexpr std::size_t kBatch = 32;

struct PredictArguments {
  std::string run, model = kSelectedModel, device = "auto";
  std::vector<std::string> images;
};

// The files themselves, and every picture below the folders.
std::vector<std::string> files_of(const std::vector<std::string>& paths) {
  std::vector<std::string> files;
  for (const std::string& path : paths) {
    std::error_code error;  // is said when it is read
    if (!std::filesystem::is_directory(path, error)) {
      files.push_back(path);
      continue;
    }
    const std::vector<std::string> below = image_files_below(path);
    check<IoError>(!below.empty(), "the folder '{}' holds no pictures", path);
    for (const std::string& file : below) files.push_back((std::filesystem::path(path) / file).string());
  }
  return files;
}

nlohmann::ordered_json prediction(const std::string& path, const at::Tensor& probability_K,
                                  const std::vector<std::string>& class_names) {
  const auto best = static_cast<std::size_t>(probability_K.argmax().item<std::int64_t>());
  nlohmann::ordered_json all = nlohmann::ordered_json::object();
  for (std::size_t k = 0; k < class_names.size(); ++k) {
    all[class_names[k]] = probability_K[static_cast<std::int64_t>(k)].item<float>();
  }
  return {
      {"image", path}, {"class", class_names[best]}, {"probability", all[class_names[best]]}, {"probabilities", all}};
}

// Pictures are read and classified in batches; those that cannot be read are left out and said at once. Of ranks each
// has its stretch of them, and the first prints the lines of all.
class Predictions {
 public:
  explicit Predictions(TrainedModel model) : model_(std::move(model)) {}

  void add(const std::string& path) {
    try {
      images_.push_back(read_image(path, model_.config.data));
      paths_.push_back(path);
    } catch (const Error& error) {
      log_info("left out: {}", error.what());
      ++left_out_;
    }
    if (images_.size() == kBatch) classify();
  }
  void classify() {
    if (images_.empty()) return;
    const at::Tensor probability_NK = model_.probabilities(images_);
    for (std::size_t i = 0; i < paths_.size(); ++i) {
      const auto line = prediction(paths_[i], probability_NK[static_cast<std::int64_t>(i)], model_.class_names);
      lines_ += line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
    }
    if (current_ranks() == nullptr) print();
    images_.clear();
    paths_.clear();
  }
  void print() {
    for (const std::string& lines : gathered_texts(lines_)) {
      if (writes_results()) fmt::print("{}", lines);
    }
    lines_.clear();
  }
  std::size_t left_out() const { return left_out_; }

 private:
  TrainedModel model_;
  std::vector<Image> images_;
  std::vector<std::string> paths_;
  std::string lines_;
  std::size_t left_out_ = 0;
};

void predict(const PredictArguments& arguments) {
  Predictions predictions(load_trained_model(arguments.run, arguments.model, device_of_rank(arguments.device)));
  const std::vector<std::string> files = files_of(arguments.images);
  const Ranks* const ranks = current_ranks();
  const auto rank = static_cast<std::size_t>(ranks != nullptr ? ranks->rank() : 0);
  const auto size = static_cast<std::size_t>(ranks != nullptr ? ranks->size() : 1);
  const std::size_t end = files.size() * (rank + 1) / size;
  for (std::size_t i = files.size() * rank / size; i < end; ++i) predictions.add(files[i]);
  predictions.classify();
  predictions.print();
  const auto left_out = at::tensor({static_cast<std::int64_t>(predictions.left_out())}, at::kLong);
  if (current_ranks() != nullptr) current_ranks()->sum(left_out);
  check<IoError>(left_out.item<std::int64_t>() == 0 || !writes_results(),
                 "{} of {} pictures could not be read (named above); the others are classified",
                 left_out.item<std::int64_t>(), files.size());
}

}  // namespace

void add_predict_command(Command& app) {
  Command command = app.add("predict", "classify pictures with a run's model; prints JSON lines");
  auto arguments = std::make_shared<PredictArguments>();
  command.option("run", arguments->run, "run folder").required();
  command.option("images", arguments->images, "JPEG, PNG, WebP or GIF files, or folders of them").required();
  command.option("--model", arguments->model, kModelHelp).default_shown();
  add_device_option(command, arguments->device);
  command.run([arguments] { run_as_rank([&] { predict(*arguments); }); });
}

}  // namespace domainfusion
