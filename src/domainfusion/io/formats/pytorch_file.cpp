#include "domainfusion/io/formats/pytorch_file.h"

#include <array>
#include <cstring>
#include <functional>
#include <map>
#include <optional>
#include <set>

#include "domainfusion/core/error.h"
#include "domainfusion/io/files/readable_text.h"
#include "domainfusion/io/formats/pickle.h"
#include "domainfusion/io/formats/pytorch_globals.h"
#include "domainfusion/io/formats/zip_archive.h"

namespace domainfusion {
namespace {

using Bytes = std::span<const std::byte>;
using Ref = Pickle::Ref;
using Kind = Pickle::Kind;

constexpr std::string_view kZipStart = "PK\3\4";
// The first pickle of the older format is the number 0x1950a86a20f9469cfc6c (torch/serialization.py, MAGIC_NUMBER).
constexpr std::string_view kMagicNumber = "\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";
constexpr std::int64_t kLegacyProtocol = 1001;
constexpr std::size_t kMaxDimensions = 64, kMaxTypeNameBytes = 100, kMaxTensors = 1'000'000;
// Of TorchScript modules.
constexpr std::size_t kMaxAttributes = 1'000'000, kMaxDepth = 100, kMaxNameBytes = 1000;

struct Storage {
  PytorchType type;
  std::string_view key;
  std::uint64_t count = 0;        // elements
  std::uint64_t view_offset = 0;  // elements; old files keep views of storages
};

// Finds a storage's bytes: exactly count elements; of a type of unknown size, all there are.
using StorageBytes = std::function<Bytes(const Storage&)>;

std::uint64_t storage_size(const Storage& storage) {
  std::uint64_t bits = 0;
  check<FormatError>(!__builtin_mul_overflow(storage.count, storage.type.bits, &bits),
                     "storage '{}' of {} elements overflows", readable_text(storage.key), storage.count);
  return bits / 8;
}

// The identity ('storage', type, key, device, count[, view]) of a storage.
Storage storage_of(const Pickle& pickle, Ref value) {
  check<FormatError>(pickle.is(value, Kind::kPersistent), "holds a tensor without a storage: it is damaged");
  const auto id = pickle.items(pickle.items(value)[0]);
  check<FormatError>(id.empty() || pickle.text(id[0]) != "module",
                     "holds a whole pickled module; save its state_dict() alone: torch.save(model.state_dict(), path)");
  check<FormatError>(id.size() >= 5 && pickle.text(id[0]) == "storage" && pickle.is(id[2], Kind::kText) &&
                         pickle.is(id[4], Kind::kInteger) && pickle.integer(id[4]) >= 0,
                     "holds a storage without key and size: it is damaged");
  Storage storage{storage_type_named(pickle.text(id[1])), pickle.text(id[2]),
                  static_cast<std::uint64_t>(pickle.integer(id[4]))};
  if (id.size() > 5 && pickle.is(id[5], Kind::kTuple)) {
    const auto view = pickle.items(id[5]);
    check<FormatError>(view.size() == 3 && pickle.is(view[1], Kind::kInteger) && pickle.integer(view[1]) >= 0,
                       "storage '{}' is a view without an offset: it is damaged", readable_text(storage.key));
    storage.view_offset = static_cast<std::uint64_t>(pickle.integer(view[1]));
  }
  return storage;
}

TensorMaker maker_of(const Pickle& pickle, Ref value) { return tensor_maker_named(pickle.callee(value)); }

// The arguments of a recorded call.
std::span<const Ref> arguments_of(const Pickle& pickle, Ref call) { return pickle.items(pickle.items(call)[1]); }

// A tensor of a class of its own, made by _rebuild_from_type_v2(maker, class, arguments, state), is one if its maker is
// known.
bool is_tensor(const Pickle& pickle, Ref value) {
  const TensorMaker maker = maker_of(pickle, value);
  if (maker != TensorMaker::kSubclass) return maker != TensorMaker::kNone;
  const auto arguments = arguments_of(pickle, value);
  if (arguments.size() < 3) return false;
  const TensorMaker inner = tensor_maker_named(pickle.text(arguments[0]));
  return inner != TensorMaker::kNone && inner != TensorMaker::kSubclass;
}

std::vector<std::int64_t> integers_of(const Pickle& pickle, Ref tuple, const std::string& tensor, const char* what) {
  // torch.Size((2, 3)) is the tuple it was made of.
  if (pickle.callee(tuple) == "torch.Size" && pickle.items(pickle.items(tuple)[1]).size() == 1) {
    tuple = pickle.items(pickle.items(tuple)[1])[0];
  }
  check<FormatError>(pickle.is(tuple, Kind::kTuple) || pickle.is(tuple, Kind::kList), "tensor '{}' has no {}", tensor,
                     what);
  const auto items = pickle.items(tuple);
  check<FormatError>(items.size() <= kMaxDimensions, "tensor '{}' has {} dimensions; at most {} are allowed", tensor,
                     items.size(), kMaxDimensions);
  std::vector<std::int64_t> values;
  for (const Ref item : items) {
    check<FormatError>(pickle.is(item, Kind::kInteger) && pickle.integer(item) >= 0,
                       "tensor '{}': its {} holds something else than whole numbers from 0", tensor, what);
    values.push_back(pickle.integer(item));
  }
  return values;
}

std::vector<std::int64_t> row_major_strides(const std::vector<std::int64_t>& shape) {
  std::vector<std::int64_t> strides(shape.size(), 1);
  for (std::size_t d = shape.size(); d-- > 1;) strides[d - 1] = strides[d] * std::max<std::int64_t>(shape[d], 1);
  return strides;
}

// Strides of dimensions with one element mean nothing.
bool is_row_major(const std::vector<std::int64_t>& shape, const std::vector<std::int64_t>& strides) {
  const auto plain = row_major_strides(shape);
  for (std::size_t d = 0; d < shape.size(); ++d) {
    if (shape[d] != 1 && strides[d] != plain[d]) return false;
  }
  return true;
}

// Elements from the tensor's first to behind its last one; nullopt on overflow.
std::optional<std::uint64_t> span_of(const std::vector<std::int64_t>& shape, const std::vector<std::int64_t>& strides) {
  std::uint64_t last = 0;
  for (std::size_t d = 0; d < shape.size(); ++d) {
    std::uint64_t reach = 0;
    if (__builtin_mul_overflow(static_cast<std::uint64_t>(shape[d] - 1), static_cast<std::uint64_t>(strides[d]),
                               &reach) ||
        __builtin_add_overflow(last, reach, &last)) {
      return std::nullopt;
    }
  }
  return last == UINT64_MAX ? std::nullopt : std::optional(last + 1);
}

// A tensor's place in the elements of its storage, checked. Of a type that is not known here nothing can be checked.
void place(StoredTensor& tensor, const Storage& storage, std::uint64_t offset, Bytes bytes) {
  if (tensor.type == TensorType::kOther) {
    tensor.bytes = bytes;
    tensor.strides.clear();
    return;
  }
  const std::size_t size = bits_per_element(tensor.type) / 8;
  // An untyped storage counts bytes, whatever the tensor's type.
  const std::uint64_t stored = storage.type.bits / 8 == size ? storage.count : bytes.size() / size;
  if (byte_count(tensor) == 0) {
    tensor.strides.clear();
    return;
  }
  const auto reach = span_of(tensor.shape, tensor.strides);
  check<FormatError>(
      reach.has_value() && offset <= stored && *reach <= stored - offset,
      "tensor '{}' (shape [{}], strides [{}], offset {}) reaches outside its storage of {} elements: it is damaged",
      tensor.name, fmt::join(tensor.shape, ", "), fmt::join(tensor.strides, ", "), offset, stored);
  tensor.bytes = bytes.subspan(offset * size, *reach * size);
  if (is_row_major(tensor.shape, tensor.strides)) tensor.strides.clear();
}

class CheckpointReader {
 public:
  CheckpointReader(const Pickle& pickle, StorageBytes bytes_of) : pickle_(pickle), bytes_of_(std::move(bytes_of)) {}

