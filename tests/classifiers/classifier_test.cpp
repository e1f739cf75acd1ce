#include "domainfusion/classifiers/classifier.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <filesystem>

#include "domainfusion/io/weights/tensor_file.h"
#include "domainfusion/nn/state_dict.h"

namespace domainfusion {
namespace {

ClassifierConfig narrow() {
  ClassifierConfig config;
  config.width = 4;
  config.stem = Stem::kSmall;
  return config;
}

ClassifierConfig tiny(const std::string& backbone, HeadKind head = HeadKind::kLinear) {
  ClassifierConfig config;
  config.backbone = backbone;
  config.width = 4;
  config.head = head;
  config.image_size_px = 32;
  return config;
}

class PretrainedWeights : public testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove(path_); }
  std::string error_of_loading() {
    ClassifierConfig config = narrow();
    config.weights = path_;
    try {
      Classifier(config, 3, 0);
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  }
  std::filesystem::path path_ = std::filesystem::temp_directory_path() / "domainfusion_classifier_test.safetensors";
};

bool equal_parameters(const Classifier& a, const Classifier& b) {
  const auto first = a->parameters(), second = b->parameters();
  for (std::size_t i = 0; i < first.size(); ++i) {
    if (!torch::equal(first[i], second[i])) return false;
  }
  return true;
}

}  // namespace

TEST(Classifier, OneImageOfOnePixelMapsCannotTrainBatchNorm) {
  Classifier classifier(narrow(), 3, 0);
  classifier->train();
  const at::Tensor one = torch::rand({1, 3, 16, 16});
  std::string message;
  try {
    classifier->forward(one);
  } catch (const ConfigError& error) {
    message = error.what();
  }
  EXPECT_NE(message.find("raise loader.batch_size"), std::string::npos) << message;
  EXPECT_NO_THROW(classifier->forward(torch::rand({2, 3, 16, 16})));
  EXPECT_NO_THROW(classifier->forward(torch::rand({1, 3, 32, 32})));
  classifier->eval();
  EXPECT_NO_THROW(classifier->forward(one));
}

TEST(Classifier, TheSeedAloneDecidesTheFirstWeights) {
  torch::manual_seed(1);
  Classifier a(narrow(), 3, 7);
  torch::manual_seed(2);
  Classifier b(narrow(), 3, 7);
  EXPECT_TRUE(equal_parameters(a, b));
  EXPECT_FALSE(equal_parameters(a, Classifier(narrow(), 3, 8)));
}

TEST(Classifier, InitialisationIsTorchvisions) {
  Classifier classifier(ClassifierConfig{}, 5, 0);
  const auto parameters = classifier->named_parameters();
  EXPECT_NEAR(parameters["conv1.weight"].std().item<double>(), std::sqrt(2.0 / (64 * 49)), 5e-4);
  EXPECT_NEAR(parameters["layer3.0.conv1.weight"].std().item<double>(), std::sqrt(2.0 / (256 * 9)), 2e-4);
  EXPECT_NEAR(parameters["fc.weight"].abs().max().item<double>(), 1 / std::sqrt(512.0), 1e-3);
  EXPECT_TRUE(torch::equal(parameters["bn1.weight"], torch::ones(64)));
  EXPECT_EQ(parameter_count(*classifier), 11'176'512 + 513 * 5);
}

TEST(Classifier, EveryBackboneGivesLogitsForEveryHead) {
  for (const auto& entry : backbones().entries()) {
    for (const HeadKind head : {HeadKind::kLinear, HeadKind::kMlp}) {
      Classifier classifier(tiny(entry.name, head), 3, 0);
      classifier->eval();
      EXPECT_EQ(classifier->forward(torch::zeros({2, 3, 32, 32})).sizes(), (std::vector<int64_t>{2, 3})) << entry.name;
      const TensorMap own = state_dict_of(*classifier);
      const std::string name = classifier->backbone().head_name() + (head == HeadKind::kMlp ? ".4" : "");
      EXPECT_EQ(own.at(name + ".bias").numel(), 3) << entry.name;
    }
  }
}

TEST(Classifier, TheSmallStemIsForResidualNetworksOfAnyImageSize) {
  EXPECT_EQ(Classifier(narrow(), 3, 0)->forward(torch::zeros({2, 3, 40, 36})).sizes(), (std::vector<int64_t>{2, 3}));
  ClassifierConfig config = tiny("vit_b_16");
  config.stem = Stem::kSmall;
  EXPECT_THROW(Classifier(config, 3, 0), ConfigError);
}

