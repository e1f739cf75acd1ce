// Seeds and splits equal DomainBed's.

#include <gtest/gtest.h>

#include <cstring>
#include <nlohmann/json.hpp>

#include "domainfusion/data/protocol/python_text.h"
#include "domainfusion/data/protocol/split.h"
#include "domainfusion/io/files/file_bytes.h"
#include "domainfusion/io/formats/safetensors.h"
#include "parity/case_folders.h"

namespace domainfusion {

TEST(SplitParity, SeedHashesEqualDomainBeds) {
  const auto folders = case_folders("domainbed", "seed_hash.json");
  ASSERT_FALSE(folders.empty());
  for (const auto& folder : folders) {
    for (const auto& example : nlohmann::json::parse(read_file(folder / "seed_hash.json"))) {
      EXPECT_EQ(python_tuple(example["args"]), example["repr"].get<std::string>());
      EXPECT_EQ(seed_hash(example["args"]), example["value"].get<std::uint32_t>()) << folder << example["repr"];
    }
  }
}

TEST(SplitParity, PermutationsEqualNumpysAndPartsDomainBeds) {
  const auto folders = case_folders("domainbed", "splits.safetensors");
  ASSERT_FALSE(folders.empty());
  for (const auto& folder : folders) {
    const auto facts = nlohmann::json::parse(read_file(folder / "splits.json"));
    const auto file = SafetensorsFile::open(folder / "splits.safetensors");
    for (const auto& entry : file.entries()) {
      const auto& fact = facts.at(entry.name);
      std::vector<std::int64_t> expected(entry.bytes.size() / sizeof(std::int64_t));
      std::memcpy(expected.data(), entry.bytes.data(), entry.bytes.size());
      const auto n = fact["n"].get<std::int64_t>(), n_out = fact["n_out"].get<std::int64_t>();
      EXPECT_EQ(numpy_permutation(n, fact["seed"].get<std::uint32_t>()), expected) << folder << " " << entry.name;
      long long trial = 0, domain = 0;
      if (!fact["seed_from"].is_string()) continue;
      if (std::sscanf(fact["seed_from"].get<std::string>().c_str(), "seed_hash(%lld,%lld)", &trial, &domain) != 2)
        continue;
      const Split split = holdout_split(n, trial, domain);
      EXPECT_EQ(split.out, std::vector<std::int64_t>(expected.begin(), expected.begin() + n_out)) << entry.name;
      EXPECT_EQ(split.in, std::vector<std::int64_t>(expected.begin() + n_out, expected.end())) << entry.name;
    }
  }
}

}  // namespace domainfusion
