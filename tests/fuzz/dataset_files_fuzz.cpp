#include "domainfusion/data/sets/known_datasets.h"
#include "domainfusion/data/verification/set_manifest.h"
#include "domainfusion/io/files/file_hashes.h"
#include "fuzz/harness.h"
#include "temporary_folder.h"

using namespace domainfusion;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const TemporaryFolder folder;
  const auto file = folder.write("file", text_of(data, size));
  read_or_refuse([&] { PromptWords({"photo", "clay"}, {"cat", "dog"}, file).classes(); });
  read_or_refuse([&] { read_manifest(file); });
  return read_or_refuse([&] { FileHashes(file).sha256(file); });
}
