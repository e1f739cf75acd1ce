#include "domainfusion/core/registry.h"

#include <gtest/gtest.h>

namespace domainfusion {
namespace {

struct Shape {
  virtual ~Shape() = default;
  virtual int sides() const = 0;
};
struct Polygon : Shape {
  explicit Polygon(int sides) : sides_(sides) {}
  int sides() const override { return sides_; }
  int sides_;
};

}  // namespace

TEST(Registry, MakesWhatIsAskedForByName) {
  Registry<Shape, int> registry("shape");
  registry.add<Polygon>("polygon", "n sides");
  EXPECT_EQ(registry.make("polygon", 5)->sides(), 5);
}

TEST(Registry, AnUnknownNameIsAnErrorThatNamesTheNearest) {
  Registry<Shape, int> registry("shape");
  registry.add<Polygon>("polygon", "n sides");
  try {
    registry.make("poligon", 5);
    FAIL();
  } catch (const ConfigError& error) {
    EXPECT_NE(std::string(error.what()).find("did you mean 'polygon'"), std::string::npos);
  }
}

}  // namespace domainfusion
