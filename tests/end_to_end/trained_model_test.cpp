// What can be done with a finished run's model: predict, evaluate on other data, export.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "domainfusion/io/formats/pytorch_file.h"
#include "domainfusion/io/formats/safetensors.h"
#include "end_to_end/command_line.h"
#include "end_to_end/python.h"

namespace domainfusion {
namespace {

using nlohmann::json;

class TrainedModelCommands : public testing::Test {
 protected:
  void train(const std::string& more = "") {
    shell_.make_set();
    const CommandResult trained = shell_.run(CommandLine::tiny_run("--out run " + more));
    ASSERT_EQ(trained.exit_code, 0) << trained.err;
  }
  CommandResult succeed(const std::string& arguments) {
    const CommandResult result = shell_.run(arguments);
    EXPECT_EQ(result.exit_code, 0) << arguments << "\n" << result.err;
    return result;
  }
  static std::vector<json> lines(const std::string& text) {
    std::vector<json> all;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);) all.push_back(json::parse(line));
    return all;
  }
  // Runs `program` with Python's torch where that is installed.
  void run_python(const std::string& modules, const std::string& program) {
    if (!python_has(modules)) GTEST_SKIP() << "left out: /usr/bin/python3 has no " << modules;
    const auto [exit_code, text] = run_in_python(shell_ / "", program);
    EXPECT_EQ(exit_code, 0) << text;
  }
  CommandLine shell_;
};

constexpr const char* kReadSafetensors = R"(
import json, struct, torch
def read(path):
    data = open(path, 'rb').read()
    size, = struct.unpack('<Q', data[:8])
    kinds = {'F32': torch.float32, 'I64': torch.int64}
    out = {}
    for name, t in json.loads(data[8:8 + size]).items():
        if name == '__metadata__':
            continue
        a, b = t['data_offsets']
        raw = bytearray(data[8 + size + a:8 + size + b])
        out[name] = torch.frombuffer(raw, dtype=kinds[t['dtype']]).reshape(t['shape'])
    return out
)";

// Logits of the exported program are held to `predict`, so to the whole way from the file on.
constexpr const char* kComparePrograms = R"(
import json, torch, numpy
from PIL import Image
model = torch.jit.load('model.pt')
assert model.class_names == ['cat', 'dog'], model.class_names
rows = [json.loads(line) for line in open('predicted.jsonl')]
worst = 0
for row in rows:
    image = torch.from_numpy(numpy.array(Image.open(row['image']).convert('RGB'))).permute(2, 0, 1)[None]
    p = model(image).softmax(1)[0]
    p01 = model(image.float() / 255).softmax(1)[0]
    for k, name in enumerate(model.class_names):
        worst = max(worst, abs(p[k].item() - row['probabilities'][name]), abs(p01[k].item() - p[k].item()))
assert model(torch.zeros(5, 3, 30, 44)).shape == (5, 2)
print(worst)
assert worst < LIMIT, worst
)";

}  // namespace

TEST_F(TrainedModelCommands, PredictTakesFoldersAndNamesWhatCannotBeRead) {
  train();
  std::filesystem::create_directories(shell_ / "mixed/below");
  std::filesystem::copy(shell_ / "set/sketch/cat/0.png", shell_ / "mixed/a.png");
  std::filesystem::copy(shell_ / "set/sketch/dog/0.png", shell_ / "mixed/below/b.png");
  EXPECT_EQ(lines(succeed("predict run mixed set/photo/cat/1.png").out).size(), 3u);
  std::ofstream(shell_ / "mixed/broken.jpg") << "no picture";
  const CommandResult result = shell_.run("predict run mixed");
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_NE(result.err.find("mixed/broken.jpg"), std::string::npos) << result.err;
  EXPECT_NE(result.err.find("1 of 3 pictures"), std::string::npos) << result.err;
  EXPECT_EQ(lines(result.out).size(), 2u);
}

TEST_F(TrainedModelCommands, BatchesOfPredictionsAreThoseOfSinglePictures) {
  train();
  const auto all = lines(succeed("predict run set").out);
  ASSERT_EQ(all.size(), 60u);
  const auto one = lines(succeed("predict run " + all[37]["image"].get<std::string>()).out);
  EXPECT_NEAR(one.at(0)["probability"].get<double>(), all[37]["probability"].get<double>(), 1e-5);
}

TEST_F(TrainedModelCommands, EvaluateTakesAnotherSetAndMatchesClassesByName) {
  train();
  shell_.make_set("other");
  const CommandResult result = succeed("evaluate run --data other");
  for (const char* domain : {"cartoon", "photo", "sketch"}) {
    EXPECT_NE(result.out.find(std::string("20 images of '") + domain + "'"), std::string::npos) << result.out;
  }
  for (const char* domain : {"cartoon", "photo", "sketch"}) {
    std::filesystem::rename(shell_ / "other" / domain / "dog", shell_ / "other" / domain / "horse");
  }
  const CommandResult some = succeed("evaluate run --data other");
  EXPECT_NE(some.out.find("10 images of 'photo'"), std::string::npos) << some.out;
  EXPECT_NE(some.err.find("no images of the model's classes dog"), std::string::npos) << some.err;
  EXPECT_NE(some.err.find("30 image(s) of the class 'horse'"), std::string::npos) << some.err;
  EXPECT_EQ(shell_.run("evaluate run --data other --split out").exit_code, 2);
  for (const char* domain : {"cartoon", "photo", "sketch"})
    std::filesystem::rename(shell_ / "other" / domain / "cat", shell_ / "other" / domain / "cow");
  const CommandResult refused = shell_.run("evaluate run --data other");
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_NE(refused.err.find("horse"), std::string::npos) << refused.err;
}

