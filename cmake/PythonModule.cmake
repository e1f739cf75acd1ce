# Whether the Python module is built: DOMAINFUSION_PYTHON, and DOMAINFUSION_PYTHON_MISSING, what it lacks.
#
# It needs an interpreter whose `import torch` is the very libtorch that everything here is built with: two of them in one process do
# not get along. Debian's is python3-torch's; pip's torch is asked for by CMAKE_PREFIX_PATH and Python3_EXECUTABLE, as pip install does.
set(DOMAINFUSION_PYTHON_MISSING "")
if(TORCH_INSTALL_PREFIX STREQUAL "/usr" AND NOT Python3_EXECUTABLE)
  set(Python3_EXECUTABLE /usr/bin/python3)
endif()
find_package(Python3 QUIET COMPONENTS Interpreter Development.Module)
# Of this libtorch, and of no other: a libtorch for C++ alone has none.
find_library(TORCH_PYTHON_LIBRARY torch_python NO_DEFAULT_PATH
             PATHS ${TORCH_INSTALL_PREFIX}/lib ${TORCH_INSTALL_PREFIX}/lib/${CMAKE_LIBRARY_ARCHITECTURE})
find_path(PYBIND11_INCLUDE pybind11/pybind11.h HINTS ${TORCH_INCLUDE_DIRS})
if(DOMAINFUSION_SANITIZE OR DOMAINFUSION_FUZZ)
  set(DOMAINFUSION_PYTHON_MISSING "a build without sanitizers, which Python's own process does not have")
elseif(NOT Python3_Development.Module_FOUND)
  set(DOMAINFUSION_PYTHON_MISSING "Python's headers (python3-dev)")
elseif(NOT TORCH_PYTHON_LIBRARY)
  set(DOMAINFUSION_PYTHON_MISSING "libtorch_python beside libtorch")
elseif(NOT PYBIND11_INCLUDE)
  set(DOMAINFUSION_PYTHON_MISSING "pybind11 (pybind11-dev)")
else()
  file(REAL_PATH ${TORCH_PYTHON_LIBRARY} torch_python)
  # Asking takes seconds: what was found is kept.
  if(NOT DOMAINFUSION_TORCH_OF_PYTHON STREQUAL torch_python OR NOT DOMAINFUSION_TORCH_ASKED STREQUAL Python3_EXECUTABLE)
    execute_process(
      COMMAND ${Python3_EXECUTABLE} -I -c
              "import os, torch; print(os.path.realpath(os.path.join(os.path.dirname(torch.__file__), 'lib/libtorch_python.so')))"
      OUTPUT_VARIABLE found OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
    set(DOMAINFUSION_TORCH_OF_PYTHON "${found}" CACHE INTERNAL "libtorch_python of the interpreter's torch")
    set(DOMAINFUSION_TORCH_ASKED "${Python3_EXECUTABLE}" CACHE INTERNAL "the interpreter that was asked")
  endif()
  if(DOMAINFUSION_TORCH_OF_PYTHON STREQUAL "")
    set(DOMAINFUSION_PYTHON_MISSING "torch for ${Python3_EXECUTABLE} (python3-torch)")
  elseif(NOT DOMAINFUSION_TORCH_OF_PYTHON STREQUAL torch_python)
    set(DOMAINFUSION_PYTHON_MISSING "a torch for ${Python3_EXECUTABLE} that is ${torch_python}: its own is ${DOMAINFUSION_TORCH_OF_PYTHON}")
  endif()
endif()

if(DOMAINFUSION_PYTHON_MISSING STREQUAL "")
  set(possible ON)
else()
  set(possible OFF)
endif()
option(DOMAINFUSION_PYTHON "Build the Python module" ${possible})
if(DOMAINFUSION_PYTHON AND NOT possible)
  message(FATAL_ERROR "DOMAINFUSION_PYTHON is ON, and the Python module needs ${DOMAINFUSION_PYTHON_MISSING}; "
          "install that (scripts/bootstrap --python), or set it to OFF")
elseif(NOT possible)
  unset(DOMAINFUSION_PYTHON CACHE)  # asked anew next time
  message(STATUS "Python module: left out; it needs ${DOMAINFUSION_PYTHON_MISSING}")
endif()
