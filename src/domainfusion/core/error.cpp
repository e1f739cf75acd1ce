#include "domainfusion/core/error.h"

namespace domainfusion {
namespace {

// "'/x'" is said by "'/x' cannot be written" and by "/x: cannot be opened".
bool begins_with(std::string_view message, std::string_view context) {
  if (context.starts_with("'") && context.ends_with("'") && context.size() > 1) {
    context.remove_prefix(1);
    context.remove_suffix(1);
  }
  if (message.starts_with("'")) message.remove_prefix(1);
  if (!message.starts_with(context)) return false;
  message.remove_prefix(context.size());
  return message.starts_with("'") || message.starts_with(":");
}

}  // namespace

void Error::add_context(std::string_view context) {
  if (!begins_with(message_, context)) message_ = fmt::format("{}: {}", context, message_);
}

}  // namespace domainfusion