TEST(Classifier, VisionTransformersTakeImagesOfTheirSizeAlone) {
  ClassifierConfig config = tiny("clip_vit_b_16");
  EXPECT_THROW(Classifier(config, 3, 0)->forward(torch::zeros({1, 3, 48, 48})), ShapeError);
  config.image_size_px = 40;
  EXPECT_THROW(Classifier(config, 3, 0), ConfigError);
}

TEST(Classifier, TransformersHaveThePublishedNumbersOfParameters) {
  const auto parameters = [](const std::string& backbone) {
    ClassifierConfig config;
    config.backbone = backbone;
    return parameter_count(*Classifier(config, 1000, 0));
  };
  EXPECT_EQ(parameters("vit_b_16"), 86'567'656);  // torchvision's model cards
  EXPECT_EQ(parameters("vit_b_32"), 88'224'232);
  EXPECT_EQ(parameters("clip_vit_b_16") - 513'000, 86'192'640);  // the visual part of OpenAI's ViT-B/16
  EXPECT_EQ(parameters("clip_vit_b_32") - 513'000, 87'849'216);
}

TEST(Classifier, TheMlpHeadIsDomainBeds) {
  Classifier classifier(tiny("resnet18", HeadKind::kMlp), 3, 0);
  const TensorMap own = state_dict_of(*classifier);
  EXPECT_EQ(own.at("fc.0.weight").sizes(), (std::vector<int64_t>{16, 32}));
  EXPECT_EQ(own.at("fc.2.weight").sizes(), (std::vector<int64_t>{8, 16}));
  EXPECT_EQ(own.at("fc.4.weight").sizes(), (std::vector<int64_t>{3, 8}));
  EXPECT_EQ(classifier->head_parameters().size(), 6u);
  const at::Tensor feature = torch::randn({5, 32});
  const auto layer = [&](const at::Tensor& x, const std::string& name) {
    return torch::linear(x, own.at(name + ".weight"), own.at(name + ".bias"));
  };
  const at::Tensor expected = layer(layer(layer(feature, "fc.0").relu(), "fc.2").relu(), "fc.4");
  EXPECT_TRUE(torch::allclose(classifier->classify(feature), expected));
}

TEST(Classifier, FrozenBatchNormKeepsItsStatisticsAndStillLearnsItsWeights) {
  ClassifierConfig config = narrow();
  config.freeze_batch_norm = true;
  Classifier classifier(config, 3, 0);
  const at::Tensor before = classifier->named_buffers()["layer2.0.bn1.running_mean"].clone();
  classifier->forward(torch::randn({4, 3, 32, 32})).sum().backward();
  EXPECT_TRUE(torch::equal(before, classifier->named_buffers()["layer2.0.bn1.running_mean"]));
  EXPECT_TRUE(classifier->named_parameters()["layer2.0.bn1.weight"].grad().defined());
  EXPECT_TRUE(classifier->is_training());
}

TEST(Classifier, DropoutIsADrawOfSeedAndStep) {
  ClassifierConfig config = narrow();
  config.dropout = 0.5;
  Classifier classifier(config, 3, 0);
  const at::Tensor feature = torch::ones({4, classifier->feature_size()});
  const auto logits = [&](std::uint64_t seed, std::int64_t step) {
    classifier->begin_step(seed, step);
    return classifier->classify(feature);
  };
  EXPECT_TRUE(torch::equal(logits(1, 5), logits(1, 5)));
  EXPECT_FALSE(torch::equal(logits(1, 5), logits(1, 6)));
  EXPECT_FALSE(torch::equal(logits(1, 5), logits(2, 5)));
  classifier->eval();
  EXPECT_TRUE(torch::equal(logits(1, 5), logits(2, 6)));
}

TEST(Classifier, AnUnknownBackboneOrOneClassIsAConfigError) {
  ClassifierConfig config = narrow();
  EXPECT_THROW(Classifier(config, 1, 0), ConfigError);
  config.backbone = "resnet19";
  EXPECT_THROW(Classifier(config, 3, 0), ConfigError);
}

TEST_F(PretrainedWeights, GiveTheSameNetworkAgain) {
  ClassifierConfig config = narrow();
  Classifier source(config, 3, 1);
  save_tensors(path_, state_dict_of(*source));
  config.weights = path_;
  EXPECT_TRUE(equal_parameters(source, Classifier(config, 3, 2)));
}

TEST_F(PretrainedWeights, OfAnotherNumberOfClassesKeepTheNewHead) {
  ClassifierConfig config = narrow();
  save_tensors(path_, state_dict_of(*Classifier(config, 10, 1)));
  config.weights = path_;
  const auto loaded = Classifier(config, 3, 2)->named_parameters();
  config.weights.clear();
  EXPECT_TRUE(torch::equal(loaded["fc.weight"], Classifier(config, 3, 2)->named_parameters()["fc.weight"]));
  EXPECT_TRUE(torch::equal(loaded["conv1.weight"], Classifier(config, 10, 1)->named_parameters()["conv1.weight"]));
}

TEST_F(PretrainedWeights, WithoutAHeadOrForAnMlpHeadKeepTheNewHead) {
  ClassifierConfig config = narrow();
  TensorMap file = state_dict_of(*Classifier(config, 3, 1));
  save_tensors(path_, file);
  config.weights = path_;
  config.head = HeadKind::kMlp;
  const auto with_mlp = Classifier(config, 3, 2)->named_parameters();
  EXPECT_TRUE(torch::equal(with_mlp["conv1.weight"], file.at("conv1.weight")));
  file.erase("fc.weight");
  file.erase("fc.bias");
  save_tensors(path_, file);
  EXPECT_TRUE(torch::equal(with_mlp["fc.0.weight"], Classifier(config, 3, 2)->named_parameters()["fc.0.weight"]));
}

TEST_F(PretrainedWeights, OfAnotherWidthAreRefusedWithEveryName) {
  ClassifierConfig config = narrow();
  config.width = 6;
  save_tensors(path_, state_dict_of(*Classifier(config, 3, 1)));
  const std::string message = error_of_loading();
  EXPECT_NE(message.find("conv1.weight"), std::string::npos) << message;
  EXPECT_NE(message.find("layer4.1.bn2.running_var"), std::string::npos) << message;
}

TensorMap prefixed(const TensorMap& tensors, const std::string& prefix, const at::Tensor& added = torch::zeros({})) {
  TensorMap all;
  for (const auto& [name, tensor] : tensors) all[prefix + name] = tensor.is_floating_point() ? tensor + added : tensor;
  return all;
}

TEST_F(PretrainedWeights, MayStandBehindAPrefix) {
  for (const char* backbone : {"resnet18", "vit_b_16", "clip_vit_b_16"}) {
    const Classifier source(tiny(backbone), 3, 1);
    for (const char* prefix : {"module.", "model.", "backbone.", "module.encoder_q."}) {
      SCOPED_TRACE(std::string(backbone) + " " + prefix);
      save_tensors(path_, prefixed(state_dict_of(*source), prefix));
      ClassifierConfig config = tiny(backbone);
      config.weights = path_;
      EXPECT_TRUE(equal_parameters(source, Classifier(config, 3, 2)));
    }
  }
}

TEST_F(PretrainedWeights, BesideOtherTensorsAreFoundByTheirPrefix) {
  const Classifier source(narrow(), 3, 1);
  TensorMap file = prefixed(state_dict_of(*source), "module.encoder_q.");
  file["module.queue"] = torch::zeros({4, 8});
  file["optimizer"] = torch::zeros({2});
  save_tensors(path_, file);
  ClassifierConfig config = narrow();
  config.weights = path_;
  EXPECT_TRUE(equal_parameters(source, Classifier(config, 3, 2)));
}

TEST_F(PretrainedWeights, OfTwoNetworksInOneFileAreChosenByTheirKey) {
  const Classifier source(narrow(), 3, 1);
  TensorMap file = prefixed(state_dict_of(*source), "student.module.backbone.", torch::ones({}));
  file.merge(prefixed(state_dict_of(*source), "teacher.backbone."));
  file["teacher.head.weight"] = torch::zeros({2});
  save_tensors(path_, file);
  const std::string message = error_of_loading();
  EXPECT_NE(message.find("several networks that fit: student.module.backbone, teacher.backbone; choose one with "
                         "classifier.weights_key"),
            std::string::npos)
      << message;
  ClassifierConfig config = narrow();
  config.weights = path_;
  config.weights_key = "teacher";
  EXPECT_TRUE(equal_parameters(source, Classifier(config, 3, 2)));
  config.weights_key = "teach";
  EXPECT_THROW(Classifier(config, 3, 2), ConfigError);
}

TEST_F(PretrainedWeights, WithAMissingTensorSayWhichOneDespiteThePrefix) {
  TensorMap file = state_dict_of(*Classifier(narrow(), 3, 1));
  file.erase("layer3.0.conv1.weight");
  save_tensors(path_, prefixed(file, "module."));
  const std::string message = error_of_loading();
  EXPECT_NE(message.find("missing (1): layer3.0.conv1.weight"), std::string::npos) << message;
}

TEST_F(PretrainedWeights, ThatAreMissingNameThePath) {
  EXPECT_NE(error_of_loading().find(path_.string()), std::string::npos);
}

}  // namespace domainfusion
