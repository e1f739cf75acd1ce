#pragma once
// The few Unicode rules that CLIP's tokenizer needs, as Python has them.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace domainfusion {

using CodePoints = std::vector<std::int32_t>;

// UTF-8 in normal form C, as code points. Throws FormatError when `text` is not valid UTF-8.
CodePoints normalised_code_points(std::string_view text);

std::string utf8_of(const CodePoints& points, std::size_t begin, std::size_t end);

// Python's str.lower(): full mappings (I with dot above becomes two code points), final sigma by its context.
CodePoints lower_case(const CodePoints& points);

bool is_white_space(std::int32_t point);  // the property White_Space
bool is_letter(std::int32_t point);       // general category L*
bool is_number(std::int32_t point);       // general category N*

}  // namespace domainfusion
