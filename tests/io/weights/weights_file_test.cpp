#include "domainfusion/io/weights/weights_file.h"

#include <gtest/gtest.h>

#include <ctime>

#include "domainfusion/core/error.h"
#include "domainfusion/io/files/readable_text.h"
#include "domainfusion/io/formats/safetensors.h"
#include "domainfusion/io/formats/shard_index.h"
#include "temporary_folder.h"

namespace domainfusion {
namespace {

const std::filesystem::path kPytorch = std::filesystem::path(DOMAINFUSION_TEST_DIR) / "io/pytorch";

class Weights : public testing::Test {
 protected:
  void write(const std::string& name, const std::vector<std::string>& tensors) {
    static const std::vector<float> values{1, 2};
    std::vector<StoredTensor> entries;
    for (const std::string& tensor : tensors)
      entries.push_back({tensor, TensorType::kF32, {2}, std::as_bytes(std::span(values))});
    write_safetensors(folder_ / name, entries, {{"format", "pt"}});
  }
  std::string refusal_of(const std::string& name) {
    return message_of<Error>([&] { WeightsFile::open(folder_ / name); });
  }
  void expect_refused(const std::string& name, const std::string& reason) {
    const std::string message = refusal_of(name);
    EXPECT_NE(message.find(reason), std::string::npos) << message;
    EXPECT_NE(message.find(name), std::string::npos) << message;
  }
  TemporaryFolder folder_;
};

constexpr const char* kIndex =
    R"({"metadata": {"total_size": 16}, "weight_map": {"a": "one.safetensors", "b": "two.safetensors"}})";

}  // namespace

TEST_F(Weights, TheFormatIsToldByTheContent) {
  write("w.bin", {"a"});
  EXPECT_EQ(WeightsFile::open(folder_ / "w.bin").format(), "safetensors");
  std::filesystem::copy(kPytorch / "zip.pth", folder_ / "zip.safetensors");
  EXPECT_EQ(WeightsFile::open(folder_ / "zip.safetensors").format(), "PyTorch (zip)");
  EXPECT_EQ(WeightsFile::open(kPytorch / "legacy.pth").format(), "PyTorch (legacy)");
  EXPECT_EQ(WeightsFile::open(kPytorch / "legacy.pth").metadata().at("epoch"), "3");
}

TEST_F(Weights, AHeaderWhoseLengthBeginsLikeAPickleIsNoPickle) {
  static const std::vector<float> values{1, 2};
  const std::vector<StoredTensor> entries{{"a", TensorType::kF32, {2}, std::as_bytes(std::span(values))}};
  for (std::size_t padding = 400; padding < 700; padding += 8) {
    write_safetensors(folder_ / "w.bin", entries, {{"note", std::string(padding, 'x')}});
    EXPECT_EQ(WeightsFile::open(folder_ / "w.bin").tensors().size(), 1);
    std::filesystem::remove(folder_ / "w.bin");
  }
}

TEST_F(Weights, OtherFormatsSayWhatTheyLookLike) {
  folder_.write("w.bin", "version https://git-lfs.github.com/spec/v1\n");
  expect_refused("w.bin", "Git LFS pointer");
  folder_.write("w.pth", "");
  expect_refused("w.pth", "an empty file");
  folder_.write("w.gguf", "GGUF....");
  expect_refused("w.gguf", "GGUF");
  folder_.write("old.pth", std::string(257, 'x') + "ustar ");
  expect_refused("old.pth", "tar archive");
  std::filesystem::create_directory(folder_ / "folder.safetensors");
  expect_refused("folder.safetensors", "is a folder");
}

TEST_F(Weights, AnIndexStandsForItsFiles) {
  write("one.safetensors", {"a"});
  write("two.safetensors", {"b", "c"});
  folder_.write("w.safetensors.index.json", kIndex);
  const WeightsFile file = WeightsFile::open(folder_ / "w.safetensors.index.json");
  EXPECT_EQ(file.format(), "safetensors in 2 files");
  ASSERT_EQ(file.tensors().size(), 3u);
  EXPECT_EQ(file.paths().size(), 3u);
  float value = 0;
  std::memcpy(&value, file.tensors()[1].bytes.data() + 4, 4);
  EXPECT_EQ(value, 2);
}

TEST_F(Weights, AnIndexThatDoesNotFitItsFilesIsRefused) {
  folder_.write("w.safetensors.index.json", kIndex);
  expect_refused("w.safetensors.index.json", "its file one.safetensors is not there: incomplete download?");
  write("one.safetensors", {"a", "b"});
  std::filesystem::create_symlink("../blobs/abc", folder_ / "two.safetensors");
  expect_refused("w.safetensors.index.json",
                 "is not there (a link to ../blobs/abc, which is gone): incomplete download?");
  std::filesystem::remove(folder_ / "two.safetensors");
  write("two.safetensors", {"x"});
  expect_refused("w.safetensors.index.json", "lack tensors that it names (1): b in two.safetensors");
}

TEST_F(Weights, OfATensorInTwoShardsTheOneCountsThatTheIndexNames) {
  write("one.safetensors", {"a", "b", "c"});
  write("two.safetensors", {"b", "c"});
  folder_.write("w.safetensors.index.json", kIndex);
  const WeightsFile file = WeightsFile::open(folder_ / "w.safetensors.index.json");
  ASSERT_EQ(file.tensors().size(), 3u);
  EXPECT_EQ(file.tensors()[0].name, "a");
  EXPECT_EQ(file.tensors()[2].name, "b");
  ASSERT_EQ(file.remarks().size(), 2u);
  EXPECT_EQ(file.remarks()[0], "one.safetensors holds 2 tensors that the index does not ask of it: b, c");
}

TEST_F(Weights, WhatIsPassedOverIsSaid) {
  write("w.safetensors", {"a"});
  std::ofstream(folder_ / "w.safetensors", std::ios::app) << "tail";
  EXPECT_EQ(WeightsFile::open(folder_ / "w.safetensors").remarks(),
            std::vector<std::string>{"4 bytes behind its last tensor are passed over"});
  EXPECT_TRUE(WeightsFile::open(kPytorch / "zip.pth").remarks().empty());
  EXPECT_EQ(WeightsFile::open(kPytorch / "lightning.ckpt").remarks(),
            std::vector<std::string>{"objects of argparse.Namespace are passed over unseen: nothing was executed"});
}

TEST(ShardIndex, WithoutEndIsRefusedSoon) {
  std::string lists = R"({"weight_map":{"a":[)", members = R"({"weight_map":{)";
  while (lists.size() < 90'000'000) lists += "[],";
  for (int i = 0; i < 100'000; ++i) members += fmt::format(R"("{}":{{}},)", i);
  const std::clock_t start = std::clock();
  EXPECT_NE(message_of<FormatError>([&] { parse_shard_index(lists + "[]]}}"); }).find("holds more than"),
            std::string::npos);
  EXPECT_NE(
      message_of<FormatError>([&] { parse_shard_index(members + R"("b":{}}})"); }).find("expected the name of a file"),
      std::string::npos);
  EXPECT_LT(std::clock() - start, 10 * CLOCKS_PER_SEC);  // of this process alone
}

TEST_F(Weights, AnIndexCannotLeaveItsFolder) {
  for (const char* name : {"../../etc/passwd", "/etc/passwd", "..", "", "a\\\\b", "a/b", "a\\u0000b"}) {
    folder_.write("w.index.json", fmt::format(R"({{"weight_map": {{"a": "{}"}}}})", name));
    expect_refused("w.index.json", "expected the name of a file in its own folder");
  }
  folder_.write("w.index.json", R"({"weight_map": {"a": 7}})");
  expect_refused("w.index.json", "expected the name of a file");
  folder_.write("w.index.json", R"({"weight_map": []})");
  expect_refused("w.index.json", "no weight_map");
  folder_.write("w.index.json", R"({"weight_map": {)");
  expect_refused("w.index.json", "not valid JSON");
  folder_.write("w.index.json", std::string(1000, '['));
  expect_refused("w.index.json", "nests deeper");
}

TEST_F(Weights, AFolderListsItsFilesWithoutTheShards) {
  write("one.safetensors", {"a"});
  write("two.safetensors", {"b"});
  write("alone.safetensors", {"b"});
  folder_.write("w.safetensors.index.json", kIndex);
  folder_.write("notes.txt", "");
  std::filesystem::create_directory(folder_ / "x.bin");
  EXPECT_EQ(weights_files_in(folder_.path()),
            (std::vector<std::filesystem::path>{folder_ / "alone.safetensors", folder_ / "w.safetensors.index.json"}));
  EXPECT_THROW(weights_files_in("/nonexistent"), IoError);
}

TEST(ReadableText, ForeignBytesStayOnOneLine) {
  EXPECT_EQ(readable_text("plain – ü 漢 😀"), "plain – ü 漢 😀");
  EXPECT_EQ(readable_text("a\n\x1b[1m\x7f"), "a\\x0a\\x1b[1m\\x7f");
  EXPECT_EQ(readable_text("\xc0\x80\xed\xa0\x80\xf5\xc2"), "\\xc0\\x80\\xed\\xa0\\x80\\xf5\\xc2");
  EXPECT_EQ(readable_text("\xc2\x85"), "\\xc2\\x85");
  EXPECT_EQ(readable_text("abcdef", 4), "abcd…");
}

}  // namespace domainfusion
