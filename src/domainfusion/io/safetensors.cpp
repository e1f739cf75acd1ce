#include "domainfusion/io/safetensors.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>

#include "domainfusion/core/error.h"
#include "domainfusion/io/atomic_file.h"

static_assert(std::endian::native == std::endian::little, "safetensors are little-endian: byte order is not converted");

namespace domainfusion {
namespace {

using nlohmann::json;

constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;
constexpr std::size_t kLengthBytes = 8;
constexpr int kMaxJsonDepth = 4;

struct TypeRow {
  TensorType type;
  std::string_view name;
  std::size_t bytes;
};
constexpr std::array<TypeRow, 10> kTypes{{{TensorType::kF64, "F64", 8},
                                          {TensorType::kF32, "F32", 4},
                                          {TensorType::kF16, "F16", 2},
                                          {TensorType::kBF16, "BF16", 2},
                                          {TensorType::kI64, "I64", 8},
                                          {TensorType::kI32, "I32", 4},
                                          {TensorType::kI16, "I16", 2},
                                          {TensorType::kI8, "I8", 1},
                                          {TensorType::kU8, "U8", 1},
                                          {TensorType::kBool, "BOOL", 1}}};

TensorType type_named(const std::string& name, const std::string& tensor) {
  for (const TypeRow& row : kTypes) {
    if (row.name == name) return row.type;
  }
  throw FormatError(fmt::format("tensor '{}' has dtype '{}'; supported: F64, F32, F16, BF16, I64, I32, I16, I8, U8, BOOL",
                                tensor, name));
}

std::shared_ptr<const void> map_file(const std::filesystem::path& path, std::size_t& size) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  check<IoError>(descriptor >= 0, "cannot be opened: {}; check the path", std::strerror(errno));
  const std::shared_ptr<const void> closer(nullptr, [descriptor](const void*) { ::close(descriptor); });
  struct stat info {};
  check<IoError>(::fstat(descriptor, &info) == 0 && S_ISREG(info.st_mode), "is not a regular file");
  size = static_cast<std::size_t>(info.st_size);
  check<FormatError>(size >= kLengthBytes, "has {} bytes; a safetensors file has at least 8: it is empty or truncated", size);
  void* start = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor, 0);
  check<IoError>(start != MAP_FAILED, "cannot be mapped: {}", std::strerror(errno));
  return {start, [size](const void* mapped) { ::munmap(const_cast<void*>(mapped), size); }};
}

// Refuses what a JSON object would swallow silently: repeated keys; and nesting deeper than any valid header.
class HeaderGuard {
 public:
  bool operator()(int depth, json::parse_event_t event, const json& parsed) {
    check<FormatError>(depth <= kMaxJsonDepth, "its header nests deeper than {} levels", kMaxJsonDepth);
    if (event == json::parse_event_t::object_start) keys_.emplace_back();
    if (event == json::parse_event_t::object_end) keys_.pop_back();
    if (event == json::parse_event_t::key) {
      check<FormatError>(keys_.back().insert(parsed.get<std::string>()).second, "its header names '{}' twice",
                         parsed.get<std::string>());
    }
    return true;
  }

 private:
  std::vector<std::set<std::string>> keys_;
};

json parse_header(std::string_view text) {
  check<FormatError>(!text.empty() && text.front() == '{', "its header does not begin with '{{': it is not a safetensors file");
  HeaderGuard guard;
  try {
    return json::parse(text, [&guard](int depth, json::parse_event_t event, json& parsed) { return guard(depth, event, parsed); });
  } catch (const json::exception& error) {
    throw FormatError(fmt::format("its header is not valid JSON ({}): it is damaged", error.what()));
  }
}

std::uint64_t unsigned_of(const json& value, const std::string& tensor, std::string_view field) {
  check<FormatError>(value.is_number_unsigned(), "tensor '{}': {} holds {}; expected whole numbers from 0", tensor, field,
                     value.dump());
  return value.get<std::uint64_t>();
}

const json& field_of(const json& object, const std::string& tensor, const char* field, json::value_t type) {
  check<FormatError>(object.is_object() && object.contains(field) && object[field].type() == type,
                     "tensor '{}' has no valid '{}' in the header", tensor, field);
  return object[field];
}

std::uint64_t checked_byte_count(const std::vector<std::int64_t>& shape, TensorType type, const std::string& tensor) {
  std::uint64_t count = bytes_per_element(type);
  for (const std::int64_t extent : shape) {
    check<FormatError>(extent >= 0 && !__builtin_mul_overflow(count, static_cast<std::uint64_t>(extent), &count),
                       "tensor '{}': its shape [{}] overflows", tensor, fmt::join(shape, ", "));
  }
  return count;
}

struct Range {
  std::uint64_t begin, end;
};

SafetensorsEntry parse_entry(const std::string& name, const json& object, Range& range) {
  SafetensorsEntry entry;
  entry.name = name;
  entry.type = type_named(field_of(object, name, "dtype", json::value_t::string).get<std::string>(), name);
  for (const json& extent : field_of(object, name, "shape", json::value_t::array)) {
    const std::uint64_t value = unsigned_of(extent, name, "shape");
    check<FormatError>(value <= INT64_MAX, "tensor '{}': extent {} is too large", name, value);
    entry.shape.push_back(static_cast<std::int64_t>(value));
  }
  const json& offsets = field_of(object, name, "data_offsets", json::value_t::array);
  check<FormatError>(offsets.size() == 2, "tensor '{}': data_offsets has {} numbers; expected 2", name, offsets.size());
  range = {unsigned_of(offsets[0], name, "data_offsets"), unsigned_of(offsets[1], name, "data_offsets")};
  check<FormatError>(range.begin <= range.end, "tensor '{}': data_offsets {} end before they begin", name, offsets.dump());
  const std::uint64_t expected = checked_byte_count(entry.shape, entry.type, name);
  check<FormatError>(range.end - range.begin == expected, "tensor '{}': {} bytes of data; shape [{}] of {} needs {}", name,
                     range.end - range.begin, fmt::join(entry.shape, ", "), name_of(entry.type), expected);
  return entry;
}

