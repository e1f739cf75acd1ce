#include "domainfusion/io/formats/pytorch_file.h"
#include "fuzz/harness.h"
#include "fuzz/touch_tensors.h"

using namespace domainfusion;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return read_or_refuse([&] { touch_tensors(PytorchFile::parse(bytes_of(data, size)).entries()); });
}
