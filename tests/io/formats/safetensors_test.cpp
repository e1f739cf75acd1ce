#include "domainfusion/io/formats/safetensors.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <ctime>

#include "domainfusion/core/error.h"
#include "temporary_folder.h"

namespace domainfusion {
namespace {

std::string with_length(const std::string& header, std::uint64_t length) {
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &length, 8);
  return bytes + header;
}

std::string file_of(const std::string& header, std::size_t data_bytes) {
  return with_length(header, header.size()) + std::string(data_bytes, '\1');
}

class HostileSafetensors : public testing::Test {
 protected:
  // The message with which a file of `bytes` is refused; "accepted" if it is not.
  std::string refusal_of(const std::string& bytes) {
    const auto path = folder_ / "x.safetensors";
    std::ofstream(path, std::ios::binary) << bytes;
    try {
      SafetensorsFile::open(path);
      return "accepted";
    } catch (const FormatError& error) {
      const std::string message = error.what();
      return message.find("x.safetensors") == std::string::npos ? "no file name: " + message : message;
    }
  }
  void expect_refused(const std::string& bytes, const std::string& reason) {
    const std::string message = refusal_of(bytes);
    EXPECT_NE(message.find(reason), std::string::npos) << message;
  }

  TemporaryFolder folder_;
};

constexpr const char* kTwoBytes = R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}})";

}  // namespace

TEST(Safetensors, WhatIsWrittenIsReadBack) {
  const TemporaryFolder folder;
  const std::vector<float> values{1.5f, -2.f, 3.f, 0.f, 1e-30f, 7.f};
  const std::uint8_t byte = 9;
  write_safetensors(folder / "t.safetensors",
                    {{"w", TensorType::kF32, {2, 3}, std::as_bytes(std::span(values))},
                     {"empty", TensorType::kI64, {0, 4}, {}},
                     {"scalar", TensorType::kU8, {}, std::as_bytes(std::span(&byte, 1))}},
                    {{"made_by", "test"}});
  const SafetensorsFile file = SafetensorsFile::open(folder / "t.safetensors");
  ASSERT_EQ(file.entries().size(), 3u);
  EXPECT_EQ(file.metadata().at("made_by"), "test");
  const StoredTensor* w = file.find("w");
  ASSERT_NE(w, nullptr);
  EXPECT_EQ(w->shape, (std::vector<std::int64_t>{2, 3}));
  EXPECT_EQ(std::memcmp(w->bytes.data(), values.data(), w->bytes.size()), 0);
  EXPECT_TRUE(file.find("scalar")->shape.empty());
  EXPECT_EQ(file.find("absent"), nullptr);
}

TEST(Safetensors, AMissingFileIsAnIoErrorThatNamesIt) {
  try {
    SafetensorsFile::open("/nonexistent/w.safetensors");
    FAIL();
  } catch (const IoError& error) {
    EXPECT_NE(std::string(error.what()).find("/nonexistent/w.safetensors"), std::string::npos);
  }
  EXPECT_THROW(SafetensorsFile::open("/dev/null"), IoError);
}

TEST_F(HostileSafetensors, AGoodFileIsAccepted) { EXPECT_EQ(refusal_of(file_of(kTwoBytes, 2)), "accepted"); }

TEST_F(HostileSafetensors, EmptyAndTruncatedFilesAreRefused) {
  expect_refused("", "truncated");
  expect_refused("1234567", "truncated");
  expect_refused(with_length("{}", 3), "truncated");
  const std::string good = file_of(kTwoBytes, 2);
  for (std::size_t size = 0; size < good.size(); ++size) {
    EXPECT_NE(refusal_of(good.substr(0, size)), "accepted") << size;
  }
}

TEST_F(HostileSafetensors, OversizedHeadersAreRefusedBeforeTheyAreRead) {
  expect_refused(with_length("{}", 100'000'001), "at most 100000000");
  expect_refused(with_length("{}", UINT64_MAX), "at most 100000000");
  expect_refused(with_length("{}", UINT64_MAX - 7), "at most 100000000");
}

