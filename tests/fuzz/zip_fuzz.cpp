#include <vector>

#include "domainfusion/io/formats/zip_archive.h"
#include "fuzz/harness.h"

using namespace domainfusion;

static void read_all(const ZipArchive& archive) {
  for (const ZipArchive::Entry& entry : archive.entries()) {
    const std::vector<std::byte> content(entry.bytes.begin(), entry.bytes.end());
    read_or_refuse([&] { archive.stored(entry.name); });
  }
}

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return read_or_refuse([&] { read_all(ZipArchive::parse(bytes_of(data, size))); });
}
