"""Edits of one image: the patches that are put into it, as pictures and as windows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from cnnwidgets.core.arrays import as_array
from cnnwidgets.core.errors import InputError
from cnnwidgets.core.plain import plain_tensor

from .edited_model import EditedModel
from .engine import EditBatch
from .run import EditRun
from .values.boxes import EditBox, Ints, cropped, union
from .values.edits import Edits, windowed
from .values.windows import MAPS, channels_last, paste, windows

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

    def some(self, indices: Ints) -> PatchLayer:
        """Some of the edits."""

        def part(tensor: torch.Tensor) -> torch.Tensor:
            return tensor if len(tensor) == 1 else tensor[torch.from_numpy(indices).to(tensor.device)]

        masks = part(self.masks) if self.masks is not None else None
        return PatchLayer(part(self.patches), self.tops[indices], self.lefts[indices], masks)

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
            pasted = paste(onto.clone(), patches, down, across, MAPS)
            onto.copy_(torch.where(covered, pasted, onto))
        else:
            paste(onto, patches, self.tops - y, self.lefts - x, MAPS)


def checked_image(image: Any) -> torch.Tensor:
    """The image (1, C, H, W) as the caller gives it.

    Raises:
        InputError: it is none.
    """
    if isinstance(image, torch.Tensor):
        tensor: torch.Tensor = plain_tensor(image, "The image")
        if tensor.dim() == 4 and len(tensor) == 1:
            return tensor
    arrived = tuple(image.shape) if isinstance(image, torch.Tensor) else type(image).__name__
    raise InputError(f"The image is {arrived}; expected a tensor (1, C, H, W). Edits are of one image.")


def patch_layer(base: torch.Tensor, patches: Any, tops: Any, lefts: Any, masks: Any = None) -> PatchLayer:
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
        arrived = tuple(patches.shape) if isinstance(patches, torch.Tensor) else type(patches).__name__
        raise InputError(
            f"patches are {arrived}; expected a tensor (B, {base.shape[1]}, h, w) or ({base.shape[1]}, h, w)."
        )
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
    is_visible = first < last
    if not is_visible.any():
        return 0, 1
    return int(first[is_visible].min()), int(last[is_visible].max() - first[is_visible].min())


def visible_part(patch: Patch, image: tuple[int, int]) -> Patch:
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


@dataclass(frozen=True, eq=False)
class PatchEdits:
    """B edits of one image: layers of patches, of which later ones cover earlier ones."""

    layers: Sequence[PatchLayer]

    def __len__(self) -> int:
        return len(self.layers[0].tops)

    def some(self, indices: Ints) -> PatchEdits:
        """The edits with these numbers."""
        return PatchEdits([layer.some(indices) for layer in self.layers])

    def batch(self, model: EditedModel) -> EditBatch:
        """The edits, and how ``model`` is run on them."""
        return EditBatch(
            np.arange(len(self)),
            lambda run, now: model.on_edits(run, self.some(now).windows(run, model.start)),
            lambda now: model.on_pictures(self.some(now).images(model.start)),
        )

    def images(self, base: torch.Tensor) -> torch.Tensor:
        """(B, C, H, W), the edited images."""
        images, corner = base.repeat(len(self), 1, 1, 1), np.zeros(len(self), dtype=np.int64)
        for layer in self.layers:
            layer.into(images, corner, corner)
        return images

    def windows(self, run: EditRun, base: torch.Tensor) -> Edits:
        """The same as a value that knows where it differs from ``base``."""
        side = (base.shape[2], base.shape[3])
        box = union(cropped(layer.box, side) for layer in self.layers)
        y, x = box.corners(box.size, side)
        win = windows(base, y, x, box.size, MAPS)
        for layer in self.layers:
            layer.into(win, y, x)
        return windowed(run, base, channels_last(win), (y, x), box)


def alike(base: torch.Tensor, edits: Sequence[Sequence[Patch]]) -> Iterator[tuple[list[int], PatchEdits]]:
    """Edits with any number of patches each, those with patches of the same sizes together, and their numbers.

    Edits without a patch are left out. The image is ``base`` (1, C, H, W).
    """
    side = (base.shape[2], base.shape[3])
    visible = [[visible_part(patch, side) for patch in patches] for patches in edits]
    groups: dict[tuple[Any, ...], list[int]] = {}
    for index, patches in enumerate(visible):
        groups.setdefault(tuple(tuple(patch.shape[-2:]) for patch, _, _ in patches), []).append(index)
    for shapes, members in groups.items():
        layers = []
        for number in range(len(shapes)):
            stack, tops, lefts = zip(*[visible[index][number] for index in members], strict=True)
            stacked = torch.stack([patch.reshape(patch.shape[-3:]) for patch in stack])
            layers.append(patch_layer(base, stacked, tops, lefts))
        if layers:
            yield members, PatchEdits(layers)