  std::vector<StoredTensor> tensors() const {
    std::vector<StoredTensor> all;
    const auto dictionaries = dictionaries_of_tensors();
    for (const auto& [key, dict] : dictionaries) add_tensors(dict, dictionaries.size() == 1 ? "" : key + ".", all);
    std::set<std::string_view> names;
    for (const StoredTensor& tensor : all) {
      check<FormatError>(names.insert(tensor.name).second, "names the tensor '{}' twice", tensor.name);
    }
    return all;
  }

  // The parameters and buffers of a TorchScript module, by their dotted names.
  std::vector<StoredTensor> module_tensors() const {
    check<FormatError>(pickle_.is(pickle_.root(), Kind::kDict),
                       "is a TorchScript archive of something else than a module");
    struct Level {
      Ref module;
      std::string prefix;
      std::size_t depth;
    };
    std::vector<StoredTensor> all;
    std::vector<Level> open{{pickle_.root(), "", 0}};
    std::size_t visited = 0;
    while (!open.empty()) {
      const auto [module, prefix, depth] = std::move(open.back());
      open.pop_back();
      const auto attributes = pickle_.items(module);
      visited += attributes.size();
      check<FormatError>(visited <= kMaxAttributes && depth <= kMaxDepth,
                         "holds modules inside one another without end, or {} attributes: it is damaged or hostile",
                         visited);
      for (std::size_t i = 0; i + 1 < attributes.size(); i += 2) {
        const std::string_view attribute = pickle_.text(attributes[i]);
        // Before it is copied: a pickle can name one long text as often as it likes.
        check<FormatError>(prefix.size() + attribute.size() <= kMaxNameBytes,
                           "names an attribute by over {} bytes: it is damaged or hostile", kMaxNameBytes);
        const std::string name = prefix + std::string(attribute);
        if (pickle_.is(attributes[i + 1], Kind::kDict)) open.push_back({attributes[i + 1], name + ".", depth + 1});
        if (!is_tensor(pickle_, attributes[i + 1])) continue;
        check_tensor_name(name);
        all.push_back(tensor(name, attributes[i + 1]));
      }
    }
    return all;
  }

