#include "domainfusion/config/config_fields.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "domainfusion/config/config_file.h"

namespace domainfusion {
namespace {

enum class Mode { kFast, kExact };
struct Inner {
  double rate = 0.5;
  Mode mode = Mode::kFast;
  void describe(ConfigFields& f) {
    f.real("rate", rate, {0, 1}, "a share");
    f.choice("mode", mode, {{"fast", Mode::kFast}, {"exact", Mode::kExact}}, "how");
  }
};
struct Outer {
  std::int64_t steps = 3;
  std::string name = "x";
  std::vector<std::string> domains;
  std::vector<std::int64_t> channels;
  Inner inner;
  void describe(ConfigFields& f) {
    f.integer("steps", steps, {1, 10}, "how many");
    f.text("name", name, "a name");
    f.texts("domains", domains, "names");
    f.integers("channels", channels, {1, 1024}, "widths");
    f.group("inner", inner);
  }
};

template <class Action>
std::string config_error(Action action) {
  try {
    action();
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace

TEST(Config, ABooleanThatBecameASwitchIsReadAndWrittenAsBefore) {
  AutoSwitch value = AutoSwitch::kAuto;
  ConfigFields fields;
  fields.auto_switch("teach", value, "whether");
  EXPECT_EQ(fields.to_json().at("teach"), "auto");
  for (const char* on : {"teach=true", "teach=on", "teach=\"on\""}) {
    value = AutoSwitch::kAuto;
    apply_override(fields, on);
    EXPECT_EQ(value, AutoSwitch::kOn) << on;
  }
  EXPECT_EQ(fields.to_json().at("teach"), true);
  for (const char* off : {"teach=false", "teach=off"}) {
    value = AutoSwitch::kAuto;
    apply_override(fields, off);
    EXPECT_EQ(value, AutoSwitch::kOff) << off;
  }
  EXPECT_EQ(fields.to_json().at("teach"), false);
  apply_override(fields, "teach=auto");
  EXPECT_EQ(value, AutoSwitch::kAuto);
  EXPECT_NE(config_error([&] { apply_override(fields, "teach=1"); }).find("expected auto, on or off"),
            std::string::npos);
  EXPECT_NE(config_error([&] { apply_override(fields, "teach=maybe"); }).find("teach = \"maybe\""), std::string::npos);
}

TEST(Config, JsonGoesOutAndComesBack) {
  Outer a, b;
  a.steps = 7;
  a.inner.mode = Mode::kExact;
  a.domains = {"p", "q"};
  auto target = fields_of(b);
  target.from_json(fields_of(a).to_json());
  EXPECT_EQ(b.steps, 7);
  EXPECT_EQ(b.inner.mode, Mode::kExact);
  EXPECT_EQ(b.domains, a.domains);
}

TEST(Config, OverridesAreTypedAndBareWordsAreText) {
  Outer config;
  const auto fields = fields_of(config);
  apply_override(fields, "inner.rate=0.25");
  apply_override(fields, "inner.mode=exact");
  apply_override(fields, "name=64");
  apply_override(fields, "domains=[\"a\", \"b\"]");
  EXPECT_EQ(config.inner.rate, 0.25);
  EXPECT_EQ(config.inner.mode, Mode::kExact);
  EXPECT_EQ(config.name, "64");
  EXPECT_EQ(config.domains.size(), 2u);
  apply_override(fields, "channels=[16, 32]");
  EXPECT_EQ(config.channels, (std::vector<std::int64_t>{16, 32}));
  EXPECT_EQ(config_error([&] { apply_override(fields, "channels=[16, 0]"); }), "channels = 0: expected 1 … 1024");
}

TEST(Config, ATextOptionTakesWhateverStandsThereAndATomlStringWithoutItsQuotes) {
  Outer config;
  const auto fields = fields_of(config);
  const auto name = [&](const std::string& value) {
    apply_override(fields, "name=" + value);
    return config.name;
  };
  EXPECT_EQ(name("2019-01-01"), "2019-01-01");
  EXPECT_EQ(name("12:30:00"), "12:30:00");
  EXPECT_EQ(name("[a, b]"), "[a, b]");
  EXPECT_EQ(name("it's"), "it's");
  EXPECT_EQ(name("\"'x'\""), "'x'");
  EXPECT_EQ(name("'x'"), "x");
  EXPECT_EQ(text_of_override("\"erm\""), "erm");
}

TEST(Config, AnOverrideIsOneValue) {
  Outer config;
  EXPECT_NE(config_error([&] { apply_override(fields_of(config), "steps=4\nfoo=7"); }).find("expected an integer"),
            std::string::npos);
  EXPECT_EQ(config.steps, 3);
}

TEST(Config, AnUnknownKeyNamesTheNearest) {
  Outer config;
  EXPECT_EQ(config_error([&] { apply_override(fields_of(config), "inner.rat=1"); }),
            "unknown config key 'inner.rat' (did you mean 'inner.rate'?)");
}

TEST(Config, ValuesOutOfRangeOrOfAnotherTypeAreRefused) {
  Outer config;
  const auto fields = fields_of(config);
  EXPECT_EQ(config_error([&] { apply_override(fields, "steps=11"); }), "steps = 11: expected 1 … 10");
  EXPECT_EQ(config_error([&] { apply_override(fields, "steps=1.5"); }), "steps = 1.5: expected an integer");
  EXPECT_NE(config_error([&] { apply_override(fields, "inner.rate=nan"); }), "no error");
  EXPECT_NE(config_error([&] { apply_override(fields, "inner.mode=exakt"); }).find("did you mean 'exact'"),
            std::string::npos);
  EXPECT_EQ(config.steps, 3);
}

TEST(Config, ARecipeIsReadAndItsErrorsNameTheFile) {
  const auto path = std::filesystem::temp_directory_path() / "domainfusion_config_test.toml";
  std::ofstream(path) << "steps = 5\n[inner]\nrate = 1\n";
  Outer config;
  apply_recipe(fields_of(config), path);
  EXPECT_EQ(config.steps, 5);
  EXPECT_EQ(config.inner.rate, 1.0);
  std::ofstream(path) << "stepz = 5\n";
  const std::string message = config_error([&] { apply_recipe(fields_of(config), path); });
  EXPECT_NE(message.find(path.string()), std::string::npos);
  EXPECT_NE(message.find("did you mean 'steps'"), std::string::npos);
  std::ofstream(path) << "[typo]\n";
  EXPECT_NE(config_error([&] { apply_recipe(fields_of(config), path); }).find("unknown config key 'typo'"),
            std::string::npos);
  std::ofstream(path) << "[inner]\n";
  EXPECT_EQ(config_error([&] { apply_recipe(fields_of(config), path); }), "no error");
  std::ofstream(path) << "steps = = 5\n";
  EXPECT_THROW(apply_recipe(fields_of(config), path), FormatError);
  std::filesystem::remove(path);
  EXPECT_THROW(apply_recipe(fields_of(config), path), IoError);
  EXPECT_THROW(apply_recipe(fields_of(config), path.parent_path()), IoError) << "a folder is no empty recipe";
}

}  // namespace domainfusion
