#include "domainfusion/report/tensorboard/event_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "domainfusion/core/error.h"
#include "domainfusion/core/json_text.h"
#include "domainfusion/io/files/atomic_file.h"
#include "domainfusion/io/files/file_bytes.h"
#include "domainfusion/report/tensorboard/protobuf.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "events.out.tfevents.", kVersion = "brain.Event:2";
constexpr int kVersionField = 3, kSessionField = 7;
constexpr std::size_t kHeaderBytes = 12, kFooterBytes = 4;

double now_seconds() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::uint32_t masked_crc(std::string_view bytes) {
  const std::uint32_t crc = crc32c(bytes);
  return ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
}

template <class Number>
std::string bytes_of(Number number) {
  return {reinterpret_cast<const char*>(&number), sizeof(number)};
}

template <class Number>
Number number_at(std::string_view bytes, std::size_t offset) {
  Number number;
  std::memcpy(&number, bytes.data() + offset, sizeof(number));
  return number;
}

// Event: wall_time = 1, step = 2, file_version = 3, summary = 5, session_log = 7.
ProtobufMessage event(std::int64_t step) { return ProtobufMessage().real(1, now_seconds()).integer(2, step); }

// Summary.Value (field 1 of Summary): tag = 1, simple_value = 2, image = 4, tensor = 8, metadata = 9.
ProtobufMessage value(const std::string& tag) { return ProtobufMessage().text(1, tag); }

// A value of the plugin "hparams", all of it in the metadata. The tensor, an empty one of floats, is what TensorBoard
// itself writes beside it.
ProtobufMessage hparams_summary(const std::string& name, int field, const ProtobufMessage& data) {
  const ProtobufMessage content = ProtobufMessage().integer(1, 0).message(field, data);
  const ProtobufMessage plugin = ProtobufMessage().text(1, "hparams").text(2, content.bytes());
  const ProtobufMessage tensor = ProtobufMessage().integer(1, 1).message(2, {});
  return ProtobufMessage().message(
      1, value("_hparams_/" + name).message(9, ProtobufMessage().message(1, plugin)).message(8, tensor));
}

// google.protobuf.Value.
ProtobufMessage protobuf_value(const nlohmann::json& value) {
  if (value.is_boolean()) return ProtobufMessage().integer(4, value.get<bool>());
  if (value.is_number()) return ProtobufMessage().real(2, value.get<double>());
  return ProtobufMessage().text(3, value.is_string() ? value.get<std::string>() : json_text(value));
}

// HParamInfo.type.
int data_type(const nlohmann::json& value) { return value.is_boolean() ? 2 : value.is_number() ? 3 : 1; }

// What earlier events say of `step` and later steps is void from there on.
ProtobufMessage session_start(std::int64_t step) {
  constexpr int kStart = 1;
  return event(step).message(kSessionField, ProtobufMessage().integer(1, kStart));
}

// Of files that follow each other: without versions and starts, and without what a start made void.
std::string kept_records(const std::vector<fs::path>& files, const std::function<bool(std::string_view)>& keep) {
  struct Kept {
    std::int64_t step;
    std::string record;
  };
  std::vector<Kept> events;
  for (const fs::path& file : files) {
    read_tfrecords(file, [&](std::string_view bytes) {
      const auto field = ProtobufReader::find(bytes, 2);
      const std::int64_t step = field ? static_cast<std::int64_t>(field->value) : 0;
      if (ProtobufReader::find(bytes, kSessionField)) {
        std::erase_if(events, [&](const Kept& event) { return event.step >= step; });
      } else if (!ProtobufReader::find(bytes, kVersionField) && keep(bytes)) {
        events.push_back({step, tfrecord(bytes)});
      }
      return true;
    });
  }
  std::string all;
  for (const Kept& event : events) all += event.record;
  return all;
}

// Names sort as they were made: TensorBoard reads one file after the other.
fs::path next_path(const fs::path& folder) {
  auto number = static_cast<std::int64_t>(now_seconds());
  for (const fs::path& path : event_files_in(folder)) {
    number = std::max<std::int64_t>(number, std::atoll(path.filename().c_str() + kPrefix.size()) + 1);
  }
  return folder / fmt::format("{}{:010d}.domainfusion", kPrefix, number);
}

}  // namespace

std::uint32_t crc32c(std::string_view bytes) {
  static const auto table = [] {
    std::array<std::uint32_t, 256> entries{};
    for (std::uint32_t i = 0; i < 256; ++i) {
      std::uint32_t value = i;
      for (int bit = 0; bit < 8; ++bit) value = value & 1 ? value >> 1 ^ 0x82f63b78u : value >> 1;
      entries[i] = value;
    }
    return entries;
  }();
  std::uint32_t crc = 0xffffffffu;
  for (const char byte : bytes) crc = table[(crc ^ static_cast<unsigned char>(byte)) & 0xff] ^ crc >> 8;
  return ~crc;
}

