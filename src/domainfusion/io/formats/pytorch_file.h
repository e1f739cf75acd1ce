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
  // state_dict, model_state_dict, model_dict, model, params_ema, params, or, where none of them is there, of every
  // dictionary below it that holds tensors: of one under their own names, of several ("student", "teacher") under
  // "key.name". Of a TorchScript archive (OpenAI's CLIP models) they are the module's parameters and buffers by dotted
  // names; its code is not looked at. Values that are no tensors are left out. Every tensor lies inside its storage; an
  // expanded one (a stride of 0) may have any number of elements, so whoever copies tensors bounds what they take.
  // IoError or FormatError, both naming the path; the latter names a Python object that runs something.
  static PytorchFile open(const std::filesystem::path& path);
  // The same of bytes in memory, which the entries point into. FormatError without a path.
  static PytorchFile parse(std::span<const std::byte> bytes);
  // Whether `bytes` begin like one of the two formats.
  static bool recognises(std::span<const std::byte> bytes);

  Format format() const { return format_; }
  const std::vector<StoredTensor>& entries() const { return entries_; }  // in the order of the dictionary
  // Plain values beside the dictionary ("epoch", "global_step"), as text.
  const TensorMetadata& metadata() const { return metadata_; }
  // Classes (and functions) of the training program whose objects lie beside the weights; none was looked into.
  const std::vector<std::string>& foreign_objects() const { return foreign_objects_; }
  const MappedFile& mapping() const { return mapping_; }

 private:
  MappedFile mapping_;
  Format format_ = Format::kZip;
  std::vector<StoredTensor> entries_;
  TensorMetadata metadata_;
  std::vector<std::string> foreign_objects_;
};

}  // namespace domainfusion