TensorMetadata parse_metadata(const json& object) {
  check<FormatError>(object.is_object(), "its __metadata__ is not an object");
  TensorMetadata metadata;
  for (const auto& [key, value] : object.items()) {
    check<FormatError>(value.is_string(), "its __metadata__ '{}' is not text", key);
    metadata[key] = value.get<std::string>();
  }
  return metadata;
}

// Tensors in data order, each beginning where the one before ends, the last at the end of the file.
std::vector<SafetensorsEntry> parse_entries(const json& header, std::span<const std::byte> data) {
  std::vector<std::pair<Range, SafetensorsEntry>> ranged;
  for (const auto& [name, object] : header.items()) {
    if (name == "__metadata__") continue;
    Range range{};
    SafetensorsEntry entry = parse_entry(name, object, range);
    ranged.emplace_back(range, std::move(entry));
  }
  std::stable_sort(ranged.begin(), ranged.end(), [](const auto& a, const auto& b) {
    return std::pair(a.first.begin, a.first.end) < std::pair(b.first.begin, b.first.end);
  });
  std::uint64_t end = 0;
  std::vector<SafetensorsEntry> entries;
  for (auto& [range, entry] : ranged) {
    check<FormatError>(range.begin == end, "tensor '{}' begins at byte {} of the data; expected {} ({})", entry.name,
                       range.begin, end, range.begin < end ? "it overlaps another tensor" : "there is a hole before it");
    check<FormatError>(range.end <= data.size(), "tensor '{}' ends at byte {} of {} bytes of data: the file is truncated",
                       entry.name, range.end, data.size());
    entry.bytes = data.subspan(range.begin, range.end - range.begin);
    end = range.end;
    entries.push_back(std::move(entry));
  }
  check<FormatError>(end == data.size(), "has {} bytes after its last tensor: it is damaged", data.size() - end);
  return entries;
}

std::string header_of(const std::vector<SafetensorsEntry>& entries, const TensorMetadata& metadata) {
  json header = json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::uint64_t begin = 0;
  for (const SafetensorsEntry& entry : entries) {
    check<FormatError>(!header.contains(entry.name), "tensor '{}' is to be written twice", entry.name);
    check<FormatError>(checked_byte_count(entry.shape, entry.type, entry.name) == entry.bytes.size(),
                       "tensor '{}': {} bytes do not fit its shape", entry.name, entry.bytes.size());
    header[entry.name] = {{"dtype", name_of(entry.type)},
                          {"shape", entry.shape},
                          {"data_offsets", {begin, begin + entry.bytes.size()}}};
    begin += entry.bytes.size();
  }
  std::string text = header.dump();
  text.append((kLengthBytes - text.size() % kLengthBytes) % kLengthBytes, ' ');
  return text;
}

}  // namespace

std::string_view name_of(TensorType type) { return kTypes[static_cast<std::size_t>(type)].name; }
std::size_t bytes_per_element(TensorType type) { return kTypes[static_cast<std::size_t>(type)].bytes; }

SafetensorsFile SafetensorsFile::open(const std::filesystem::path& path) {
  return with_context(fmt::format("'{}'", path.string()), [&] {
    SafetensorsFile file;
    std::size_t size = 0;
    file.mapping_ = map_file(path, size);
    const std::span bytes(static_cast<const std::byte*>(file.mapping_.get()), size);
    std::uint64_t header_bytes = 0;
    std::memcpy(&header_bytes, bytes.data(), kLengthBytes);
    check<FormatError>(header_bytes <= kMaxHeaderBytes, "claims a header of {} bytes; at most {} are allowed", header_bytes,
                       kMaxHeaderBytes);
    check<FormatError>(header_bytes <= size - kLengthBytes, "claims a header of {} bytes, but has {}: it is truncated",
                       header_bytes, size - kLengthBytes);
    const json header =
        parse_header({reinterpret_cast<const char*>(bytes.data()) + kLengthBytes, static_cast<std::size_t>(header_bytes)});
    if (header.contains("__metadata__")) file.metadata_ = parse_metadata(header["__metadata__"]);
    file.entries_ = parse_entries(header, bytes.subspan(kLengthBytes + header_bytes));
    return file;
  });
}

const SafetensorsEntry* SafetensorsFile::find(std::string_view name) const {
  const auto found = std::find_if(entries_.begin(), entries_.end(), [&](const auto& e) { return e.name == name; });
  return found == entries_.end() ? nullptr : &*found;
}

void write_safetensors(const std::filesystem::path& path, const std::vector<SafetensorsEntry>& entries,
                       const TensorMetadata& metadata) {
  const std::string header = header_of(entries, metadata);
  const std::uint64_t length = header.size();
  AtomicFile file(path);
  file.write(std::as_bytes(std::span(&length, 1)));
  file.write(header);
  for (const SafetensorsEntry& entry : entries) file.write(entry.bytes);
  file.commit();
}

}  // namespace domainfusion