std::string tfrecord(std::string_view bytes) {
  const std::string length = bytes_of<std::uint64_t>(bytes.size());
  return length + bytes_of(masked_crc(length)) + std::string(bytes) + bytes_of(masked_crc(bytes));
}

std::uint64_t read_tfrecords(const fs::path& path, const std::function<bool(std::string_view)>& keep) {
  const std::string all = read_file(path);
  std::string_view rest = all;
  while (rest.size() >= kHeaderBytes + kFooterBytes) {
    const auto size = number_at<std::uint64_t>(rest, 0);
    if (number_at<std::uint32_t>(rest, 8) != masked_crc(rest.substr(0, 8))) break;
    if (size > rest.size() - kHeaderBytes - kFooterBytes) break;
    const std::string_view bytes = rest.substr(kHeaderBytes, size);
    if (number_at<std::uint32_t>(rest, kHeaderBytes + size) != masked_crc(bytes) || !keep(bytes)) break;
    rest.remove_prefix(kHeaderBytes + size + kFooterBytes);
  }
  return all.size() - rest.size();
}

std::vector<fs::path> event_files_in(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const bool whole = !is_partial_file(entry.path());
    if (whole && entry.path().filename().string().starts_with(kPrefix)) files.push_back(entry.path());
  }
  check<IoError>(!error, "'{}' cannot be read: {}", folder.string(), error.message());
  std::sort(files.begin(), files.end());
  return files;
}

EventFileWriter::EventFileWriter(const fs::path& folder, const std::function<bool(std::string_view event)>& keep)
    : path_(next_path(folder)) {
  const std::vector<fs::path> before = event_files_in(folder);
  std::string bytes = tfrecord(event(0).text(kVersionField, kVersion).bytes());
  if (!before.empty()) bytes += tfrecord(session_start(0).bytes());
  if (keep) bytes += kept_records(before, keep);
  write_file_atomically(path_, bytes);
  for (const fs::path& path : before) fs::remove(path);
  file_ = ::open(path_.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  check<IoError>(file_ >= 0, "{}: cannot be opened: {}", path_.string(), std::strerror(errno));
}

EventFileWriter::~EventFileWriter() {
  if (file_ >= 0) ::close(file_);
}

void EventFileWriter::write(std::string_view bytes) {
  const std::string record = tfrecord(bytes);
  const ssize_t count = ::write(file_, record.data(), record.size());
  check<IoError>(count == static_cast<ssize_t>(record.size()), "{}: an event of {} bytes could not be written: {}",
                 path_.string(), record.size(), count < 0 ? std::strerror(errno) : "the disk is full");
}

void EventFileWriter::scalars(std::int64_t step, const std::map<std::string, double>& values) {
  ProtobufMessage summary;
  for (const auto& [tag, number] : values) summary.message(1, value(tag).real32(2, static_cast<float>(number)));
  write(event(step).message(5, summary).bytes());
}

void EventFileWriter::image(std::int64_t step, const std::string& tag, const Image& image) {
  constexpr int kRgb = 3;
  const ProtobufMessage picture =
      ProtobufMessage().integer(1, image.height).integer(2, image.width).integer(3, kRgb).text(4, encode_png(image));
  write(event(step).message(5, ProtobufMessage().message(1, value(tag).message(4, picture))).bytes());
}

void EventFileWriter::hyper_parameters(const std::map<std::string, nlohmann::json>& values,
                                       const std::vector<std::string>& metrics) {
  ProtobufMessage experiment, session;
  for (const auto& [name, value] : values) {
    experiment.message(4, ProtobufMessage().text(1, name).integer(4, data_type(value)));
    session.message(1, ProtobufMessage().text(1, name).message(2, protobuf_value(value)));
  }
  for (const std::string& tag : metrics) {
    experiment.message(5, ProtobufMessage().message(1, ProtobufMessage().text(2, tag)));
  }
  session.real(5, now_seconds());
  write(event(0).message(5, hparams_summary("experiment", 2, experiment)).bytes());
  write(event(0).message(5, hparams_summary("session_start_info", 3, session)).bytes());
}

void EventFileWriter::session_end() {
  constexpr int kSuccess = 1;
  const ProtobufMessage end = ProtobufMessage().integer(1, kSuccess).real(2, now_seconds());
  write(event(0).message(5, hparams_summary("session_end_info", 4, end)).bytes());
}

}  // namespace domainfusion
