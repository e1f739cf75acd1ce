#pragma once
// tokenizer.json: a whole tokenizer in one file, as transformers' fast tokenizers are saved.

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace domainfusion {

struct TokenizerJson {
  std::unordered_map<std::string, std::int64_t> vocabulary;
  std::vector<std::pair<std::string, std::string>> merges;         // in the order of their ranks
  std::vector<std::pair<std::string, std::int64_t>> added_tokens;  // recognised anywhere in a text
};

// The content of `path`. FormatError that names it: no byte-pair encoding with CLIP's ending of words, ids out of
// range, merges that are no pairs.
TokenizerJson read_tokenizer_json(const std::filesystem::path& path);

// `id` as the id of `token`: a whole number in 0 … 2^24; FormatError without a path.
std::int64_t checked_token_id(const std::string& token, const nlohmann::json& id);

}  // namespace domainfusion
