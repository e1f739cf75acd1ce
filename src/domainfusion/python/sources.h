#pragma once
// The source domains of a run as Python has them: the options, and a split that gives out no image of the target.

#include "domainfusion/python/bindings.h"
#include "domainfusion/training/guards/source_split.h"
#include "domainfusion/training/run/trainer.h"

namespace domainfusion {

struct Sources {
  // As make_run_setup() takes them; "data.root" and "test_domain" are among the options. ConfigError, IoError.
  Sources(const std::filesystem::path& recipe, const std::vector<std::pair<std::string, nlohmann::json>>& options);

  std::uint64_t seed() const { return static_cast<std::uint64_t>(setup.config.seed); }
  std::int64_t steps_per_epoch() const;

  RunSetup setup;
  SourceSplit split;
};

}  // namespace domainfusion
