// Large files that come in several ranges at once.
#include <gtest/gtest.h>

#include "domainfusion/core/error.h"
#include "domainfusion/fetch/download.h"
#include "domainfusion/io/files/file_bytes.h"
#include "fetch/local_server.h"
#include "fetch/made_bytes.h"
#include "temporary_folder.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;

DownloadOptions in_ranges_of(std::int64_t bytes) {
  DownloadOptions options = quick_tries();
  options.range_bytes = bytes;
  return options;
}

class DownloadRanges : public testing::Test {
 protected:
  void bring(const DownloadOptions& options) {
    download_ranges(server_.url("x"), part_, static_cast<std::int64_t>(bytes_.size()), options);
  }

  TemporaryFolder folder_;
  const fs::path part_ = folder_ / "x.incomplete";
  const std::string bytes_ = made_bytes(100'000);
  LocalServer server_;
};

}  // namespace

TEST_F(DownloadRanges, SeveralComeAtOnceAndMakeOneFile) {
  server_.put("x", bytes_);
  std::int64_t last = 0;
  DownloadOptions options = in_ranges_of(7'000);
  options.on_progress = [&](std::int64_t done, std::int64_t total) {
    EXPECT_GT(done, last);
    EXPECT_EQ(total, 100'000);
    last = done;
  };
  bring(options);
  EXPECT_TRUE(read_file(part_) == bytes_);
  EXPECT_EQ(last, 100'000);
  EXPECT_EQ(server_.requests().size(), 15u);
}

TEST_F(DownloadRanges, WhatIsThereIsNotAskedForAgain) {
  server_.put("x", bytes_);
  folder_.write("x.incomplete", bytes_.substr(0, 95'000));
  bring(in_ranges_of(7'000));
  EXPECT_TRUE(read_file(part_) == bytes_);
  EXPECT_EQ(server_.requests(), std::vector<std::string>{"GET /x from 95000"});
}

TEST_F(DownloadRanges, ConnectionsThatAreCutContinueInsideTheirRange) {
  server_.put("x", bytes_);
  server_.cut_after({1'000, 0, 20'000, 3'000, 0, 0, 5'000});
  bring(in_ranges_of(30'000));
  EXPECT_TRUE(read_file(part_) == bytes_);
}

TEST_F(DownloadRanges, WhatCameBeforeItIsGivenUpIsTheBeginningOfTheFile) {
  server_.put("x", bytes_);
  DownloadOptions options = in_ranges_of(10'000);
  options.connections = 1;
  server_.cut_after({10'000, 10'000, 2'000, 0, 0, 0});
  const std::string message = message_of<IoError>([&] { bring(options); });
  EXPECT_NE(message.find("the same command continues"), std::string::npos) << message;
  EXPECT_TRUE(read_file(part_) == bytes_.substr(0, 20'000));
  bring(options);
  EXPECT_TRUE(read_file(part_) == bytes_);
}

TEST_F(DownloadRanges, AServerWithoutRangesSendsTheWholeFile) {
  server_.put("x", bytes_);
  server_.know_ranges(false);
  folder_.write("x.incomplete", bytes_.substr(0, 500));
  bring(in_ranges_of(7'000));
  EXPECT_TRUE(read_file(part_) == bytes_);
}

TEST_F(DownloadRanges, AnAddressThatExpiredIsAskedForAnew) {
  server_.put("store", bytes_);
  server_.redirect("x", server_.url("store"));
  DownloadOptions options = in_ranges_of(40'000);
  options.connections = 1;
  server_.cut_after({40'000, 1'000});
  options.on_progress = [&](std::int64_t done, std::int64_t) {
    if (done == 40'000) server_.refuse("store", {"403 Forbidden"});
  };
  bring(options);
  EXPECT_TRUE(read_file(part_) == bytes_);
}

TEST_F(DownloadRanges, AFileOfAnotherSizeIsRefused) {
  server_.put("x", bytes_ + "more");
  EXPECT_NE(message_of<FormatError>([&] { bring(in_ranges_of(30'000)); }).find("has 100004 bytes, expected 100000"),
            std::string::npos);
  server_.know_ranges(false);
  EXPECT_NE(message_of<IoError>([&] { bring(in_ranges_of(30'000)); }).find("larger than the 100000 bytes"),
            std::string::npos);
  DownloadOptions small = in_ranges_of(30'000);
  small.max_bytes = 1'000;
  EXPECT_NE(message_of<IoError>([&] { bring(small); }).find("larger than"), std::string::npos);
}

TEST_F(DownloadRanges, AnEmptyFileIsAFile) {
  server_.put("x", "");
  download_ranges(server_.url("x"), part_, 0, quick_tries());
  EXPECT_EQ(fs::file_size(part_), 0u);
}

}  // namespace domainfusion
