#include "domainfusion/io/weights/weights_file.h"

#include <algorithm>
#include <cstring>
#include <set>

#include "domainfusion/core/error.h"
#include "domainfusion/io/files/broken_link.h"
#include "domainfusion/io/files/file_bytes.h"
#include "domainfusion/io/files/readable_text.h"
#include "domainfusion/io/formats/pytorch_file.h"
#include "domainfusion/io/formats/safetensors.h"
#include "domainfusion/io/formats/shard_index.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kIndexMark = ".index.";
constexpr std::size_t kMaxIndexBytes = 100'000'000;

// "w.index.json", and "w.index.fp16.json" of a variant.
bool is_index(const fs::path& path) {
  const std::string name = path.filename().string();
  return name.ends_with(".json") && name.find(kIndexMark) != std::string::npos;
}

// A header's length may begin with the very bytes of a pickle (640 is 80 02 …), but pickles and zip archives, read as a
// length, claim more than any file has.
bool looks_like_safetensors(std::string_view text) {
  std::uint64_t header_bytes = 0;
  if (text.size() <= sizeof(header_bytes) || text[sizeof(header_bytes)] != '{') return false;
  std::memcpy(&header_bytes, text.data(), sizeof(header_bytes));
  return header_bytes <= text.size() - sizeof(header_bytes);
}

// What the bytes look like, for the message about a file that is none of the known formats.
std::string_view name_of_other_weights_format(std::string_view text) {
  using namespace std::string_view_literals;
  if (text.empty()) return "an empty file";
  if (text.size() > 262 && text.substr(257, 5) == "ustar") return "a tar archive, as PyTorch before 0.2 wrote them";
  if (text.starts_with("GGUF")) return "GGUF";
  if (text.starts_with("\x89HDF\r\n")) return "HDF5";
  if (text.starts_with("\x1f\x8b")) return "gzip; unpack it first";
  if (text.starts_with("version https://git-lfs")) return "a Git LFS pointer; fetch the file itself (git lfs pull)";
  if (text.starts_with("<!DOCTYPE") || text.starts_with("<html")) return "a web page; the download went wrong";
  if (text.starts_with("{")) return "JSON";
  return "unknown";
}

void check_is_file(const fs::path& path) {
  check<IoError>(!fs::is_directory(path), "'{}' is a folder; expected a file of weights", path.string());
}

fs::file_status status_of(const fs::path& path) {
  std::error_code error;
  return fs::status(path, error);
}

bool has_ending_of_weights(const fs::path& path) {
  const std::string name = path.filename().string();
  const auto ends = [&name](std::string_view ending) { return name.ends_with(ending); };
  return ends(".safetensors") || ends(".pth") || ends(".pt") || ends(".ckpt") || ends(".bin") || is_index(path);
}

// File names that an index of the folder names; none for a broken index, which is reported when it is opened itself.
void add_shard_names(const fs::path& index, std::set<std::string>& names) {
  try {
    for (const auto& [tensor, file] : parse_shard_index(read_file(index))) names.insert(file);
  } catch (const Error&) {
  }
}

std::string remark_on_objects(const std::vector<std::string>& names) {
  constexpr std::size_t kMostNamed = 5;
  std::vector<std::string> readable;
  for (const std::string& name : names) {
    if (readable.size() < kMostNamed) readable.push_back(readable_text(name));
  }
  return fmt::format("objects of {}{} are passed over unseen: nothing was executed", fmt::join(readable, ", "),
                     names.size() > kMostNamed ? fmt::format(" and {} more", names.size() - kMostNamed) : "");
}

std::string remark_on_strays(const std::string& shard, const std::vector<std::string>& names) {
  constexpr std::size_t kMostNamed = 5;
  const std::vector<std::string> first(names.begin(), names.begin() + std::min(names.size(), kMostNamed));
  return fmt::format("{} holds {} tensors that the index does not ask of it: {}{}", shard, names.size(),
                     fmt::join(first, ", "), names.size() > kMostNamed ? ", …" : "");
}

}  // namespace

WeightsFile WeightsFile::open(const fs::path& path) {
  check_is_file(path);
  return is_index(path) ? open_index(path) : open_one(path);
}

