#include "domainfusion/report/html/looks_data.h"

#include <algorithm>
#include <numeric>
#include <tuple>

#include "domainfusion/core/json_context.h"
#include "domainfusion/core/log.h"
#include "domainfusion/evaluation/looks/calibration.h"
#include "domainfusion/evaluation/looks/image_answers.h"
#include "domainfusion/report/html/curves.h"

namespace domainfusion {
namespace {

using nlohmann::json;

constexpr int kThumbnailPx = 96;
constexpr std::int64_t kRightPicturesOfAClass = 24;

json domain_json(const DomainAnswers& domain) {
  return {{"name", domain.domain},
          {"held_out", domain.held_out},
          {"images", domain.images},
          {"looked_at", domain.answers.size()}};
}

json calibration_json(const std::vector<ImageAnswer>& answers) {
  const Calibration calibration = calibration_of(answers);
  json bins = json::array();
  for (const ReliabilityBin& bin : calibration.bins)
    bins.push_back({{"low", short_number(bin.low)},
                    {"high", short_number(bin.high)},
                    {"images", bin.images},
                    {"probability", short_number(bin.probability)},
                    {"accuracy", short_number(bin.accuracy)}});
  return {{"error", short_number(calibration.error)}, {"bins", bins}};
}

// Columns: a page of thousands of images says each name once.
void add_image(const ImageAnswer& answer, std::size_t domain, json& images) {
  images["domain"].push_back(domain);
  images["file"].push_back(answer.path);
  images["label"].push_back(answer.label);
  images["answer"].push_back(answer.answer);
  images["probability"].push_back(short_number(answer.probability));
  images["own_probability"].push_back(short_number(answer.own_probability));
  images["loss"].push_back(short_number(answer.loss));
  images["picture"].push_back(nullptr);
}

}  // namespace

RunLooks::RunLooks(const std::filesystem::path& run, bool finished, std::int64_t most_images) {
  try {
    with_json_context(fmt::format("'{}'", run.string()), [&] { look(run, finished, most_images); });
  } catch (const Error& error) {
    log_warning("{}: its images are left out of the report: {}", run.string(), error.what());
    data_ = {{"fault", error.what()}};
    set_.reset();
  }
}

void RunLooks::look(const std::filesystem::path& run, bool finished, std::int64_t most_images) {
  TrainedModel model = load_trained_model(run);
  set_ = dataset_of(model);
  root_ = model.config.data.root;
  run_ = run.string();
  const std::vector<DomainAnswers> domains = image_answers(model, *set_, finished, most_images);
  json domain_list = json::array(), images = json::object(), calibration = json::array();
  for (const DomainAnswers& domain : domains) {
    domain_list.push_back(domain_json(domain));
    calibration.push_back(calibration_json(domain.answers));
    for (const ImageAnswer& answer : domain.answers) {
      add_image(answer, domain_list.size() - 1, images);
      places_.emplace_back(answer.domain, answer.index);
    }
  }
  data_ = {{"model", kSelectedModel}, {"domains", domain_list}, {"images", images}, {"calibration", calibration}};
  data_["feature_map"] = feature_map_json(domains);
  attention_ = attention_of(model, *set_, domains);
}

void RunLooks::add_attention(ReportPictures& pictures) {
  json list = json::array();
  for (const ImageAttention& look : attention_) {
    const std::string file = data_["images"]["file"][look.image];
    const auto add = [&](const std::string& what, const Image& image) {
      const auto place =
          pictures.add("Grad-CAM", fmt::format("{}\n{}\n{}", run_, file, what), kThumbnailPx, [&] { return image; });
      return place ? json(*place) : json();
    };
    json classes = json::array();
    for (const ClassAttention& of_class : look.classes)
      classes.push_back(
          {{"class", of_class.class_index}, {"picture", add(std::to_string(of_class.class_index), of_class.overlay)}});
    list.push_back({{"image", look.image}, {"view", add("view", look.view)}, {"classes", classes}});
  }
  data_["grad_cam"] = std::move(list);
}

void RunLooks::add_pictures(ReportPictures& pictures) {
  if (!set_) return;
  add_attention(pictures);
  json& images = data_["images"];
  std::vector<std::size_t> order(places_.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    const bool wrong_a = images["label"][a] != images["answer"][a], wrong_b = images["label"][b] != images["answer"][b];
    if (wrong_a != wrong_b) return wrong_a;
    return images["loss"][a] > images["loss"][b];
  });
  std::map<std::pair<json, json>, std::int64_t> right;  // by domain and class
  for (const std::size_t i : order) {
    const bool is_right = images["label"][i] == images["answer"][i];
    if (is_right && ++right[{images["domain"][i], images["label"][i]}] > kRightPicturesOfAClass) continue;
    const auto [domain, index] = places_[i];
    const std::string name = root_ + "\n" + images["file"][i].get<std::string>();
    const auto place = pictures.add(is_right ? "right answers" : "mistakes", name, kThumbnailPx,
                                    [&, domain = domain, index = index] { return set_->image(domain, index); });
    if (place) images["picture"][i] = *place;
  }
}

}  // namespace domainfusion
