#include "domainfusion/augmentation/candidates/candidate_store.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <set>

#include "augmentation/made_candidates.h"
#include "domainfusion/io/files/content_hash.h"
#include "domainfusion/io/files/file_bytes.h"

namespace domainfusion {
namespace {

using State = CandidateStore::State;

class CandidateStoreTest : public testing::Test {
 protected:
  TemporaryFolder folder_;
  CandidateStore store_{folder_ / "store"};
};

}  // namespace

TEST_F(CandidateStoreTest, AnImageComesBackWithTheProvenanceOfItsKey) {
  const CandidateKey key = made_key(1);
  EXPECT_EQ(store_.state(key.hash()), State::kAbsent);
  store_.add_image(key, made_image(1), {{"parent", "photo/dog/1.jpg"}});
  EXPECT_EQ(store_.state(key.hash()), State::kGood);
  EXPECT_EQ(store_.image(key.hash()), made_image(1));
  const auto provenance = nlohmann::json::parse(read_file(store_.path(key.hash(), ".json")));
  EXPECT_EQ(provenance.at("key"), key.to_json());
  EXPECT_EQ(provenance.at("parent"), "photo/dog/1.jpg");
  EXPECT_EQ(provenance.at("sha256"), sha256_hex_of_file(store_.path(key.hash(), ".png")));
}

TEST_F(CandidateStoreTest, LatentsComeBackBitByBit) {
  const at::Tensor z = at::arange(24, at::kFloat).reshape({4, 2, 3}) / 7;
  store_.add_latents(made_key(1), z);
  EXPECT_EQ(store_.state(made_key(1).hash()), State::kGood);
  EXPECT_TRUE(at::equal(store_.latents(made_key(1).hash()), z));
}

TEST_F(CandidateStoreTest, EveryPartOfAKeyChangesTheName) {
  std::vector<CandidateKey> keys(6, made_key(1));
  keys[1].source = "other";
  keys[2].weights_hash = "other";
  keys[3].options["strength"] = 0.5000001;
  keys[4].prompt = "a dog,  sketch";
  keys[5].noise["copy"] = 7;
  std::set<std::string> names;
  for (const CandidateKey& key : keys) names.insert(key.hash());
  EXPECT_EQ(names.size(), keys.size());
}

TEST_F(CandidateStoreTest, TornLostAndForeignFilesAreBrokenUntilTheyAreMadeAgain) {
  const std::string hash = made_key(1).hash();
  const auto image = store_.path(hash, ".png"), provenance = store_.path(hash, ".json");
  store_.add_image(made_key(1), made_image(1));
  const std::string whole = read_file(image), line = read_file(provenance);
  const auto expect_broken = [&](const std::filesystem::path& file, const std::string& bytes) {
    std::ofstream(file, std::ios::binary) << bytes;
    EXPECT_EQ(store_.state(hash), State::kBroken) << file;
    store_.add_image(made_key(1), made_image(1));
    EXPECT_EQ(store_.state(hash), State::kGood);
    EXPECT_TRUE(read_file(image) == whole && read_file(provenance) == line);
  };
  expect_broken(image, whole.substr(0, whole.size() / 2));
  expect_broken(image, encode_png(made_image(2)));
  expect_broken(provenance, line.substr(0, line.size() / 2));
  expect_broken(provenance, "[]");
  store_.add_image(made_key(2), made_image(2));
  expect_broken(provenance, read_file(store_.path(made_key(2).hash(), ".json")));
  std::filesystem::remove(image);
  EXPECT_EQ(store_.state(hash), State::kBroken);
  std::filesystem::remove(provenance);
  EXPECT_EQ(store_.state(hash), State::kAbsent);
}

TEST_F(CandidateStoreTest, AFailureIsRememberedAndNotTriedAgain) {
  store_.add_failure(made_key(1), "black");
  EXPECT_EQ(store_.state(made_key(1).hash()), State::kFailed);
}

TEST_F(CandidateStoreTest, ProcessesThatWriteTheSameEntriesAtTheSameTimeLeaveWholeOnes) {
  constexpr int kWriters = 4, kEntries = 25;
  std::vector<pid_t> writers;
  for (int writer = 0; writer < kWriters; ++writer) {
    writers.push_back(fork());
    if (writers.back() != 0) continue;
    for (int i = 0; i < kEntries; ++i) store_.add_image(made_key(i), made_image(i));
    _exit(0);
  }
  for (const pid_t writer : writers) {
    int status = -1;
    waitpid(writer, &status, 0);
    EXPECT_EQ(status, 0);
  }
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(store_.folder()))
    files += entry.is_regular_file();
  EXPECT_EQ(files, 2u * kEntries);
  for (int i = 0; i < kEntries; ++i) {
    EXPECT_EQ(store_.state(made_key(i).hash()), State::kGood);
    EXPECT_EQ(read_file(store_.path(made_key(i).hash(), ".png")), encode_png(made_image(i)));
  }
}

TEST(CandidateStoreFolder, AFileInItsPlaceIsNamed) {
  const TemporaryFolder folder;
  folder.write("file", "x");
  EXPECT_NE(message_of<IoError>([&] { CandidateStore(folder / "file"); }).find("is a file"), std::string::npos);
}

}  // namespace domainfusion
