#pragma once
// CLIP's byte-pair encoding (Radford et al. 2021), from prompts to token ids.
//
// Follows transformers' CLIPTokenizer with CLIPTokenizerFast's normaliser: Unicode NFC, lower case, words split at
// spaces, letters | single digits | other characters, English contractions apart; bytes as printable characters; merges
// by rank. Differs from CLIPTokenizer with ftfy installed: broken encodings and typographic variants are not repaired.

#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace domainfusion {

class ClipTokenizer {
 public:
  // Reads vocab.json and merges.txt of a diffusers tokenizer folder, or in their place tokenizer.json, and, where they
  // are there, tokenizer_config.json and special_tokens_map.json (special tokens, model_max_length; else CLIP's), and
  // the tokens that textual inversion added (added_tokens.json, added_tokens_decoder of tokenizer_config.json, and
  // those of tokenizer.json that stand there alone). `unstated_length`: length() where the files state no
  // model_max_length, or one without meaning (transformers' 1e30): that of the text encoder. Throws IoError,
  // FormatError, ConfigError.
  static ClipTokenizer load(const std::filesystem::path& folder, std::int64_t unstated_length = 77);

  // Exactly length() ids: start token, the prompt's tokens (cut to fit), end token, padding. FormatError for invalid
  // UTF-8.
  std::vector<std::int64_t> encode(std::string_view prompt) const;
  // The prompt's tokens alone, uncut.
  std::vector<std::int64_t> tokenize(std::string_view prompt) const;
  // What encode() cuts off the end of the prompt, as text in lower case; empty if it fits.
  std::string cut_text(std::string_view prompt) const;
  // ConfigError that names two different prompts of the same ids: they differ in case, or behind what fits, alone.
  void check_told_apart(const std::vector<std::string>& prompts) const;

  std::int64_t length() const { return length_; }  // 77 for CLIP
  std::int64_t start_id() const { return start_id_; }
  std::int64_t end_id() const { return end_id_; }
  std::int64_t pad_id() const { return pad_id_; }
  // The same tokenizer padding with another token. FormatError for one that the vocabulary lacks.
  ClipTokenizer padding_with(const std::string& token) const;
  std::int64_t vocabulary_size() const { return static_cast<std::int64_t>(ids_.size()); }
  // Whether tokenizer.json holds tokens that no other file of the folder does.
  bool needs_tokenizer_json() const { return needs_tokenizer_json_; }

 private:
  void read_vocabulary(const std::filesystem::path& path);
  void read_merges(const std::filesystem::path& path);
  void read_tokens(const std::filesystem::path& folder);
  void read_settings(const std::filesystem::path& folder, std::int64_t unstated_length);
  void add_token(const std::string& token, const nlohmann::json& id);
  std::int64_t id_of_special(const std::string& token) const;
  void tokenize_plain(std::string_view text, std::vector<std::int64_t>& ids) const;
  void encode_word(std::string_view utf8_word, std::vector<std::int64_t>& ids) const;

  std::unordered_map<std::string, std::int64_t> ids_;          // by token, bytes as printable characters
  std::unordered_map<std::string, std::int64_t> merge_ranks_;  // by "left right"
  std::map<std::string, std::int64_t> special_tokens_;         // recognised anywhere in the raw text
  bool needs_tokenizer_json_ = false;
  std::int64_t length_ = 0;
  std::int64_t start_id_ = 0, end_id_ = 0, pad_id_ = 0, unknown_id_ = 0;
};

}  // namespace domainfusion
