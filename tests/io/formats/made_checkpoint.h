#pragma once
// Checkpoints made byte by byte, also such as torch.save would never write.

#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

namespace domainfusion {

template <class Number>
std::string little_endian(Number number) {
  std::string bytes(sizeof(Number), '\0');
  std::memcpy(bytes.data(), &number, sizeof(Number));
  return bytes;
}

struct MadeZipEntry {
  std::string name, content;
  std::uint16_t method = 0;
};

inline std::string zip_header(const MadeZipEntry& entry, bool central, std::uint32_t offset) {
  const auto size = static_cast<std::uint32_t>(entry.content.size());
  std::string text = central ? "PK\1\2" + std::string(4, '\0') : "PK\3\4" + std::string(2, '\0');
  text += little_endian<std::uint16_t>(0) + little_endian(entry.method) + std::string(8, '\0');
  text += little_endian(size) + little_endian(size) +
          little_endian<std::uint16_t>(static_cast<std::uint16_t>(entry.name.size()));
  text += std::string(2, '\0');
  if (central) text += std::string(10, '\0') + little_endian(offset);
  return text + entry.name;
}

// An archive whose entries lie as given.
inline std::string made_zip(const std::vector<MadeZipEntry>& entries) {
  std::string bytes, directory;
  for (const MadeZipEntry& entry : entries) {
    directory += zip_header(entry, true, static_cast<std::uint32_t>(bytes.size()));
    bytes += zip_header(entry, false, 0) + entry.content;
  }
  const auto count = little_endian(static_cast<std::uint16_t>(entries.size()));
  return bytes + directory + "PK\5\6" + std::string(4, '\0') + count + count +
         little_endian(static_cast<std::uint32_t>(directory.size())) +
         little_endian(static_cast<std::uint32_t>(bytes.size())) + std::string(2, '\0');
}

// Pieces of pickles.
inline std::string pickled_text(const std::string& text) {
  return "X" + little_endian(static_cast<std::uint32_t>(text.size())) + text;
}
inline std::string pickled_integer(std::int64_t number) { return "\x8a\x08" + little_endian(number); }
inline std::string pickled_tuple(const std::vector<std::int64_t>& numbers) {
  std::string text = "(";
  for (const std::int64_t number : numbers) text += pickled_integer(number);
  return text + "t";
}

struct MadeTensor {
  std::string type = "FloatStorage";
  std::string key = "0";
  std::int64_t count = 6, offset = 0;
  std::vector<std::int64_t> shape{2, 3}, strides{3, 1};
};

inline std::string pickled_tensor(const MadeTensor& t) {
  return "ctorch._utils\n_rebuild_tensor_v2\n((" + pickled_text("storage") + "ctorch\n" + t.type + "\n" +
         pickled_text(t.key) + pickled_text("cpu") + pickled_integer(t.count) + "tQ" + pickled_integer(t.offset) +
         pickled_tuple(t.shape) + pickled_tuple(t.strides) + "\x89}tR";
}

// A state_dict pickle of one tensor "w".
inline std::string pickled_state(const MadeTensor& tensor) {
  return "\x80\x02}" + pickled_text("w") + pickled_tensor(tensor) + "s.";
}

// The zip file of a pickle and its storage "0" of `storage_bytes` bytes.
inline std::string made_checkpoint(const std::string& pickle, std::size_t storage_bytes = 24) {
  return made_zip(
      {{"archive/data.pkl", pickle}, {"archive/data/0", std::string(storage_bytes, '\1')}, {"archive/version", "3\n"}});
}

}  // namespace domainfusion
