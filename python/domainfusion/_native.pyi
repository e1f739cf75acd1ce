"""Types of the compiled module; shapes, units and meanings are in its docstrings (`help(domainfusion)`)."""

import os
from typing import Any, Callable, Dict, List, Optional, Sequence, Union

from torch import Tensor, device as Device, dtype as DType

Json = Union[None, bool, int, float, str, List[Any], Dict[str, Any]]
Path = Union[str, "os.PathLike[str]"]
Texts = Union[str, Sequence[str]]

__version__: str

class Error(RuntimeError): ...
class ConfigError(Error, ValueError): ...
class IoError(Error, OSError): ...
class FormatError(Error, ValueError): ...
class ShapeError(Error, ValueError): ...
class DeviceError(Error): ...

def set_threads(threads: int = 0) -> int: ...
def available_cpus() -> int: ...
def read_weights(path: Path) -> Dict[str, Tensor]: ...
def scheduler_names() -> List[str]: ...

class ClipTokenizer:
    length: int
    start_id: int
    end_id: int
    pad_id: int
    vocabulary_size: int
    @staticmethod
    def load(folder: Path, unstated_length: int = 77) -> ClipTokenizer: ...
    def __call__(self, prompts: Texts) -> Tensor: ...
    def encode(self, prompt: str) -> List[int]: ...
    def tokenize(self, prompt: str) -> List[int]: ...
    def cut_text(self, prompt: str) -> str: ...

class SchedulerStep:
    sample: Tensor
    z0: Optional[Tensor]

class Scheduler:
    timesteps: List[float]
    sigmas: List[float]
    init_noise_sigma: float
    denoises: bool
    def __init__(self, name: str = "auto", config: Optional[Dict[str, Any]] = None) -> None: ...
    def set_timesteps(self, steps: int) -> None: ...
    def set_timesteps_from(self, steps: int, strength: float) -> int: ...
    def scale_model_input(self, sample: Tensor, index: int) -> Tensor: ...
    def needs_noise(self, index: int) -> bool: ...
    def step(self, prediction: Tensor, index: int, sample: Tensor, noise: Optional[Tensor] = None) -> SchedulerStep: ...
    def add_noise(self, z0: Tensor, noise: Tensor, index: int) -> Tensor: ...

class LatentDiffusion:
    image_size_px: int
    latent_shape: List[int]
    scaling_factor: float
    alphas_cumprod: Tensor
    tokenizer: ClipTokenizer
    scheduler_config: Dict[str, Any]
    provenance: Optional[Dict[str, Any]]
    device: str
    dtype: str
    folder: "os.PathLike[str]"
    @staticmethod
    def load(
        path: Path,
        *,
        tokenizer: Path = "",
        prediction_type: str = "",
        device: Union[str, Device] = "cpu",
        dtype: Union[str, DType] = "float32",
        lazy: bool = False,
    ) -> LatentDiffusion: ...
    def encode(self, images: Tensor) -> Tensor: ...
    def decode(self, latents: Tensor) -> Tensor: ...
    def embed(self, prompts: Texts) -> Tensor: ...
    def predict(self, z_t: Tensor, t: Tensor, condition: Tensor) -> Tensor: ...
    def predict_epsilon(self, z_t: Tensor, t: Tensor, condition: Tensor) -> Tensor: ...
    def image_to_image(
        self,
        images: Optional[Tensor],
        prompts: Texts,
        *,
        latents: Optional[Tensor] = None,
        negative_prompt: str = "",
        strength: float = 0.5,
        steps: int = 20,
        guidance_scale: float = 5.0,
        scheduler: str = "ddim",
        eta: float = 0.0,
        mode: str = "img2img",
        inversion_prompts: Optional[Texts] = None,
        seed: int = 0,
        ids: Optional[Sequence[int]] = None,
        noise: Optional[Tensor] = None,
        decode: bool = True,
        on_latents: Optional[Callable[[Tensor], None]] = None,
    ) -> Tensor: ...
    def invert(
        self,
        images: Optional[Tensor],
        prompts: Texts = "",
        *,
        latents: Optional[Tensor] = None,
        steps: int = 20,
        count: Optional[int] = None,
    ) -> Tensor: ...
    def weights_hash(self) -> str: ...
    def use_vae_tiles(self, tile_px: int) -> None: ...
    def release(self, part: str) -> None: ...
