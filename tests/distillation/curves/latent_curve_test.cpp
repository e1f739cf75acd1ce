#include "domainfusion/distillation/curves/latent_curve.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <torch/types.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

#include "distillation/tiny_ldm.h"
#include "domainfusion/core/error.h"
#include "domainfusion/distillation/curves/curve_gate.h"

namespace domainfusion {
namespace {

class LatentCurveTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / fmt::format("domainfusion_curve_{}", ::getpid());
    std::filesystem::create_directories(folder_);
    for (const LabelledKey& image : tiny_keys(6)) keys_.push_back(image.key);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  // A source that counts how often it is asked.
  ImageSource counting() {
    return [this](const std::vector<ImageKey>& keys) {
      asked_ += static_cast<int>(keys.size());
      return tiny_images()(keys);
    };
  }
  LatentCurve make(LatentCurveConfig config = {}, const std::string& identity = "a") {
    return LatentCurve(tiny_ldm(torch::kFloat32), counting(), keys_, 9, config, identity);
  }
  LatentCurveConfig on_file() const {
    LatentCurveConfig config;
    config.folder = folder_ / "curves";
    return config;
  }
  // The file of nodes; one must be there.
  std::filesystem::path file() const {
    for (const auto& entry : std::filesystem::directory_iterator(folder_ / "curves")) {
      if (entry.path().extension() == ".bin") return entry.path();
    }
    ADD_FAILURE() << "no file of nodes";
    return {};
  }

  std::filesystem::path folder_;
  std::vector<ImageKey> keys_;
  int asked_ = 0;
  const at::Tensor p_ = torch::tensor({0.0, 0.1, 0.4, 0.75, 0.98, 1.0});
};

template <class ErrorType, class Action>
std::string message_of(Action action) {
  try {
    action();
  } catch (const ErrorType& error) {
    return error.what();
  }
  return "no such error";
}

}  // namespace

TEST_F(LatentCurveTest, FollowsTheEncoder) {
  LatentCurve curve = make();
  const auto got = curve.at(keys_, p_);
  const LdmFunctions ldm = tiny_ldm();
  const at::Tensor image01 = plain_images(tiny_images(), keys_, 16, torch::kCPU).to(torch::kFloat64);
  const at::Tensor z = ldm.encode(p_.reshape({-1, 1, 1, 1}).to(torch::kFloat64) * image01);
  const double h = 1e-4;
  const at::Tensor up = ldm.encode((p_.to(torch::kFloat64) + h).reshape({-1, 1, 1, 1}) * image01);
  const at::Tensor down = ldm.encode((p_.to(torch::kFloat64) - h).reshape({-1, 1, 1, 1}) * image01);
  const at::Tensor dz = (up - down) / (2 * h);
  EXPECT_LT(((got.value_NChw - z).norm() / z.norm()).item<double>(), 0.01);
  EXPECT_LT(((got.derivative_NChw - dz).norm() / dz.norm()).item<double>(), 0.1);
}

TEST_F(LatentCurveTest, EncodesAnImageOnce) {
  LatentCurve curve = make();
  EXPECT_EQ(curve.filled(), 0);
  curve.at({keys_[2], keys_[2], keys_[4]}, torch::tensor({0.1, 0.2, 0.3}));
  EXPECT_EQ(curve.filled(), 2);
  EXPECT_EQ(asked_, 2);
  curve.at(keys_, p_);
  EXPECT_EQ(asked_, 6);
}

TEST_F(LatentCurveTest, NodesDoNotDependOnTheOrderOfEncoding) {
  LatentCurve one = make(), other = make();
  one.at(keys_, p_);
  for (std::size_t i = keys_.size(); i-- > 0;) other.at({keys_[i]}, torch::tensor({0.5}));
  EXPECT_TRUE(torch::equal(one.at(keys_, p_).derivative_NChw, other.at(keys_, p_).derivative_NChw));
}

