#include "domainfusion/evaluation/tables/set_names.h"

#include <gtest/gtest.h>

namespace domainfusion {
namespace {

using Names = std::vector<std::string>;

// Nothing is known but the domains.
SetTraits planned_on(const Names& domains, const std::string& place = "") {
  SetTraits run;
  run.name = "set";
  run.domains = domains;
  run.place = place;
  return run;
}

SetTraits traits(const Names& domains, const std::string& folder = "/data/set", const std::string& place = "") {
  SetTraits run = planned_on(domains, place);
  run.classes = {"cat", "dog"};
  run.folder = folder;
  return run;
}

SetTraits with_hash(const std::string& hash, const std::string& hashed, const std::string& folder) {
  SetTraits run = traits({"a", "b"}, folder);
  run.data_hash = hash;
  run.hashed = hashed;
  return run;
}

}  // namespace

TEST(SetNames, AreTheRunsOwnWhileNothingContradicts) {
  const SetTraits spelt_otherwise = traits({"art_painting", "Photo"}, "/elsewhere");
  EXPECT_EQ(names_of_sets({traits({"art painting", "photo"}), spelt_otherwise, planned_on({"Art Painting", "photo"})}),
            (Names{"set", "set", "set"}));
  EXPECT_EQ(names_of_sets({SetTraits{}}), Names{"unnamed"});
  // DomainBed's runs do not name the domains of sets that are not known, but count them.
  EXPECT_EQ(names_of_sets({traits({"a", "b"}), planned_on({"env0", "env1"})}), (Names{"set", "set"}));
  EXPECT_NE(names_of_sets({traits({"a", "b"}), planned_on({"env0", "env1", "env2"})}), (Names{"set", "set"}));
}

TEST(SetNames, SayTheDomainsWhereTheseDiffer) {
  SetTraits other = traits({"x", "y"});
  EXPECT_EQ(names_of_sets({traits({"a", "b"}), other, traits({"a", "b"})}),
            (Names{"set (a, b)", "set (x, y)", "set (a, b)"}));
  other.name = "another";
  EXPECT_EQ(names_of_sets({traits({"a", "b"}), other}), (Names{"set", "another"}));
}

TEST(SetNames, SayTheFolderOrANumberWhereTheDomainsAreTheSame) {
  SetTraits classes = traits({"a", "b"}, "/other/set"), fewer = traits({"a", "b"}), more = fewer;
  classes.classes = {"cat", "cup"};
  EXPECT_EQ(names_of_sets({traits({"a", "b"}), classes}), (Names{"set (/data/set)", "set (/other/set)"}));
  fewer.images = {3, 3};
  more.images = {3, 4};
  EXPECT_EQ(names_of_sets({fewer, more, fewer}), (Names{"set (1)", "set (2)", "set (1)"}));
}

TEST(SetNames, HashesCountBetweenRunsThatHashedTheSameImages) {
  EXPECT_EQ(names_of_sets({with_hash("11", "a", "/x"), with_hash("22", "b", "/x")}), (Names{"set", "set"}));
  // The run that held out b went with the one of its folder.
  EXPECT_EQ(names_of_sets({with_hash("11", "a", "/x"), with_hash("22", "a", "/y"), with_hash("33", "b", "/y")}),
            (Names{"set (/x)", "set (/y)", "set (/y)"}));
}

TEST(SetNames, APlanIsOfTheSetOfTheRunsBesideIt) {
  const SetTraits first = traits({"a", "b"}, "/x", "sweep1/runs"), planned = planned_on({"a", "b"}, "sweep2/runs");
  SetTraits second = traits({"a", "b"}, "/y", "sweep2/runs");
  second.classes = {"cup", "pen"};
  EXPECT_EQ(names_of_sets({planned, first, second}), (Names{"set (/y)", "set (/x)", "set (/y)"}));
}

}  // namespace domainfusion
