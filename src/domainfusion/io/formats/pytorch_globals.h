#pragma once
// The Python objects that a checkpoint of weights may name.

#include <optional>
#include <span>
#include <string_view>

#include "domainfusion/io/formats/pickle.h"
#include "domainfusion/io/formats/stored_tensor.h"

namespace domainfusion {

// What tensors are made of, and what stands beside them in the checkpoints of training programs. Naming any of them
// executes nothing.
std::span<const PickleGlobal> pytorch_globals();

// The element type of "torch.FloatStorage" and the like; nullopt for other names.
std::optional<TensorType> storage_type_named(std::string_view global);

}  // namespace domainfusion