  TensorMetadata metadata() const {
    TensorMetadata found;
    const auto entries = pickle_.items(pickle_.root());
    for (std::size_t i = 0; pickle_.is(pickle_.root(), Kind::kDict) && i + 1 < entries.size(); i += 2) {
      const auto value = plain_text(entries[i + 1]);
      const std::string_view key = pickle_.text(entries[i]);
      if (value && !key.empty() && readable_text(key) == key) found[std::string(key)] = *value;
    }
    return found;
  }

 private:
  bool holds_tensors(Ref dict) const {
    const auto entries = pickle_.items(dict);
    for (std::size_t i = 1; pickle_.is(dict, Kind::kDict) && i < entries.size(); i += 2) {
      if (is_tensor(pickle_, entries[i])) return true;
    }
    return false;
  }

  void add_tensors(Ref dict, const std::string& prefix, std::vector<StoredTensor>& all) const {
    const auto entries = pickle_.items(dict);
    for (std::size_t i = 0; i + 1 < entries.size(); i += 2) {
      if (!is_tensor(pickle_, entries[i + 1])) continue;
      check<FormatError>(pickle_.is(entries[i], Kind::kText), "names a tensor by something else than text");
      check_tensor_name(pickle_.text(entries[i]));
      const std::string name = prefix + std::string(pickle_.text(entries[i]));
      check_tensor_name(name);
      check<FormatError>(all.size() < kMaxTensors, "holds more than {} tensors: it is damaged or hostile", kMaxTensors);
      all.push_back(tensor(name, entries[i + 1]));
    }
  }

  struct KeyedDictionary {
    std::string key;
    Ref dictionary;
  };

