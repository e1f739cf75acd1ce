#pragma once
// Tasks of unequal length on all threads.

#include <cstdint>
#include <functional>

namespace domainfusion {

// Calls task(0) … task(count - 1), each once, in any order. An exception that leaves a task (no memory, say) is thrown
// here, after the others have ended.
void for_each_task(std::int64_t count, const std::function<void(std::int64_t)>& task);

}  // namespace domainfusion
