#include "domainfusion/fetch/cache/known_weights.h"

#include <gtest/gtest.h>

#include <set>

#include "domainfusion/core/error.h"
#include "fetch/environment.h"
#include "temporary_folder.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;

constexpr const char* kSnapshot = "0123456789abcdef0123456789abcdef01234567";

}  // namespace

TEST(KnownWeights, EachSaysWhatItIsWhereItLiesAndUnderWhichTerms) {
  std::set<std::string> names;
  for (const KnownWeights& known : known_weights()) {
    EXPECT_TRUE(names.insert(known.name).second) << known.name;
    for (const std::string& text : {known.what, known.size, known.licence, known.terms}) EXPECT_FALSE(text.empty());
    if (!known.url.empty()) {
      EXPECT_NE(known.url.find(known.sha256), std::string::npos) << known.name;
      EXPECT_FALSE(known.cache.empty()) << known.name;
    }
  }
  EXPECT_TRUE(names.contains("sd-turbo"));
  EXPECT_NE(message_of<ConfigError>([] { known_weights("sdturbo"); }).find("'sd-turbo'"), std::string::npos);
}

TEST(HubName, IsOwnerAndNameWithARevision) {
  EXPECT_FALSE(parse_hub_name("stabilityai/sd-turbo").has_value());
  const auto plain = parse_hub_name("hf:stabilityai/sd-turbo");
  EXPECT_EQ(plain->folder(), "models--stabilityai--sd-turbo");
  EXPECT_EQ(plain->revision, "main");
  EXPECT_EQ(parse_hub_name("hf:gpt2")->folder(), "models--gpt2");
  EXPECT_EQ(parse_hub_name("hf:a/b@refs/pr/1")->revision, "refs/pr/1");
  EXPECT_EQ(parse_hub_name("hf:a/b@v1.0")->text(), "hf:a/b@v1.0");
  for (const char* hostile : {"hf:", "hf:a/", "hf:/b", "hf:../b", "hf:a/b/c", "hf:a/..", "hf:a--x/b", "hf:a/b@",
                              "hf:a/b@../../x", "hf:a/b@/etc", "hf:a/b@x\ny", "hf:a b/c", "hf:a/b@refs/.x"}) {
    EXPECT_THROW(parse_hub_name(hostile), ConfigError) << hostile;
  }
}

TEST(HubCacheFolder, IsNamedByTheVariablesThatProgramsShare) {
  const Environment environment({{"HOME", "/home/me"}, {"XDG_CACHE_HOME", ""}, {"HF_HOME", ""}, {"HF_HUB_CACHE", ""}});
  EXPECT_EQ(hub_cache_folder(), "/home/me/.cache/huggingface/hub");
  ::setenv("XDG_CACHE_HOME", "/caches", 1);
  EXPECT_EQ(hub_cache_folder(), "/caches/huggingface/hub");
  ::setenv("HF_HOME", "~/hf", 1);
  EXPECT_EQ(hub_cache_folder(), "/home/me/hf/hub");
  ::setenv("HF_HUB_CACHE", "/hub", 1);
  EXPECT_EQ(hub_cache_folder(), "/hub");
}

TEST(LocatedWeights, AreWhatWasFetchedUnlessAFileHasTheName) {
  const TemporaryFolder folder;
  const Environment environment({{"HF_HUB_CACHE", (folder / "hub").string()},
                                 {"XDG_CACHE_HOME", (folder / "caches").string()},
                                 {"TORCH_HOME", ""}});
  const std::string message = message_of<IoError>([] { located_weights("sd-turbo"); });
  EXPECT_NE(message.find("`domainfusion fetch sd-turbo`"), std::string::npos) << message;
  EXPECT_NE(message_of<IoError>([] { located_weights("hf:a/b@v1"); }).find("`domainfusion fetch hf:a/b@v1`"),
            std::string::npos);
  EXPECT_NE(message_of<IoError>([] { located_weights("resnet50"); }).find("resnet50-0676ba61.pth"), std::string::npos);
  EXPECT_EQ(located_weights("nothing/of/that/name"), "nothing/of/that/name");

  const fs::path model = folder / "hub/models--stabilityai--sd-turbo", snapshot = model / "snapshots" / kSnapshot;
  fs::create_directories(snapshot);
  EXPECT_THROW(located_weights("sd-turbo"), IoError);  // refs/main comes last
  folder.write("hub/models--stabilityai--sd-turbo/refs/main", kSnapshot);
  EXPECT_EQ(located_weights("sd-turbo"), snapshot);
  EXPECT_EQ(located_weights("hf:stabilityai/sd-turbo"), snapshot);
  EXPECT_EQ(located_weights(std::string("hf:stabilityai/sd-turbo@") + kSnapshot), snapshot);
  EXPECT_THROW(located_weights("hf:stabilityai/sd-turbo@other"), IoError);
  folder.write("hub/models--stabilityai--sd-turbo/refs/main", "../../..");
  EXPECT_THROW(located_weights("sd-turbo"), FormatError);

  const fs::path file = folder.write("caches/torch/hub/checkpoints/resnet50-0676ba61.pth", "weights");
  EXPECT_EQ(located_weights("resnet50"), file);
  EXPECT_EQ(located_weights(file), file);
}

}  // namespace domainfusion