  std::vector<KeyedDictionary> dictionaries_of_tensors() const {
    const Ref root = pickle_.root();
    // Before the root: a checkpoint may hold a tensor of its own, such as the best accuracy.
    for (const char* key : {"state_dict", "model_state_dict", "model_dict", "model", "params_ema", "params"}) {
      const auto below = pickle_.find(root, key);
      if (below && holds_tensors(*below)) return {{key, *below}};
    }
    if (holds_tensors(root)) return {{"", root}};
    std::vector<KeyedDictionary> found;
    std::vector<std::string> keys;
    const auto entries = pickle_.items(root);
    for (std::size_t i = 0; pickle_.is(root, Kind::kDict) && i + 1 < entries.size(); i += 2) {
      if (keys.size() < 20) keys.push_back(readable_text(pickle_.text(entries[i])));
      if (holds_tensors(entries[i + 1])) found.push_back({std::string(pickle_.text(entries[i])), entries[i + 1]});
    }
    check<FormatError>(!found.empty(),
                       "holds no dictionary of tensors; expected a state_dict, alone or below a key such as "
                       "'state_dict' (its keys: {}){}",
                       keys.empty() ? "none" : fmt::format("{}", fmt::join(keys, ", ")), remedy_of_objects());
    return found;
  }

  // Where weights may hide: in an object, which is not looked into.
  std::string remedy_of_objects() const {
    if (pickle_.opaque().empty()) return "";
    return fmt::format(
        "; objects of '{}' are not looked into: load the file with the program that wrote it, if you trust it, and "
        "save "
        "the state_dict() alone: torch.save(model.state_dict(), path)",
        readable_text(pickle_.opaque().front()));
  }

  struct TensorCall {
    TensorMaker maker;
    std::span<const Ref> arguments;
  };

  // The call that makes the tensor itself; parameters and tensors of other classes are wrapped around it.
  TensorCall tensor_call(const std::string& name, Ref value) const {
    for (int depth = 0; depth < 4 && is_tensor(pickle_, value); ++depth) {
      TensorCall call{maker_of(pickle_, value), arguments_of(pickle_, value)};
      if (call.maker == TensorMaker::kSubclass) {
        call = {tensor_maker_named(pickle_.text(call.arguments[0])), pickle_.items(call.arguments[2])};
      }
      if (call.maker != TensorMaker::kParameter) return call;
      check<FormatError>(!call.arguments.empty(), "parameter '{}' has no tensor", name);
      value = call.arguments[0];
    }
    throw FormatError(fmt::format("tensor '{}' is no tensor: it is damaged", name));
  }

  // _rebuild_tensor_v2(storage, offset, size, stride, …); _rebuild_tensor_v3 has the type as its seventh argument.
  StoredTensor tensor(std::string name, Ref value) const {
    const auto [maker, arguments] = tensor_call(name, value);
    const bool typed = maker == TensorMaker::kTensorOfType;
    check<FormatError>(arguments.size() >= (typed ? 7u : 4u) && pickle_.is(arguments[1], Kind::kInteger) &&
                           pickle_.integer(arguments[1]) >= 0,
                       "tensor '{}' has no storage, offset, size and strides: it is damaged", name);
    const Storage storage = storage_of(pickle_, arguments[0]);
    const PytorchType type = typed ? dtype_named(pickle_.text(arguments[6])) : storage.type;
    StoredTensor made{std::move(name), type.type, {}, {}};
    if (made.type == TensorType::kOther) made.other_type = readable_text(type.name, kMaxTypeNameBytes);
    made.shape = integers_of(pickle_, arguments[2], made.name, "shape");
    made.strides = integers_of(pickle_, arguments[3], made.name, "strides");
    check<FormatError>(made.shape.size() == made.strides.size(),
                       "tensor '{}' has {} dimensions and {} strides: it is damaged", made.name, made.shape.size(),
                       made.strides.size());
    checked_byte_count(made.shape, made.type == TensorType::kOther ? TensorType::kU8 : made.type, made.name);
    std::uint64_t offset = static_cast<std::uint64_t>(pickle_.integer(arguments[1]));
    check<FormatError>(!__builtin_add_overflow(offset, storage.view_offset, &offset),
                       "tensor '{}': its offset overflows", made.name);
    place(made, storage, offset, bytes_of_(storage));
    return made;
  }