TEST_F(TrainedModelCommands, ExportedWeightsAreThoseOfTheRun) {
  train();
  succeed("export run --out model.safetensors");
  succeed("export run --format pth --out model.pth");
  const auto run = SafetensorsFile::open(shell_ / "run/best.safetensors");
  const auto safe = SafetensorsFile::open(shell_ / "model.safetensors");
  const auto pth = PytorchFile::open(shell_ / "model.pth");
  EXPECT_EQ(safe.metadata().at("class_names"), R"(["cat","dog"])");
  ASSERT_EQ(safe.entries().size(), run.entries().size());
  ASSERT_EQ(pth.entries().size(), run.entries().size());
  std::map<std::string, std::string> bytes;
  const auto text = [](const StoredTensor& t) {
    return std::string(reinterpret_cast<const char*>(t.bytes.data()), t.bytes.size());
  };
  for (const StoredTensor& tensor : run.entries()) bytes[tensor.name] = text(tensor);
  for (const StoredTensor& tensor : safe.entries()) EXPECT_TRUE(text(tensor) == bytes[tensor.name]) << tensor.name;
  for (const StoredTensor& tensor : pth.entries()) EXPECT_TRUE(text(tensor) == bytes[tensor.name]) << tensor.name;
  EXPECT_EQ(shell_.run("export run --out model.pth").exit_code, 2) << "a file is not overwritten";
}

TEST_F(TrainedModelCommands, TorchScriptGivesOurPredictionsInPython) {
  train("--set loader.image_size_px=20");  // the pictures' own size: no resizing
  succeed("export run --format torchscript --out model.pt");
  std::ofstream(shell_ / "predicted.jsonl") << succeed("predict run set/sketch").out;
  std::string program = kComparePrograms;
  run_python("torch,PIL", program.replace(program.find("LIMIT"), 5, "1e-5"));
}

TEST_F(TrainedModelCommands, TorchScriptResizesAsWeDo) {
  train();
  succeed("export run --format torchscript --out model.pt");
  std::ofstream(shell_ / "predicted.jsonl") << succeed("predict run set/sketch").out;
  std::string program = kComparePrograms;
  run_python("torch,PIL", program.replace(program.find("LIMIT"), 5, "0.02"));
}

TEST_F(TrainedModelCommands, VisionTransformersAreTrainedExportedAndRead) {
  for (const std::string backbone : {"vit_b_16", "clip_vit_b_16"}) {
    shell_.make_set();
    succeed(CommandLine::tiny_run(
        "--overwrite --out run --set classifier.stem=imagenet --set classifier.width=1 --set loader.image_size_px=32 "
        "--set steps=2 --set classifier.backbone=" +
        backbone));
    succeed("export run --overwrite --format torchscript --out model.pt");
    std::ofstream(shell_ / "predicted.jsonl") << succeed("predict run set/sketch/cat").out;
    // A program is a file of weights, too.
    succeed("inspect weights model.pt");
    std::string program = kComparePrograms;
    run_python("torch,PIL", program.replace(program.find("LIMIT"), 5, "0.02"));
  }
}

TEST_F(TrainedModelCommands, TorchvisionTakesTheExportedWeightsOfAResidualNetwork) {
  train("--set classifier.stem=imagenet --set classifier.width=64 --set loader.image_size_px=32 --set steps=1");
  succeed("export run --out model.safetensors");
  succeed("export run --format pth --out model.pth");
  run_python("torch,torchvision", std::string(kReadSafetensors) + R"(
import torchvision
model = torchvision.models.resnet18(num_classes=2)
model.load_state_dict(read('model.safetensors'), strict=True)
model.load_state_dict(torch.load('model.pth'), strict=True)
)");
}

TEST_F(TrainedModelCommands, TorchvisionTakesTheExportedWeightsOfAVisionTransformer) {
  train(
      "--set classifier.stem=imagenet --set classifier.backbone=vit_b_16 --set loader.image_size_px=32 --set steps=1");
  succeed("export run --out model.safetensors");
  // vit_b_16 at the width of the run.
  run_python("torch,torchvision", std::string(kReadSafetensors) + R"(
import torchvision
model = torchvision.models.VisionTransformer(image_size=32, patch_size=16, num_layers=12, num_heads=12, hidden_dim=48,
                                             mlp_dim=192, num_classes=2)
model.load_state_dict(read('model.safetensors'), strict=True)
)");
}

}  // namespace domainfusion
