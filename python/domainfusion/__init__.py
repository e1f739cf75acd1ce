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
    Batch,
    BatchLoader,
    ClipTokenizer,
    ConfigError,
    Decomposition,
    DeviceError,
    Error,
    FormatError,
    IoError,
    LatentDiffusion,
    Optimizer,
    Scheduler,
    SchedulerStep,
    ShapeError,
    StyleContent,
    available_cpus,
    decomposition_names,
    denormalise,
    lr_at,
    match_distribution,
    mix_spectra,
    mix_statistics,
    normalise,
    read_image,
    read_json_lines,
    read_weights,
    records,
    run_description,
    scheduler_names,
    set_threads,
    tables,
    __version__,
)
from .classifiers import Classifier, TrainedClassifier, load_run
from .datasets import CandidateStore, Images, Rounds, Sources
from .distillation import LatentDistillation

__all__ = [
    "Batch",
    "BatchLoader",
    "CandidateStore",
    "Classifier",
    "ClipTokenizer",
    "ConfigError",
    "Decomposition",
    "DeviceError",
    "Error",
    "FormatError",
    "Images",
    "IoError",
    "LatentDiffusion",
    "LatentDistillation",
    "Optimizer",
    "Rounds",
    "Scheduler",
    "SchedulerStep",
    "ShapeError",
    "Sources",
    "StyleContent",
    "TrainedClassifier",
    "available_cpus",
    "decomposition_names",
    "denormalise",
    "load_run",
    "lr_at",
    "match_distribution",
    "mix_spectra",
    "mix_statistics",
    "normalise",
    "read_image",
    "read_json_lines",
    "read_weights",
    "records",
    "run_description",
    "scheduler_names",
    "set_threads",
    "tables",
    "__version__",
]
