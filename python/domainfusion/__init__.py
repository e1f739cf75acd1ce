"""DomainFusion: domain generalization with a frozen latent diffusion model.

Tensors are torch's own and cross without copies; errors carry the texts of the program (`Error` and its children).
"""

import os

import torch  # first: the module uses the libtorch that this loads

from ._built_with import torch_library as _built_with

_torch_in_use = os.path.realpath(os.path.join(os.path.dirname(torch.__file__), "lib", "libtorch_python.so"))
if _torch_in_use != _built_with:
    raise ImportError(
        f"domainfusion was built with {_built_with}, and `import torch` uses {_torch_in_use}: "
        "build it for this interpreter (pip install . in the project's folder)"
    )

from ._native import (
    ClipTokenizer,
    ConfigError,
    DeviceError,
    Error,
    FormatError,
    IoError,
    LatentDiffusion,
    Scheduler,
    SchedulerStep,
    ShapeError,
    __version__,
    available_cpus,
    read_weights,
    scheduler_names,
    set_threads,
)

__all__ = [
    "ClipTokenizer",
    "ConfigError",
    "DeviceError",
    "Error",
    "FormatError",
    "IoError",
    "LatentDiffusion",
    "Scheduler",
    "SchedulerStep",
    "ShapeError",
    "__version__",
    "available_cpus",
    "read_weights",
    "scheduler_names",
    "set_threads",
]
