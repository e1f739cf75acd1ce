#include "domainfusion/diffusion/text/bpe_training.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "domainfusion/core/json_text.h"
#include "domainfusion/diffusion/text/clip_words.h"
#include "domainfusion/io/files/atomic_file.h"

namespace domainfusion {
namespace {

using Symbols = std::vector<std::string>;
using Pair = std::pair<std::string, std::string>;

std::map<Symbols, std::int64_t> count_words(const std::vector<std::string>& captions) {
  std::map<Symbols, std::int64_t> counts;
  for (const std::string& caption : captions) {
    for (const std::string& word : clip_words(caption)) {
      ++counts[clip_symbols(word)];
    }
  }
  return counts;
}

Symbols merged(const Symbols& word, const Pair& pair) {
  Symbols out;
  for (std::size_t i = 0; i < word.size(); ++i) {
    if (i + 1 < word.size() && word[i] == pair.first && word[i + 1] == pair.second) {
      out.push_back(pair.first + pair.second);
      ++i;
    } else {
      out.push_back(word[i]);
    }
  }
  return out;
}

// The most frequent pair of neighbours; the map's order makes the smallest win a tie. Count 0 if every word is one
// symbol.
std::pair<Pair, std::int64_t> most_frequent_pair(const std::map<Symbols, std::int64_t>& words) {
  std::map<Pair, std::int64_t> counts;
  for (const auto& [word, count] : words) {
    for (std::size_t i = 0; i + 1 < word.size(); ++i) counts[{word[i], word[i + 1]}] += count;
  }
  std::pair<Pair, std::int64_t> best{{}, 0};
  for (const auto& [pair, count] : counts) {
    if (count > best.second) best = {pair, count};
  }
  return best;
}

std::string tokenizer_config(std::int64_t max_tokens) {
  return json_text({{"tokenizer_class", "CLIPTokenizer"},
                    {"model_max_length", max_tokens},
                    {"bos_token", kClipStartToken},
                    {"eos_token", kClipEndToken},
                    {"unk_token", kClipEndToken},
                    {"pad_token", kClipEndToken},
                    {"do_lower_case", true},
                    {"add_prefix_space", false},
                    {"errors", "replace"}},
                   2);
}

}  // namespace

BpeVocabulary train_bpe(const std::vector<std::string>& captions, std::int64_t max_merges) {
  BpeVocabulary vocabulary;
  // CLIP's order: printable bytes first, then the others; every symbol alone, then every symbol as the end of a word.
  std::vector<std::string> symbols(clip_byte_characters().begin(), clip_byte_characters().end());
  std::sort(symbols.begin(), symbols.end());
  for (const std::string& symbol : symbols) vocabulary.tokens.push_back(symbol);
  for (const std::string& symbol : symbols) vocabulary.tokens.push_back(symbol + std::string(kClipWordEnd));
  std::map<Symbols, std::int64_t> words = count_words(captions);
  while (static_cast<std::int64_t>(vocabulary.merges.size()) < max_merges) {
    const auto [pair, count] = most_frequent_pair(words);
    if (count == 0) break;
    std::map<Symbols, std::int64_t> next;
    for (const auto& [word, word_count] : words) next[merged(word, pair)] += word_count;
    words = std::move(next);
    vocabulary.merges.push_back(pair);
    vocabulary.tokens.push_back(pair.first + pair.second);
  }
  vocabulary.tokens.emplace_back(kClipStartToken);
  vocabulary.tokens.emplace_back(kClipEndToken);
  return vocabulary;
}

void write_tokenizer_folder(const std::filesystem::path& folder, const BpeVocabulary& vocabulary,
                            std::int64_t max_tokens) {
  nlohmann::json ids;
  for (std::size_t id = 0; id < vocabulary.tokens.size(); ++id) ids[vocabulary.tokens[id]] = id;
  std::string merges = "#version: 0.2\n";
  for (const auto& [left, right] : vocabulary.merges) merges += fmt::format("{} {}\n", left, right);
  const nlohmann::json special{{"bos_token", kClipStartToken},
                               {"eos_token", kClipEndToken},
                               {"unk_token", kClipEndToken},
                               {"pad_token", kClipEndToken}};
  write_file_atomically(folder / "vocab.json", json_text(ids));
  write_file_atomically(folder / "merges.txt", merges);
  write_file_atomically(folder / "tokenizer_config.json", tokenizer_config(max_tokens));
  write_file_atomically(folder / "special_tokens_map.json", json_text(special, 2));
}

}  // namespace domainfusion
