#include <c10/core/ScalarType.h>

#include "domainfusion/core/error.h"
#include "domainfusion/python/bindings.h"

namespace domainfusion {
namespace {

nlohmann::json json_of_dict(const py::dict& dict) {
  nlohmann::json object = nlohmann::json::object();
  for (const auto& [key, value] : dict) {
    check<ConfigError>(py::isinstance<py::str>(key), "a dict with a key of type {}: expected texts",
                       Py_TYPE(key.ptr())->tp_name);
    object[key.cast<std::string>()] = json_of(value);
  }
  return object;
}

nlohmann::json json_of_sequence(const py::handle& sequence) {
  nlohmann::json array = nlohmann::json::array();
  for (const py::handle& item : sequence) array.push_back(json_of(item));
  return array;
}

// As Python's str() of a torch.dtype or torch.device says it, without the module.
std::string name_of_torch(const py::object& value) {
  std::string name = py::str(value);
  return name.starts_with("torch.") ? name.substr(6) : name;
}

}  // namespace

void interruption_point() {
  const py::gil_scoped_acquire lock;
  if (PyErr_CheckSignals() != 0) throw py::error_already_set();
}

nlohmann::json json_of(py::handle value) {
  if (value.is_none()) return nullptr;
  if (py::isinstance<py::bool_>(value)) return value.cast<bool>();
  if (py::isinstance<py::int_>(value)) return value.cast<std::int64_t>();
  if (py::isinstance<py::float_>(value)) return value.cast<double>();
  if (py::isinstance<py::str>(value)) return value.cast<std::string>();
  if (py::isinstance<py::dict>(value)) return json_of_dict(py::reinterpret_borrow<py::dict>(value));
  if (py::isinstance<py::list>(value) || py::isinstance<py::tuple>(value)) return json_of_sequence(value);
  if (py::hasattr(value, "__fspath__")) return value.attr("__fspath__")().cast<std::string>();
  throw ConfigError(fmt::format("a value of type {}: expected None, a boolean, a number, a text, a list or a dict",
                                Py_TYPE(value.ptr())->tp_name));
}

py::object python_of(const nlohmann::json& value) {
  switch (value.type()) {
    case nlohmann::json::value_t::boolean:
      return py::bool_(value.get<bool>());
    case nlohmann::json::value_t::number_integer:
      return py::int_(value.get<std::int64_t>());
    case nlohmann::json::value_t::number_unsigned:
      return py::int_(value.get<std::uint64_t>());
    case nlohmann::json::value_t::number_float:
      return py::float_(value.get<double>());
    case nlohmann::json::value_t::string:
      return py::str(value.get_ref<const std::string&>());
    case nlohmann::json::value_t::array: {
      py::list list;
      for (const nlohmann::json& item : value) list.append(python_of(item));
      return list;
    }
    case nlohmann::json::value_t::object: {
      py::dict dict;
      for (const auto& [key, item] : value.items()) dict[py::str(key)] = python_of(item);
      return dict;
    }
    default:
      return py::none();
  }
}

Placement placement_of_python(const py::object& device, const py::object& dtype) {
  return placement_of(name_of_torch(device), name_of_torch(dtype));
}

std::vector<std::string> texts_of(const Texts& texts, std::size_t count) {
  if (const auto* one = std::get_if<std::string>(&texts)) return std::vector<std::string>(count, *one);
  return std::get<std::vector<std::string>>(texts);
}

const at::Tensor& checked_images(const at::Tensor& image01_N3HW) {
  check<ShapeError>(
      image01_N3HW.dim() == 4 && image01_N3HW.size(1) == 3 && at::isFloatingType(image01_N3HW.scalar_type()),
      "images [{}] of type {}: expected [N, 3, H, W] of a floating-point type, in [0, 1]",
      fmt::join(image01_N3HW.sizes(), ", "), c10::toString(image01_N3HW.scalar_type()));
  return image01_N3HW;
}

}  // namespace domainfusion
