#include "domainfusion/core/error.h"

#include <gtest/gtest.h>

namespace domainfusion {

TEST(Error, CheckThrowsTheAskedTypeWithTheFormattedMessage) {
  try {
    check<ShapeError>(false, "width {} is not {}", 3, 4);
    FAIL();
  } catch (const ShapeError& error) {
    EXPECT_STREQ(error.what(), "width 3 is not 4");
    EXPECT_EQ(error.exit_code(), ExitCode::kInput);
  }
}

TEST(Error, ContextStandsOutermostFirst) {
  try {
    with_context("command", [] { with_context("file", [] { throw FormatError("broken"); }); });
    FAIL();
  } catch (const FormatError& error) {
    EXPECT_STREQ(error.what(), "command: file: broken");
  }
}

TEST(Error, AMessageThatBeginsWithItsSubjectIsNotGivenItOnceMore) {
  const auto said = [](const std::string& message, const std::string& context) {
    FormatError error(message);
    error.add_context(context);
    return std::string(error.what());
  };
  EXPECT_EQ(said("'/x' cannot be written", "'/x'"), "'/x' cannot be written");
  EXPECT_EQ(said("/x: cannot be opened", "'/x'"), "/x: cannot be opened");
  EXPECT_EQ(said("'/x': broken", "/x"), "'/x': broken");
  EXPECT_EQ(said("/x/y: broken", "/x"), "/x: /x/y: broken");
  EXPECT_EQ(said("training has diverged", "train"), "train: training has diverged");
}

}  // namespace domainfusion
