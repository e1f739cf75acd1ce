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

TEST(PytorchFile, WhatRunsSomethingIsRefusedByItsName) {
  expect_pytorch_refused(bytes_of("os_system.pth"), "'posix.system'");
  expect_pytorch_refused(bytes_of("os_system_legacy.pth"), "'posix.system'");
  expect_pytorch_refused(bytes_of("eval.pth"), "'builtins.eval'");
  expect_pytorch_refused(made_checkpoint("cos\nsystem\n(S'echo'\ntR."), "'os.system'");
  expect_pytorch_refused(made_checkpoint("(S'echo'\nios\nsystem\n."), "'os.system'");
  expect_pytorch_refused(made_checkpoint(pickled_text("os") + pickled_text("system") + "\x93."), "'os.system'");
  expect_pytorch_refused(made_checkpoint("ctorch\nFloatStorage\n)R."), "'torch.FloatStorage'");
}

// Of each way in which a pickle makes an object; beside a tensor, and with another one inside.
TEST(PytorchFile, ObjectsOfTheTrainingProgramArePassedOverUnseen) {
  const std::string arguments = "(" + pickled_text("lr") + pickled_tensor({}) + "t",
                    dict = "}" + pickled_text("lr") + "K\1s";
  const std::string objects[] = {
      "ceasydict\nEasyDict\n)\x81" + pickled_text("lr") + "G\x3f\xf0" + std::string(6, '\0') + "s",
      "cargparse\nNamespace\n)\x81" + dict + "b",
      "comegaconf.dictconfig\nDictConfig\n)\x81" + dict + "b",
      "cmmengine.config\nConfigDict\n" + arguments + "R(" + pickled_text("k") + "K\1u",
      "cyacs.config\nCfgNode\n" + arguments + "}\x92",
      "(cfoo\nBar\nK\1o",
      "(K\1ifoo\nBar\n",
      "cnumpy.core.multiarray\n_reconstruct\n" + arguments + "R",
      "cfunctools\npartial\n" + arguments + "R)R"};
  for (const std::string& object : objects) {
    const std::string state =
        "\x80\x02}" + pickled_text("cfg") + object + "s" + pickled_text("w") + pickled_tensor({}) + "s.";
    SCOPED_TRACE(object);
    ASSERT_EQ(pytorch_refusal(made_checkpoint(state)), "accepted");
    const std::string bytes = made_checkpoint(state);
    const PytorchFile file = PytorchFile::parse(std::as_bytes(std::span(bytes)));
    ASSERT_EQ(file.entries().size(), 1u);
    EXPECT_EQ(elements_of<float>(file.entries()[0]).size(), 6u);
  }
  const std::string bytes = made_checkpoint("}" + pickled_text("c") + objects[0] + "s" + pickled_text("d") +
                                            objects[0] + "s" + pickled_text("w") + pickled_tensor({}) + "s.");
  EXPECT_EQ(PytorchFile::parse(std::as_bytes(std::span(bytes))).foreign_objects(),
            std::vector<std::string>{"easydict.EasyDict"});
}

TEST(PytorchFile, AWholePickledModuleIsNotLookedInto) {
  expect_pytorch_refused(bytes_of("whole_module.pth"),
                         "objects of 'torch.nn.modules.container.Sequential' are not looked into");
  expect_pytorch_refused(bytes_of("whole_module.pth"), "save the state_dict() alone");
}

// torch.save since 2.1 (types without a storage of their own) and of tensors of other classes.
TEST(PytorchFile, NewerFunctionsThatMakeTensorsAreKnown) {
  const auto tensor_of = [](const std::string& function, const std::string& storage, std::int64_t count,
                            const std::string& more) {
    return "ctorch._utils\n" + function + "\n((" + pickled_text("storage") + "c" + storage + "\n" + pickled_text("0") +
           pickled_text("cpu") + pickled_integer(count) + "tQ" + pickled_integer(0) + pickled_tuple({2, 3}) +
           pickled_tuple({3, 1}) + "\x89}" + more + "t";
  };
  const auto parsed = [](const std::string& tensor) {
    static std::string bytes;
    bytes = made_checkpoint("\x80\x02}" + pickled_text("w") + tensor + "s.");
    return PytorchFile::parse(std::as_bytes(std::span(bytes)));
  };
  const std::string untyped = "torch.storage\nUntypedStorage";
  EXPECT_EQ(parsed(tensor_of("_rebuild_tensor_v3", untyped, 12, "ctorch\nuint16\n") + "R").entries()[0].type,
            TensorType::kU16);
  EXPECT_EQ(parsed(tensor_of("_rebuild_tensor_v3", untyped, 6, "ctorch\nfloat8_e4m3fn\n") + "R").entries()[0].type,
            TensorType::kF8E4M3);
  EXPECT_EQ(parsed(tensor_of("_rebuild_tensor_v3", untyped, 24, "ctorch\nfloat32\n") + "R").entries()[0].bytes.size(),
            24u);
  EXPECT_EQ(parsed(tensor_of("_rebuild_tensor_v2", untyped, 6, "") + "R").entries()[0].type, TensorType::kU8);
  const StoredTensor later =
      parsed(tensor_of("_rebuild_tensor_v3", untyped, 3, "ctorch\nfloat4_e2m1fn_x2\n") + "R").entries()[0];
  EXPECT_EQ(type_name(later), "torch.float4_e2m1fn_x2");
  EXPECT_EQ(later.shape, (Shape{2, 3}));
  expect_pytorch_refused(made_checkpoint("}" + pickled_text("w") +
                                         tensor_of("_rebuild_tensor_v3", untyped, 11, "ctorch\nuint16\n") + "Rs."),
                         "reaches outside its storage of 5 elements");
  // _rebuild_from_type_v2(function, class, arguments, state)
  const std::string call = tensor_of("_rebuild_tensor_v2", "torch\nFloatStorage", 6, ""),
                    function = call.substr(0, call.find('(')), arguments = call.substr(call.find('('));
  EXPECT_EQ(elements_of<float>(
                parsed("ctorch._tensor\n_rebuild_from_type_v2\n(" + function + "cmine\nTensor\n" + arguments + "}tR")
                    .entries()[0])
                .size(),
            6u);
}