WeightsFile WeightsFile::open_one(const fs::path& path) {
  return with_context(fmt::format("'{}'", path.string()), [&] {
    const MappedFile mapping(path);
    WeightsFile file;
    file.paths_ = {path};
    file.file_bytes_ = mapping.bytes().size();
    file.keep_alive_ = std::make_shared<MappedFile>(mapping);
    const auto take = [&file](const auto& parsed, std::string format) {
      file.format_ = std::move(format);
      file.tensors_ = parsed.entries();
      file.metadata_ = parsed.metadata();
    };
    const std::string_view text = text_of(mapping.bytes());
    if (!looks_like_safetensors(text) && PytorchFile::recognises(mapping.bytes())) {
      const PytorchFile parsed = PytorchFile::parse(mapping.bytes());
      take(parsed, parsed.format() == PytorchFile::Format::kZip ? "PyTorch (zip)" : "PyTorch (legacy)");
      if (!parsed.foreign_objects().empty()) file.remarks_.push_back(remark_on_objects(parsed.foreign_objects()));
    } else if (looks_like_safetensors(text) || path.extension() == ".safetensors") {
      const SafetensorsFile parsed = SafetensorsFile::parse(mapping.bytes());
      take(parsed, "safetensors");
      if (parsed.trailing_bytes() > 0)
        file.remarks_.push_back(
            fmt::format("{} bytes behind its last tensor are passed over", parsed.trailing_bytes()));
    } else {
      throw FormatError(fmt::format("is neither safetensors nor a PyTorch checkpoint (its content: {}, {} bytes)",
                                    name_of_other_weights_format(text), text.size()));
    }
    return file;
  });
}

void WeightsFile::add_shard(WeightsFile shard, const std::map<std::string, std::string>& file_of) {
  const std::string name = shard.paths_.front().filename().string();
  std::vector<std::string> strays;
  for (StoredTensor& tensor : shard.tensors_) {
    const auto promised = file_of.find(tensor.name);
    if (promised == file_of.end() || promised->second != name) strays.push_back(tensor.name);
    if (promised == file_of.end() || promised->second == name) tensors_.push_back(std::move(tensor));
  }
  if (!strays.empty()) remarks_.push_back(remark_on_strays(name, strays));
  for (const std::string& remark : shard.remarks_) remarks_.push_back(fmt::format("{}: {}", name, remark));
  paths_.push_back(shard.paths_.front());
  file_bytes_ += shard.file_bytes_;
  keep_alive_ = std::make_shared<std::pair<std::shared_ptr<const void>, std::shared_ptr<const void>>>(
      keep_alive_, shard.keep_alive_);
  for (const auto& [key, value] : shard.metadata_) metadata_[key] = value;
  format_ = shard.format_;
}

WeightsFile WeightsFile::open_index(const fs::path& path) {
  return with_context(fmt::format("'{}'", path.string()), [&] {
    std::error_code error;
    check<FormatError>(fs::file_size(path, error) <= kMaxIndexBytes || error, "has more than {} bytes", kMaxIndexBytes);
    const auto file_of = parse_shard_index(read_file(path));
    WeightsFile all;
    all.paths_ = {path};
    std::set<std::string> files;
    for (const auto& [tensor, file] : file_of) files.insert(file);
    for (const std::string& file : files) {
      check<IoError>(fs::exists(status_of(path.parent_path() / file)),
                     "its file {} is not there{}: incomplete download?", file, broken_link(path.parent_path() / file));
      all.add_shard(open_one(path.parent_path() / file), file_of);
    }
    std::set<std::string> names;
    std::erase_if(all.tensors_, [&names](const StoredTensor& tensor) { return !names.insert(tensor.name).second; });
    std::vector<std::string> missing;
    for (const auto& [tensor, file] : file_of) {
      if (!names.contains(tensor)) missing.push_back(fmt::format("{} in {}", readable_text(tensor), file));
    }
    check<FormatError>(missing.empty(), "its files lack tensors that it names ({}): {}", missing.size(),
                       fmt::join(missing, "; "));
    all.format_ += fmt::format(" in {} files", files.size());
    return all;
  });
}

std::vector<fs::path> weights_files_in(const fs::path& folder) {
  std::vector<fs::path> found;
  std::set<std::string> shards;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    if (!has_ending_of_weights(entry.path()) || fs::is_directory(status_of(entry.path()))) continue;
    found.push_back(entry.path());
    if (is_index(entry.path())) add_shard_names(entry.path(), shards);
  }
  check<IoError>(!error, "'{}' cannot be read: {}", folder.string(), error.message());
  std::erase_if(found, [&shards](const fs::path& path) { return shards.contains(path.filename().string()); });
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace domainfusion
