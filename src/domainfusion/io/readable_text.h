#pragma once
// Foreign bytes in messages.

#include <string>
#include <string_view>

namespace domainfusion {

// `bytes` on one line: control characters and bytes that are not UTF-8 become \xNN; what is longer than `most` bytes is cut
// and ends in "…".
std::string readable_text(std::string_view bytes, std::size_t most = 120);

}  // namespace domainfusion
