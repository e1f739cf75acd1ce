#pragma once
// The classes of the procedural set: everyday objects built from parts, with random variation of shape and colour.

#include <string>
#include <vector>

#include "domainfusion/core/random/random.h"
#include "domainfusion/data/procedural/drawing/shape.h"

namespace domainfusion {

// In label order.
const std::vector<std::string>& procedural_class_names();

// One random object of class `label` (0 … number of classes - 1; ConfigError otherwise): parts from back to front.
std::vector<Part> make_object(int label, RandomStream& random);

}  // namespace domainfusion