TEST_F(LatentCurveTest, AFileIsTakenUpWhereItStands) {
  at::Tensor before;
  {
    LatentCurve curve = make(on_file());
    before = curve.at({keys_[0], keys_[3]}, torch::tensor({0.3, 0.6})).value_NChw;
  }
  LatentCurve again = make(on_file());
  EXPECT_EQ(again.filled(), 2);
  EXPECT_TRUE(torch::equal(again.at({keys_[0], keys_[3]}, torch::tensor({0.3, 0.6})).value_NChw, before));
  EXPECT_EQ(asked_, 2);
  LatentCurve memory = make();
  EXPECT_TRUE(torch::equal(memory.at(keys_, p_).value_NChw, again.at(keys_, p_).value_NChw));
}

TEST_F(LatentCurveTest, RunsAtTheSameTimeShareAFile) {
  LatentCurve one = make(on_file()), other = make(on_file());
  const auto p = torch::tensor({0.3, 0.6});
  const at::Tensor value = one.at({keys_[0], keys_[3]}, p).value_NChw;
  EXPECT_EQ(other.filled(), 2);
  EXPECT_TRUE(torch::equal(other.at({keys_[0], keys_[3]}, p).value_NChw, value));
  EXPECT_EQ(asked_, 2);
  other.at(keys_, p_);
  EXPECT_EQ(one.filled(), 6);
}

TEST_F(LatentCurveTest, AFileIsForWhomTheUmaskLets) {
  const mode_t before = ::umask(002);
  make(on_file());
  ::umask(before);
  EXPECT_EQ(std::filesystem::status(file()).permissions(), static_cast<std::filesystem::perms>(0664));
}

TEST_F(LatentCurveTest, AnotherIdentityHasAFileOfItsOwn) {
  make(on_file()).at(keys_, p_);
  EXPECT_EQ(make(on_file(), "another LDM").filled(), 0);
  EXPECT_EQ(make(on_file()).filled(), 6);
}

TEST_F(LatentCurveTest, ATornFileIsMadeAnew) {
  make(on_file()).at(keys_, p_);
  std::filesystem::resize_file(file(), 100);
  EXPECT_EQ(make(on_file()).filled(), 0);
}

TEST_F(LatentCurveTest, ANeedOverTheLimitIsAnErrorWithItsRemedy) {
  LatentCurveConfig config;
  config.limit_mb = 1;
  for (std::int64_t i = 3; i < 1000; ++i) keys_.push_back({0, i});
  const std::string message = message_of<ConfigError>([&] { make(config); });
  EXPECT_NE(message.find("need 2 MiB"), std::string::npos) << message;
  EXPECT_NE(message.find("limit_mb = 1"), std::string::npos) << message;
  EXPECT_EQ(LatentCurve::bytes_needed(1003, 9, 64), 1003u * 8 * 64 * 4);
}

TEST_F(LatentCurveTest, AFileThatCannotBeMadeIsAnInputErrorThatNamesIt) {
  std::ofstream(folder_ / "regular") << "x";
  LatentCurveConfig config;
  config.folder = folder_ / "regular";
  const std::string message = message_of<IoError>([&] { make(config); });
  EXPECT_NE(message.find("regular/curves-"), std::string::npos) << message;
}

TEST_F(LatentCurveTest, AFullDiskIsAnInputErrorBeforeAnythingIsMapped) {
  // A limit on the size of files stands for the disk.
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  const rlimit small{1024, before.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &small);
  const std::string message = message_of<IoError>([&] { make(on_file()); });
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_NE(message.find("curves/curves-"), std::string::npos) << message;
  EXPECT_TRUE(std::filesystem::is_empty(folder_ / "curves"));
}

TEST_F(LatentCurveTest, UnknownKeysRepeatsAndWrongImagesAreRefused) {
  LatentCurve curve = make();
  EXPECT_NE(message_of<Error>([&] {
              curve.at({{7, 1}}, torch::tensor({0.5}));
            }).find("image 1 of domain 7"),
            std::string::npos);
  const ImageSource wrong = [](const std::vector<ImageKey>&) { return torch::zeros({1, 3, 8, 8}); };
  LatentCurve bad(tiny_ldm(torch::kFloat32), wrong, keys_, 5, {}, {});
  EXPECT_NE(message_of<ShapeError>([&] { bad.at(keys_, p_); }).find("[1, 3, 8, 8]"), std::string::npos);
  keys_.push_back(keys_[0]);
  EXPECT_THROW(make(), Error);
}

