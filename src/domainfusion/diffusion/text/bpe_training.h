#pragma once
// Byte-pair encoding learned from captions (Sennrich et al. 2016), written in CLIP's file format.

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace domainfusion {

struct BpeVocabulary {
  std::vector<std::string> tokens;                          // the index is the id; start and end token are the last two
  std::vector<std::pair<std::string, std::string>> merges;  // in the order learned
};

// Starts from CLIP's 256 byte symbols, each also with "</w>", and merges the most frequent neighbouring pair (ties: the
// lexicographically smallest) until `max_merges` merges are learned or every word of `captions` is one token.
BpeVocabulary train_bpe(const std::vector<std::string>& captions, std::int64_t max_merges);

// vocab.json, merges.txt, tokenizer_config.json and special_tokens_map.json as transformers' CLIPTokenizer reads them;
// padding is <|endoftext|>. Files are replaced one by one, atomically. IoError.
void write_tokenizer_folder(const std::filesystem::path& folder, const BpeVocabulary& vocabulary,
                            std::int64_t max_tokens);

}  // namespace domainfusion
