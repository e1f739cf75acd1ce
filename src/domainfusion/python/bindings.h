#pragma once
// What each file of this room adds to the Python module, and the conversions that they share.
//
// Tensors cross as they are, without a copy and with their autograd graph (libtorch's own caster); JSON as plain dicts,
// lists, numbers and texts. Long calls give the interpreter's lock away (Unlocked).

#include <pybind11/functional.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>
#include <pybind11/stl/filesystem.h>
#include <torch/csrc/utils/pybind.h>

#include <nlohmann/json.hpp>
#include <string>
#include <variant>
#include <vector>

#include "domainfusion/core/machine/placement.h"

namespace domainfusion {

void bind_errors(pybind11::module_& module);
void bind_machine(pybind11::module_& module);
void bind_tokenizer(pybind11::module_& module);
void bind_schedulers(pybind11::module_& module);
void bind_weights(pybind11::module_& module);
void bind_latent_diffusion(pybind11::module_& module);
void bind_classifier(pybind11::module_& module);
void bind_datasets(pybind11::module_& module);
void bind_distillation(pybind11::module_& module);
void bind_rounds(pybind11::module_& module);
void bind_style_content(pybind11::module_& module);
void bind_results(pybind11::module_& module);

using Unlocked = pybind11::call_guard<pybind11::gil_scoped_release>;

// Python has to see Ctrl-C in calls that hold no lock: to be called between their parts. Throws what the handler
// raises.
void interruption_point();

// None: null. ConfigError that names the type of a value that JSON does not know.
nlohmann::json json_of(pybind11::handle value);
pybind11::object python_of(const nlohmann::json& value);

// "cuda:0" or torch.device, "float32" or torch.float32. ConfigError, DeviceError.
Placement placement_of_python(const pybind11::object& device, const pybind11::object& dtype);

// One text for all, or one for each.
using Texts = std::variant<std::string, std::vector<std::string>>;
std::vector<std::string> texts_of(const Texts& texts, std::size_t count);

// The tensor itself. ShapeError unless it is [N, 3, H, W] of a floating-point type.
const at::Tensor& checked_images(const at::Tensor& image01_N3HW);

}  // namespace domainfusion

namespace pybind11::detail {

template <>
struct type_caster<nlohmann::json> {
  PYBIND11_TYPE_CASTER(nlohmann::json, const_name("object"));

  bool load(handle source, bool) {
    value = domainfusion::json_of(source);
    return true;
  }
  static handle cast(const nlohmann::json& source, return_value_policy, handle) {
    return domainfusion::python_of(source).release();
  }
};

}  // namespace pybind11::detail
