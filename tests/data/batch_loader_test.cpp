#include "domainfusion/data/batch_loader.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include "data/made_dataset.h"
#include "domainfusion/data/caches/cached_dataset.h"
#include "domainfusion/data/transforms/image_tensor.h"
#include "temporary_folder.h"

namespace domainfusion {
namespace {

LoaderConfig small_config(std::int64_t workers = 0, std::int64_t ahead = 2) {
  LoaderConfig config;
  config.batch_size = 5;
  config.image_size_px = 16;
  config.workers = workers;
  config.ahead_steps = ahead;
  return config;
}

std::vector<DomainSelection> all_of(const DomainDataset& dataset, const std::vector<std::int64_t>& domains) {
  std::vector<DomainSelection> selections;
  for (std::int64_t domain : domains) {
    auto& selection = selections.emplace_back();
    selection.domain = domain;
    for (std::int64_t i = 0; i < dataset.size(domain); ++i) selection.indices.push_back(i);
  }
  return selections;
}

std::shared_ptr<const DomainDataset> made(std::int64_t broken = -1) {
  return std::make_shared<MadeDataset>(std::vector<std::int64_t>{7, 9, 4}, broken);
}

void expect_equal(const Batch& a, const Batch& b) {
  EXPECT_TRUE(torch::equal(a.image_NCHW, b.image_NCHW));
  EXPECT_TRUE(torch::equal(a.label_N, b.label_N));
  EXPECT_TRUE(torch::equal(a.domain_N, b.domain_N));
  EXPECT_TRUE(torch::equal(a.index_N, b.index_N));
}

}  // namespace

TEST(BatchLoader, OneMinibatchPerDomainInTheOrderOfTheSelections) {
  const auto dataset = made();
  BatchLoader loader(dataset, all_of(*dataset, {2, 0}), small_config(), 1, "train");
  const Batch batch = loader.batch(0);
  EXPECT_EQ(batch.image_NCHW.sizes(), (at::IntArrayRef{10, 3, 16, 16}));
  EXPECT_TRUE(torch::equal(batch.domain_N, torch::tensor({2, 2, 2, 2, 2, 0, 0, 0, 0, 0}, torch::kInt64)));
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(batch.label_N[i].item<std::int64_t>(), batch.index_N[i].item<std::int64_t>() % 2);
  }
}

TEST(BatchLoader, PixelsAndOrderDoNotDependOnTheNumberOfWorkersNorOnWhatIsPreparedAhead) {
  const auto dataset = made();
  const auto selections = all_of(*dataset, {0, 1, 2});
  BatchLoader reference(dataset, selections, small_config(), 7, "train");
  for (const std::int64_t workers : {1, 2, 5}) {
    for (const std::int64_t ahead : {1, 3}) {
      const auto cached = std::make_shared<CachedDataset>(dataset, 20000);
      BatchLoader loader(cached, selections, small_config(workers, ahead), 7, "train");
      for (std::int64_t step = 0; step < 6; ++step) expect_equal(loader.batch(step), reference.batch(step));
    }
  }
}

TEST(BatchLoader, AnyStepCanBeAskedForInAnyOrder) {
  const auto dataset = made();
  const auto selections = all_of(*dataset, {0, 1});
  BatchLoader reference(dataset, selections, small_config(), 7, "train"),
      loader(dataset, selections, small_config(2), 7, "train");
  for (const std::int64_t step : {100, 101, 3, 3, 4, 100, 0}) expect_equal(loader.batch(step), reference.batch(step));
}

TEST(BatchLoader, ADomainsImagesDoNotDependOnTheOtherDomains) {
  const auto dataset = made();
  BatchLoader both(dataset, all_of(*dataset, {0, 1}), small_config(), 7, "train");
  BatchLoader alone(dataset, all_of(*dataset, {1}), small_config(), 7, "train");
  EXPECT_TRUE(torch::equal(both.batch(3).image_NCHW.slice(0, 5), alone.batch(3).image_NCHW));
}

// Or a step would pair the images of the domains by their places.
TEST(BatchLoader, DomainsOfOneSizeDrawDifferentPlaces) {
  const auto dataset = std::make_shared<MadeDataset>(std::vector<std::int64_t>{40, 40});
  BatchLoader loader(dataset, all_of(*dataset, {0, 1}), small_config(), 1, "train");
  int equal = 0;
  for (std::int64_t step = 0; step < 8; ++step) {
    const at::Tensor index_N = loader.batch(step).index_N;
    for (std::int64_t i = 0; i < 5; ++i) equal += index_N[i].equal(index_N[5 + i]);
  }
  EXPECT_LT(equal, 8);  // 1 of 40 by chance
}

