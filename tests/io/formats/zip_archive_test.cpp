#include "domainfusion/io/formats/zip_archive.h"

#include <gtest/gtest.h>

#include "domainfusion/core/error.h"
#include "io/formats/made_checkpoint.h"
#include "temporary_folder.h"

namespace domainfusion {
namespace {

ZipArchive parsed_zip(const std::string& bytes) { return ZipArchive::parse(std::as_bytes(std::span(bytes))); }
void expect_zip_refused(const std::string& bytes, const std::string& reason) {
  const std::string message = message_of<FormatError>([&] { parsed_zip(bytes); });
  EXPECT_NE(message.find(reason), std::string::npos) << message;
}

std::string content(const ZipArchive& archive, std::string_view name) {
  const auto bytes = archive.stored(name);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

const std::string kTwo = made_zip({{"b", "second"}, {"a", "first"}});
constexpr std::size_t kEndBytes = 22;

// `bytes` with `text` written over them at `offset`.
std::string changed(std::string bytes, std::size_t offset, const std::string& text) {
  return bytes.replace(offset, text.size(), text);
}

// The two entries with a directory whose end is in the zip64 records.
std::string in_zip64() {
  const std::string end = kTwo.substr(kTwo.size() - kEndBytes), rest = kTwo.substr(0, kTwo.size() - kEndBytes);
  std::uint32_t size = 0, offset = 0;
  std::memcpy(&size, end.data() + 12, 4);
  std::memcpy(&offset, end.data() + 16, 4);
  const std::string record = "PK\6\6" + little_endian<std::uint64_t>(44) + std::string(12, '\0') +
                             little_endian<std::uint64_t>(2) + little_endian<std::uint64_t>(2) +
                             little_endian<std::uint64_t>(size) + little_endian<std::uint64_t>(offset);
  const std::string locator =
      "PK\6\7" + std::string(4, '\0') + little_endian<std::uint64_t>(rest.size()) + std::string(4, '\0');
  return rest + record + locator + changed(changed(end, 10, "\xff\xff"), 16, "\xff\xff\xff\xff");
}

}  // namespace

TEST(ZipArchive, EntriesAreFoundByName) {
  for (const std::string& bytes : {kTwo, in_zip64(), changed(kTwo, kTwo.size() - 2, std::string("\3\0", 2)) + "end"}) {
    const ZipArchive archive = parsed_zip(bytes);
    EXPECT_EQ(archive.entries().size(), 2u);
    EXPECT_EQ(content(archive, "a"), "first");
    EXPECT_EQ(content(archive, "b"), "second");
    EXPECT_FALSE(archive.contains("c"));
    EXPECT_THROW(archive.stored("c"), FormatError);
  }
}

TEST(ZipArchive, EveryTruncationIsRefused) {
  for (const std::string& whole : {kTwo, in_zip64()}) {
    for (std::size_t size = 0; size < whole.size(); ++size)
      EXPECT_THROW(parsed_zip(whole.substr(0, size)), FormatError) << size;
  }
}

TEST(ZipArchive, DirectoriesThatLieAreRefused) {
  const std::size_t end = kTwo.size() - kEndBytes;
  expect_zip_refused(changed(kTwo, end + 10, "\x09"), "9 entries");
  expect_zip_refused(changed(kTwo, end + 12, "\xf0\xff\xff"), "do not fit the file");
  expect_zip_refused(changed(kTwo, end + 16, "\xf0\xff\xff"), "do not fit the file");
  expect_zip_refused(changed(kTwo, end + 16, "\xff\xff\xff\xff"), "zip64 directory is missing");
  expect_zip_refused(changed(kTwo, end + 16, "\1"), "zip directory is damaged");
}

TEST(ZipArchive, EntriesThatLieAreRefused) {
  const std::size_t directory = kTwo.find("PK\1\2");
  expect_zip_refused(changed(kTwo, directory + 42, "\1"), "no entry begins");
  expect_zip_refused(changed(kTwo, directory + 42, "\xf0\xff\xff"), "outside the file");
  expect_zip_refused(changed(kTwo, directory + 20, "\xf0\xff"), "stored in");
  expect_zip_refused(changed(changed(kTwo, directory + 20, "\xf0\xff"), directory + 24, "\xf0\xff"),
                     "outside the file");
  expect_zip_refused(changed(changed(kTwo, directory + 20, "\x20"), directory + 24, "\x20"), "overlap");
  expect_zip_refused(changed(kTwo, directory + 8, "\1"), "encrypted");
  expect_zip_refused(changed(kTwo, 30, "x"), "another name");
  expect_zip_refused(made_zip({{"a", "1"}, {"a", "2"}}), "'a' twice");
}

TEST(ZipArchive, CompressedEntriesAreRefusedWhenTheyAreNeeded) {
  const std::string bytes = made_zip({{"a", "1", 8}, {"b", "2"}});
  const ZipArchive archive = parsed_zip(bytes);
  EXPECT_EQ(content(archive, "b"), "2");
  EXPECT_NE(message_of<FormatError>([&] { archive.stored("a"); }).find("method 8"), std::string::npos);
}

}  // namespace domainfusion
