#include "domainfusion/io/images/image.h"
#include "fuzz/harness.h"

using namespace domainfusion;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return read_or_refuse([&] {
    for (const Alpha alpha : {Alpha::kDrop, Alpha::kWhite}) decode_image(text_of(data, size), "image", alpha);
  });
}
