"""Networks that give a score to every place: segmentation, and pictures that come out of networks."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch

from cnnwidgets.outputs.kinds import Kind, decided

from .regions import Size, box_weights, checked_region, mean_over, segment_around
from .task import Region, Task

_BACKGROUND = frozenset({"background", "__background__", "bg", "void", "unlabeled", "unlabelled", "other"})
_ENOUGH = 4096  # places, to find out what the numbers are
_PROBABILITIES: tuple[Kind, ...] = ("softmax", "sigmoid")


@dataclass(frozen=True, eq=False)
class SegmentationTask(Task):
    """Column k is the mean, over a part of the picture, of the map of class k.

    Attributes:
        maps_of: what the model returned -> (N, K, h, w).
        classes: (h, w), the class predicted at each place; for pictures None.
        count: K.
        picture: (H, W) of the picture.
        shape: (h, w) of the maps.
    """

    picking: ClassVar[str] = "region"
    one_wins: ClassVar[bool] = False
    part: ClassVar[str] = "region"

    maps_of: Callable[[Any], torch.Tensor] = field(default=lambda raw: raw, repr=False)
    classes: torch.Tensor | None = field(default=None, repr=False)
    count: int = 1
    picture: Size = (1, 1)
    shape: Size = (1, 1)

    def label(self, index: int) -> str:
        """The name of a class, or of a channel of a picture."""
        if self.labels is None and self.count == 1:
            return "the map"
        if self.labels is None and self.classes is None:
            return f"channel {index}"
        return super().label(index)

    def sentence(self, index: int) -> str:
        """Which mean is explained."""
        value = "probability" if self.outputs in _PROBABILITIES else "value" if self.classes is None else "score"
        name, shares = self.label(index), self._shares()
        text = f"Explains the mean {value} of {name} {self._where()}"
        if shares is None:
            return f"{text}."
        share = float(shares[1 if self.count == 1 else index])
        compared = ""
        if index == self.first and self.count > 1:
            others = "" if int(shares.argmax()) == index else " but the background"
            compared = f", more than any other class{others}"
        return f"{text}; {name} is predicted at {100 * share:.0f} % of its places{compared}."

    def at(self, region: Region) -> SegmentationTask:
        """The same with another part of the picture."""
        region = checked_region(region, self.picture)
        weights = self._weights(region)
        mean = mean_over(weights)

        def mean_of_region(outputs: Any) -> torch.Tensor:
            return mean(self.maps_of(outputs))

        inside = None
        if len(region) == 2 and weights is not None:
            rows, columns = (
                (torch.arange(side) * cells) // side for side, cells in zip(self.picture, self.shape, strict=True)
            )
            inside = weights.bool()[rows][:, columns]
        moved = dataclasses.replace(self, region=region, inside=inside, output=mean_of_region)
        return dataclasses.replace(moved, first=moved.most_frequent())

    def _weights(self, region: Region) -> torch.Tensor | None:
        if not region:
            return None
        if len(region) == 4:
            return box_weights(region, self.picture, self.shape)
        row, column = (at * cells // side for at, cells, side in zip(region, self.shape, self.picture, strict=True))
        if self.classes is None:  # a picture has no segments: the cell itself
            weights = torch.zeros(self.shape)
            weights[row, column] = 1
            return weights
        return segment_around(row, column, self.classes).float()

    def _shares(self) -> torch.Tensor | None:
        """How much of the region is predicted to be each class, as shares; None for pictures."""
        if self.classes is None:
            return None
        weights = self._weights(self.region)
        weights = torch.ones(self.shape) if weights is None else weights
        amounts = torch.zeros(max(self.count, 2), dtype=torch.float64)
        amounts.index_add_(0, self.classes.flatten(), weights.flatten().double())
        return amounts / amounts.sum()

    def most_frequent(self) -> int:
        """The class that is predicted most often in the region, other than the background."""
        shares = self._shares()
        if shares is None or self.count == 1:
            return 0
        order = shares.argsort(descending=True, stable=True).tolist()
        others = [index for index in order if shares[index] > 0 and self.label(index).lower() not in _BACKGROUND]
        return int((others or order)[0])

    def _where(self) -> str:
        if not self.region:
            return "over the whole picture"
        if len(self.region) == 4:
            top, left, height, width = self.region
            return f"in the box of {height} × {width} pixels (height × width) at row {top}, column {left}"
        if self.classes is None:
            return f"at row {self.region[0]}, column {self.region[1]}"
        return f"in the segment around row {self.region[0]}, column {self.region[1]}"


def segmentation_task(
    maps: torch.Tensor,
    maps_of: Callable[[Any], torch.Tensor],
    image: torch.Tensor,
    *,
    origin: str | None = None,
    outputs: Kind | None = None,
    labels: Sequence[str] | None = None,
    notes: Sequence[str] = (),
) -> SegmentationTask:
    """The task of a network that returned ``maps`` (1, K, h, w) for ``image`` (1, C, H, W).

    Args:
        maps_of: takes maps (N, K, h, w) out of what the model returns.
        origin: what made the maps; see :func:`~cnnwidgets.outputs.kinds.decided`.
        outputs: what somebody said that the numbers are.
        labels: a name for each map.
        notes: what else the reader must know of how the outputs are read.
    """
    count, picture, shape = maps.shape[1], tuple(image.shape[2:]), tuple(maps.shape[2:])
    maps = maps.detach().float().cpu()
    rows = maps[0].flatten(1).T
    step = max(1, len(rows) // _ENOUGH)
    kind = outputs or decided(rows[::step], origin).kind
    same = labels is None and count == image.shape[1] == 3 and shape == picture
    is_picture = same and kind == "sigmoid"
    classes = None
    if not is_picture:
        classes = maps[0].argmax(0) if count > 1 else (maps[0, 0] > (0.5 if kind in _PROBABILITIES else 0)).long()
    notes = list(notes)
    if same and not is_picture and kind != "softmax":
        notes.append(
            "The network returns three maps of the picture's size: they are taken for the scores of three classes. If "
            "they are a picture, class 0 is its red, and segments mean nothing."
        )
    if shape != picture and any(side % cells for side, cells in zip(picture, shape, strict=True)):
        notes.append(
            f"The network's maps have {shape[0]} × {shape[1]} places for a picture of {picture[0]} × {picture[1]} "
            "pixels: they are taken to cover all of it evenly."
        )
    task = SegmentationTask(
        outputs=kind if kind in _PROBABILITIES and not is_picture else "number",
        labels=None if labels is None else tuple(labels),
        notes=tuple(notes),
        maps_of=maps_of,
        classes=classes,
        count=count,
        picture=(picture[0], picture[1]),
        shape=(shape[0], shape[1]),
    )
    return task.at(())
