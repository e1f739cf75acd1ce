#pragma once
// Tensors in PyTorch checkpoints (.pth, .pt, .ckpt, .bin: whatever torch.save wrote), memory-mapped, without libtorch
// or Python.
//
// Both formats: zip archives (since PyTorch 1.6: data.pkl and one entry per storage) and the older stream (a few
// pickles, then the storages). The pickle is read as data (io/pickle.h).

#include <filesystem>
#include <span>
#include <string_view>
#include <vector>

#include "domainfusion/io/files/mapped_file.h"
#include "domainfusion/io/formats/stored_tensor.h"

namespace domainfusion {

class PytorchFile {
 public:
  enum class Format { kZip, kLegacy };

  // Maps the file. The tensors are those of the dictionary at the top of the checkpoint, or of the one below its key
  // state_dict, model_state_dict, model_dict, model, params_ema, params, or, where none of them is there, below its
  // only key that holds tensors. Of a TorchScript archive (OpenAI's CLIP models) they are the module's parameters and
  // buffers by dotted names; its code is not looked at. Values that are no tensors are left out. Every tensor lies
  // inside its storage and has no more elements than it; all together have at most 8 times the file's bytes (tensors
  // may share storages, also a hostile number of times). IoError or FormatError, both naming the path; the latter names
  // a Python object or opcode that weights do not need.
  static PytorchFile open(const std::filesystem::path& path);
  // The same of bytes in memory, which the entries point into. FormatError without a path.
  static PytorchFile parse(std::span<const std::byte> bytes);
  // Whether `bytes` begin like one of the two formats.
  static bool recognises(std::span<const std::byte> bytes);

  Format format() const { return format_; }
  const std::vector<StoredTensor>& entries() const { return entries_; }  // in the order of the dictionary
  // Plain values beside the dictionary ("epoch", "global_step"), as text.
  const TensorMetadata& metadata() const { return metadata_; }
  const MappedFile& mapping() const { return mapping_; }

 private:
  MappedFile mapping_;
  Format format_ = Format::kZip;
  std::vector<StoredTensor> entries_;
  TensorMetadata metadata_;
};

}  // namespace domainfusion