TEST_F(HostileSafetensors, HeadersThatAreNoJsonObjectAreRefused) {
  expect_refused(file_of("[1]", 0), "does not begin with '{'");
  expect_refused(file_of(" {}", 0), "does not begin with '{'");
  expect_refused(file_of("{\"a\":", 0), "not valid JSON");
  expect_refused(file_of("{} x", 0), "not valid JSON");
  expect_refused(file_of("{\"\xff\":1}", 0), "not valid JSON");
  expect_refused(file_of("{\"a\":" + std::string(100000, '['), 0), "deeper");
  EXPECT_EQ(refusal_of(file_of("{}   ", 0)), "accepted");
}

TEST_F(HostileSafetensors, RepeatedKeysAreRefused) {
  expect_refused(
      file_of(
          R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})",
          2),
      "'a' twice");
  expect_refused(file_of(R"({"a":{"dtype":"U8","dtype":"I8","shape":[2],"data_offsets":[0,2]}})", 2), "'dtype' twice");
}

TEST_F(HostileSafetensors, OverlapsAndHolesAreRefused) {
  const auto two = [](const char* a, const char* b) {
    return fmt::format(
        R"({{"a":{{"dtype":"U8","shape":[2],"data_offsets":{}}},"b":{{"dtype":"U8","shape":[2],"data_offsets":{}}}}})",
        a, b);
  };
  EXPECT_EQ(refusal_of(file_of(two("[2,4]", "[0,2]"), 4)), "accepted");
  expect_refused(file_of(two("[0,2]", "[1,3]"), 3), "overlaps");
  expect_refused(file_of(two("[0,2]", "[0,2]"), 2), "overlaps");
  expect_refused(file_of(two("[0,2]", "[3,5]"), 5), "hole");
  expect_refused(file_of(two("[0,2]", "[2,4]"), 3), "truncated");
}

TEST_F(HostileSafetensors, EntriesThatLieAboutTheirSizeAreRefused) {
  const auto one = [](const char* dtype, const char* shape, const char* offsets) {
    return file_of(fmt::format(R"({{"a":{{"dtype":"{}","shape":{},"data_offsets":{}}}}})", dtype, shape, offsets), 8);
  };
  EXPECT_EQ(refusal_of(one("F32", "[2]", "[0,8]")), "accepted");
  expect_refused(one("F32", "[3]", "[0,8]"), "needs 12");
  expect_refused(one("F32", "[4294967296,4294967296]", "[0,8]"), "overflows");
  expect_refused(one("F32", "[4611686018427387904,4]", "[0,8]"), "overflows");
  expect_refused(one("F32", "[-2]", "[0,8]"), "whole numbers");
  expect_refused(one("F32", "[2.0]", "[0,8]"), "whole numbers");
  expect_refused(one("F32", "[2]", "[8,0]"), "end before");
  expect_refused(one("F32", "[2]", "[0,8,9]"), "expected 2");
  expect_refused(one("F32", "[2]", "[0,18446744073709551615]"), "needs 8");
  expect_refused(one("F8_E4M3", "[7]", "[0,8]"), "needs 7");
  expect_refused(one("F4", "[15]", "[0,8]"), "no whole number of bytes");
  expect_refused(one("NEW", "[4294967296,4294967296]", "[0,8]"), "overflows");
  expect_refused(one("a\\nb", "[8]", "[0,8]"), "dtype 'a\\x0ab'");
  expect_refused(file_of(R"({"a":{"dtype":"U8","shape":[8]}})", 8), "data_offsets");
  expect_refused(file_of(R"({"a":7})", 0), "'dtype'");
  expect_refused(file_of(R"({"__metadata__":{"x":1}})", 0), "not text");
}

