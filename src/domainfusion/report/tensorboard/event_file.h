#pragma once
// TensorBoard's event files: events (tensorboard/compat/proto/event.proto) in TFRecord's framing.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "domainfusion/io/images/image.h"

namespace domainfusion {

// CRC-32C (Castagnoli), as TFRecord uses it before its masking.
std::uint32_t crc32c(std::string_view bytes);

// One record of the framing: length, its masked checksum, the bytes, their masked checksum.
std::string tfrecord(std::string_view bytes);

// The records of an event file in order, until its end, a torn or damaged one, or one that `keep` refuses; returns the
// offset behind the last one kept. IoError if the file cannot be read.
std::uint64_t read_tfrecords(const std::filesystem::path& path, const std::function<bool(std::string_view)>& keep);

// Event files of a folder ("events.out.tfevents.…") in the order in which TensorBoard reads them.
std::vector<std::filesystem::path> event_files_in(const std::filesystem::path& folder);

// Appends events to a new file of `folder`, which takes the place of those that are there. Each event is in the file
// when its function returns; times are the present. IoError that names the path.
class EventFileWriter {
 public:
  // The file begins with those events of the earlier files that `keep` wants. A TensorBoard that has read those files
  // forgets them when it comes to this one.
  explicit EventFileWriter(const std::filesystem::path& folder,
                           const std::function<bool(std::string_view event)>& keep = {});
  ~EventFileWriter();
  EventFileWriter(const EventFileWriter&) = delete;
  EventFileWriter& operator=(const EventFileWriter&) = delete;

  const std::filesystem::path& path() const { return path_; }
  void scalars(std::int64_t step, const std::map<std::string, double>& values);
  void image(std::int64_t step, const std::string& tag, const Image& image);
  // A session of the plugin "hparams": `values` holds booleans, numbers and texts; `metrics` are tags of scalars.
  void hyper_parameters(const std::map<std::string, nlohmann::json>& values, const std::vector<std::string>& metrics);
  void session_end();

 private:
  void write(std::string_view bytes);

  std::filesystem::path path_;
  int file_ = -1;
};

}  // namespace domainfusion
