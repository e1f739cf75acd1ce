#include "domainfusion/diffusion/text/clip_tokenizer.h"

#include <gtest/gtest.h>

#include "domainfusion/core/error.h"
#include "domainfusion/diffusion/text/unicode_text.h"
#include "temporary_folder.h"

namespace domainfusion {
namespace {

std::string lower(std::string_view text) {
  const CodePoints points = lower_case(normalised_code_points(text));
  return utf8_of(points, 0, points.size());
}

}  // namespace

TEST(UnicodeText, LowerCaseFollowsPython) {
  EXPECT_EQ(lower("ÀÉ ABC"), "àé abc");
  EXPECT_EQ(lower("İ"), "i̇");
  EXPECT_EQ(lower("ΣΑΣ ΣΑΣ. Σ Α'Σ"), "σας σας. σ α'ς");
}

TEST(UnicodeText, BrokenUtf8IsRefused) { EXPECT_THROW(normalised_code_points("a\xff"), FormatError); }

class SmallTokenizer : public testing::Test {
 protected:
  SmallTokenizer() {
    write("vocab.json", R"({"a":0,"b":1,"a</w>":2,"b</w>":3,"ab</w>":4,"<|startoftext|>":5,"<|endoftext|>":6,"!":7})");
    write("merges.txt", "#version: 0.2\na b</w>\n");
    write("tokenizer_config.json", R"({"model_max_length": 6, "pad_token": "!"})");
  }
  void write(const std::string& name, const std::string& text) { std::ofstream(folder_ / name) << text; }
  TemporaryFolder folder_;
};

TEST_F(SmallTokenizer, WordsAreMergedFramedCutAndPadded) {
  const ClipTokenizer tokenizer = ClipTokenizer::load(folder_.path());
  EXPECT_EQ(tokenizer.encode("AB a"), (std::vector<std::int64_t>{5, 4, 2, 6, 7, 7}));
  EXPECT_EQ(tokenizer.encode("a a a a a a"), (std::vector<std::int64_t>{5, 2, 2, 2, 2, 6}));
  EXPECT_EQ(tokenizer.encode(""), (std::vector<std::int64_t>{5, 6, 7, 7, 7, 7}));
  EXPECT_EQ(tokenizer.tokenize("c!"), (std::vector<std::int64_t>{6, 7}));  // unknown; the pad token inside the text
}

// As diffusers' textual_inversion.py saves them with a pipeline: older releases in one file, later ones in the other.
TEST_F(SmallTokenizer, TokensOfTextualInversionAreTheirOwn) {
  const ClipTokenizer before = ClipTokenizer::load(folder_.path());
  const std::size_t pieces = before.tokenize("<ab>").size();
  EXPECT_GT(pieces, 1u);
  write("added_tokens.json", R"({"<ab>": 8})");
  EXPECT_EQ(ClipTokenizer::load(folder_.path()).tokenize("a <ab> b"), (std::vector<std::int64_t>{2, 8, 3}));
  write("tokenizer_config.json", R"({"pad_token": "!", "added_tokens_decoder": {
      "6": {"content": "<|endoftext|>"}, "8": {"content": "<ab>"}, "9": {"content": "<ab>_1"}}})");
  const ClipTokenizer both = ClipTokenizer::load(folder_.path());
  EXPECT_EQ(both.tokenize("a<ab>"), (std::vector<std::int64_t>{2, 8, 9}));  // several vectors under one name
  EXPECT_EQ(both.tokenize("<ab>_1"), (std::vector<std::int64_t>{9}));
  for (const char* wrong : {R"({"<ab>": -1})", R"({"<ab>": "8"})", R"({"": 8})", R"({"a": 5})"}) {
    write("added_tokens.json", wrong);
    EXPECT_THROW(ClipTokenizer::load(folder_.path()), FormatError) << wrong;
  }
}

TEST_F(SmallTokenizer, WithoutAMeaningfulLengthItTakesThatOfTheTextEncoder) {
  for (const char* settings : {R"({"model_max_length": 1000000000000000019884624838656})",
                               R"({"model_max_length": 1e30})", "{}", R"({"model_max_length": null})"}) {
    write("tokenizer_config.json", settings);
    EXPECT_EQ(ClipTokenizer::load(folder_.path(), 16).length(), 16) << settings;
    EXPECT_EQ(ClipTokenizer::load(folder_.path()).length(), 77) << settings;
  }
  write("tokenizer_config.json", R"({"model_max_length": 6})");
  EXPECT_EQ(ClipTokenizer::load(folder_.path(), 16).length(), 6);
}