TEST(PytorchFile, StoragesOfTypesThatNoWeightNeedsAreListed) {
  for (const char* type : {"ComplexFloatStorage", "ComplexDoubleStorage", "QInt8Storage", "NewStorage"}) {
    const std::string bytes =
        made_checkpoint("}" + pickled_text("w") + pickled_tensor({}) + "s" + pickled_text("q") +
                        pickled_tensor({.type = type, .key = "0", .count = 1, .shape = {1}, .strides = {1}}) + "s.");
    const PytorchFile file = PytorchFile::parse(std::as_bytes(std::span(bytes)));
    ASSERT_EQ(file.entries().size(), 2u) << type;
    EXPECT_EQ(named(file, "q").shape, Shape{1});
    EXPECT_EQ(elements_of<float>(named(file, "w")).size(), 6u);
  }
}

TEST(PytorchFile, AnExpandedTensorRepeatsItsStorage) {
  const std::string bytes = made_checkpoint(pickled_state({.count = 3, .shape = {4, 3}, .strides = {0, 1}}), 12);
  const PytorchFile file = PytorchFile::parse(std::as_bytes(std::span(bytes)));
  EXPECT_EQ(file.entries()[0].bytes.size(), 12u);
  const Floats values = elements_of<float>(file.entries()[0]);
  ASSERT_EQ(values.size(), 12u);
  EXPECT_EQ(Floats(values.begin() + 9, values.end()), Floats(values.begin(), values.begin() + 3));
}

TEST(PytorchFile, SeveralNetworksInOneFileKeepTheirKeys) {
  const auto network = [](const char* key, const char* name) {
    return pickled_text(key) + "}" + pickled_text(name) + pickled_tensor({}) + "ss";
  };
  const std::string bytes = made_checkpoint("}" + network("student", "module.w") + network("teacher", "w") + ".");
  const PytorchFile file = PytorchFile::parse(std::as_bytes(std::span(bytes)));
  ASSERT_EQ(file.entries().size(), 2u);
  EXPECT_EQ(file.entries()[0].name, "student.module.w");
  EXPECT_EQ(file.entries()[1].name, "teacher.w");
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
  expect_tensor_refused({.shape = {3, 3}}, "reaches outside its storage of 6 elements");
  expect_tensor_refused({.shape = {std::int64_t{1} << 40, std::int64_t{1} << 40}}, "overflows");
  expect_tensor_refused({.count = 7}, "need 28: it is truncated");
  expect_tensor_refused({.count = -6}, "without key and size");
  expect_tensor_refused({.count = INT64_MAX}, "overflows");
  expect_tensor_refused({.key = "1"}, "no zip entry 'archive/data/1'");
  expect_tensor_refused({.key = "../../etc/passwd"}, "no zip entry");
  expect_tensor_refused({.type = "ComplexDoubleStorage"}, "6 elements of ComplexDouble need 96: it is truncated");
}

TEST(PytorchFile, ArchivesThatAreNoCheckpointSayWhatTheyAre) {
  expect_pytorch_refused(made_zip({{"a/x.npy", "1"}}), "0 data.pkl");
  expect_pytorch_refused(made_zip({{"a/data.pkl", "."}, {"b/data.pkl", "."}}), "2 data.pkl");
  expect_pytorch_refused(made_zip({{"a/data.pkl", "N."}, {"a/constants.pkl", "."}}),
                         "TorchScript archive of something else");
  expect_pytorch_refused(made_zip({{"a/data.pkl", "N.", 8}}), "compressed (method 8)");
  expect_pytorch_refused(made_zip({{"a/data.pkl", "N."}, {"a/byteorder", "big"}}), "byte order 'big'");
  expect_pytorch_refused(made_checkpoint("}" + pickled_text("a") + "}s."),
                         "holds no dictionary of tensors; expected a state_dict, alone or below a key such as "
                         "'state_dict' (its keys: a)");
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
