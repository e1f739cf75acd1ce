#include "domainfusion/io/folders/scratch_folder.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "domainfusion/core/error.h"

namespace domainfusion {

namespace fs = std::filesystem;

ScratchFolder::ScratchFolder(const std::string& name) {
  std::string path = (fs::temp_directory_path() / (name + "-XXXXXX")).string();
  check<IoError>(::mkdtemp(path.data()) != nullptr,
                 "no folder can be made in '{}' ({}): set TMPDIR to one that is writable",
                 fs::temp_directory_path().string(), std::strerror(errno));
  path_ = path;
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

}  // namespace domainfusion