constexpr const char* kWhole = R"({"added_tokens": [{"id": 5, "content": "<|startoftext|>", "special": true},
  {"id": 6, "content": "<|endoftext|>", "special": true}, {"id": 8, "content": "<ab>", "special": false}],
  "model": {"type": "BPE", "end_of_word_suffix": "</w>", "merges": ["a b</w>"],
  "vocab": {"a":0,"b":1,"a</w>":2,"b</w>":3,"ab</w>":4,"<|startoftext|>":5,"<|endoftext|>":6,"!":7}}})";

TEST_F(SmallTokenizer, TokenizerJsonAloneIsAWholeTokenizer) {
  write("tokenizer.json", kWhole);
  const std::vector<std::int64_t> ids = ClipTokenizer::load(folder_.path()).encode("AB a");
  for (const char* name : {"vocab.json", "merges.txt"}) std::filesystem::remove(folder_ / name);
  const ClipTokenizer alone = ClipTokenizer::load(folder_.path());
  EXPECT_EQ(alone.encode("AB a"), ids);
  EXPECT_EQ(alone.tokenize("a <ab> b"), (std::vector<std::int64_t>{2, 8, 3}));
  EXPECT_TRUE(alone.needs_tokenizer_json());
  std::string pairs = kWhole;
  pairs.replace(pairs.find("\"a b</w>\""), 9, R"(["a","b</w>"])");
  write("tokenizer.json", pairs);
  EXPECT_EQ(ClipTokenizer::load(folder_.path()).encode("AB a"), ids);
  for (const auto& [from, to] : std::vector<std::pair<std::string, std::string>>{
           {"\"BPE\"", "\"Unigram\""}, {"\"id\": 8", "\"id\": -8"}, {"\"a b</w>\"", "\"ab\""}, {"\"</w>\"", "\"\""}}) {
    std::string broken = kWhole;
    broken.replace(broken.find(from), from.size(), to);
    write("tokenizer.json", broken);
    const std::string message = message_of<FormatError>([&] { ClipTokenizer::load(folder_.path()); });
    EXPECT_NE(message.find("tokenizer.json"), std::string::npos) << to << message;
  }
}

TEST_F(SmallTokenizer, TokensThatStandInTokenizerJsonAloneAreAdded) {
  std::string whole = kWhole;
  write("tokenizer.json", whole);
  const ClipTokenizer both = ClipTokenizer::load(folder_.path());
  EXPECT_EQ(both.tokenize("a <ab> b"), (std::vector<std::int64_t>{2, 8, 3}));
  EXPECT_TRUE(both.needs_tokenizer_json());
  whole.replace(whole.find(R"("id": 8, "content": "<ab>")"), 26, R"("id": 7, "content": "!")");
  write("tokenizer.json", whole);
  EXPECT_FALSE(ClipTokenizer::load(folder_.path()).needs_tokenizer_json());
}

TEST_F(SmallTokenizer, WhatIsCutOffIsSaidAsText) {
  const ClipTokenizer tokenizer = ClipTokenizer::load(folder_.path());
  EXPECT_EQ(tokenizer.cut_text("a a a ab"), "");
  EXPECT_EQ(tokenizer.cut_text("a a a ab b AB"), "b ab");
}

TEST_F(SmallTokenizer, PromptsThatAreOneToTheModelAreRefused) {
  const ClipTokenizer tokenizer = ClipTokenizer::load(folder_.path());
  EXPECT_NO_THROW(tokenizer.check_told_apart({"a b", "a a", "a b"}));
  const std::string cut = message_of<ConfigError>([&] { tokenizer.check_told_apart({"a a a a b", "a a a a ab"}); });
  EXPECT_NE(
      cut.find("'a a a a b' and 'a a a a ab' are one to the model, whose tokenizer takes 4 tokens and cuts off 'ab'"),
      std::string::npos)
      << cut;
  EXPECT_NE(message_of<ConfigError>([&] {
              tokenizer.check_told_apart({"A", "a"});
            }).find("in lower case"),
            std::string::npos);
}

TEST_F(SmallTokenizer, BrokenFilesAreRefused) {
  write("tokenizer_config.json", R"({"pad_token": "?"})");
  EXPECT_THROW(ClipTokenizer::load(folder_.path()), FormatError);
  write("tokenizer_config.json", R"({"model_max_length": 1})");
  EXPECT_THROW(ClipTokenizer::load(folder_.path()), ConfigError);
  write("tokenizer_config.json", "{}");
  write("merges.txt", "a b</w>\n");
  EXPECT_THROW(ClipTokenizer::load(folder_.path()), FormatError);
  write("merges.txt", "#version: 0.2\nab</w>\n");
  EXPECT_THROW(ClipTokenizer::load(folder_.path()), FormatError);
  write("merges.txt", "#version: 0.2\n");
  write("vocab.json", R"({"a":-1})");
  EXPECT_THROW(ClipTokenizer::load(folder_.path()), FormatError);
}

}  // namespace domainfusion