namespace {

CurveGateResult gate_of(const LdmFunctions& ldm, DistillationConfig config, GateExtent extent) {
  config.curve.gate_images = 10;
  const ClassConditions conditions(ldm, config, {"dog", "guitar", "house"});
  return measure_curve_gate(ldm, config, conditions, tiny_images(), tiny_keys(30), 5, extent);
}

}  // namespace

TEST(CurveGate, ASmoothEncoderPassesAndErrorsFallWithK) {
  const auto all = gate_of(tiny_ldm(), {}, GateExtent::kAll);
  ASSERT_EQ(all.rows.size(), 4u);
  EXPECT_EQ(all.images, 10);
  EXPECT_TRUE(all.chosen_points == 9 || all.chosen_points == 17) << all.table();
  EXPECT_GT(all.rows[0].rms_error, all.rows[1].rms_error);
  EXPECT_GT(all.rows[1].rms_error, all.rows[2].rms_error);
  EXPECT_GT(all.rows[2].cosine, 0.999) << all.table();
  const auto first = gate_of(tiny_ldm(), {}, GateExtent::kFirstPassing);
  EXPECT_EQ(first.chosen_points, all.chosen_points);
  EXPECT_EQ(first.rows.back().points, first.chosen_points);
  EXPECT_EQ(first.rows.back().rms_error, all.rows[first.rows.size() - 1].rms_error);
}

TEST(CurveGate, ARoughEncoderPassesAtNoK) {
  const auto result = gate_of(tiny_ldm(torch::kFloat64, 0.5), {}, GateExtent::kFirstPassing);
  EXPECT_EQ(result.rows.size(), 4u);
  EXPECT_EQ(result.chosen_points, 0);
  EXPECT_NE(result.table().find("the exact encoder is used"), std::string::npos);
}

TEST(CurveGate, ANumberOfPointsThatIsGivenIsTheOnlyOneMeasured) {
  DistillationConfig config;
  config.curve.points = 17;
  const auto result = gate_of(tiny_ldm(), config, GateExtent::kAll);
  ASSERT_EQ(result.rows.size(), 1u);
  EXPECT_EQ(result.rows[0].points, 17);
}

TEST(DrawImages, TakesDistinctImagesInTheirOrderOrAll) {
  const auto drawn = draw_images(tiny_keys(50), 20, 1, "x");
  ASSERT_EQ(drawn.size(), 20u);
  for (std::size_t i = 1; i < drawn.size(); ++i) EXPECT_NE(drawn[i].key, drawn[i - 1].key);
  EXPECT_EQ(draw_images(tiny_keys(5), 20, 1, "x").size(), 5u);
}

// Found before anything is measured, so that an hour of the gate is not lost to it.
TEST(CurveGate, CurvesOverTheLimitAreRefusedBeforeTheFirstPass) {
  LdmFunctions ldm = tiny_ldm();
  int passes = 0;
  ldm.predict_epsilon = [&, predict = ldm.predict_epsilon](const auto& z, const auto& t, const auto& condition) {
    ++passes;
    return predict(z, t, condition);
  };
  DistillationConfig config;
  config.curve.limit_mb = 1;
  const ClassConditions conditions(ldm, config, {"dog", "guitar", "house"});
  const std::string message = message_of<ConfigError>([&] {
    measure_curve_gate(ldm, config, conditions, tiny_images(), tiny_keys(2000), 5, GateExtent::kFirstPassing);
  });
  EXPECT_NE(message.find("at K = 5 need"), std::string::npos) << message;
  EXPECT_EQ(passes, 0);
}

TEST(CurveGate, AVerdictIsReadAsItWasWritten) {
  const auto made = gate_of(tiny_ldm(), {}, GateExtent::kFirstPassing);
  EXPECT_EQ(CurveGateResult::from_json(made.to_json()).to_json(), made.to_json());
  EXPECT_EQ(CurveGateResult::from_json(made.to_json()).table(), made.table());
  EXPECT_THROW(CurveGateResult::from_json({{"rows", 3}}), FormatError);
}

}  // namespace domainfusion
