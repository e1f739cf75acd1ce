#include "domainfusion/diffusion/text/unicode_text.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>

#include "domainfusion/core/error.h"

namespace domainfusion {
namespace {

constexpr std::int32_t kCapitalSigma = 0x3A3, kSmallSigma = 0x3C3, kFinalSigma = 0x3C2;
constexpr std::int32_t kCapitalIWithDot = 0x130, kDotAbove = 0x307;

bool is_cased(std::int32_t point) {
  const auto category = utf8proc_category(point);
  return category == UTF8PROC_CATEGORY_LU || category == UTF8PROC_CATEGORY_LL || category == UTF8PROC_CATEGORY_LT ||
         utf8proc_tolower(point) != point || utf8proc_toupper(point) != point;
}

// The property Case_Ignorable: marks, format characters, modifiers, and the punctuation that stands inside words.
bool is_case_ignorable(std::int32_t point) {
  constexpr std::array<std::int32_t, 16> kInsideWords{0x27,   0x2E,   0x3A,   0xB7,   0x387,  0x55F,  0x5F4,  0x2018,
                                                      0x2019, 0x2024, 0x2027, 0xFE13, 0xFE52, 0xFE55, 0xFF07, 0xFF0E};
  switch (utf8proc_category(point)) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_SK:
      return true;
    default:
      return point == 0xFF1A || std::find(kInsideWords.begin(), kInsideWords.end(), point) != kInsideWords.end();
  }
}

// A sigma ends a word when a cased letter stands before it and none after it, marks between them not counted.
bool is_final_sigma(const CodePoints& points, std::size_t at) {
  const auto cased_next = [](auto begin, auto end) {
    const auto next = std::find_if_not(begin, end, is_case_ignorable);
    return next != end && is_cased(*next);
  };
  const auto here = points.begin() + static_cast<std::ptrdiff_t>(at);
  return cased_next(std::make_reverse_iterator(here), points.rend()) && !cased_next(here + 1, points.end());
}

}  // namespace

CodePoints normalised_code_points(std::string_view text) {
  utf8proc_uint8_t* mapped = nullptr;
  const auto length =
      utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()), static_cast<utf8proc_ssize_t>(text.size()),
                   &mapped, static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
  const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owner(mapped, &std::free);
  check<FormatError>(length >= 0, "a text of {} bytes is not valid UTF-8: {}", text.size(), utf8proc_errmsg(length));
  CodePoints points;
  for (utf8proc_ssize_t at = 0; at < length;) {
    utf8proc_int32_t point = 0;
    at += utf8proc_iterate(mapped + at, length - at, &point);
    points.push_back(point);
  }
  return points;
}

std::string utf8_of(const CodePoints& points, std::size_t begin, std::size_t end) {
  std::string text;
  for (std::size_t i = begin; i < end; ++i) {
    std::array<utf8proc_uint8_t, 4> bytes{};
    const auto count = utf8proc_encode_char(points[i], bytes.data());
    text.append(reinterpret_cast<const char*>(bytes.data()), static_cast<std::size_t>(count));
  }
  return text;
}

CodePoints lower_case(const CodePoints& points) {
  CodePoints lower;
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (points[i] == kCapitalIWithDot) {
      lower.insert(lower.end(), {'i', kDotAbove});
    } else if (points[i] == kCapitalSigma) {
      lower.push_back(is_final_sigma(points, i) ? kFinalSigma : kSmallSigma);
    } else {
      lower.push_back(utf8proc_tolower(points[i]));
    }
  }
  return lower;
}

bool is_white_space(std::int32_t point) {
  return (point >= 0x09 && point <= 0x0D) || point == 0x20 || point == 0x85 || point == 0xA0 || point == 0x1680 ||
         (point >= 0x2000 && point <= 0x200A) || point == 0x2028 || point == 0x2029 || point == 0x202F ||
         point == 0x205F || point == 0x3000;
}

bool is_letter(std::int32_t point) {
  const auto category = utf8proc_category(point);
  return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO;
}

bool is_number(std::int32_t point) {
  const auto category = utf8proc_category(point);
  return category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO;
}

}  // namespace domainfusion
