// CLIP token ids against transformers'.

#include <gtest/gtest.h>

#include <cstring>
#include <nlohmann/json.hpp>

#include "domainfusion/diffusion/text/clip_tokenizer.h"
#include "domainfusion/io/files/file_bytes.h"
#include "domainfusion/io/formats/safetensors.h"
#include "parity/reference_cases.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// Row `row` of an int64 matrix.
std::vector<std::int64_t> row_of(const StoredTensor& entry, std::size_t row) {
  std::vector<std::int64_t> values(static_cast<std::size_t>(entry.shape.at(1)));
  const std::size_t bytes = values.size() * sizeof(std::int64_t);
  std::memcpy(values.data(), entry.bytes.subspan(row * bytes, bytes).data(), bytes);
  return values;
}

void expect_ids(const ClipTokenizer& tokenizer, const json& prompts, const StoredTensor& ids, const fs::path& folder) {
  ASSERT_EQ(static_cast<std::size_t>(ids.shape.at(0)), prompts.size()) << folder;
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    const std::string prompt = prompts[i].is_object() ? prompts[i]["prompt"] : prompts[i];
    EXPECT_EQ(tokenizer.encode(prompt), row_of(ids, i)) << folder << ": " << prompt;
  }
}

}  // namespace

TEST(TokenizerParity, PromptsGiveTransformersIdsWithTheRealVocabulary) {
  for (const fs::path& folder : reference_cases("ids.safetensors")) {
    const fs::path vocabulary = fs::exists(folder / "vocab.json") ? folder : folder.parent_path() / "clip-vocab";
    const SafetensorsFile file = SafetensorsFile::open(folder / "ids.safetensors");
    const StoredTensor* ids = file.find("transformers_nfc");
    if (!ids || !fs::exists(vocabulary / "vocab.json")) {
      print_left_out(folder, "no transformers_nfc ids or no vocabulary beside it");
      continue;
    }
    expect_ids(ClipTokenizer::load(vocabulary), json::parse(read_file(folder / "prompts.json")), *ids, folder);
  }
}

TEST(TokenizerParity, EveryPipelinesTokenizerGivesTheIdsItsTextEncoderWasRunOn) {
  for (const fs::path& folder : reference_cases("pipeline/tokenizer/vocab.json")) {
    if (!fs::exists(folder / "text_encoder.safetensors")) continue;
    const SafetensorsFile file = SafetensorsFile::open(folder / "text_encoder.safetensors");
    expect_ids(ClipTokenizer::load(folder / "pipeline/tokenizer"), json::parse(read_file(folder / "prompts.json")),
               *file.find("input_ids"), folder);
  }
}

}  // namespace domainfusion
