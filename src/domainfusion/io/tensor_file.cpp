#include "domainfusion/io/tensor_file.h"

#include <torch/torch.h>

#include <array>
#include <cstring>
#include <utility>

#include "domainfusion/core/error.h"

namespace domainfusion {
namespace {

constexpr std::array<std::pair<TensorType, at::ScalarType>, 10> kScalarTypes{{{TensorType::kF64, at::kDouble},
                                                                            {TensorType::kF32, at::kFloat},
                                                                            {TensorType::kF16, at::kHalf},
                                                                            {TensorType::kBF16, at::kBFloat16},
                                                                            {TensorType::kI64, at::kLong},
                                                                            {TensorType::kI32, at::kInt},
                                                                            {TensorType::kI16, at::kShort},
                                                                            {TensorType::kI8, at::kChar},
                                                                            {TensorType::kU8, at::kByte},
                                                                            {TensorType::kBool, at::kBool}}};

at::ScalarType scalar_type_of(TensorType type) { return kScalarTypes[static_cast<std::size_t>(type)].second; }

TensorType tensor_type_of(const at::Tensor& tensor, const std::string& name) {
  for (const auto& [type, scalar] : kScalarTypes) {
    if (scalar == tensor.scalar_type()) return type;
  }
  throw FormatError(fmt::format("tensor '{}' has dtype {}, which safetensors files cannot hold", name,
                                at::toString(tensor.scalar_type())));
}

at::Tensor tensor_of(const StoredTensor& entry) {
  at::Tensor tensor = at::empty(entry.shape, at::TensorOptions(scalar_type_of(entry.type)));
  if (!entry.bytes.empty()) std::memcpy(tensor.data_ptr(), entry.bytes.data(), entry.bytes.size());
  return tensor;
}

}  // namespace

TensorMap load_tensors(const std::filesystem::path& path) {
  const SafetensorsFile file = SafetensorsFile::open(path);
  TensorMap tensors;
  for (const StoredTensor& entry : file.entries()) tensors.emplace(entry.name, tensor_of(entry));
  return tensors;
}

void save_tensors(const std::filesystem::path& path, const TensorMap& tensors, const TensorMetadata& metadata) {
  TensorMap stored;
  std::vector<StoredTensor> entries;
  for (const auto& [name, tensor] : tensors) {
    const at::Tensor plain = stored[name] = tensor.detach().cpu().contiguous();
    entries.push_back({name, tensor_type_of(plain, name), plain.sizes().vec(),
                       {static_cast<const std::byte*>(plain.data_ptr()), plain.nbytes()}});
  }
  with_context(fmt::format("'{}'", path.string()), [&] { write_safetensors(path, entries, metadata); });
}

}  // namespace domainfusion
