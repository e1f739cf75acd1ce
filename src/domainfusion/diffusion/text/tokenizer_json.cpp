#include "domainfusion/diffusion/text/tokenizer_json.h"

#include <nlohmann/json.hpp>

#include "domainfusion/core/error.h"
#include "domainfusion/core/json_text.h"
#include "domainfusion/diffusion/text/clip_words.h"
#include "domainfusion/io/files/json_file.h"

namespace domainfusion {
namespace {

using nlohmann::json;

// "left right", or since tokenizers 0.20 ["left", "right"].
std::pair<std::string, std::string> merge_of(const json& merge) {
  if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string())
    return {merge[0].get<std::string>(), merge[1].get<std::string>()};
  const std::string pair = merge.is_string() ? merge.get<std::string>() : "";
  const std::size_t space = pair.find(' ');
  check<FormatError>(space != std::string::npos && pair.find(' ', space + 1) == std::string::npos,
                     "holds the merge {}, which is no pair of tokens", json_text(merge));
  return {pair.substr(0, space), pair.substr(space + 1)};
}

TokenizerJson parsed(const json& file) {
  const json model = file.value("model", json());
  check<FormatError>(
      model.is_object() && model.value("type", json("BPE")) == "BPE" &&
          model.value("end_of_word_suffix", json()) == kClipWordEnd && model.contains("vocab") &&
          model["vocab"].is_object() && model.contains("merges") && model["merges"].is_array(),
      "is no byte-pair encoding as CLIP's (a model of type BPE with vocab, merges and end_of_word_suffix {})",
      kClipWordEnd);
  TokenizerJson tokenizer;
  for (const auto& [token, id] : model["vocab"].items()) tokenizer.vocabulary[token] = checked_token_id(token, id);
  for (const json& merge : model["merges"]) tokenizer.merges.push_back(merge_of(merge));
  for (const json& added : file.value("added_tokens", json::array())) {
    check<FormatError>(added.is_object() && added.contains("content") && added["content"].is_string() &&
                           added["content"] != "" && added.contains("id"),
                       "holds an added token without content and id");
    const std::string token = added["content"].get<std::string>();
    tokenizer.added_tokens.emplace_back(token, checked_token_id(token, added["id"]));
  }
  return tokenizer;
}

}  // namespace

TokenizerJson read_tokenizer_json(const std::filesystem::path& path) {
  const json file = read_json_object(path);
  return with_context(fmt::format("'{}'", path.string()), [&] { return parsed(file); });
}

std::int64_t checked_token_id(const std::string& token, const json& id) {
  check<FormatError>(id.is_number_integer() && id >= 0 && id < (1 << 24), "token '{}' has id {}; expected 0 … 2^24",
                     token, json_text(id));
  return id.get<std::int64_t>();
}

}  // namespace domainfusion
