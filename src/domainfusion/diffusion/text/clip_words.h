#pragma once
// How CLIP cuts a text into words and words into byte symbols, before any merge: shared by the tokenizer and by the
// training of vocabularies.

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace domainfusion {

inline constexpr std::string_view kClipStartToken = "<|startoftext|>";
inline constexpr std::string_view kClipEndToken = "<|endoftext|>";
inline constexpr std::string_view kClipWordEnd = "</w>";

// The words in order, UTF-8, in normal form C and lower case: letters | single digits | other characters, English
// contractions apart. FormatError if `text` is not UTF-8.
std::vector<std::string> clip_words(std::string_view text);

// Each byte as one printable character: printable Latin-1 stands for itself, the others follow from U+0100 on.
const std::array<std::string, 256>& clip_byte_characters();

// The bytes of a non-empty word as such characters, the last one with kClipWordEnd.
std::vector<std::string> clip_symbols(std::string_view utf8_word);

// Such characters as the text they stand for: words end in a space but for the last one.
std::string text_of_clip_symbols(std::string_view symbols);

}  // namespace domainfusion
