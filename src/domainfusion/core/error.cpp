#include "domainfusion/core/error.h"

namespace domainfusion {

void Error::add_context(std::string_view context) { message_ = fmt::format("{}: {}", context, message_); }

}  // namespace domainfusion