TEST(BatchLoader, SeedPurposeAndStepChangeTheImages) {
  const auto dataset = made();
  const auto selections = all_of(*dataset, {0, 1});
  const auto image = [&](std::uint64_t seed, const char* purpose, std::int64_t step) {
    return BatchLoader(dataset, selections, small_config(), seed, purpose).batch(step).image_NCHW;
  };
  const at::Tensor first = image(7, "train", 0);
  EXPECT_TRUE(torch::equal(first, image(7, "train", 0)));
  EXPECT_FALSE(torch::equal(first, image(8, "train", 0)));
  EXPECT_FALSE(torch::equal(first, image(7, "synthetic", 0)));
  EXPECT_FALSE(torch::equal(first, image(7, "train", 1)));
}

TEST(BatchLoader, DrawsOnlyFromTheSelection) {
  const auto dataset = made();
  BatchLoader loader(dataset, {{1, {2, 5}}}, small_config(), 7, "train");
  std::set<std::int64_t> seen;
  for (std::int64_t step = 0; step < 10; ++step) {
    const at::Tensor indices = loader.batch(step).index_N;
    for (int i = 0; i < 5; ++i) seen.insert(indices[i].item<std::int64_t>());
  }
  EXPECT_EQ(seen, (std::set<std::int64_t>{2, 5}));
}

TEST(BatchLoader, AnErrorInAWorkerReachesTheCallerAndTheLoaderStaysUsable) {
  const auto dataset = made(3);
  BatchLoader loader(dataset, {{0, {3}}}, small_config(2), 7, "train");
  for (const std::int64_t step : {0, 1, 5}) {
    EXPECT_EQ(message_of<FormatError>([&] { loader.batch(step); }), "a/dog/3.png: broken on purpose");
  }
}

TEST(BatchLoader, StopsCleanlyInTheMiddleOfWork) {
  const auto dataset = made();
  for (int i = 0; i < 20; ++i) {
    BatchLoader loader(dataset, all_of(*dataset, {0, 1, 2}), small_config(3, 8), 7, "train");
    if (i % 2 == 0) loader.batch(i);
  }
}

TEST(BatchLoader, WrongSelectionsAreErrorsThatSayWhy) {
  const auto dataset = made();
  const auto error = [&](std::vector<DomainSelection> selections) {
    return message_of<ConfigError>([&] { BatchLoader(dataset, selections, small_config(), 0, "train"); });
  };
  EXPECT_NE(error({}).find("at least one domain"), std::string::npos);
  EXPECT_EQ(error({{0, {}}}), "no image of domain 'a' is selected");
  EXPECT_EQ(error({{0, {1}}, {0, {2}}}), "domain 'a' is selected twice");
  EXPECT_EQ(error({{2, {0, 4}}}), "images 0 … 4 of domain 'c' are selected, it has 4");
  EXPECT_EQ(error({{3, {0}}}), "domain 3 is selected, the set has 3");
}

TEST(Batches, AnEvaluationBatchIsTheResizedImagesInOrder) {
  const auto dataset = made();
  const std::vector<std::int64_t> indices{6, 0, 6};
  const Batch batch = evaluation_batch(*dataset, 0, indices, 16);
  const at::Tensor expected = normalise(image_to_tensor01(evaluation_view(dataset->image(0, 6), 16)));
  EXPECT_TRUE(torch::allclose(batch.image_NCHW[0], expected, 1e-6, 1e-6));
  EXPECT_TRUE(torch::equal(batch.image_NCHW[0], batch.image_NCHW[2]));
  EXPECT_EQ(batch.index_N[1].item<std::int64_t>(), 0);
  EXPECT_EQ(batch.label_N[0].item<std::int64_t>(), 0);
  EXPECT_THROW(evaluation_batch(*dataset, 0, {}, 16), ConfigError);
  EXPECT_THROW(evaluation_batch(*made(0), 0, indices, 16), FormatError);
}

TEST(Batches, PlainImagesAreTheSameByDomainAndByPlace) {
  const auto dataset = made();
  const std::vector<std::int64_t> indices{1, 2};
  const at::Tensor plain = plain_images01(*dataset, 1, indices, 8);
  EXPECT_EQ(plain.sizes(), (at::IntArrayRef{2, 3, 8, 8}));
  EXPECT_GE(plain.min().item<float>(), 0);
  EXPECT_LE(plain.max().item<float>(), 1);
  EXPECT_TRUE(torch::equal(plain, plain_images01(*dataset, torch::tensor({1, 1}), torch::tensor({1, 2}), 8)));
  EXPECT_THROW(plain_images01(*dataset, torch::tensor({1, 1}), torch::tensor({1}), 8), ShapeError);
}

}  // namespace domainfusion
