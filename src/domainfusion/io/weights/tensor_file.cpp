#include "domainfusion/io/weights/tensor_file.h"

#include <sys/mman.h>
#include <torch/types.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <set>
#include <string_view>
#include <utility>

#include "domainfusion/core/error.h"
#include "domainfusion/core/log.h"

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

constexpr std::uint64_t kMaxSharing = 8, kSmall = 64 << 20;

bool is_float8(TensorType type) { return type == TensorType::kF8E4M3 || type == TensorType::kF8E5M2; }
bool has_scalar_type(TensorType type) { return static_cast<std::size_t>(type) < kScalarTypes.size(); }
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
         reinterpret_cast<std::uintptr_t>(stored.bytes.data()) % (bits_per_element(stored.type) / 8) == 0;
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
  if (is_float8(stored.type)) {
    at::Tensor tensor = at::empty(stored.shape, at::kFloat);
    copy_as_float32(stored, tensor.data_ptr<float>());
    return tensor;
  }
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

bool is_loadable(const StoredTensor& tensor) { return has_scalar_type(tensor.type) || is_float8(tensor.type); }

void check_memory(const WeightsFile& file, const std::vector<const StoredTensor*>& tensors) {
  std::uint64_t total = 0;
  for (const StoredTensor* tensor : tensors) {
    check<FormatError>(
        !__builtin_add_overflow(total, byte_count(*tensor), &total) &&
            total <= kMaxSharing * file.file_bytes() + kSmall,
        "'{}': its tensors up to '{}' take {} bytes, the file has {}: they share storages or are expanded; "
        "save separate tensors (tensor.contiguous()), if you trust the file",
        file.paths().front().string(), tensor->name, total, file.file_bytes());
  }
}

void say_left_out(const WeightsFile& file) {
  std::vector<std::string> names;
  for (const StoredTensor& tensor : file.tensors()) {
    if (!is_loadable(tensor)) names.push_back(fmt::format("{} ({})", tensor.name, type_name(tensor)));
  }
  constexpr std::size_t kMostNamed = 5;
  const std::size_t count = names.size();
  names.resize(std::min(count, kMostNamed));
  if (count > 0) {
    log_warning("'{}': tensors of types that nothing here computes with are left out ({}): {}{}",
                file.paths().front().string(), count, fmt::join(names, ", "), count > kMostNamed ? ", …" : "");
  }
}

}  // namespace

void say_remarks(const WeightsFile& file) {
  for (const std::string& remark : file.remarks()) log_warning("'{}': {}", file.paths().front().string(), remark);
}

TensorMap load_tensors(const std::filesystem::path& path) {
  const WeightsFile file = WeightsFile::open(path);
  say_remarks(file);
  say_left_out(file);
  std::set<std::string_view> loadable;
  for (const StoredTensor& tensor : file.tensors()) {
    if (is_loadable(tensor)) loadable.insert(tensor.name);
  }
  return load_tensors(file, [&loadable](const std::string& name) { return loadable.contains(name); });
}

TensorMap load_tensors(const WeightsFile& file, const std::function<bool(const std::string&)>& wanted) {
  std::vector<const StoredTensor*> chosen;
  for (const StoredTensor& stored : file.tensors()) {
    if (!wanted(stored.name)) continue;
    check<FormatError>(is_loadable(stored), "'{}': tensor '{}' is of type {}, which nothing here computes with",
                       file.paths().front().string(), stored.name, type_name(stored));
    chosen.push_back(&stored);
  }
  check_memory(file, chosen);
  TensorMap tensors;
  for (const StoredTensor* stored : chosen) tensors.emplace(stored->name, tensor_of(*stored, file.keep_alive()));
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

void copy_tensors(const std::filesystem::path& path, const WeightsFile& file, const TensorMetadata& metadata) {
  std::vector<StoredTensor> entries = file.tensors();
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  std::vector<const StoredTensor*> all;
  for (const StoredTensor& entry : entries) all.push_back(&entry);
  check_memory(file, all);
  with_context(fmt::format("'{}'", path.string()), [&] { write_safetensors(path, entries, metadata); });
}

}  // namespace domainfusion