TEST(Safetensors, TensorsOfAnyTypeAreListed) {
  const std::string types[] = {"F8_E4M3", "F8_E5M2", "F8_E8M0", "F4", "U16", "U32", "U64", "C64", "F6_E2M3"};
  const std::uint64_t bytes[] = {2, 2, 2, 1, 4, 8, 16, 16, 3};
  std::string header;
  std::uint64_t end = 0;
  for (std::size_t i = 0; i < std::size(types); ++i) {
    header += fmt::format(R"({}"{}":{{"dtype":"{}","shape":[2],"data_offsets":[{},{}]}})", i == 0 ? "{" : ",", i,
                          types[i], end, end + bytes[i]);
    end += bytes[i];
  }
  const std::string text = file_of(header + "}", end);
  const SafetensorsFile file = SafetensorsFile::parse(std::as_bytes(std::span(text)));
  ASSERT_EQ(file.entries().size(), std::size(types));
  for (std::size_t i = 0; i < std::size(types); ++i) {
    EXPECT_EQ(type_name(file.entries()[i]), types[i]);
    EXPECT_EQ(byte_count(file.entries()[i]), bytes[i]);
    EXPECT_EQ(element_count(file.entries()[i]), 2u);
  }
  EXPECT_EQ(file.entries().back().type, TensorType::kOther);
  const TemporaryFolder folder;
  write_safetensors(folder / "copy.safetensors", file.entries());
  EXPECT_EQ(type_name(SafetensorsFile::open(folder / "copy.safetensors").entries().back()), "F6_E2M3");
}

TEST(Safetensors, BytesBehindTheLastTensorAreCounted) {
  const std::string text = file_of(kTwoBytes, 6);
  const SafetensorsFile file = SafetensorsFile::parse(std::as_bytes(std::span(text)));
  EXPECT_EQ(file.entries()[0].bytes.size(), 2u);
  EXPECT_EQ(file.trailing_bytes(), 4u);
}

TEST(Safetensors, FloatsOfEightBitsHaveTheirPublishedValues) {
  const auto values_of = [](TensorType type, const std::vector<std::uint8_t>& codes) {
    std::vector<float> values(codes.size());
    const std::int64_t count = static_cast<std::int64_t>(codes.size());
    copy_as_float32({"w", type, {count}, std::as_bytes(std::span(codes))}, values.data());
    return values;
  };
  EXPECT_EQ(values_of(TensorType::kF8E4M3, {0x38, 0x40, 0xB8, 0x7E, 0x00, 0x01, 0x08}),
            (std::vector<float>{1, 2, -1, 448, 0, 1.0f / 512, 1.0f / 64}));
  EXPECT_EQ(values_of(TensorType::kF8E5M2, {0x3C, 0x40, 0xBC, 0x7B, 0x01, 0x7C, 0xFC}),
            (std::vector<float>{1, 2, -1, 57344, 1.0f / 65536, HUGE_VALF, -HUGE_VALF}));
  EXPECT_TRUE(std::isnan(values_of(TensorType::kF8E4M3, {0x7F})[0]));
  EXPECT_TRUE(std::isnan(values_of(TensorType::kF8E5M2, {0x7D})[0]));
  EXPECT_TRUE(std::signbit(values_of(TensorType::kF8E4M3, {0x80})[0]));
}

// Of tens of megabytes each; read into a tree they would take gigabytes, or minutes.
TEST(Safetensors, HeadersWithoutEndAreRefusedSoon) {
  const auto refusal = [](const std::string& header) {
    const std::string bytes = file_of(header, 0);
    return message_of<FormatError>([&] { SafetensorsFile::parse(std::as_bytes(std::span(bytes))); });
  };
  std::string lists = R"({"a":{"shape":[)", members = R"({"a":{)";
  while (lists.size() < 90'000'000) lists += "[],";
  for (int i = 0; i < 100'000; ++i) members += fmt::format(R"("{}":{{}},)", i);
  const std::clock_t start = std::clock();
  EXPECT_NE(refusal(lists + "[]]}}").find("more than 1000 values"), std::string::npos);
  EXPECT_NE(refusal(members + R"("b":{}}})").find("more than 1000 values"), std::string::npos);
  EXPECT_LT(std::clock() - start, 10 * CLOCKS_PER_SEC);  // of this process alone
}

}  // namespace domainfusion