  std::optional<std::string> plain_text(Ref value) const {
    switch (pickle_.kind(value)) {
      case Kind::kInteger:
        return std::to_string(pickle_.integer(value));
      case Kind::kBool:
        return pickle_.integer(value) != 0 ? "true" : "false";
      case Kind::kReal:
        return fmt::format("{}", pickle_.real(value));
      case Kind::kText:
        return readable_text(pickle_.text(value));
      default:
        return std::nullopt;
    }
  }

  const Pickle& pickle_;
  StorageBytes bytes_of_;
};

struct Checkpoint {
  std::vector<StoredTensor> tensors;
  TensorMetadata metadata;
  std::vector<std::string> foreign_objects;
};

Checkpoint read_checkpoint(const Pickle& pickle, StorageBytes bytes_of, bool torchscript = false) {
  CheckpointReader reader(pickle, std::move(bytes_of));
  return {torchscript ? reader.module_tensors() : reader.tensors(), reader.metadata(), pickle.opaque()};
}

// "<folder>/" of the archive's one "<folder>/data.pkl".
std::string zip_folder(const ZipArchive& archive) {
  constexpr std::string_view kName = "/data.pkl";
  std::vector<std::string_view> folders;
  for (const ZipArchive::Entry& entry : archive.entries()) {
    if (entry.name.ends_with(kName) && entry.name.find('/') == entry.name.size() - kName.size()) {
      folders.push_back(entry.name.substr(0, entry.name.size() - kName.size() + 1));
    }
  }
  check<FormatError>(folders.size() == 1,
                     "is a zip archive with {} data.pkl; torch.save writes one: it is no PyTorch checkpoint",
                     folders.size());
  return std::string(folders[0]);
}

Checkpoint read_zip(Bytes bytes) {
  const ZipArchive archive = ZipArchive::parse(bytes);
  const std::string folder = zip_folder(archive);
  if (archive.contains(folder + "byteorder")) {
    const std::string_view order = text_of(archive.stored(folder + "byteorder"));
    check<FormatError>(order == "little", "was written with byte order '{}'; only little-endian files are read",
                       readable_text(order));
  }
  const Pickle pickle = Pickle::parse(archive.stored(folder + "data.pkl"), pytorch_globals());
  const auto bytes_of = [&](const Storage& storage) {
    const Bytes stored = archive.stored(folder + "data/" + std::string(storage.key));
    if (storage.type.bits == 0) return stored;
    const std::uint64_t size = storage_size(storage);
    check<FormatError>(size <= stored.size(), "storage '{}' has {} bytes; {} elements of {} need {}: it is truncated",
                       readable_text(storage.key), stored.size(), storage.count, storage.type.name, size);
    return stored.first(size);
  };
  // Its code is never looked at.
  return read_checkpoint(pickle, bytes_of, archive.contains(folder + "constants.pkl"));
}

// The pickles at the start of an older file, one after the other.
class PickleStream {
 public:
  explicit PickleStream(Bytes bytes) : rest_(bytes) {}
  Pickle next() {
    Pickle pickle = Pickle::parse(rest_, pytorch_globals());
    rest_ = rest_.subspan(pickle.bytes_read());
    return pickle;
  }
  Bytes rest() const { return rest_; }

