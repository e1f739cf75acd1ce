#pragma once
// The folder that training of a latent diffusion model writes to.

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

namespace domainfusion {

struct LdmOutputMode {
  bool resume = false, overwrite = false;
};

// An LDM folder is a result of hours: it is continued or replaced only when that is asked for. Makes `out` and writes
// `description`, all that decides the training's numbers, to its file `name`; with `resume` they must agree.
// ConfigError for a breach of these laws, IoError.
void open_ldm_output(const std::filesystem::path& out, const std::string& name, const nlohmann::json& description,
                     LdmOutputMode mode);

}  // namespace domainfusion
