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

}  // namespace domainfusion
