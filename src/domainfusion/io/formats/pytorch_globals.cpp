#include "domainfusion/io/formats/pytorch_globals.h"

#include <fmt/format.h>

#include <iterator>
#include <string>
#include <utility>
#include <vector>

namespace domainfusion {
namespace {

constexpr PytorchType kStorages[] = {{"Double", TensorType::kF64, 64},
                                     {"Float", TensorType::kF32, 32},
                                     {"Half", TensorType::kF16, 16},
                                     {"BFloat16", TensorType::kBF16, 16},
                                     {"Long", TensorType::kI64, 64},
                                     {"Int", TensorType::kI32, 32},
                                     {"Short", TensorType::kI16, 16},
                                     {"Char", TensorType::kI8, 8},
                                     {"Byte", TensorType::kU8, 8},
                                     {"Bool", TensorType::kBool, 8},
                                     {"Untyped", TensorType::kU8, 8},
                                     {"ComplexFloat", TensorType::kC64, 64},
                                     {"ComplexDouble", TensorType::kOther, 128},
                                     {"QInt32", TensorType::kOther, 32},
                                     {"QInt8", TensorType::kOther, 8},
                                     {"QUInt8", TensorType::kOther, 8},
                                     {"QUInt4x2", TensorType::kOther, 8},
                                     {"QUInt2x4", TensorType::kOther, 8}};
constexpr PytorchType kDtypes[] = {{"float64", TensorType::kF64, 64},
                                   {"float32", TensorType::kF32, 32},
                                   {"float16", TensorType::kF16, 16},
                                   {"bfloat16", TensorType::kBF16, 16},
                                   {"int64", TensorType::kI64, 64},
                                   {"int32", TensorType::kI32, 32},
                                   {"int16", TensorType::kI16, 16},
                                   {"int8", TensorType::kI8, 8},
                                   {"uint8", TensorType::kU8, 8},
                                   {"bool", TensorType::kBool, 8},
                                   {"float8_e4m3fn", TensorType::kF8E4M3, 8},
                                   {"float8_e5m2", TensorType::kF8E5M2, 8},
                                   {"float8_e8m0fnu", TensorType::kF8E8M0, 8},
                                   {"uint16", TensorType::kU16, 16},
                                   {"uint32", TensorType::kU32, 32},
                                   {"uint64", TensorType::kU64, 64},
                                   {"complex64", TensorType::kC64, 64}};
constexpr std::string_view kStoragePrefixes[] = {"torch.", "torch.cuda.", "torch.storage."};
constexpr std::string_view kStorageEnding = "Storage";

constexpr std::pair<std::string_view, TensorMaker> kMakers[] = {
    {"torch._utils._rebuild_tensor", TensorMaker::kTensor},
    {"torch._utils._rebuild_tensor_v2", TensorMaker::kTensor},
    {"torch._utils._rebuild_tensor_v3", TensorMaker::kTensorOfType},
    {"torch._utils._rebuild_parameter", TensorMaker::kParameter},
    {"torch._utils._rebuild_parameter_with_state", TensorMaker::kParameter},
    {"torch._tensor._rebuild_from_type", TensorMaker::kSubclass},
    {"torch._tensor._rebuild_from_type_v2", TensorMaker::kSubclass}};

using Use = PickleGlobal::Use;

constexpr PickleGlobal kOthers[] = {
    {"collections.OrderedDict", Use::kDict},
    {"collections.defaultdict", Use::kDict},
    {"collections.Counter", Use::kDict},
    {"torch.Size", Use::kCall},
    {"torch.device", Use::kCall},
    // Losses and counters of training programs: numpy scalars and arrays, sets, paths.
    {"numpy.dtype", Use::kCall},
    {"numpy.ndarray", Use::kName},
    {"numpy.core.multiarray.scalar", Use::kCall},
    {"numpy._core.multiarray.scalar", Use::kCall},
    {"numpy.core.multiarray._reconstruct", Use::kCall},
    {"numpy._core.multiarray._reconstruct", Use::kCall},
    {"_codecs.encode", Use::kCall},
    {"pathlib.PosixPath", Use::kCall},
    {"builtins.set", Use::kCall},
    {"builtins.bytearray", Use::kCall},
    // TorchScript archives: their modules, and the types of their lists and dictionaries.
    {"__torch__.", Use::kModule},
    {"torch.jit._pickle.", Use::kCall},
    // What runs code or commands. Nothing that is named here would run; a file that names it is hostile.
    {"builtins.eval", Use::kForbidden},
    {"builtins.exec", Use::kForbidden},
    {"builtins.execfile", Use::kForbidden},
    {"builtins.compile", Use::kForbidden},
    {"builtins.open", Use::kForbidden},
    {"builtins.input", Use::kForbidden},
    {"builtins.breakpoint", Use::kForbidden},
    {"builtins.apply", Use::kForbidden},
    {"builtins.__import__", Use::kForbidden},
    {"os.", Use::kForbidden},
    {"posix.", Use::kForbidden},
    {"nt.", Use::kForbidden},
    {"sys.", Use::kForbidden},
    {"subprocess.", Use::kForbidden},
    {"importlib.", Use::kForbidden},
    {"runpy.", Use::kForbidden},
    {"pty.", Use::kForbidden},
    {"shutil.", Use::kForbidden},
    {"socket.", Use::kForbidden},
    {"ctypes.", Use::kForbidden},
    {"marshal.", Use::kForbidden},
    // Classes of the training program.
    {"", Use::kOpaque}};

// The strings live as long as the program.
std::vector<PickleGlobal> make_globals() {
  static std::vector<std::string> names;
  for (const std::string_view prefix : kStoragePrefixes) {
    for (const PytorchType& storage : kStorages)
      names.push_back(fmt::format("{}{}{}", prefix, storage.name, kStorageEnding));
  }
  for (const PytorchType& dtype : kDtypes) names.push_back(fmt::format("torch.{}", dtype.name));
  std::vector<PickleGlobal> globals;
  for (const std::string& name : names) globals.push_back({name, Use::kName});
  for (const auto& [name, maker] : kMakers) globals.push_back({name, Use::kCall});
  globals.insert(globals.end(), std::begin(kOthers), std::end(kOthers));
  return globals;
}

// The row of `table` for what stands between `prefix` and `ending` in `global`.
PytorchType row_of(std::span<const PytorchType> table, std::string_view global, std::string_view prefix,
                   std::string_view ending) {
  for (const PytorchType& row : table) {
    if (global.size() == prefix.size() + row.name.size() + ending.size() && global.starts_with(prefix) &&
        global.ends_with(ending) && global.substr(prefix.size(), row.name.size()) == row.name) {
      return row;
    }
  }
  return {global, TensorType::kOther, 0};
}

}  // namespace

std::span<const PickleGlobal> pytorch_globals() {
  static const std::vector<PickleGlobal> globals = make_globals();
  return globals;
}

PytorchType storage_type_named(std::string_view global) {
  for (const std::string_view prefix : kStoragePrefixes) {
    const PytorchType row = row_of(kStorages, global, prefix, kStorageEnding);
    if (row.bits != 0) return row;
  }
  return {global, TensorType::kOther, 0};
}

PytorchType dtype_named(std::string_view global) { return row_of(kDtypes, global, "torch.", ""); }

TensorMaker tensor_maker_named(std::string_view global) {
  for (const auto& [name, maker] : kMakers) {
    if (name == global) return maker;
  }
  return TensorMaker::kNone;
}

}  // namespace domainfusion
