#include <cstdlib>
#include <fstream>

#include "domainfusion/data/fetch/archive.h"
#include "fuzz/harness.h"
#include "temporary_folder.h"

using namespace domainfusion;
namespace fs = std::filesystem;

// Nothing but files and folders may come out, and nothing beside the folder.
static void check_folder(const fs::path& jail) {
  for (const auto& entry : fs::recursive_directory_iterator(jail)) {
    const bool inside = entry.path().string().starts_with((jail / "in").string());
    if (!inside || entry.is_symlink() || !(entry.is_regular_file() || entry.is_directory())) std::abort();
  }
}

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const TemporaryFolder folder;
  const fs::path archive = folder.write("archive", text_of(data, size)), jail = folder / "jail";
  fs::create_directories(jail / "in");
  read_or_refuse([&] { unpack_archive(archive, jail / "in", {.bytes = 1 << 20, .entries = 100}); });
  check_folder(jail);
  return 0;
}
