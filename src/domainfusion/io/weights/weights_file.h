#pragma once
// Weights in whatever format they are: one read-only view of safetensors, PyTorch checkpoints, and those spread over
// several files.

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "domainfusion/io/formats/stored_tensor.h"

namespace domainfusion {

class WeightsFile {
 public:
  // The format is told by the content, not the name; a *.index.json stands for the files it names, which lie beside it.
  // Files are mapped, no tensor is read. Of a tensor that lies in several shards, the one counts that the index names.
  // IoError, FormatError that names the path: broken files (see SafetensorsFile, PytorchFile), other formats, a shard
  // that is not there, or lacks a tensor which the index promises of it.
  static WeightsFile open(const std::filesystem::path& path);

  const std::string& format() const {
    return format_;
  }  // "safetensors", "PyTorch (zip)", "PyTorch (legacy)", "… in 2 files"
  const std::vector<StoredTensor>& tensors() const { return tensors_; }
  const TensorMetadata& metadata() const { return metadata_; }
  // What was passed over in it, for people: one line each, without the path.
  const std::vector<std::string>& remarks() const { return remarks_; }
  // Every file that was read: the path, or the index and its shards.
  const std::vector<std::filesystem::path>& paths() const { return paths_; }
  // Sum of their sizes.
  std::uint64_t file_bytes() const { return file_bytes_; }
  // What the tensors' bytes stay valid with. They are private to this process: writing to them never reaches the file.
  std::shared_ptr<const void> keep_alive() const { return keep_alive_; }

 private:
  static WeightsFile open_one(const std::filesystem::path& path);
  static WeightsFile open_index(const std::filesystem::path& path);
  void add_shard(WeightsFile shard, const std::map<std::string, std::string>& file_of);

  std::string format_;
  std::vector<StoredTensor> tensors_;
  TensorMetadata metadata_;
  std::vector<std::string> remarks_;
  std::vector<std::filesystem::path> paths_;
  std::uint64_t file_bytes_ = 0;
  std::shared_ptr<const void> keep_alive_;
};

// The files of weights in `folder` by their names' endings (safetensors, pth, pt, ckpt, bin, index.json), sorted; files
// that an index names are left to it. Links to files count as files. IoError if it cannot be read.
std::vector<std::filesystem::path> weights_files_in(const std::filesystem::path& folder);

}  // namespace domainfusion
