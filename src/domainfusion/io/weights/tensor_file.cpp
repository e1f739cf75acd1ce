#include "domainfusion/io/weights/tensor_file.h"

#include <sys/mman.h>
#include <torch/types.h>
#include <unistd.h>

#include <array>
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

bool can_be_used_in_place(const StoredTensor& stored) {
  return stored.strides.empty() && !stored.bytes.empty() &&
         reinterpret_cast<std::uintptr_t>(stored.bytes.data()) % bytes_per_element(stored.type) == 0;
}

// The pages that lie inside `bytes` alone need not stay in memory: should they be asked for again, they come from the
// file.
void drop_pages(std::span<const std::byte> bytes) {
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto begin = (reinterpret_cast<std::uintptr_t>(bytes.data()) + page - 1) / page * page;
  const auto end = reinterpret_cast<std::uintptr_t>(bytes.data() + bytes.size()) / page * page;
  if (begin < end) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
}

at::Tensor tensor_of(const StoredTensor& stored, const std::shared_ptr<const void>& mapping) {
  const at::TensorOptions options(scalar_type_of(stored.type));
  if (can_be_used_in_place(stored)) {
    auto* data = const_cast<std::byte*>(stored.bytes.data());
    return at::from_blob(
        data, stored.shape, [mapping, bytes = stored.bytes](void*) { drop_pages(bytes); }, options);
  }
  at::Tensor tensor = at::empty(stored.shape, options);
  copy_row_major(stored, static_cast<std::byte*>(tensor.data_ptr()));
  return tensor;
}

}  // namespace

TensorMap load_tensors(const std::filesystem::path& path) {
  return load_tensors(WeightsFile::open(path), [](const std::string&) { return true; });
}

TensorMap load_tensors(const WeightsFile& file, const std::function<bool(const std::string&)>& wanted) {
  TensorMap tensors;
  for (const StoredTensor& stored : file.tensors()) {
    if (wanted(stored.name)) tensors.emplace(stored.name, tensor_of(stored, file.keep_alive()));
  }
  return tensors;
}

void save_tensors(const std::filesystem::path& path, const TensorMap& tensors, const TensorMetadata& metadata) {
  TensorMap stored;
  std::vector<StoredTensor> entries;
  for (const auto& [name, tensor] : tensors) {
    const at::Tensor plain = stored[name] = tensor.detach().cpu().contiguous();
    entries.push_back({name,
                       tensor_type_of(plain, name),
                       plain.sizes().vec(),
                       {static_cast<const std::byte*>(plain.data_ptr()), plain.nbytes()}});
  }
  with_context(fmt::format("'{}'", path.string()), [&] { write_safetensors(path, entries, metadata); });
}

}  // namespace domainfusion
