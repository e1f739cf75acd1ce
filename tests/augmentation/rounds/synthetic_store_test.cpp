#include "domainfusion/augmentation/rounds/synthetic_store.h"

#include <gtest/gtest.h>

#include "augmentation/tiny_set.h"
#include "domainfusion/augmentation/rounds/synthetic_dataset.h"
#include "domainfusion/io/files/file_bytes.h"
#include "temporary_folder.h"

namespace domainfusion {
namespace {

const nlohmann::json kIdentity = {{"seed", 1}, {"options", {{"strength", 0.5}}}};

class SyntheticStoreTest : public ::testing::Test {
 protected:
  SyntheticRecord record(std::int64_t round, ParentId parent) const {
    SyntheticRecord r;
    r.round = round;
    r.parent = parent;
    r.parent_path = set_->info(parent.domain, parent.index).path;
    r.label = set_->info(parent.domain, parent.index).label;
    r.prompts = {"a", "b"};
    r.candidates = {1};
    r.style_candidate = r.content_candidate = 1;
    r.style_similarities = r.content_similarities = {0.25};
    r.made = {0.5, 0.25, 0.125};
    r.made_class = 1;
    return r;
  }
  void add(SyntheticStore& store, std::int64_t round, ParentId parent, std::uint8_t grey) const {
    const Image image{2, 2, std::vector<std::uint8_t>(12, grey)};
    store.add(record(round, parent), &image);
  }
  TemporaryFolder folder_;
  std::shared_ptr<const TinySet> set_ = std::make_shared<TinySet>(std::vector<std::vector<int>>{{2, 1}, {2, 0}});
};

TEST_F(SyntheticStoreTest, finds_everything_again_when_reopened) {
  {
    SyntheticStore store(folder_ / "synthetic", kIdentity);
    add(store, 0, {0, 1}, 10);
    store.add(record(0, {1, 0}), nullptr);
    store.finish_round(0, {{"covered", 2}});
  }
  const SyntheticStore store(folder_ / "synthetic", kIdentity);
  ASSERT_NE(store.find(0, {0, 1}), nullptr);
  EXPECT_EQ(store.find(0, {0, 1})->to_json(), [&] {
    SyntheticRecord expected = record(0, {0, 1});
    expected.file = "round-0000/domain0/class0/1.jpg.png";
    return expected.to_json();
  }());
  EXPECT_EQ(SyntheticStore::image(store.folder(), *store.find(0, {0, 1})).rgb[0], 10);
  EXPECT_TRUE(store.find(0, {1, 0})->unchanged());
  EXPECT_EQ(store.find(1, {0, 1}), nullptr);
  EXPECT_EQ(store.summary(0)->at("covered"), 2);
  EXPECT_FALSE(store.summary(1).has_value());
}

TEST_F(SyntheticStoreTest, a_torn_last_line_is_dropped_and_written_again) {
  {
    SyntheticStore store(folder_ / "synthetic", kIdentity);
    add(store, 0, {0, 0}, 10);
    add(store, 0, {0, 1}, 20);
  }
  const auto path = folder_ / "synthetic/manifest.jsonl";
  std::filesystem::resize_file(path, std::filesystem::file_size(path) - 7);
  {
    SyntheticStore store(folder_ / "synthetic", kIdentity);
    EXPECT_NE(store.find(0, {0, 0}), nullptr);
    EXPECT_EQ(store.find(0, {0, 1}), nullptr);
    add(store, 0, {0, 1}, 30);
  }
  const SyntheticStore store(folder_ / "synthetic", kIdentity);
  EXPECT_EQ(SyntheticStore::image(store.folder(), *store.find(0, {0, 1})).rgb[0], 30);
}

TEST_F(SyntheticStoreTest, another_identity_is_refused_and_named) {
  { const SyntheticStore store(folder_ / "synthetic", kIdentity); }
  nlohmann::json other = kIdentity;
  other["options"]["strength"] = 0.75;
  const std::string message = message_of<ConfigError>([&] { SyntheticStore(folder_ / "synthetic", other); });
  EXPECT_NE(message.find("'options.strength'"), std::string::npos) << message;
}

TEST_F(SyntheticStoreTest, broken_manifests_are_format_errors) {
  for (const char* bad : {"[]\n", "{\"identity\": 1\n", "3\n"}) {
    folder_.write("bad/manifest.jsonl", bad);
    EXPECT_THROW(SyntheticStore(folder_ / "bad", kIdentity), FormatError) << bad;
  }
  const std::string head = nlohmann::json({{"identity", kIdentity}}).dump() + "\n";
  for (const char* bad :
       {"{\"kind\": \"image\"}\n", "{\"kind\": \"round\", \"round\": \"x\"}\n", "[1]\n", "{\"kind\": 3}\n"}) {
    folder_.write("bad/manifest.jsonl", head + bad);
    EXPECT_THROW(SyntheticStore(folder_ / "bad", kIdentity), FormatError) << bad;
  }
  nlohmann::json outside = record(0, {0, 0}).to_json();
  outside["file"] = "../../elsewhere.png";
  folder_.write("bad/manifest.jsonl", head + outside.dump() + "\n");
  EXPECT_THROW(SyntheticStore(folder_ / "bad", kIdentity), FormatError);
}

TEST_F(SyntheticStoreTest, a_folder_below_a_file_and_a_lost_image_are_io_errors) {
  folder_.write("file", "x");
  EXPECT_THROW(SyntheticStore(folder_ / "file/synthetic", kIdentity), IoError);
  SyntheticStore store(folder_ / "synthetic", kIdentity);
  add(store, 0, {0, 0}, 10);
  std::filesystem::remove(folder_ / "synthetic/round-0000/domain0/class0/0.jpg.png");
  EXPECT_THROW(SyntheticStore::image(store.folder(), *store.find(0, {0, 0})), IoError);
}

TEST_F(SyntheticStoreTest, the_set_of_a_round_holds_the_newest_image_of_each_parent) {
  SyntheticStore store(folder_ / "synthetic", kIdentity);
  add(store, 0, {0, 2}, 10);
  add(store, 0, {1, 1}, 20);
  add(store, 1, {0, 0}, 30);
  add(store, 1, {0, 2}, 40);
  store.add(record(2, {0, 2}), nullptr);  // failed: the image of round 1 stays
  const SyntheticDataset none(store, set_, -1), first(store, set_, 0), last(store, set_, 2);
  EXPECT_EQ(none.total(), 0);
  EXPECT_EQ(first.total(), 2);
  EXPECT_EQ(first.size(0), 1);
  EXPECT_EQ(first.image(0, 0).rgb[0], 10);
  EXPECT_EQ(first.info(0, 0).path, "domain0/class1/0.jpg.png");
  EXPECT_EQ(first.info(0, 0).label, 1);
  EXPECT_EQ(first.info(1, 0).domain, 1);
  EXPECT_EQ(last.total(), 3);
  EXPECT_EQ(last.image(0, 0).rgb[0], 30);
  EXPECT_EQ(last.image(0, 1).rgb[0], 40);
  EXPECT_EQ(last.parent(0, 1), (ParentId{0, 2}));
  EXPECT_EQ(last.class_names(), set_->class_names());
  EXPECT_EQ(last.file_hash(0, 1).size(), 64U);
  EXPECT_THROW(last.info(0, 2), ConfigError);
}

TEST_F(SyntheticStoreTest, selections_leave_out_domains_without_images) {
  SyntheticStore store(folder_ / "synthetic", kIdentity);
  add(store, 0, {1, 1}, 20);
  const auto selections = SyntheticDataset(store, set_, 0).selections({0, 1});
  ASSERT_EQ(selections.size(), 1U);
  EXPECT_EQ(selections[0].domain, 1);
  EXPECT_EQ(selections[0].indices, (std::vector<std::int64_t>{0}));
}

TEST_F(SyntheticStoreTest, parents_of_another_raw_set_are_refused) {
  SyntheticStore store(folder_ / "synthetic", kIdentity);
  SyntheticRecord other = record(0, {0, 0});
  other.parent_path = "domain0/class0/other.jpg";
  const Image image{1, 1, {1, 2, 3}};
  store.add(other, &image);
  EXPECT_THROW(SyntheticDataset(store, set_, 0), FormatError);
}

}  // namespace
}  // namespace domainfusion
