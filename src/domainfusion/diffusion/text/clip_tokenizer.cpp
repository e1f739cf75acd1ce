#include "domainfusion/diffusion/text/clip_tokenizer.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "domainfusion/core/error.h"
#include "domainfusion/core/json_text.h"
#include "domainfusion/diffusion/text/clip_words.h"
#include "domainfusion/diffusion/text/tokenizer_json.h"
#include "domainfusion/io/files/file_bytes.h"

namespace domainfusion {
namespace {

using nlohmann::json;

constexpr std::int64_t kMaxLength = 4096;

json parse_object(const std::filesystem::path& path) {
  json object = try_parse_json(read_file(path)).value_or(nullptr);
  check<FormatError>(object.is_object(), "'{}' is not a JSON object", path.string());
  return object;
}

// The content of a token entry: text, or an object with "content"; empty when absent.
std::string token_content(const json& settings, const char* key) {
  const auto found = settings.find(key);
  if (found == settings.end()) return {};
  if (found->is_string()) return found->get<std::string>();
  if (found->is_object() && found->contains("content") && (*found)["content"].is_string()) return (*found)["content"];
  return {};
}

}  // namespace

ClipTokenizer ClipTokenizer::load(const std::filesystem::path& folder, std::int64_t unstated_length) {
  ClipTokenizer tokenizer;
  tokenizer.read_tokens(folder);
  with_context(fmt::format("'{}'", folder.string()), [&] { tokenizer.read_settings(folder, unstated_length); });
  return tokenizer;
}

void ClipTokenizer::read_tokens(const std::filesystem::path& folder) {
  const std::filesystem::path whole = folder / "tokenizer.json";
  const bool has_whole = std::filesystem::exists(whole);
  if (!has_whole || std::filesystem::exists(folder / "vocab.json")) {
    read_vocabulary(folder / "vocab.json");
    read_merges(folder / "merges.txt");
    return;
  }
  TokenizerJson tokenizer = read_tokenizer_json(whole);
  ids_ = std::move(tokenizer.vocabulary);
  for (const auto& [left, right] : tokenizer.merges)
    merge_ranks_.emplace(left + " " + right, static_cast<std::int64_t>(merge_ranks_.size()));
  needs_tokenizer_json_ = true;
}

void ClipTokenizer::read_vocabulary(const std::filesystem::path& path) {
  const json object = parse_object(path);
  with_context(fmt::format("'{}'", path.string()), [&] {
    for (const auto& [token, id] : object.items()) ids_[token] = checked_token_id(token, id);
  });
  check<FormatError>(!ids_.empty(), "'{}' holds no tokens", path.string());
}

void ClipTokenizer::read_merges(const std::filesystem::path& path) {
  const std::string text = read_file(path);
  check<FormatError>(text.starts_with("#version"), "'{}' does not begin with '#version': it is not a merges file",
                     path.string());
  std::int64_t rank = 0;
  for (std::size_t begin = text.find('\n'); begin != std::string::npos && begin + 1 < text.size();) {
    const std::size_t end = text.find('\n', ++begin);
    std::string line = text.substr(begin, end == std::string::npos ? end : end - begin);
    if (line.ends_with('\r')) line.pop_back();
    const bool pair = std::count(line.begin(), line.end(), ' ') == 1;
    check<FormatError>(pair || line.empty(), "'{}': '{}' is not a pair of tokens", path.string(), line);
    if (pair) merge_ranks_[line] = rank++;
    begin = end;
  }
}

std::int64_t ClipTokenizer::id_of_special(const std::string& token) const {
  const auto found = ids_.find(token);
  check<FormatError>(found != ids_.end(),
                     "special token '{}' is not in the vocabulary: the tokenizer's files do not belong together",
                     token);
  return found->second;
}

void ClipTokenizer::read_settings(const std::filesystem::path& folder, std::int64_t unstated_length) {
  json settings = json::object();
  for (const char* name : {"tokenizer_config.json", "special_tokens_map.json"}) {
    if (std::filesystem::exists(folder / name)) settings.update(parse_object(folder / name));
  }
  const json decoder = settings.value("added_tokens_decoder", json::object());
  for (const auto& [id, token] : decoder.items()) {
    add_token(token_content(json{{"token", token}}, "token"), try_parse_json(id).value_or(nullptr));
  }
  if (std::filesystem::exists(folder / "added_tokens.json")) {
    const json added = parse_object(folder / "added_tokens.json");
    for (const auto& [token, id] : added.items()) add_token(token, id);
  }
  if (const std::filesystem::path whole = folder / "tokenizer.json"; std::filesystem::exists(whole)) {
    // Beside a vocabulary only its own tokens count: CLIPTokenizer, which the field goes by, does not read it.
    const bool alone = needs_tokenizer_json_;
    for (const auto& [token, id] : read_tokenizer_json(whole).added_tokens) {
      if (!alone && ids_.contains(token)) continue;
      add_token(token, id);
      needs_tokenizer_json_ = true;
    }
  }
  const auto special = [&](const char* key, std::string_view fallback) {
    const std::string content = token_content(settings, key);
    const std::string token = content.empty() ? std::string(fallback) : content;
    return special_tokens_[token] = id_of_special(token);
  };
  start_id_ = special("bos_token", kClipStartToken);
  end_id_ = special("eos_token", kClipEndToken);
  unknown_id_ = special("unk_token", kClipEndToken);
  pad_id_ = special("pad_token", kClipEndToken);
  const json length = settings.value("model_max_length", json());
  const bool is_stated = !length.is_null() && !(length.is_number() && length > kMaxLength);
  check<ConfigError>(!is_stated || (length.is_number_integer() && length >= 2),
                     "model_max_length = {}; expected 2 … {}", json_text(length), kMaxLength);
  length_ = is_stated ? length.get<std::int64_t>() : unstated_length;
}

void ClipTokenizer::add_token(const std::string& token, const json& id) {
  check<FormatError>(!token.empty(), "an added token (id {}) has no text", json_text(id));
  const std::int64_t number = checked_token_id(token, id);
  const auto [known, is_new] = ids_.emplace(token, number);
  check<FormatError>(is_new || known->second == number,
                     "token '{}' has the ids {} and {}: the tokenizer's files do not belong together", token,
                     known->second, number);
  special_tokens_[token] = number;
}

std::vector<std::int64_t> ClipTokenizer::encode(std::string_view prompt) const {
  const std::vector<std::int64_t> tokens = tokenize(prompt);
  const std::size_t kept = std::min(tokens.size(), static_cast<std::size_t>(length_ - 2));
  std::vector<std::int64_t> ids{start_id_};
  ids.insert(ids.end(), tokens.begin(), tokens.begin() + static_cast<std::ptrdiff_t>(kept));
  ids.push_back(end_id_);
  ids.resize(static_cast<std::size_t>(length_), pad_id_);
  return ids;
}

ClipTokenizer ClipTokenizer::padding_with(const std::string& token) const {
  ClipTokenizer other = *this;
  other.pad_id_ = other.special_tokens_[token] = id_of_special(token);
  return other;
}

std::string ClipTokenizer::cut_text(std::string_view prompt) const {
  const std::vector<std::int64_t> tokens = tokenize(prompt);
  const auto kept = static_cast<std::size_t>(length_ - 2);
  if (tokens.size() <= kept) return {};
  std::map<std::int64_t, std::string_view> texts;
  for (const auto& [token, id] : ids_) texts.emplace(id, token);
  std::string symbols;
  for (std::size_t i = kept; i < tokens.size(); ++i) symbols += texts.at(tokens[i]);
  return text_of_clip_symbols(symbols);
}

void ClipTokenizer::check_told_apart(const std::vector<std::string>& prompts) const {
  std::map<std::vector<std::int64_t>, std::string_view> prompt_of;
  for (const std::string& prompt : prompts) {
    const auto [known, is_new] = prompt_of.emplace(encode(prompt), prompt);
    check<ConfigError>(
        is_new || known->second == prompt,
        "the prompts '{}' and '{}' are one to the model, whose tokenizer takes {} tokens{}: shorten the "
        "template, the descriptions or the class names",
        known->second, prompt, length_ - 2,
        cut_text(prompt).empty() ? " in lower case" : fmt::format(" and cuts off '{}'", cut_text(prompt)));
  }
}

std::vector<std::int64_t> ClipTokenizer::tokenize(std::string_view prompt) const {
  std::vector<std::int64_t> ids;
  std::size_t plain_begin = 0;
  for (std::size_t at = 0; at < prompt.size();) {
    auto longest = special_tokens_.end();
    for (auto special = special_tokens_.begin(); special != special_tokens_.end(); ++special) {
      const bool here = prompt.substr(at).starts_with(special->first);
      if (here && (longest == special_tokens_.end() || special->first.size() > longest->first.size()))
        longest = special;
    }
    if (longest == special_tokens_.end()) {
      ++at;
      continue;
    }
    tokenize_plain(prompt.substr(plain_begin, at - plain_begin), ids);
    // Textual inversion with several vectors: <token> stands for <token>, <token>_1, <token>_2, …
    auto next = longest;
    for (int i = 1; next != special_tokens_.end(); ++i) {
      ids.push_back(next->second);
      next = special_tokens_.find(fmt::format("{}_{}", longest->first, i));
    }
    at = plain_begin = at + longest->first.size();
  }
  tokenize_plain(prompt.substr(plain_begin), ids);
  return ids;
}

void ClipTokenizer::tokenize_plain(std::string_view text, std::vector<std::int64_t>& ids) const {
  for (const std::string& word : clip_words(text)) {
    if (word == kClipStartToken || word == kClipEndToken) {
      ids.push_back(id_of_special(word));
    } else {
      encode_word(word, ids);
    }
  }
}

void ClipTokenizer::encode_word(std::string_view utf8_word, std::vector<std::int64_t>& ids) const {
  std::vector<std::string> parts = clip_symbols(utf8_word);
  while (parts.size() > 1) {
    std::int64_t best_rank = std::numeric_limits<std::int64_t>::max();
    std::pair<std::string, std::string> best;
    for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
      const auto rank = merge_ranks_.find(parts[i] + " " + parts[i + 1]);
      if (rank == merge_ranks_.end() || rank->second >= best_rank) continue;
      best_rank = rank->second;
      best = {parts[i], parts[i + 1]};
    }
    if (best_rank == std::numeric_limits<std::int64_t>::max()) break;
    std::vector<std::string> merged;
    for (std::size_t i = 0; i < parts.size(); ++i) {
      const bool joins = i + 1 < parts.size() && parts[i] == best.first && parts[i + 1] == best.second;
      merged.push_back(joins ? parts[i] + parts[i + 1] : parts[i]);
      if (joins) ++i;
    }
    parts = std::move(merged);
  }
  for (const std::string& part : parts) {
    const auto id = ids_.find(part);
    ids.push_back(id == ids_.end() ? unknown_id_ : id->second);
  }
}

}  // namespace domainfusion
