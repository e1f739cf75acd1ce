"""Latent distillation as a loss for one's own training loop."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple, Union

from torch import Tensor, nn

from . import _native
from .datasets import Images

Key = Tuple[int, int]


class LatentDistillation(nn.Module):
    """What a frozen LDM teaches a classifier in a step, as a scalar to be added to cross-entropy.

        distillation = LatentDistillation(ldm, ["dog", "cat"], encoder="exact")
        loss = cross_entropy(logits, labels) + distillation(logits, labels, images=plain, step=step)

    class_names: as prompts call the classes. seed: of all draws, which depend on (seed, step, domain, index) alone.
    source: where the LDM's plain images come from if not with each call: an Images, or a function of a list of (domain, index) that
    returns float32 [n, 3, S, S] in [0, 1] with S = ldm.image_size_px.
    options: as `distillation.*` of recipes (teacher, share, fraction, t_min, …; curve and diffusion_classifier are dicts). `encoder` is
    "curve" where there is a source, and needs prepare() before the first step; else "exact".
    """

    def __init__(
        self,
        ldm: _native.LatentDiffusion,
        class_names: Sequence[str],
        *,
        source: Union[Images, Callable[[List[Key]], Tensor], None] = None,
        seed: int = 0,
        **options: Any,
    ) -> None:
        super().__init__()
        if source is None:
            options.setdefault("encoder", "exact")
        as_set = source.native if isinstance(source, Images) else None
        as_function = None if isinstance(source, Images) else source
        self._teacher = _native.NativeTeacher(ldm, list(class_names), seed, options, as_set, as_function)
        self._next_step = 0
        #: Of the last call: "mean_p", "mean_g", "lambda", …
        self.figures: Dict[str, Any] = {}
        self.scalars: Dict[str, float] = {}

    def prepare(
        self, images: Optional[Sequence[Tuple[int, int, int]]] = None, known_points: Optional[int] = None
    ) -> Optional[Dict[str, Any]]:
        """For encoder = curve: measures which number of nodes may stand in for the encoder, and keeps the curves.

        images: all that training may draw, as (domain, index, label); those of `source`, an Images, if absent. known_points: of an earlier
        run; skips the measurement. Returns its record, or None.
        """
        return self._teacher.prepare(images, known_points)

    def premise(self, images: Optional[Sequence[Tuple[int, int, int]]] = None) -> Dict[str, Any]:
        """Whether this LDM finds more confident images easier to denoise: where "negative_share" is under a half, distillation lowers
        confidence, and the program leaves it off (latent_distillation = auto)."""
        return self._teacher.premise(images)

    def forward(
        self,
        logits: Tensor,
        labels: Tensor,
        *,
        step: Optional[int] = None,
        domains: Optional[Tensor] = None,
        indices: Optional[Tensor] = None,
        images: Optional[Tensor] = None,
    ) -> Tensor:
        """The loss of a batch, a scalar with graph to `logits` [N, K]; labels int64 [N].

        step: names the draws; counted up from 0 if absent. domains, indices: int64 [N], the names of the images, needed where images are
        asked for by name; else the rows count. images: [N, 3, H, W] in [0, 1], the plain ones (with view = "augmented" what the
        classifier saw), resized to the LDM's size.
        """
        if step is None:
            step = self._next_step
        result = self._teacher.teach(logits, labels, step, domains, indices, images)
        self._next_step = step + 1
        self.figures, self.scalars = result.figures, result.scalars
        return result.loss

    @property
    def prompts(self) -> List[str]:
        """One per class."""
        return self._teacher.prompts

    @property
    def curve_points(self) -> int:
        """Nodes of the curve in use; 0 while there is none."""
        return self._teacher.curve_points

    @property
    def config(self) -> Dict[str, Any]:
        """All options."""
        return self._teacher.config

    def __deepcopy__(self, memo: Any) -> "LatentDistillation":
        return self  # no weights, no state but curves: a copied algorithm has the same teacher
