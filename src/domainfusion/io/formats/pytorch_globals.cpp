#include "domainfusion/io/formats/pytorch_globals.h"

#include <array>
#include <string>
#include <utility>

namespace domainfusion {
namespace {

constexpr std::array<std::pair<std::string_view, TensorType>, 10> kStorages{{{"DoubleStorage", TensorType::kF64},
                                                                             {"FloatStorage", TensorType::kF32},
                                                                             {"HalfStorage", TensorType::kF16},
                                                                             {"BFloat16Storage", TensorType::kBF16},
                                                                             {"LongStorage", TensorType::kI64},
                                                                             {"IntStorage", TensorType::kI32},
                                                                             {"ShortStorage", TensorType::kI16},
                                                                             {"CharStorage", TensorType::kI8},
                                                                             {"ByteStorage", TensorType::kU8},
                                                                             {"BoolStorage", TensorType::kBool}}};

using Use = PickleGlobal::Use;

constexpr std::array kOthers = {
    // Dictionaries and tensors.
    PickleGlobal{"collections.OrderedDict", Use::kDict}, PickleGlobal{"collections.defaultdict", Use::kDict},
    PickleGlobal{"collections.Counter", Use::kDict}, PickleGlobal{"torch._utils._rebuild_tensor_v2", Use::kCall},
    PickleGlobal{"torch._utils._rebuild_tensor", Use::kCall},
    PickleGlobal{"torch._utils._rebuild_parameter", Use::kCall},
    PickleGlobal{"torch._utils._rebuild_parameter_with_state", Use::kCall},
    // Plain values of torch.
    PickleGlobal{"torch.Size", Use::kCall}, PickleGlobal{"torch.device", Use::kCall},
    PickleGlobal{"torch.float64", Use::kName}, PickleGlobal{"torch.float32", Use::kName},
    PickleGlobal{"torch.float16", Use::kName}, PickleGlobal{"torch.bfloat16", Use::kName},
    PickleGlobal{"torch.int64", Use::kName}, PickleGlobal{"torch.int32", Use::kName},
    PickleGlobal{"torch.int16", Use::kName}, PickleGlobal{"torch.int8", Use::kName},
    PickleGlobal{"torch.uint8", Use::kName}, PickleGlobal{"torch.bool", Use::kName},
    // Losses, counters and options of training programs: numpy scalars and arrays, arguments, paths.
    PickleGlobal{"numpy.dtype", Use::kCall}, PickleGlobal{"numpy.ndarray", Use::kName},
    PickleGlobal{"numpy.core.multiarray.scalar", Use::kCall}, PickleGlobal{"numpy._core.multiarray.scalar", Use::kCall},
    PickleGlobal{"numpy.core.multiarray._reconstruct", Use::kCall},
    PickleGlobal{"numpy._core.multiarray._reconstruct", Use::kCall}, PickleGlobal{"_codecs.encode", Use::kCall},
    PickleGlobal{"argparse.Namespace", Use::kOpaque}, PickleGlobal{"pathlib.PosixPath", Use::kCall},
    PickleGlobal{"copyreg._reconstructor", Use::kCall}, PickleGlobal{"builtins.object", Use::kName},
    PickleGlobal{"builtins.set", Use::kCall}, PickleGlobal{"builtins.bytearray", Use::kCall},
    PickleGlobal{"builtins.int", Use::kName}, PickleGlobal{"builtins.float", Use::kName},
    PickleGlobal{"builtins.dict", Use::kName}, PickleGlobal{"builtins.list", Use::kName},
    PickleGlobal{"builtins.str", Use::kName}, PickleGlobal{"typing.Any", Use::kName},
    // TorchScript archives: their modules, and the types of their lists and dictionaries.
    PickleGlobal{"__torch__.", Use::kModule}, PickleGlobal{"torch.jit._pickle.", Use::kCall},
    // Classes that the checkpoints of latent-diffusion and its descendants name beside the weights.
    PickleGlobal{"pytorch_lightning.", Use::kOpaque}, PickleGlobal{"lightning.", Use::kOpaque},
    PickleGlobal{"lightning_fabric.", Use::kOpaque}, PickleGlobal{"omegaconf.", Use::kOpaque}};

constexpr std::string_view kPrefixes[] = {"torch.", "torch.cuda."};

// Names of storages on both devices; the strings live as long as the program.
std::vector<PickleGlobal> make_globals() {
  static std::vector<std::string> names;
  for (const std::string_view prefix : kPrefixes) {
    for (const auto& [name, type] : kStorages) names.push_back(std::string(prefix) + std::string(name));
  }
  std::vector<PickleGlobal> globals;
  for (const std::string& name : names) globals.push_back({name, Use::kName});
  globals.insert(globals.end(), kOthers.begin(), kOthers.end());
  return globals;
}

}  // namespace

std::span<const PickleGlobal> pytorch_globals() {
  static const std::vector<PickleGlobal> globals = make_globals();
  return globals;
}

std::optional<TensorType> storage_type_named(std::string_view global) {
  for (const auto& [name, type] : kStorages) {
    for (const std::string_view prefix : kPrefixes) {
      if (global.starts_with(prefix) && global.substr(prefix.size()) == name) return type;
    }
  }
  return std::nullopt;
}

}  // namespace domainfusion
