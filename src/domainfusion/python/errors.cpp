// The project's exceptions as Python's: the same texts, and children of what Python code would catch.
#include <c10/util/Exception.h>
#include <torch/csrc/Exceptions.h>

#include <array>
#include <filesystem>

#include "domainfusion/core/error.h"
#include "domainfusion/core/json_context.h"
#include "domainfusion/python/bindings.h"
#include "domainfusion/training/records/stop_signal.h"

namespace domainfusion {
namespace {

// Live as long as the interpreter.
struct ErrorTypes {
  py::handle base, config, io, format, shape, device;
};
ErrorTypes error_types;

py::handle new_error(py::module_& module, const char* name, const py::tuple& bases, const char* help) {
  const std::string full_name = std::string("domainfusion.") + name;
  PyObject* type = PyErr_NewExceptionWithDoc(full_name.c_str(), help, bases.ptr(), nullptr);
  if (type == nullptr) throw py::error_already_set();
  module.attr(name) = py::handle(type);
  return type;
}

// Paths in a message may hold bytes that are no UTF-8.
void raise(py::handle type, std::string_view message) {
  const auto text = py::reinterpret_steal<py::object>(
      PyUnicode_DecodeUTF8(message.data(), static_cast<Py_ssize_t>(message.size()), "surrogateescape"));
  PyErr_SetObject(type.ptr(), text.ptr());
}

void translate(std::exception_ptr exception) {
  const ErrorTypes& types = error_types;
  try {
    if (exception) std::rethrow_exception(exception);
  } catch (const ConfigError& error) {
    raise(types.config, error.what());
  } catch (const IoError& error) {
    raise(types.io, error.what());
  } catch (const FormatError& error) {
    raise(types.format, error.what());
  } catch (const ShapeError& error) {
    raise(types.shape, error.what());
  } catch (const DeviceError& error) {
    raise(types.device, error.what());
  } catch (const Error& error) {
    raise(types.base, error.what());
  } catch (const Interrupted&) {
    PyErr_SetNone(PyExc_KeyboardInterrupt);
  } catch (const std::filesystem::filesystem_error& error) {
    raise(types.io, error.what());
  } catch (const nlohmann::json::exception& error) {
    raise(types.format, std::string("a JSON file is not of the expected form: ") + plain_text(error));
  } catch (python_error& error) {  // raised by Python code that libtorch called
    error.restore();
  } catch (const c10::Error& error) {
    raise(PyExc_RuntimeError, error.what_without_backtrace());
  }
}

}  // namespace

void bind_errors(py::module_& module) {
  ErrorTypes& types = error_types;
  const auto handle = [](PyObject* type) { return py::reinterpret_borrow<py::object>(type); };
  types.base = new_error(module, "Error", py::make_tuple(handle(PyExc_RuntimeError)),
                         "Base of all errors: names the subject, the value found, what was expected, and the remedy.");
  const auto base = py::reinterpret_borrow<py::object>(types.base);
  types.config = new_error(module, "ConfigError", py::make_tuple(base, handle(PyExc_ValueError)),
                           "A wrong option or combination: the call has to change.");
  types.io = new_error(module, "IoError", py::make_tuple(base, handle(PyExc_OSError)),
                       "A file that cannot be found, read or written: the system has to change.");
  types.format = new_error(module, "FormatError", py::make_tuple(base, handle(PyExc_ValueError)),
                           "A file whose content is broken or not of the expected kind.");
  types.shape = new_error(module, "ShapeError", py::make_tuple(base, handle(PyExc_ValueError)),
                          "Tensors or weights of unexpected shapes.");
  types.device = new_error(module, "DeviceError", py::make_tuple(base), "A device that is missing or failed.");
  py::register_exception_translator(&translate);
}

}  // namespace domainfusion
