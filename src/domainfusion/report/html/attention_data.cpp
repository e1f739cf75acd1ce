#include "domainfusion/report/html/attention_data.h"

#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>

#include "domainfusion/core/log.h"
#include "domainfusion/core/random/random.h"
#include "domainfusion/data/batch.h"
#include "domainfusion/data/transforms/train_augmentation.h"
#include "domainfusion/evaluation/looks/feature_map.h"
#include "domainfusion/evaluation/looks/grad_cam.h"
#include "domainfusion/report/html/curves.h"

namespace domainfusion {
namespace {

using nlohmann::json;

constexpr std::size_t kMistakesLookedInto = 12, kRightLookedInto = 4;

bool is_right(const ImageAnswer& answer) { return answer.answer == answer.label; }

// Places among the answers: mistakes by loss, then right answers in the order of the set.
std::vector<std::size_t> looked_into(const std::vector<ImageAnswer>& answers) {
  std::vector<std::size_t> wrong, right;
  for (std::size_t i = 0; i < answers.size(); ++i) (is_right(answers[i]) ? right : wrong).push_back(i);
  std::stable_sort(wrong.begin(), wrong.end(),
                   [&](std::size_t a, std::size_t b) { return answers[a].loss > answers[b].loss; });
  wrong.resize(std::min(wrong.size(), kMistakesLookedInto));
  // Spread over the set, which is sorted by class.
  const std::size_t count = std::min(right.size(), kRightLookedInto);
  for (std::size_t i = 0; i < count; ++i) wrong.push_back(right[i * right.size() / count]);
  return wrong;
}

// The grey picture, with red where the map is high.
Image overlay_of(const Image& view, const at::Tensor& map_hw) {
  const at::Tensor map_HW =
      torch::upsample_bilinear2d(map_hw.unsqueeze(0).unsqueeze(0), {view.height, view.width}, false)[0][0].contiguous();
  const float* heat = map_HW.data_ptr<float>();
  Image image = view;
  for (std::size_t i = 0; i < image.rgb.size(); i += 3) {
    const double grey = (image.rgb[i] + image.rgb[i + 1] + image.rgb[i + 2]) / 3.0, share = 0.75 * heat[i / 3];
    const double colour[3] = {255, 40 + 160 * (1 - heat[i / 3]), 0};
    for (std::size_t c = 0; c < 3; ++c) image.rgb[i + c] = static_cast<std::uint8_t>(grey + (colour[c] - grey) * share);
  }
  return image;
}

json points_json(const at::Tensor& point_N2) {
  json list = json::array();
  for (std::int64_t i = 0; i < point_N2.size(0); ++i)
    list.push_back({short_number(point_N2[i][0].item<double>()), short_number(point_N2[i][1].item<double>())});
  return list;
}

}  // namespace

std::vector<ImageAttention> attention_of(TrainedModel& model, const DomainDataset& dataset,
                                         const std::vector<DomainAnswers>& domains) {
  std::vector<ImageAttention> looks;
  if (domains.empty()) return looks;
  const auto size_px = static_cast<int>(model.config.loader.image_size_px);
  try {
    for (const std::size_t i : looked_into(domains.front().answers)) {
      const ImageAnswer& answer = domains.front().answers[i];
      const Batch batch = evaluation_batch(dataset, answer.domain, std::vector{answer.index}, size_px);
      ImageAttention look{i, evaluation_view(dataset.image(answer.domain, answer.index), size_px), {}};
      for (const std::int64_t k :
           is_right(answer) ? std::vector{answer.answer} : std::vector{answer.answer, answer.label}) {
        const at::Tensor map_1hw = grad_cam(model.classifier, batch.image_NCHW.to(model.device), torch::tensor({k}));
        look.classes.push_back({k, overlay_of(look.view, map_1hw[0])});
      }
      looks.push_back(std::move(look));
    }
  } catch (const ConfigError& error) {
    log_info("the report shows no Grad-CAM: {}", error.what());
  }
  return looks;
}

json feature_map_json(const std::vector<DomainAnswers>& domains, std::int64_t most) {
  std::vector<at::Tensor> features;
  json places = json::array();
  std::int64_t first = 0;
  for (std::size_t d = 0; d < domains.size(); ++d) {
    const std::int64_t images = domains[d].feature_NF.size(0);
    auto drawn = RandomStream(0, "feature map", {d}).permutation(images);
    drawn.resize(static_cast<std::size_t>(std::min(images, most / std::ssize(domains))));
    std::sort(drawn.begin(), drawn.end());
    features.push_back(domains[d].feature_NF.index_select(0, torch::tensor(drawn)));
    for (const std::int64_t i : drawn) places.push_back(first + i);
    first += images;
  }
  if (places.empty()) return nullptr;
  const at::Tensor feature_NF = torch::cat(features);
  return {{"images", places},
          {"pca", points_json(principal_components(feature_NF, 2))},
          {"tsne", points_json(tsne(feature_NF))}};
}

}  // namespace domainfusion
