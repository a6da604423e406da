"""Edits of one image: the patches that are put into it, as pictures and as windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from cnnwidgets.core.errors import InputError

from .boxes import Box, Ints, cropped, union
from .run import Run
from .value import Edits, untouched, windowed
from .windows import MAPS, laid, paste, repeated, windows


@dataclass(frozen=True, eq=False)
class Layer:
    """One patch in each of B edits.

    Attributes:
        patches: (B or 1, C, h, w).
        tops, lefts: (B,), where their first row and column go.
        masks: (B or 1, 1, h, w) bool, True where the patch replaces the image; None: everywhere.
    """

    patches: torch.Tensor
    tops: Ints
    lefts: Ints
    masks: torch.Tensor | None = None

    def of(self, chosen: Ints) -> Layer:
        """Some of the edits."""

        def part(tensor: torch.Tensor) -> torch.Tensor:
            return tensor if len(tensor) == 1 else tensor[torch.from_numpy(chosen).to(tensor.device)]

        masks = part(self.masks) if self.masks is not None else None
        return Layer(part(self.patches), self.tops[chosen], self.lefts[chosen], masks)

    @property
    def box(self) -> Box:
        """The rows and columns that the patches cover, also outside of the image."""
        height, width = self.patches.shape[2:]
        return Box(self.tops, self.tops + height, self.lefts, self.lefts + width)

    def into(self, onto: torch.Tensor, y: Ints, x: Ints) -> None:
        """Put the patches into windows ``onto`` (B, C, h, w) of the image that begin at ``y``, ``x``."""
        patches = self.patches.expand(len(onto), *self.patches.shape[1:])
        if self.masks is not None:
            down, across = self.tops - y, self.lefts - x
            covered = torch.zeros_like(onto[:, :1], dtype=torch.bool)
            paste(covered, self.masks.expand(len(onto), *self.masks.shape[1:]), down, across, MAPS)
            shown = paste(onto.clone(), patches, down, across, MAPS)
            onto.copy_(torch.where(covered, shown, onto))
        else:
            paste(onto, patches, self.tops - y, self.lefts - x, MAPS)


def layer(base: torch.Tensor, patches: Any, tops: Any, lefts: Any, masks: Any = None) -> Layer:
    """Patches as the caller gives them, checked against the image ``base`` (1, C, H, W).

    Raises:
        InputError: a shape does not fit.
    """
    tops, lefts = _ints(tops, "tops"), _ints(lefts, "lefts")
    if len(tops) != len(lefts):
        raise InputError(f"{len(tops)} tops and {len(lefts)} lefts; pass one of each for each edit.")
    if not isinstance(patches, torch.Tensor) or patches.dim() not in (3, 4) or patches.shape[-3] != base.shape[1]:
        got = tuple(patches.shape) if isinstance(patches, torch.Tensor) else type(patches).__name__
        raise InputError(f"patches are {got}; expected a tensor (B, {base.shape[1]}, h, w) or ({base.shape[1]}, h, w).")
    patches = (patches if patches.dim() == 4 else patches[None]).detach().to(base)
    if len(patches) not in (1, len(tops)) or 0 in patches.shape[2:]:
        raise InputError(
            f"patches have shape {tuple(patches.shape)} for {len(tops)} places; pass one patch a place, or one for all."
        )
    if masks is not None:
        masks = torch.as_tensor(masks, device=base.device)
        fits = masks.shape[-2:] == patches.shape[2:] and (masks.dim() == 2 or masks.shape[:-2] == (len(tops),))
        if not fits:
            raise InputError(
                f"masks have shape {tuple(masks.shape)}; expected {tuple(patches.shape[2:])}, the size of the patch, "
                f"or ({len(tops)}, h, w). True: the patch replaces the image."
            )
        masks = masks.bool().reshape(-1, 1, *masks.shape[-2:])
    return Layer(patches, tops, lefts, masks)


def _ints(values: Any, name: str) -> Ints:
    array = values.detach().cpu().numpy() if isinstance(values, torch.Tensor) else np.asarray(values)
    if array.ndim == 0:
        array = array[None]
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise InputError(f"{name} are {array.dtype} of shape {array.shape}; expected whole numbers, one an edit.")
    return array.astype(np.int64)


def pictures(base: torch.Tensor, layers: Sequence[Layer]) -> torch.Tensor:
    """(B, C, H, W), the edited images; later layers cover earlier ones."""
    count = len(layers[0].tops)
    images = base.repeat(count, 1, 1, 1)
    corner = np.zeros(count, dtype=np.int64)
    for each in layers:
        each.into(images, corner, corner)
    return images


def edits(run: Run, base: torch.Tensor, layers: Sequence[Layer]) -> Edits:
    """The same as a value that knows its windows."""
    if not layers:
        return untouched(run, base)
    side = (base.shape[2], base.shape[3])
    box = union(cropped(each.box, side) for each in layers)
    size = box.size
    y, x = box.corners(size, side)
    win = windows(base, y, x, size, MAPS) if size != side else repeated(base, len(y))
    for each in layers:
        each.into(win, y, x)
    return windowed(run, base, laid(win), (y, x), box)
