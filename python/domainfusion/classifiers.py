"""The classifier as a torch.nn.Module that shares its weights with the compiled network, and trained ones of runs."""

from __future__ import annotations

import os
from typing import Any, Dict, List, Sequence, Union

import torch
from torch import Tensor, nn

from . import _native


class _Part(nn.Module):
    """A layer's place in the names of the state dict."""


def _place_of(module: nn.Module, parts: Sequence[str]) -> nn.Module:
    for part in parts:
        if part not in module._modules:
            module.add_module(part, _Part())
        module = module._modules[part]
    return module


class Classifier(nn.Module):
    """Backbone, dropout and head: normalised images [N, 3, H, W] (`normalise`) -> logits [N, classes].

    classes: at least 2. seed: of the first weights. options: as `classifier.*` of recipes (backbone="resnet18", weights=FILE, dropout=…).
    Parameters carry torchvision's names (CLIP's for CLIP) and are those that the compiled network computes with.
    """

    def __init__(self, classes: int, *, seed: int = 0, image_size_px: int = 224, **options: Any) -> None:
        super().__init__()
        native = _native.NativeClassifier(classes, seed, image_size_px, options)
        self._take(native, classes, image_size_px, options)

    def _take(self, native: _native.NativeClassifier, classes: int, image_size_px: int, options: Dict[str, Any]) -> None:
        object.__setattr__(self, "_network", native)
        self.classes = classes
        self.image_size_px = image_size_px
        self.options = dict(options)
        for name, tensor in native.parameters():
            *parts, last = name.split(".")
            tensor.__class__ = nn.Parameter  # the very tensor of the network, under the type that modules know
            _place_of(self, parts).register_parameter(last, tensor)
        for name, tensor in native.buffers():
            *parts, last = name.split(".")
            _place_of(self, parts).register_buffer(last, tensor)

    @property
    def feature_size(self) -> int:
        """Width of what features() returns."""
        return self._network.feature_size

    def forward(self, images: Tensor) -> Tensor:
        """Logits [N, classes]. Dropout acts in train mode; begin_step() names its draws."""
        return self._network.forward(images)

    def features(self, images: Tensor) -> Tensor:
        """[N, feature_size], before dropout and head."""
        return self._network.features(images)

    def classify(self, features: Tensor) -> Tensor:
        """Logits of features, through dropout in train mode."""
        return self._network.classify(features)

    def begin_step(self, seed: int, step: int) -> None:
        """Names the training step: the dropout masks that follow are draws of (seed, step)."""
        self._network.begin_step(seed, step)

    def head_parameters(self) -> List[Tensor]:
        """Those of the layers behind the features."""
        return self._network.head_parameters()

    def train(self, mode: bool = True) -> "Classifier":
        super().train(mode)
        self._network.train(mode)
        return self

    def _apply(self, fn: Any, *more: Any) -> "Classifier":
        super()._apply(fn, *more)  # keeps parameters, and puts others in the place of buffers
        for name, tensor in self._network.buffers():
            *parts, last = name.split(".")
            place = _place_of(self, parts)
            if place._buffers[last] is not tensor:
                tensor.data = place._buffers[last]
                place._buffers[last] = tensor
        return self

    def __reduce__(self) -> Any:  # copy.deepcopy and pickle
        state = {name: tensor.detach() for name, tensor in self.state_dict().items()}
        return _rebuilt, (type(self), self.classes, self.image_size_px, self._plain_options(), state, self.training, self._more_state())

    def _plain_options(self) -> Dict[str, Any]:
        return {key: value for key, value in self.options.items() if not key.startswith("weights")}  # the state has them

    def _more_state(self) -> Dict[str, Any]:
        return {}


def _rebuilt(kind: type, classes: int, image_size_px: int, options: Dict[str, Any], state: Dict[str, Tensor], training: bool,
             more: Dict[str, Any]) -> Classifier:
    classifier = kind.__new__(kind)
    nn.Module.__init__(classifier)
    classifier._take(_native.NativeClassifier(classes, 0, image_size_px, options), classes, image_size_px, options)
    classifier.to(next(iter(state.values())).device)
    classifier.load_state_dict(state)
    classifier.__dict__.update(more)
    return classifier.train(training)


class TrainedClassifier(Classifier):
    """The model of a run; see load_run()."""

    class_names: List[str]

    def __init__(self, run: Union[str, "os.PathLike[str]"], model: str = "best", device: Union[str, torch.device] = "cpu") -> None:
        nn.Module.__init__(self)
        trained = _native.TrainedModel(run, model, str(device))
        self._take(trained.classifier, len(trained.class_names), trained.image_size_px, trained.options)
        object.__setattr__(self, "_trained", trained)
        self.class_names = trained.class_names
        super().train(False)

    def probabilities(self, pictures: Sequence[Union[str, "os.PathLike[str]"]]) -> Tensor:
        """Softmax [N, classes], float32 on the CPU, of picture files, resized as the run's validation resized them."""
        if self._trained is None:
            raise _native.ConfigError("probabilities of a copied model: ask the one that load_run() returned")
        was_training = self.training
        self.eval()
        try:
            return self._trained.probabilities(list(pictures))
        finally:
            self.train(was_training)

    def _more_state(self) -> Dict[str, Any]:
        return {"class_names": self.class_names, "_trained": None}


def load_run(run: Union[str, "os.PathLike[str]"], model: str = "best", device: Union[str, torch.device] = "cpu") -> TrainedClassifier:
    """The trained model of a run folder, in eval mode: logits [N, K] of normalised images [N, 3, S, S] of image_size_px.

    model: "best" (selected by source validation), or the run's average ("swad", …).
    """
    return TrainedClassifier(run, model, device)
