"""Images of sets, of rounds and of candidate stores as torch.utils.data.Dataset, and the source domains of a run."""

from __future__ import annotations

import json
import os
import pathlib
from typing import Any, Callable, Dict, List, Optional, Tuple, Union

from torch import Tensor
from torch.utils.data import Dataset

from . import _native
from .classifiers import Classifier

PathLike = Union[str, "os.PathLike[str]"]
Transform = Optional[Callable[[Tensor], Any]]


class Images(Dataset):
    """All images of a set, domain after domain: (image, label, domain).

    view: "plain", float32 [3, H, W] in [0, 1] in its own size, or with size_px the whole picture as a square of that size, as diffusion
    models take it; "evaluation", normalised squares of size_px as validation shows them to classifiers. `transform` is given that.
    Safe in DataLoader's workers.
    """

    def __init__(
        self, root: PathLike, *, size_px: Optional[int] = None, view: str = "plain", transform: Transform = None, **options: Any
    ) -> None:
        """root: a folder <domain>/<class>/<image>. options: as `data.*` of recipes."""
        self._take(_native.open_images(root, options), size_px, view, transform)

    @classmethod
    def _of(cls, native: _native.NativeImages, size_px: Optional[int] = None, view: str = "plain", transform: Transform = None) -> "Images":
        images = cls.__new__(cls)
        images._take(native, size_px, view, transform)
        return images

    def _take(self, native: _native.NativeImages, size_px: Optional[int], view: str, transform: Transform) -> None:
        self.native = native
        self.size_px = size_px
        self.view = view
        self.transform = transform
        self.class_names: List[str] = native.class_names
        self.domain_names: List[str] = native.domain_names
        self._places = [(domain, index) for domain in range(len(self.domain_names)) for index in range(native.size(domain))]

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, item: int) -> Tuple[Any, int, int]:
        domain, index = self._places[item]
        image = self.native.image(domain, index, self.size_px, self.view)
        return (self.transform(image) if self.transform else image), self.native.label(domain, index), domain

    def place(self, item: int) -> Tuple[int, int]:
        """(domain, index within it), by which distillation names images."""
        return self._places[item]

    def path(self, item: int) -> str:
        """"<domain>/<class>/<file>", relative to the set."""
        return self.native.path(*self._places[item])

    def keys(self) -> List[Tuple[int, int, int]]:
        """(domain, index, label) of all images, as LatentDistillation.prepare takes them."""
        return [(domain, index, self.native.label(domain, index)) for domain, index in self._places]

    def resized(self, size_px: Optional[int], view: str = "plain", transform: Transform = None) -> "Images":
        """The same images in another size and view."""
        return Images._of(self.native, size_px, view, transform)


class Sources:
    """The source domains of a run, split as the program splits them; no image of the held-out domain can be reached.

    data: a folder <domain>/<class>/<image>. test_domain: held out. recipe: a TOML file. options: by the dotted names of recipes, as
    {"loader.batch_size": 8, "seed": 1}. data.cache is "none" here if not given: its lock would not survive DataLoader's forks.
    """

    def __init__(self, data: PathLike, test_domain: str, *, recipe: PathLike = "", options: Optional[Dict[str, Any]] = None) -> None:
        every = {"data.cache": "none", **(options or {}), "data.root": os.fspath(data), "test_domain": test_domain}
        self.native = _native.NativeSources(recipe, every)
        #: All options, nested: config["loader"]["batch_size"].
        self.config: Dict[str, Any] = self.native.config
        #: The IN images of the source domains, which training learns from, and the OUT images, which select a model.
        self.train, self.validation = Images._of(self.native.train), Images._of(self.native.validation)
        self.class_names, self.domain_names = self.train.class_names, self.train.domain_names
        #: Domains that are held out.
        self.held_out: List[str] = self.native.held_out
        #: What prompts call the classes, and the source domains by name.
        self.class_words: List[str] = self.native.class_words
        self.domain_words: Dict[str, str] = self.native.domain_words
        self.steps_per_epoch: int = self.native.steps_per_epoch
        self.total_steps: int = self.native.total_steps

    def loader(self, purpose: str = "raw", batch_size: Optional[int] = None) -> _native.BatchLoader:
        """The program's batches: loader.batch(step) has batch_size augmented images of each source domain."""
        return self.native.loader(purpose, batch_size)

    def classifier(self) -> Classifier:
        """A new network with the first weights that the program's run of these options has."""
        return Classifier(len(self.class_names), seed=self.config["seed"], image_size_px=self.config["loader"]["image_size_px"],
                          **self.config["classifier"])

    def optimizer(self, classifier: Classifier) -> _native.Optimizer:
        """The program's, of these options; set its lr before each step (lr_at)."""
        optimizer = _native.Optimizer(list(classifier.parameters()), self.config["optimizer"])
        optimizer.scale_lr(classifier.head_parameters(), self.config["optimizer"]["head_lr_multiplier"])
        return optimizer

    def lr_at(self, step: int) -> float:
        """The learning rate of a step (from 0)."""
        return _native.lr_at(self.config["optimizer"], step, self.total_steps)

    def check_ldm(self, ldm: _native.LatentDiffusion) -> Dict[str, Any]:
        """ConfigError if the model says that it saw the held-out domain; what is recorded of it."""
        return self.native.check_ldm(ldm)

    def check_prompt(self, prompt: str) -> None:
        """ConfigError if the prompt names the held-out domain."""
        self.native.check_prompt(prompt)


