#include "domainfusion/io/weights/tensor_file.h"
#include "domainfusion/python/bindings.h"

namespace domainfusion {

void bind_weights(py::module_& module) {
  module.def(
      "read_weights", [](const std::filesystem::path& path) { return load_tensors(path); }, py::arg("path"), Unlocked(),
      "All tensors of a file of weights, by name, on the CPU in the file's types. Safetensors, PyTorch checkpoints "
      "(read\n"
      "as data: no code of theirs runs) and the *.index.json of either; the format is told by the content. Tensors "
      "are\n"
      "the mapped file where possible: writing to one never reaches the file.");
}

}  // namespace domainfusion
