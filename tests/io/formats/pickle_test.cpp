#include "domainfusion/io/formats/pickle.h"

#include <gtest/gtest.h>

#include "domainfusion/core/error.h"
#include "temporary_folder.h"

namespace domainfusion {
namespace {

using Kind = Pickle::Kind;
using namespace std::string_literals;

constexpr PickleGlobal kGlobals[] = {{"collections.OrderedDict", PickleGlobal::Use::kDict},
                                     {"package.call", PickleGlobal::Use::kCall},
                                     {"package.name", PickleGlobal::Use::kName},
                                     {"training.run", PickleGlobal::Use::kForbidden},
                                     {"training.", PickleGlobal::Use::kOpaque}};

Pickle parsed_pickle(const std::string& text) { return Pickle::parse(std::as_bytes(std::span(text)), kGlobals); }
std::string pickle_refusal(const std::string& text) {
  return message_of<FormatError>([&] { parsed_pickle(text); });
}
void expect_pickle_refused(const std::string& text, const std::string& reason) {
  const std::string message = pickle_refusal(text);
  EXPECT_NE(message.find(reason), std::string::npos) << message;
}

std::string repeated(const std::string& text, std::size_t times) {
  std::string all;
  for (std::size_t i = 0; i < times; ++i) all += text;
  return all;
}

}  // namespace

TEST(Pickle, PlainValuesOfEveryProtocol) {
  for (const std::string& five :
       {"K\5."s, "M\5\0."s, "J\5\0\0\0."s, "\x8a\1\5."s, "\x8b\1\0\0\0\5."s, "I5\n."s, "L5L\n."s}) {
    const Pickle pickle = parsed_pickle(five);
    EXPECT_TRUE(pickle.is(pickle.root(), Kind::kInteger)) << five;
    EXPECT_EQ(pickle.integer(pickle.root()), 5) << five;
  }
  EXPECT_EQ(parsed_pickle("\x8a\2\xff\xff.").integer(0), -1);
  EXPECT_EQ(parsed_pickle("\x8a\0."s).integer(0), 0);
  EXPECT_TRUE(parsed_pickle("\x8a\x0a" + std::string(10, 'x') + ".").is(0, Kind::kHuge));
  EXPECT_EQ(parsed_pickle("G\x3f\xe0\0\0\0\0\0\0."s).real(0), 0.5);
  EXPECT_EQ(parsed_pickle("F0.5\n.").real(0), 0.5);
  EXPECT_TRUE(parsed_pickle("\x88.").is(0, Kind::kBool));
  EXPECT_TRUE(parsed_pickle("I01\n.").is(0, Kind::kBool));
  EXPECT_TRUE(parsed_pickle("N.").is(0, Kind::kNone));
  for (const std::string& text :
       {"X\2\0\0\0ab."s, "\x8c\2ab."s, "U\2ab."s, "Vab\n."s, "S'ab'\n."s, "\x8d\2\0\0\0\0\0\0\0ab."s}) {
    const Pickle pickle = parsed_pickle(text);
    EXPECT_EQ(pickle.text(pickle.root()), "ab");
  }
}

TEST(Pickle, ContainersTheMemoAndFramesBuildOneValue) {
  const Pickle pickle = parsed_pickle("\x80\4\x95\x10\0\0\0\0\0\0\0}\x94(\x8c\1a]\x94(K\1K\2eh\1\x86\x8c\1bh\1u."s);
  EXPECT_TRUE(pickle.is(pickle.root(), Kind::kDict));
  const auto b = pickle.find(pickle.root(), "b");
  ASSERT_TRUE(b.has_value());
  ASSERT_EQ(pickle.items(*b).size(), 2u);
  EXPECT_EQ(pickle.integer(pickle.items(*b)[1]), 2);
  EXPECT_FALSE(pickle.find(pickle.root(), "c").has_value());
}

TEST(Pickle, ManyPicklesMayFollowEachOther) { EXPECT_EQ(parsed_pickle("\x80\2K\1.K\2.").bytes_read(), 5u); }

TEST(Pickle, DictionariesOfPython2AreRead) {
  const Pickle paired = parsed_pickle("ccollections\nOrderedDict\n(](]"s + "(U\1aK\1eetR.");
  EXPECT_EQ(paired.kind(paired.root()), Kind::kDict);
  ASSERT_TRUE(paired.find(paired.root(), "a").has_value());
  EXPECT_EQ(paired.integer(*paired.find(paired.root(), "a")), 1);
}

TEST(Pickle, CallsAreRecordedNotMade) {
  const Pickle pickle = parsed_pickle("cpackage\ncall\n(K\1K\2tR.");
  EXPECT_EQ(pickle.callee(pickle.root()), "package.call");
  EXPECT_EQ(pickle.items(pickle.items(pickle.root())[1]).size(), 2u);
}

TEST(Pickle, NamesOutsideTheListAreRefused) {
  expect_pickle_refused("cos\nsystem\n.", "'os.system'");
  expect_pickle_refused("c__builtin__\neval\n.", "'builtins.eval'");
  expect_pickle_refused("cpackage\nname\n)R.", "calls the Python object 'package.name'");
  expect_pickle_refused("ctraining\nrun\n.", "'training.run'");
  expect_pickle_refused("cpackage\nname\n)\x81.", "calls the Python object 'package.name'");
  expect_pickle_refused("ccollections\nOrderedDict\n)R)R.", "calls something that is no named object");
  expect_pickle_refused("cpackage\ncall\n}b.", "sets attributes");
  expect_pickle_refused("cos\x1b[31m\nx\n.", "'os\\x1b[31m.x'");
}

TEST(Pickle, ObjectsOfUnknownContentKeepTheNameOfTheirMaker) {
  for (const std::string& object :
       {"ctraining\nThing\n(K\1K\2tR."s, "ctraining\nThing\n)\x81}b."s, "ctraining\nThing\n)}\x92."s,
        "(ctraining\nThing\nK\1o."s, "(K\1itraining\nThing\n."s, "ctraining\nThing\n)RK\1K\2s."s,
        "ctraining\nThing\n)RK\1a."s}) {
    const Pickle pickle = parsed_pickle(object);
    EXPECT_EQ(pickle.callee(pickle.root()), "training.Thing");
    EXPECT_EQ(pickle.items(pickle.root()).size(), 1u);
    EXPECT_EQ(pickle.opaque(), std::vector<std::string>{"training.Thing"});
  }
  const Pickle made = parsed_pickle("ctraining\nThing\n)R)R.");
  EXPECT_EQ(made.callee(made.root()), "");
  expect_pickle_refused("(o.", "makes an object of no class");
}

TEST(Pickle, UnknownOpcodesAreNamed) {
  expect_pickle_refused("N\xff.", "opcode 0xff at byte 1");
  expect_pickle_refused("\x82\1.", "opcode 0x82");  // the extension registry
  expect_pickle_refused("Pid\n.", "opcode 0x50");
  expect_pickle_refused("\x80\7.", "protocol 7");
}

TEST(Pickle, DamagedStacksAreRefused) {
  for (const std::string& text : {"."s, "0."s, "t."s, "(a."s, "]e."s, "}K\1s."s, "}(K\1u."s, "N(K\1e."s, "h\5."s,
                                  "K\1R."s, "2."s, "Q."s, "\x85."s, "]K\1(a."s, "NK\1a."s, "N(NNu."s, "1."s}) {
    EXPECT_NE(pickle_refusal(text), "no error") << text;
  }
}

TEST(Pickle, LengthsBeyondTheEndAreRefused) {
  for (const std::string& text : {"X\xff\xff\xff\xff"s, "\x8d\xff\xff\xff\xff\xff\xff\xff\xff"s,
                                  "\x8b\xff\xff\xff\xff"s, "K"s, "cno_line_end"s, ""s, "\x95\0"s}) {
    EXPECT_NE(pickle_refusal(text).find("truncated"), std::string::npos) << pickle_refusal(text);
  }
}

TEST(Pickle, BombsEndBeforeTheMemoryDoes) {
  expect_pickle_refused(repeated("]", 1'100'000) + ".", "more than 1000000 values");
  expect_pickle_refused(repeated("(", 2'100'000) + ".", "piles up");
  expect_pickle_refused("N" + repeated("2", 2'100'000) + ".", "piles up");
  std::string memo = "N";
  for (std::uint32_t i = 0; i < 2'100'000; ++i) {
    memo += 'r';
    memo.append(reinterpret_cast<const char*>(&i), 4);
  }
  expect_pickle_refused(memo + ".", "piles up");
  // A list of 1000 pairs that is copied into a dictionary ten thousand times.
  const std::string pair = "(NNt", list = "](" + repeated(pair, 1000) + "e";
  expect_pickle_refused("(" + list + "q\1\x85q\2" + repeated("ccollections\nOrderedDict\nh\2R", 10'000) + "l.",
                        "more than 4000000 items");
}

TEST(Pickle, NestingAndCyclesNeedNoStackOfThisProgram) {
  const Pickle nested = parsed_pickle(repeated("]", 400'000) + repeated("a", 399'999) + ".");
  EXPECT_EQ(nested.size(), 400'000u);
  const Pickle cycle = parsed_pickle("]q\1h\1a.");
  EXPECT_EQ(cycle.items(cycle.root())[0], cycle.root());
}

}  // namespace domainfusion
