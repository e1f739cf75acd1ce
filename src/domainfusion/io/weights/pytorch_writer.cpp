#include "domainfusion/io/weights/pytorch_writer.h"

#include <caffe2/serialize/inline_container.h>
#include <torch/csrc/jit/serialization/pickler.h>
#include <torch/types.h>

#include "domainfusion/io/files/atomic_file.h"

namespace domainfusion {
namespace {

// The pickle names storages "0", "1", … in the order of `storages`. Type tags, which TorchScript adds to dictionaries,
// would be objects that readers of plain weights refuse.
std::string pickled(const TensorMap& tensors, std::vector<at::Tensor>& storages) {
  c10::Dict<std::string, at::Tensor> dictionary;
  for (const auto& [name, tensor] : tensors)
    dictionary.insert(name, tensor.detach().cpu().clone(at::MemoryFormat::Contiguous));
  std::string bytes;
  torch::jit::Pickler pickler([&](const char* data, std::size_t size) { bytes.append(data, size); }, nullptr, nullptr,
                              nullptr, nullptr, /*tag_aggregates=*/false);
  pickler.protocol();
  pickler.pushIValue(dictionary);
  pickler.stop();
  storages = pickler.tensorData();
  return bytes;
}

}  // namespace

void save_pytorch(const std::filesystem::path& path, const TensorMap& tensors) {
  std::vector<at::Tensor> storages;
  const std::string pickle = pickled(tensors, storages);
  // Collected first: the writer's destructor could not report a full disk.
  std::string archive;
  caffe2::serialize::PyTorchStreamWriter writer([&](const void* data, std::size_t size) {
    archive.append(static_cast<const char*>(data), size);
    return size;
  });
  writer.writeRecord("data.pkl", pickle.data(), pickle.size());
  for (std::size_t i = 0; i < storages.size(); ++i) {
    writer.writeRecord(fmt::format("data/{}", i), storages[i].data_ptr(), storages[i].nbytes());
  }
  writer.writeEndOfFile();
  write_file_atomically(path, archive);
}

}  // namespace domainfusion
