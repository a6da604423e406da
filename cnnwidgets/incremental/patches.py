"""Edits of one image: the patches that are put into it, as pictures and as windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from cnnwidgets.core.arrays import as_array
from cnnwidgets.core.errors import InputError
from cnnwidgets.core.plain import plain_tensor

from .run import EditRun
from .values.boxes import EditBox, Ints, cropped, union
from .values.edits import Edits, untouched, windowed
from .values.windows import MAPS, laid, paste, repeated, windows

Patch = tuple[torch.Tensor, int, int]
"""What is put into an image (C, h, w), and its top and left."""
_FARTHEST = 2**40


@dataclass(frozen=True, eq=False)
class PatchLayer:
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

    def of(self, chosen: Ints) -> PatchLayer:
        """Some of the edits."""

        def part(tensor: torch.Tensor) -> torch.Tensor:
            return tensor if len(tensor) == 1 else tensor[torch.from_numpy(chosen).to(tensor.device)]

        masks = part(self.masks) if self.masks is not None else None
        return PatchLayer(part(self.patches), self.tops[chosen], self.lefts[chosen], masks)

    @property
    def box(self) -> EditBox:
        """The rows and columns that the patches cover, also outside of the image."""
        height, width = self.patches.shape[2:]
        return EditBox(self.tops, self.tops + height, self.lefts, self.lefts + width)

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


def layer(base: torch.Tensor, patches: Any, tops: Any, lefts: Any, masks: Any = None) -> PatchLayer:
    """Patches as the caller gives them, checked against the image ``base`` (1, C, H, W).

    Raises:
        InputError: a shape does not fit.
    """
    tops, lefts = _ints(tops, "tops"), _ints(lefts, "lefts")
    if len(tops) != len(lefts):
        raise InputError(f"{len(tops)} tops and {len(lefts)} lefts; pass one of each for each edit.")
    if isinstance(patches, torch.Tensor):
        patches = plain_tensor(patches, "The stack of patches", expanded=True)
    if not isinstance(patches, torch.Tensor) or patches.dim() not in (3, 4) or patches.shape[-3] != base.shape[1]:
        got = tuple(patches.shape) if isinstance(patches, torch.Tensor) else type(patches).__name__
        raise InputError(f"patches are {got}; expected a tensor (B, {base.shape[1]}, h, w) or ({base.shape[1]}, h, w).")
    patches = patches if patches.dim() == 4 else patches[None]
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
        masks = masks.reshape(-1, 1, *masks.shape[-2:])
    for axis, side in ((-2, base.shape[2]), (-1, base.shape[3])):
        places, length = (tops, lefts)[axis + 2], patches.shape[axis]
        places[:] = np.clip(places, -length, side)  # as far outside as one can be; sums of more would wrap around
        if length > side:
            first, count = _in_sight(places, length, side)
            patches = patches.narrow(axis, first, count)
            masks = masks.narrow(axis, first, count) if masks is not None else None
            places += first
    alike = patches.dtype == base.dtype and patches.device == base.device
    patches = plain_tensor(patches, "The stack of patches", expanded=alike).to(base)
    return PatchLayer(patches, tops, lefts, None if masks is None else masks.bool())


def _in_sight(places: Ints, length: int, side: int) -> tuple[int, int]:
    """Of patches longer than the image: the first of their rows, or columns, that any edit shows, and how many."""
    first, last = np.maximum(-places, 0), np.minimum(side - places, length)
    seen = first < last
    if not seen.any():
        return 0, 1
    return int(first[seen].min()), int(last[seen].max() - first[seen].min())


def in_sight(patch: Patch, image: tuple[int, int]) -> Patch:
    """A patch as it is; of one that is larger than an ``image`` of (height, width) the part that is seen."""
    values, *corner = patch
    for axis, side in ((-2, image[0]), (-1, image[1])):
        length = values.shape[axis]
        if length > side:
            at = _ints(corner[axis], "tops" if axis == -2 else "lefts").clip(-length, side)
            first, count = _in_sight(at, length, side)
            values, corner[axis] = values.narrow(axis, first, count), int(at[0]) + first
    return values, corner[0], corner[1]


def _ints(values: Any, name: str) -> Ints:
    array = as_array(values, name, "whole numbers, one an edit")
    if array.ndim == 0:
        array = array[None]
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise InputError(f"{name} are {array.dtype} of shape {array.shape}; expected whole numbers, one an edit.")
    if array.size and (int(array.max()) > _FARTHEST or int(array.min()) < -_FARTHEST):
        raise InputError(f"{name} reach {int(array.max()):,}; expected places in pixels, of at most {_FARTHEST:,}.")
    return array.astype(np.int64)


def pictures(base: torch.Tensor, layers: Sequence[PatchLayer]) -> torch.Tensor:
    """(B, C, H, W), the edited images; later layers cover earlier ones."""
    count = len(layers[0].tops)
    images = base.repeat(count, 1, 1, 1)
    corner = np.zeros(count, dtype=np.int64)
    for each in layers:
        each.into(images, corner, corner)
    return images


def edits(run: EditRun, base: torch.Tensor, layers: Sequence[PatchLayer]) -> Edits:
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
