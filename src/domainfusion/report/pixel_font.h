#pragma once
// A built-in bitmap font for captions: printable ASCII, 5x7 px and two rows for what hangs below the line.

#include <array>
#include <cstdint>

namespace domainfusion {

inline constexpr int kGlyphWidthPx = 5;
inline constexpr int kGlyphHeightPx = 9;
inline constexpr int kGlyphAdvancePx = 6;

// Rows from the top; bit 4 is the leftmost pixel. Characters outside ' ' … '~' give '?'.
const std::array<std::uint8_t, kGlyphHeightPx>& glyph(char character);

}  // namespace domainfusion
