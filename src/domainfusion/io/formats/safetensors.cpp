#include "domainfusion/io/formats/safetensors.h"

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <utility>

#include "domainfusion/core/error.h"
#include "domainfusion/core/json_text.h"
#include "domainfusion/io/files/atomic_file.h"
#include "domainfusion/io/files/readable_text.h"

namespace domainfusion {
namespace {

using nlohmann::json;

constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;
constexpr std::size_t kLengthBytes = 8;
constexpr std::size_t kMaxJsonDepth = 4, kMaxTypeBytes = 100;

std::uint64_t unsigned_of(const json& value, const std::string& tensor, std::string_view field) {
  check<FormatError>(value.is_number_unsigned(), "tensor '{}': {} holds {}; expected whole numbers from 0", tensor,
                     field, json_text(value));
  return value.get<std::uint64_t>();
}

const json& field_of(const json& object, const std::string& tensor, const char* field, json::value_t type) {
  check<FormatError>(object.is_object() && object.contains(field) && object[field].type() == type,
                     "tensor '{}' has no valid '{}' in the header", tensor, field);
  return object[field];
}

struct Range {
  std::uint64_t begin, end;
};

StoredTensor parse_entry(const std::string& name, const json& object, Range& range) {
  StoredTensor entry;
  check_tensor_name(name);
  entry.name = name;
  const std::string type = field_of(object, name, "dtype", json::value_t::string).get<std::string>();
  check<FormatError>(readable_text(type, kMaxTypeBytes) == type, "tensor '{}' has the dtype '{}': it is damaged", name,
                     readable_text(type, kMaxTypeBytes));
  entry.type = tensor_type_named(type);
  if (entry.type == TensorType::kOther) entry.other_type = type;
  for (const json& extent : field_of(object, name, "shape", json::value_t::array)) {
    const std::uint64_t value = unsigned_of(extent, name, "shape");
    check<FormatError>(value <= INT64_MAX, "tensor '{}': extent {} is too large", name, value);
    entry.shape.push_back(static_cast<std::int64_t>(value));
  }
  const json& offsets = field_of(object, name, "data_offsets", json::value_t::array);
  check<FormatError>(offsets.size() == 2, "tensor '{}': data_offsets has {} numbers; expected 2", name, offsets.size());
  range = {unsigned_of(offsets[0], name, "data_offsets"), unsigned_of(offsets[1], name, "data_offsets")};
  check<FormatError>(range.begin <= range.end, "tensor '{}': data_offsets {} end before they begin", name,
                     json_text(offsets));
  if (entry.type == TensorType::kOther) {
    checked_byte_count(entry.shape, TensorType::kU8, name);  // whatever its elements take, their number is one
    return entry;
  }
  const std::uint64_t expected = checked_byte_count(entry.shape, entry.type, name);
  check<FormatError>(range.end - range.begin == expected, "tensor '{}': {} bytes of data; shape [{}] of {} needs {}",
                     name, range.end - range.begin, fmt::join(entry.shape, ", "), name_of(entry.type), expected);
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

using RangedEntries = std::vector<std::pair<Range, StoredTensor>>;

// Takes tensor by tensor out of the JSON while it is parsed, so that a header of 100 MB never becomes a tree of ten
// times its size. Refuses what a JSON object would swallow silently, repeated keys, and what no valid header has: deep
// nesting, long lists.
class HeaderReader : public nlohmann::json_sax<json> {
 public:
  RangedEntries entries;
  TensorMetadata metadata;

  bool null() override {
    return part([](JsonBuilder& b) { b.null(); });
  }
  bool boolean(bool v) override {
    return part([&](JsonBuilder& b) { b.boolean(v); });
  }
  bool number_integer(number_integer_t v) override {
    return part([&](JsonBuilder& b) { b.number_integer(v); });
  }
  bool number_unsigned(number_unsigned_t v) override {
    return part([&](JsonBuilder& b) { b.number_unsigned(v); });
  }
  bool number_float(number_float_t v, const string_t& text) override {
    return part([&](JsonBuilder& b) { b.number_float(v, text); });
  }
  bool string(string_t& v) override {
    return part([&](JsonBuilder& b) { b.string(v); });
  }
  bool binary(binary_t&) override { return false; }
  bool start_array(std::size_t size) override {
    return part([&](JsonBuilder& b) { b.start_array(size); }, 1);
  }
  bool end_array() override {
    return part([](JsonBuilder& b) { b.end_array(); }, -1);
  }
  bool start_object(std::size_t size) override {
    if (!std::exchange(begun_, true)) return true;  // the header itself
    return part([&](JsonBuilder& b) { b.start_object(size); }, 1);
  }
  bool end_object() override {
    if (depth_ == 0) return true;
    return part([](JsonBuilder& b) { b.end_object(); }, -1);
  }
  bool key(string_t& name) override {
    if (depth_ > 0) return part([&](JsonBuilder& b) { b.key(name); });
    check<FormatError>(names_.insert(name).second, "its header names '{}' twice", name);
    name_ = name;
    value_.emplace(JsonLimits{.depth = kMaxJsonDepth,
                              .values = name == kMetadata ? kMaxMetadataValues : kMaxTensorValues,
                              .repeated_keys = false});
    return true;
  }
  [[noreturn]] bool parse_error(std::size_t, const std::string&, const json::exception& error) override {
    throw FormatError(fmt::format("its header is not valid JSON ({}): it is damaged", error.what()));
  }

 private:
  // An event inside the value of `name_`, which opens (+1) or closes (-1) a level.
  template <class Event>
  bool part(Event event, int levels = 0) {
    try {
      event(*value_);
    } catch (Error& error) {
      error.add_context(fmt::format("its header: '{}'", name_));
      throw;
    }
    depth_ += levels;
    if (depth_ == 0) keep(value_->take());
    return true;
  }
  void keep(const json& parsed) {
    if (name_ == kMetadata) {
      metadata = parse_metadata(parsed);
    } else {
      Range range{};
      StoredTensor entry = parse_entry(name_, parsed, range);
      entries.emplace_back(range, std::move(entry));
    }
  }

  static constexpr std::string_view kMetadata = "__metadata__";
  static constexpr std::size_t kMaxMetadataValues = 100'000, kMaxTensorValues = 1000;
  bool begun_ = false;
  int depth_ = 0;  // within the value of a name
  std::set<std::string> names_;
  std::string name_;
  std::optional<JsonBuilder> value_;
};

HeaderReader parse_header(std::string_view text) {
  check<FormatError>(!text.empty() && text.front() == '{',
                     "its header does not begin with '{{': it is not a safetensors file");
  HeaderReader reader;
  visit_json(text, reader);
  return reader;
}

// Tensors in data order, each beginning where the one before ends.
std::vector<StoredTensor> in_data_order(RangedEntries ranged, std::span<const std::byte> data) {
  std::stable_sort(ranged.begin(), ranged.end(), [](const auto& a, const auto& b) {
    return std::pair(a.first.begin, a.first.end) < std::pair(b.first.begin, b.first.end);
  });
  std::uint64_t end = 0;
  std::vector<StoredTensor> entries;
  for (auto& [range, entry] : ranged) {
    check<FormatError>(range.begin == end, "tensor '{}' begins at byte {} of the data; expected {} ({})", entry.name,
                       range.begin, end,
                       range.begin < end ? "it overlaps another tensor" : "there is a hole before it");
    check<FormatError>(range.end <= data.size(),
                       "tensor '{}' ends at byte {} of {} bytes of data: the file is truncated", entry.name, range.end,
                       data.size());
    entry.bytes = data.subspan(range.begin, range.end - range.begin);
    end = range.end;
    entries.push_back(std::move(entry));
  }
  return entries;
}

std::string header_of(const std::vector<StoredTensor>& entries, const TensorMetadata& metadata) {
  json header = json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::uint64_t begin = 0;
  for (const StoredTensor& entry : entries) {
    check<FormatError>(!header.contains(entry.name), "tensor '{}' is to be written twice", entry.name);
    const std::uint64_t size =
        entry.type == TensorType::kOther ? entry.bytes.size() : checked_byte_count(entry.shape, entry.type, entry.name);
    check<FormatError>(size == entry.bytes.size() || !entry.strides.empty(),
                       "tensor '{}': {} bytes do not fit its shape", entry.name, entry.bytes.size());
    header[entry.name] = {{"dtype", type_name(entry)}, {"shape", entry.shape}, {"data_offsets", {begin, begin + size}}};
    begin += size;
  }
  std::string text = json_text(header);
  text.append((kLengthBytes - text.size() % kLengthBytes) % kLengthBytes, ' ');
  return text;
}

void write_tensor(AtomicFile& file, const StoredTensor& tensor) {
  if (tensor.strides.empty()) return file.write(tensor.bytes);
  std::vector<std::byte> row_major(byte_count(tensor));
  copy_row_major(tensor, row_major.data());
  file.write(row_major);
}

}  // namespace

SafetensorsFile SafetensorsFile::open(const std::filesystem::path& path) {
  return with_context(fmt::format("'{}'", path.string()), [&] {
    const MappedFile mapping(path);
    SafetensorsFile file = parse(mapping.bytes());
    file.mapping_ = mapping;
    return file;
  });
}

SafetensorsFile SafetensorsFile::parse(std::span<const std::byte> bytes) {
  check<FormatError>(bytes.size() >= kLengthBytes,
                     "has {} bytes; a safetensors file has at least 8: it is empty or truncated", bytes.size());
  std::uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, bytes.data(), kLengthBytes);
  check<FormatError>(header_bytes <= kMaxHeaderBytes, "claims a header of {} bytes; at most {} are allowed",
                     header_bytes, kMaxHeaderBytes);
  check<FormatError>(header_bytes <= bytes.size() - kLengthBytes,
                     "claims a header of {} bytes, but has {}: it is truncated", header_bytes,
                     bytes.size() - kLengthBytes);
  HeaderReader header = parse_header({reinterpret_cast<const char*>(bytes.data()) + kLengthBytes, header_bytes});
  SafetensorsFile file;
  file.metadata_ = std::move(header.metadata);
  const std::span<const std::byte> data = bytes.subspan(kLengthBytes + header_bytes);
  file.entries_ = in_data_order(std::move(header.entries), data);
  file.trailing_bytes_ = data.size();
  for (const StoredTensor& entry : file.entries_) file.trailing_bytes_ -= entry.bytes.size();
  return file;
}

const StoredTensor* SafetensorsFile::find(std::string_view name) const {
  const auto found = std::find_if(entries_.begin(), entries_.end(), [&](const auto& e) { return e.name == name; });
  return found == entries_.end() ? nullptr : &*found;
}

void write_safetensors(const std::filesystem::path& path, const std::vector<StoredTensor>& entries,
                       const TensorMetadata& metadata) {
  const std::string header = header_of(entries, metadata);
  const std::uint64_t length = header.size();
  AtomicFile file(path);
  file.write(std::as_bytes(std::span(&length, 1)));
  file.write(header);
  for (const StoredTensor& entry : entries) write_tensor(file, entry);
  file.commit();
}

}  // namespace domainfusion
