#pragma once
// The Python objects that a checkpoint of weights may name.

#include <cstddef>
#include <span>
#include <string_view>

#include "domainfusion/io/formats/pickle.h"
#include "domainfusion/io/formats/stored_tensor.h"

namespace domainfusion {

// What tensors are made of, and what stands beside them in the checkpoints of training programs: every other name makes
// objects of unknown content, but for those whose only use is to run something, which are forbidden. Naming any of them
// executes nothing.
std::span<const PickleGlobal> pytorch_globals();

// How a file of PyTorch names a type of elements.
struct PytorchType {
  std::string_view name;  // "Float", "uint16"
  TensorType type;        // kOther: known by its size alone
  std::size_t bits;       // of an element; 0: unknown
};
// Of "torch.FloatStorage" and the like; of "torch.uint16" and the like. Other names: kOther of unknown size.
PytorchType storage_type_named(std::string_view global);
PytorchType dtype_named(std::string_view global);

// The functions that make a tensor of a storage, offset, shape and strides, and those that wrap one.
enum class TensorMaker { kNone, kTensor, kTensorOfType, kParameter, kSubclass };
TensorMaker tensor_maker_named(std::string_view global);

}  // namespace domainfusion
