#include "domainfusion/diffusion/text/clip_words.h"

#include <algorithm>
#include <functional>
#include <map>

#include "domainfusion/diffusion/text/unicode_text.h"

namespace domainfusion {
namespace {

std::array<std::string, 256> make_byte_characters() {
  std::array<std::string, 256> characters;
  std::int32_t next = 0x100;
  for (int byte = 0; byte < 256; ++byte) {
    const bool printable = (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
    characters[static_cast<std::size_t>(byte)] = utf8_of({printable ? byte : next++}, 0, 1);
  }
  return characters;
}

// Whether `literal` (lower case ASCII) stands at `at`. The pattern ignores case, under which U+017F (long s) equals s.
bool stands_at(const CodePoints& points, std::size_t at, std::string_view literal) {
  if (points.size() - at < literal.size()) return false;
  return std::equal(literal.begin(), literal.end(), points.begin() + static_cast<std::ptrdiff_t>(at),
                    [](char c, std::int32_t point) { return point == c || (c == 's' && point == 0x17F); });
}

bool is_other(std::int32_t point) { return !is_white_space(point) && !is_letter(point) && !is_number(point); }

// End of the word that begins at `at` (which is no white space): CLIP's split pattern.
std::size_t end_of_word(const CodePoints& points, std::size_t at) {
  for (const std::string_view whole :
       {kClipStartToken, kClipEndToken, std::string_view("'s"), std::string_view("'t"), std::string_view("'re"),
        std::string_view("'ve"), std::string_view("'m"), std::string_view("'ll"), std::string_view("'d")}) {
    if (stands_at(points, at, whole)) return at + whole.size();
  }
  if (is_number(points[at])) return at + 1;
  const auto kind = is_letter(points[at]) ? is_letter : is_other;
  while (at < points.size() && kind(points[at])) ++at;
  return at;
}

// Python's str.strip() also takes the four separators below the space, which the pattern counts as characters.
void strip(CodePoints& points) {
  const auto stripped = [](std::int32_t p) { return is_white_space(p) || (p >= 0x1C && p <= 0x1F); };
  while (!points.empty() && stripped(points.back())) points.pop_back();
  points.erase(points.begin(), std::find_if_not(points.begin(), points.end(), stripped));
}

}  // namespace

std::vector<std::string> clip_words(std::string_view text) {
  CodePoints points = normalised_code_points(text);
  strip(points);
  points = lower_case(points);
  std::vector<std::string> words;
  for (std::size_t at = 0; at < points.size();) {
    if (is_white_space(points[at])) {
      ++at;
      continue;
    }
    const std::size_t end = end_of_word(points, at);
    words.push_back(utf8_of(points, at, end));
    at = end;
  }
  return words;
}

const std::array<std::string, 256>& clip_byte_characters() {
  static const std::array<std::string, 256> characters = make_byte_characters();
  return characters;
}

std::vector<std::string> clip_symbols(std::string_view utf8_word) {
  std::vector<std::string> symbols;
  for (const char byte : utf8_word) symbols.push_back(clip_byte_characters()[static_cast<unsigned char>(byte)]);
  symbols.back() += kClipWordEnd;
  return symbols;
}

std::string text_of_clip_symbols(std::string_view symbols) {
  static const std::map<std::string, char, std::less<>> bytes = [] {
    std::map<std::string, char, std::less<>> map;
    for (std::size_t byte = 0; byte < 256; ++byte) map[clip_byte_characters()[byte]] = static_cast<char>(byte);
    return map;
  }();
  std::string text;
  while (!symbols.empty()) {
    // A character of one or two bytes; what is none stands for itself.
    const std::size_t size = std::min<std::size_t>(symbols.size(), (symbols[0] & 0x80) == 0 ? 1 : 2);
    if (symbols.starts_with(kClipWordEnd)) {
      symbols.remove_prefix(kClipWordEnd.size());
      text += ' ';
      continue;
    }
    const auto known = bytes.find(symbols.substr(0, size));
    text += known == bytes.end() ? std::string(symbols.substr(0, size)) : std::string(1, known->second);
    symbols.remove_prefix(size);
  }
  while (text.ends_with(' ')) text.pop_back();
  return text;
}

}  // namespace domainfusion