 private:
  Bytes rest_;
};

using StorageTable = std::map<std::string_view, Storage>;

// All storages that the pickle names.
StorageTable storages_of(const Pickle& pickle) {
  StorageTable table;
  for (Ref value = 0; value < pickle.size(); ++value) {
    if (!pickle.is(value, Kind::kPersistent)) continue;
    const Storage storage = storage_of(pickle, value);
    const auto [known, added] = table.emplace(storage.key, storage);
    check<FormatError>(added || (known->second.type.name == storage.type.name && known->second.count == storage.count),
                       "storage '{}' has two types or sizes: it is damaged", readable_text(storage.key));
  }
  return table;
}

// Behind the pickles, in the order of the keys: the number of elements, then the elements.
std::map<std::string_view, Bytes> legacy_storages(const StorageTable& table, const Pickle& keys, Bytes rest) {
  std::map<std::string_view, Bytes> found;
  check<FormatError>(keys.is(keys.root(), Kind::kList), "has no list of storages: it is damaged");
  for (const Ref key : keys.items(keys.root())) {
    const auto storage = table.find(keys.text(key));
    check<FormatError>(storage != table.end(), "holds the storage '{}', which no tensor uses: it is damaged",
                       readable_text(keys.text(key)));
    std::uint64_t count = 0;
    check<FormatError>(rest.size() >= sizeof(count), "ends before storage '{}': it is truncated",
                       readable_text(storage->first));
    std::memcpy(&count, rest.data(), sizeof(count));
    rest = rest.subspan(sizeof(count));
    check<FormatError>(storage->second.type.bits != 0,
                       "storage '{}' is of type '{}', whose size is not known: what follows cannot be found",
                       readable_text(storage->first), readable_text(storage->second.type.name));
    const std::uint64_t size = storage_size(storage->second);
    check<FormatError>(count == storage->second.count && size <= rest.size(),
                       "storage '{}' announces {} elements of {} with {} bytes left: it is truncated or damaged",
                       readable_text(storage->first), count, storage->second.count, rest.size());
    found[storage->first] = rest.first(size);
    rest = rest.subspan(size);
  }
  return found;
}

Checkpoint read_legacy(Bytes bytes) {
  PickleStream stream(bytes);
  const Pickle magic = stream.next();
  check<FormatError>(magic.text(magic.root()) == kMagicNumber,
                     "does not begin with PyTorch's magic number: it is no PyTorch checkpoint");
  const Pickle protocol = stream.next();
  check<FormatError>(
      protocol.is(protocol.root(), Kind::kInteger) && protocol.integer(protocol.root()) == kLegacyProtocol,
      "is not of PyTorch's protocol {}", kLegacyProtocol);
  const Pickle system = stream.next();
  const auto little = system.find(system.root(), "little_endian");
  check<FormatError>(little && system.is(*little, Kind::kBool) && system.integer(*little) == 1,
                     "was written with another byte order; only little-endian files are read");
  const Pickle content = stream.next();
  const Pickle keys = stream.next();
  const StorageTable table = storages_of(content);
  const auto storages = legacy_storages(table, keys, stream.rest());
  return read_checkpoint(content, [&](const Storage& storage) {
    const auto found = storages.find(storage.key);
    check<FormatError>(found != storages.end(), "has no storage '{}': it is truncated", readable_text(storage.key));
    return found->second;
  });
}

}  // namespace

bool PytorchFile::recognises(Bytes bytes) {
  const std::string_view start = text_of(bytes.first(std::min<std::size_t>(bytes.size(), 32)));
  return start.starts_with(kZipStart) || (start.size() > 2 && start[0] == '\x80' && start[1] >= 1 && start[1] <= 5);
}

PytorchFile PytorchFile::parse(Bytes bytes) {
  PytorchFile file;
  file.format_ = text_of(bytes).starts_with(kZipStart) ? Format::kZip : Format::kLegacy;
  Checkpoint checkpoint = file.format_ == Format::kZip ? read_zip(bytes) : read_legacy(bytes);
  file.entries_ = std::move(checkpoint.tensors);
  file.metadata_ = std::move(checkpoint.metadata);
  file.foreign_objects_ = std::move(checkpoint.foreign_objects);
  return file;
}

PytorchFile PytorchFile::open(const std::filesystem::path& path) {
  return with_context(fmt::format("'{}'", path.string()), [&] {
    const MappedFile mapping(path);
    PytorchFile file = parse(mapping.bytes());
    file.mapping_ = mapping;
    return file;
  });
}

}  // namespace domainfusion