class Rounds(Dataset):
    """Rounds of online augmentation, and the images that they made: (image, label, record).

    As a Dataset it holds the newest image of each covered raw one, as of `as_of` (the last finished round; -1: none yet): image float32
    [3, S, S] in [0, 1], record what the manifest says of it (parent, prompts, chosen candidates, similarities).

    folder: of the images, made or continued. rounds: how many there will be; those of the run's length if absent. candidates: folder of a
    CandidateStore, shared by runs. options: as `augmentation.*` of recipes; those of the sources' options if absent.
    """

    def __init__(
        self,
        sources: Sources,
        ldm: _native.LatentDiffusion,
        folder: PathLike,
        *,
        rounds: Optional[int] = None,
        candidates: PathLike = "",
        transform: Transform = None,
        **options: Any,
    ) -> None:
        self.transform = transform
        every = {**sources.config.get("augmentation", {}), **options}
        self._native: Optional[_native.NativeRounds] = _native.NativeRounds(sources.native, ldm, folder, candidates, rounds, every)
        self.folder = pathlib.Path(folder)
        #: Steps before which the program runs a round, of the run's length.
        self.steps: List[int] = self._native.steps
        self._read()

    @classmethod
    def of_run(cls, run: PathLike, transform: Transform = None) -> "Rounds":
        """The rounds that a run of the program made, or makes, to be looked at."""
        rounds = cls.__new__(cls)
        rounds.transform, rounds._native, rounds.steps = transform, None, []
        rounds.folder = pathlib.Path(run) / "synthetic"
        _native.run_description(run)  # says what a run folder is
        rounds._read()
        return rounds

    def _read(self) -> None:
        manifest = self.folder / "manifest.jsonl"
        lines = _native.read_json_lines(manifest) if manifest.exists() else []
        #: Summaries of the finished rounds, in order.
        self.summaries: List[Dict[str, Any]] = [line["summary"] for line in lines if line["kind"] == "round"]
        self._lines = [line for line in lines if line["kind"] == "image"]
        self.show(len(self.summaries) - 1)

    def show(self, as_of: int) -> None:
        """From here on the Dataset holds the images as of that finished round; -1: none."""
        if not -1 <= as_of < len(self.summaries):
            raise _native.ConfigError(f"round {as_of}: {len(self.summaries)} are finished")
        self.as_of = as_of
        newest: Dict[Tuple[int, int], Dict[str, Any]] = {}
        for line in sorted(self._lines, key=lambda line: line["round"]):
            if line["round"] <= as_of and line["file"]:
                newest[line["domain"], line["index"]] = line
        self._shown = [newest[parent] for parent in sorted(newest)]

    def run(self, round: int) -> Dict[str, Any]:
        """Makes the missing images of a round and returns its summary, at once if it is finished. Rounds are made in order."""
        if self._native is None:
            raise _native.ConfigError("the rounds of a run are made by the program; Rounds(sources, ldm, folder) makes its own")
        summary = self._native.run(round)
        self._read()
        return summary

    def loader(self, purpose: str = "synthetic", batch_size: Optional[int] = None) -> _native.BatchLoader:
        """The program's batches of these images, augmented like raw ones: batch_size of each domain that has some."""
        if self._native is None:
            raise _native.ConfigError("a loader of a run's rounds: Rounds(sources, ldm, folder) has one")
        return self._native.loader(self.as_of, purpose, batch_size)

    def records(self, round: int) -> List[Dict[str, Any]]:
        """How each covered image of a round came out, those without a new image (file "") included."""
        return [line for line in self._lines if line["round"] == round]

    def image(self, record: Dict[str, Any]) -> Tensor:
        """float32 [3, S, S] in [0, 1], of a record with a file."""
        return _native.read_image(self.folder / record["file"]).permute(2, 0, 1) / 255

    def pictures(self, round: int) -> List[Dict[str, Any]]:
        """The records of the images of a round whose candidates are kept as pictures (augmentation.picture_rows), with class_name,
        domain_name, and "files": paths by name (raw, x, round_trip, candidate-0 …, made)."""
        place = self.folder / "pictures" / f"round-{round:04}"
        if not (place / "pictures.json").exists():
            return []
        rows = json.loads((place / "pictures.json").read_text(encoding="utf-8"))
        return [{**row, "files": {file.stem: file for file in sorted((place / row["folder"]).glob("*.png"))}} for row in rows]

    def __len__(self) -> int:
        return len(self._shown)

    def __getitem__(self, item: int) -> Tuple[Any, int, Dict[str, Any]]:
        record = self._shown[item]
        image = self.image(record)
        return (self.transform(image) if self.transform else image), record["label"], record


class CandidateStore(Dataset):
    """What lies in a candidate store: (values, provenance) of every entry that has any, in the order of names.

    values: float32 [3, H, W] in [0, 1] of an image, or the latents [c, h, w] that rounds work on (LatentDiffusion.decode). provenance: the
    key (source, model, options, prompt, noise) and facts, as a dict.
    """

    def __init__(self, folder: PathLike, *, transform: Transform = None) -> None:
        if not os.path.isdir(folder):
            raise _native.IoError(f"'{os.fspath(folder)}' is no folder; expected a candidate store")
        self._native = _native.NativeStore(folder)
        self.transform = transform
        entries = self._native.entries()
        self._entries = [entry for entry in entries if "file" in entry]
        #: Entries of which the model gave no image, with the cause as "failure".
        self.failures: List[Dict[str, Any]] = [entry for entry in entries if "file" not in entry]

    def __len__(self) -> int:
        return len(self._entries)

    def __getitem__(self, item: int) -> Tuple[Any, Dict[str, Any]]:
        entry = self._entries[item]
        values = self._native.values(entry)
        return (self.transform(values) if self.transform else values), entry

    def broken(self) -> List[Dict[str, Any]]:
        """Entries whose file is gone or not the one that was written. Hashes all files."""
        return [entry for entry in self._entries if not self._native.is_good(pathlib.PurePath(entry["file"]).stem)]
