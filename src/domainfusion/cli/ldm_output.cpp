#include "domainfusion/cli/ldm_output.h"

#include "domainfusion/core/error.h"
#include "domainfusion/core/json_text.h"
#include "domainfusion/io/files/atomic_file.h"
#include "domainfusion/io/files/file_bytes.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;

bool is_empty_or_absent(const fs::path& folder) { return !fs::exists(folder) || fs::is_empty(folder); }

void check_same(const fs::path& file, const nlohmann::json& description) {
  const auto before = try_parse_json(read_file(file)).value_or(nullptr);
  check<ConfigError>(before == description,
                     "--resume: {} differs from the options given now; remedy: those of then, --overwrite, or another "
                     "--out; the difference: {}",
                     file.string(), json_text(nlohmann::json::diff(before, description)));
}

}  // namespace

void open_ldm_output(const fs::path& out, const std::string& name, const nlohmann::json& description,
                     LdmOutputMode mode) {
  check<ConfigError>(!fs::exists(out) || fs::is_directory(out), "--out {}: there is a file of that name", out.string());
  if (!is_empty_or_absent(out)) {
    check<ConfigError>(
        mode.resume || mode.overwrite,
        "--out {}: the folder is not empty; remedy: another folder, --resume to continue, or --overwrite",
        out.string());
    check<ConfigError>(fs::exists(out / name),
                       "--out {}: no LDM training lies there ({} is missing); remedy: another folder", out.string(),
                       name);
    if (mode.resume) return check_same(out / name, description);
    for (const auto& entry : fs::directory_iterator(out)) fs::remove_all(entry.path());
  }
  std::error_code error;
  fs::create_directories(out, error);
  check<IoError>(!error, "--out {} cannot be made: {}", out.string(), error.message());
  write_file_atomically(out / name, json_text(description, 2) + "\n");
}

}  // namespace domainfusion
