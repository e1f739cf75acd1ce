#include <cstdlib>

#include "domainfusion/io/formats/shard_index.h"
#include "fuzz/harness.h"

using namespace domainfusion;

// No index may lead out of its folder.
static void check_names(std::string_view text) {
  for (const auto& [tensor, file] : parse_shard_index(text)) {
    if (file.empty() || file == ".." || file.find('/') != std::string::npos) std::abort();
  }
}

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return read_or_refuse([&] { check_names(text_of(data, size)); });
}
