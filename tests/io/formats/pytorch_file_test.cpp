#include "domainfusion/io/formats/pytorch_file.h"

#include <gtest/gtest.h>

#include <cstring>

#include "domainfusion/core/error.h"
#include "io/formats/made_checkpoint.h"
#include "temporary_folder.h"

namespace domainfusion {
namespace {

const std::filesystem::path kFolder = std::filesystem::path(DOMAINFUSION_TEST_DIR) / "io/pytorch";

const StoredTensor& named(const PytorchFile& file, std::string_view name) {
  for (const StoredTensor& tensor : file.entries()) {
    if (tensor.name == name) return tensor;
  }
  throw Error(fmt::format("no tensor {}", name));
}

template <class Element>
std::vector<Element> elements_of(const StoredTensor& tensor) {
  std::vector<Element> elements(byte_count(tensor) / sizeof(Element));
  copy_row_major(tensor, reinterpret_cast<std::byte*>(elements.data()));
  return elements;
}

using Shape = std::vector<std::int64_t>;
using Floats = std::vector<float>;

void expect_content(const PytorchFile& file) {
  ASSERT_EQ(file.entries().size(), 8u);
  EXPECT_EQ(named(file, "matrix").shape, (Shape{3, 4}));
  EXPECT_EQ(elements_of<float>(named(file, "matrix")), (Floats{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}));
  EXPECT_EQ(named(file, "half").type, TensorType::kF16);
  EXPECT_EQ(elements_of<std::uint16_t>(named(file, "half")), (std::vector<std::uint16_t>{0x3e00, 0xc000}));
  EXPECT_EQ(named(file, "brain").type, TensorType::kBF16);
  EXPECT_EQ(elements_of<std::uint16_t>(named(file, "brain")), (std::vector<std::uint16_t>{0x3f80, 0x3f00, 0xc040}));
  EXPECT_EQ(elements_of<double>(named(file, "double")), std::vector<double>{0.1});
  EXPECT_EQ(named(file, "count").shape, Shape());
  EXPECT_EQ(elements_of<std::int64_t>(named(file, "count")), std::vector<std::int64_t>{7});
  EXPECT_EQ(elements_of<std::uint8_t>(named(file, "mask")), (std::vector<std::uint8_t>{1, 0}));
  EXPECT_EQ(elements_of<std::uint8_t>(named(file, "bytes")), (std::vector<std::uint8_t>{1, 255}));
  EXPECT_EQ(named(file, "empty").shape, (Shape{0, 3}));
}

std::string bytes_of(const std::string& name) {
  std::ifstream file(kFolder / name, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// The message with which `bytes` are refused; "accepted" if they are not.
std::string pytorch_refusal(const std::string& bytes) {
  try {
    PytorchFile::parse(std::as_bytes(std::span(bytes)));
    return "accepted";
  } catch (const FormatError& error) {
    return error.what();
  }
}

void expect_pytorch_refused(const std::string& bytes, const std::string& reason) {
  const std::string message = pytorch_refusal(bytes);
  EXPECT_NE(message.find(reason), std::string::npos) << message;
}

void expect_tensor_refused(const MadeTensor& tensor, const std::string& reason) {
  expect_pytorch_refused(made_checkpoint(pickled_state(tensor)), reason);
}

}  // namespace

TEST(PytorchFile, BothFormatsGiveTheSameTensorsAndPlainValues) {
  for (const char* name : {"zip.pth", "legacy.pth"}) {
    SCOPED_TRACE(name);
    const PytorchFile file = PytorchFile::open(kFolder / name);
    expect_content(file);
    EXPECT_EQ(file.metadata().at("epoch"), "3");
    EXPECT_EQ(file.metadata().at("global_step"), "875000");
  }
  EXPECT_EQ(PytorchFile::open(kFolder / "legacy.pth").format(), PytorchFile::Format::kLegacy);
}

TEST(PytorchFile, SharedStoragesAndStridesGiveTheirElementsInOrder) {
  for (const char* name : {"shared.pth", "shared_legacy.pth"}) {
    SCOPED_TRACE(name);
    const PytorchFile file = PytorchFile::open(kFolder / name);
    EXPECT_EQ(named(file, "tied").bytes.data(), named(file, "base").bytes.data());
    EXPECT_EQ(elements_of<float>(named(file, "slice")), (Floats{2, 3, 4}));
    EXPECT_EQ(elements_of<float>(named(file, "transposed")), (Floats{0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11}));
    EXPECT_EQ(elements_of<float>(named(file, "every_other")), (Floats{1, 3, 5, 7, 9, 11}));
    EXPECT_EQ(elements_of<float>(named(file, "column")), (Floats{1, 5, 9}));
  }
}

TEST(PytorchFile, ParametersAndTheDictionariesOfModulesAreRead) {
  const PytorchFile state = PytorchFile::open(kFolder / "module_state.pth");
  EXPECT_EQ(elements_of<float>(named(state, "0.weight")), (Floats{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(named(state, "1.num_batches_tracked").type, TensorType::kI64);
  const PytorchFile parameters = PytorchFile::open(kFolder / "parameters.pth");
  EXPECT_EQ(elements_of<float>(named(parameters, "0.weight")), (Floats{0, 1, 2, 3, 4, 5}));
}

TEST(PytorchFile, TrainingStateBesideTheWeightsIsNoObstacle) {
  const PytorchFile file = PytorchFile::open(kFolder / "lightning.ckpt");
  expect_content(file);
  EXPECT_EQ(file.metadata().at("pytorch-lightning_version"), "1.4.2");
}

TEST(PytorchFile, ATensorBesideTheStateDictIsNotTheState) {
  const std::string bytes =
      made_checkpoint("\x80\x02}" + pickled_text("best_acc1") + pickled_tensor({}) + "s" + pickled_text("state_dict") +
                      "}" + pickled_text("w") + pickled_tensor({}) + "ss.");
  const PytorchFile file = PytorchFile::parse(std::as_bytes(std::span(bytes)));
  ASSERT_EQ(file.entries().size(), 1u);
  EXPECT_EQ(file.entries()[0].name, "w");
}

TEST(PytorchFile, CallsOfForeignObjectsAreRefusedByTheirNames) {
  expect_pytorch_refused(bytes_of("os_system.pth"), "'posix.system'");
  expect_pytorch_refused(bytes_of("os_system_legacy.pth"), "'posix.system'");
  expect_pytorch_refused(bytes_of("eval.pth"), "'builtins.eval'");
  expect_pytorch_refused(bytes_of("whole_module.pth"), "'torch.nn.modules.container.Sequential'");
  expect_pytorch_refused(made_checkpoint("cos\nsystem\n(S'echo'\ntR."), "'os.system'");
  expect_pytorch_refused(made_checkpoint("(S'echo'\nios\nsystem\n."), "'os.system'");
  expect_pytorch_refused(made_checkpoint(pickled_text("os") + pickled_text("system") + "\x93."), "'os.system'");
  expect_pytorch_refused(made_checkpoint("cpytorch_lightning.core\nmake\n)R."), "'pytorch_lightning.core.make'");
  expect_pytorch_refused(made_checkpoint("ctorch\nFloatStorage\n)R."), "'torch.FloatStorage'");
}

TEST(PytorchFile, AClassOfTheTrainingProgramMayHoldAnything) {
  const std::string object = "cpytorch_lightning.x\nAttributeDict\n)\x81}(" + pickled_text("lr") + "K\1ub";
  const std::string state =
      "\x80\x02}" + pickled_text("hyper") + object + "s" + pickled_text("w") + pickled_tensor({}) + "s.";
  EXPECT_EQ(pytorch_refusal(made_checkpoint(state)), "accepted");
}

TEST(PytorchFile, TruncatedFilesAreRefusedWhereverTheyEnd) {
  for (const char* name : {"zip.pth", "legacy.pth", "lightning.ckpt", "shared_legacy.pth"}) {
    const std::string whole = bytes_of(name);
    ASSERT_EQ(pytorch_refusal(whole), "accepted");
    for (std::size_t size = 0; size < whole.size(); ++size)
      EXPECT_NE(pytorch_refusal(whole.substr(0, size)), "accepted") << name << size;
  }
}

TEST(PytorchFile, TensorsOutsideTheirStorageAreRefused) {
  EXPECT_EQ(pytorch_refusal(made_checkpoint(pickled_state({}))), "accepted");
  expect_tensor_refused({.offset = 1}, "reaches outside its storage of 6 elements");
  expect_tensor_refused({.offset = -1}, "has no storage, offset");
  expect_tensor_refused({.offset = INT64_MAX}, "reaches outside");
  expect_tensor_refused({.strides = {4, 1}}, "reaches outside");
  expect_tensor_refused({.strides = {-3, 1}}, "strides holds something else");
  expect_tensor_refused({.strides = {INT64_MAX, INT64_MAX}}, "reaches outside");
  expect_tensor_refused({.strides = {1}}, "2 dimensions and 1 strides");
  expect_tensor_refused({.shape = {-1, 3}}, "shape holds something else");
  expect_tensor_refused({.shape = {3, 3}}, "has 9 elements, its storage 6");
  expect_tensor_refused({.shape = {1000000, 1000000}, .strides = {0, 0}}, "expanded tensor");
  expect_tensor_refused({.shape = {std::int64_t{1} << 40, std::int64_t{1} << 40}}, "overflows");
  expect_tensor_refused({.count = 7}, "need 28: it is truncated");
  expect_tensor_refused({.count = -6}, "without key and size");
  expect_tensor_refused({.count = INT64_MAX}, "overflows");
  expect_tensor_refused({.key = "1"}, "no zip entry 'archive/data/1'");
  expect_tensor_refused({.key = "../../etc/passwd"}, "no zip entry");
  expect_tensor_refused({.type = "ComplexFloatStorage"}, "'torch.ComplexFloatStorage'");
}

TEST(PytorchFile, ManyNamesOfOneStorageAreNotMultiplied) {
  std::string state = "\x80\x02}";
  MadeTensor large{.count = 1 << 18, .shape = {1 << 18}, .strides = {1}};
  for (int i = 0; i < 12; ++i) state += pickled_text("w" + std::to_string(i)) + pickled_tensor(large) + "s";
  expect_pytorch_refused(made_checkpoint(state + ".", 4 << 18), "share storages");
}

TEST(PytorchFile, ArchivesThatAreNoCheckpointSayWhatTheyAre) {
  expect_pytorch_refused(made_zip({{"a/x.npy", "1"}}), "0 data.pkl");
  expect_pytorch_refused(made_zip({{"a/data.pkl", "."}, {"b/data.pkl", "."}}), "2 data.pkl");
  expect_pytorch_refused(made_zip({{"a/data.pkl", "N."}, {"a/constants.pkl", "."}}),
                         "TorchScript archive of something else");
  expect_pytorch_refused(made_zip({{"a/data.pkl", "N.", 8}}), "compressed (method 8)");
  expect_pytorch_refused(made_zip({{"a/data.pkl", "N."}, {"a/byteorder", "big"}}), "byte order 'big'");
  expect_pytorch_refused(made_checkpoint("}."), "holds 0 dictionaries of tensors");
  expect_pytorch_refused(
      made_checkpoint("}" + pickled_text("a") + "}" + pickled_text("w") + pickled_tensor({}) + "ss" +
                      pickled_text("b") + "}" + pickled_text("w") + pickled_tensor({}) + "ss."),
      "holds 2 dictionaries of tensors; expected a state_dict, alone or below the key 'state_dict' (its keys: a, b)");
}

// A TorchScript archive: modules are objects whose attributes are set on them.
std::string made_torchscript(const std::string& pickle) {
  return made_zip({{"a/data.pkl", pickle}, {"a/constants.pkl", "N."}, {"a/data/0", std::string(24, '\1')}});
}
std::string pickled_module(const std::string& attributes) {
  return "c__torch__.some\nModule\n)\x81}" + attributes + "b";
}

TEST(PytorchFile, TorchScriptModulesGiveTheirTensorsByDottedNames) {
  const std::string inner =
      pickled_module(pickled_text("weight") + pickled_tensor({}) + "s" + pickled_text("training") + "\x89s");
  const std::string bytes = made_torchscript("\x80\x02" + pickled_module(pickled_text("conv1") + inner + "s") + ".");
  const PytorchFile file = PytorchFile::parse(std::as_bytes(std::span(bytes)));
  ASSERT_EQ(file.entries().size(), 1u);
  EXPECT_EQ(file.entries()[0].name, "conv1.weight");
  EXPECT_EQ(file.entries()[0].shape, (std::vector<std::int64_t>{2, 3}));
}

TEST(PytorchFile, TorchScriptModulesWithoutEndAreRefused) {
  // A module that is its own attribute, and one whose levels double: 2^40 paths in a few hundred bytes.
  expect_pytorch_refused(made_torchscript("c__torch__\nM\n)\x81q\1}" + pickled_text("m") + "h\1sb."), "without end");
  std::string doubling = pickled_module("") + "q" + std::string(1, '\0');
  for (char level = 1; level < 40; ++level) {
    const std::string below = "h" + std::string(1, static_cast<char>(level - 1));
    doubling += "0" + pickled_module(pickled_text("a") + below + "s" + pickled_text("b") + below + "s") + "q" + level;
  }
  expect_pytorch_refused(made_torchscript(doubling + "."), "without end");
  expect_pytorch_refused(made_torchscript("c__torch__\nM\n)\x81Nb."), "something else than named attributes");
  // One long name, used again and again: 60 GB if each use were a copy.
  std::string repeated = pickled_text(std::string(1 << 20, 'a')) + "q\1" + pickled_module("") + "q\2" + "00";
  std::string uses;
  for (int i = 0; i < 60'000; ++i) uses += "h\1h\2s";
  expect_pytorch_refused(made_torchscript(repeated + pickled_module(uses) + "."),
                         "names an attribute by over 1000 bytes");
}

TEST(PytorchFile, NamesThatCannotBeShownAreRefused) {
  expect_pytorch_refused(made_checkpoint("}" + pickled_text("a\nb") + pickled_tensor({}) + "s."), "name 'a\\x0ab'");
  expect_pytorch_refused(made_checkpoint("}" + pickled_text("\xff") + pickled_tensor({}) + "s."), "name '\\xff'");
  expect_pytorch_refused(made_checkpoint("}" + pickled_text("w") + pickled_tensor({}) + "s" + pickled_text("w") +
                                         pickled_tensor({}) + "s."),
                         "'w' twice");
}

TEST(PytorchFile, ErrorsNameThePath) {
  EXPECT_NE(message_of<FormatError>([] { PytorchFile::open(kFolder / "eval.pth"); }).find("pytorch/eval.pth'"),
            std::string::npos);
  EXPECT_NE(message_of<IoError>([] { PytorchFile::open("/nonexistent/w.pth"); }).find("/nonexistent/w.pth"),
            std::string::npos);
}

}  // namespace domainfusion
